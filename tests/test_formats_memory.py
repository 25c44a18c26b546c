"""Opening a model of a gigabyte takes the memory of its weights, and little more.

Each measurement has a process of its own. Memory is the peak of the resident set, with
the file pages that are mapped into it, less what Python and torch took before; every
weight is read once, so that mapped pages count.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")]

COMMON = """
import json, sys
from pathlib import Path
import torch
from minillama.config import LlamaConfig
from minillama.checkpoint import save_pretrained
from minillama.formats.llama2c import save_llama2c
from minillama.formats.meta import meta_names
from minillama.formats.open_file import open_model
from minillama.model import Llama
config = LlamaConfig(16000, 1024, 21, 16, ffn_dim=2816, max_seq_len=256)  # 1.2 GB
place = Path(sys.argv[1])
"""
WRITE = COMMON + """
torch.manual_seed(0)
with torch.device("meta"):
    model = Llama(config)
model = model.to_empty(device="cpu")
for weight in model.parameters():
    weight.data.uniform_(-0.1, 0.1)
model.reset_rotary()
if sys.argv[2] == "llama2c":
    save_llama2c(model, place / "m.bin")
elif sys.argv[2] == "meta":
    parts = [{}, {}]
    for ours, (theirs, cut) in meta_names(config).items():
        tensor = model.state_dict()[ours]
        pieces = [tensor] * 2 if cut is None else tensor.tensor_split(2, cut)
        for part, piece in zip(parts, pieces):
            part[theirs] = piece.clone()
    for number, part in enumerate(parts):
        torch.save(part, place / f"consolidated.{number:02d}.pth")
    (place / "params.json").write_text(json.dumps(
        {"dim": 1024, "n_layers": 21, "n_heads": 16}), encoding="utf-8")
else:
    save_pretrained(model, None, place, shard_bytes=int(sys.argv[3]))
"""
READ = COMMON + """
def peak():
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

save_llama2c(Llama(config.replace(dim=64, n_layers=1)), place / "small.bin")
small = open_model(place / "small.bin", torch.bfloat16).model  # torch unfolds itself
sum(weight.sum() for weight in small.parameters())
(place / "small.bin").unlink()
before = peak()
dtype = getattr(torch, sys.argv[2]) if sys.argv[2] != "None" else None
model = open_model(place, dtype=dtype).model
total = sum(weight.sum().item() for weight in model.parameters())
if sys.argv[3] == "twice":
    copy = {name: tensor.clone() for name, tensor in model.state_dict().items()}
weights = sum(weight.nbytes for weight in model.parameters())
print(json.dumps({"weights": weights, "ratio": (peak() - before) / weights}))
"""


def run(code: str, *arguments: object) -> str:
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["huggingface", "sharded", "meta", "llama2c"])
def place(request, tmp_path_factory):
    """A model of 1.2 GB in one layout, removed afterwards."""
    folder = tmp_path_factory.mktemp(request.param)
    shard = 2 * 10**8 if request.param == "sharded" else 10**10
    run(WRITE, folder, request.param, shard)
    yield folder
    for file in folder.iterdir():
        file.unlink()


def measured(folder: Path, dtype: str = "None", how: str = "once") -> float:
    result = json.loads(run(READ, folder, dtype, how))
    assert result["weights"] > 1e9 or dtype == "bfloat16"
    print(f"{folder.name} as {dtype}, {how}: {result['ratio']:.2f} times the weights")
    return result["ratio"]


def test_the_weights_are_in_memory_once(place):
    assert 0.9 < measured(place) <= 1.2
    assert measured(place, how="twice") > 1.8, "the measurement sees no second copy"


def test_converting_takes_one_tensor_more(place):
    """The weights are then half as large as the file, 0.6 GB, and what any program
    takes besides weighs twice as much."""
    assert 0.9 < measured(place, "bfloat16") <= 1.25
