"""Many processes learn as one does: the same curve, whatever is split and how."""

import json
import shutil
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from team_fixtures import do, environment, needs_team
from team_worker import CONFIG, SETTINGS, alone, fresh, stream
from torch.nn import functional as F

from minillama import pasture
from minillama.errors import UserError
from minillama.training import preparing, thrift
from minillama.training.command import _text, main, parse
from minillama.training.data import IGNORED
from minillama.training.optimisation import make_optimiser, train_step
from minillama.training.pretrain import Alone, Settings, evaluate, pretrain
from minillama.training.state_folder import StateFolder
from minillama.training.team import Team

CLOSE = 1e-4  # nats, and units of the weights


@pytest.fixture(scope="module")
def one():
    """The log and the weights of one process, by train_step of the formal algorithm."""
    return alone()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    do("curves", folder)
    return folder


def gap(log, expected, key="loss"):
    """Largest difference of two logs; both must have the same steps."""
    assert [row["step"] for row in log] == [row["step"] for row in expected]
    return max(abs(ours[key] - theirs[key]) for ours, theirs in zip(log, expected)
               if key in theirs)


def weight_gap(weights, expected):
    assert weights.keys() == expected.keys()
    return max(float((weights[name] - expected[name]).abs().max()) for name in expected)


def read(folder, name, rank):
    return json.loads((folder / f"{name}-{rank}.json").read_text(encoding="utf-8"))


@needs_team
@pytest.mark.parametrize("name", [
    "ddp", "fsdp", "accumulated-ddp", "recomputed-accumulated-fsdp"])
def test_two_processes_have_the_curve_of_one(name, one, two):
    log, weights = one
    assert log[0]["loss"] - log[-1]["loss"] > 1 and len(log) == 50  # it learns
    for rank in (0, 1):  # and all say the same
        found = read(two, name, rank)
        assert gap(found, log) < CLOSE and gap(found, log, "heldout") < CLOSE
        assert gap(found, log, "norm") < 10 * CLOSE
        assert [row["rate"] for row in found] == [row["rate"] for row in log]
    found = torch.load(two / f"{name}-0.pt", weights_only=True)
    assert weight_gap(found, weights) < CLOSE


@needs_team
@pytest.mark.parametrize("name", ["bfloat16-ddp", "bfloat16-fsdp"])
def test_bfloat16_follows_float32_at_its_own_precision(name, one, two):
    found = read(two, name, 0)
    begin = gap(found[:10], one[0][:10])  # 8 bits of 3.6 nats are 0.014
    assert CLOSE < begin < 0.02 and abs(found[-1]["loss"] - one[0][-1]["loss"]) < 0.2
    weights = torch.load(two / f"{name}-0.pt", weights_only=True)
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    fine = [w for w in weights.values() if not torch.equal(w, w.bfloat16().float())]
    assert len(fine) == len(weights)  # what is kept was never rounded


@needs_team
def test_sharded_blocks_compute_in_bfloat16_and_rotate_by_exact_angles(two):
    for rank in (0, 1):
        seen = json.loads((two / f"precisions-{rank}.json").read_text(encoding="utf-8"))
        assert seen == [["torch.bfloat16", "torch.float32", "torch.float32"]]


@needs_team
@pytest.mark.parametrize("name", ["stopped", "stopped-fsdp"])
def test_a_save_of_two_goes_on_with_one(name, one, two, tmp_path):
    shutil.copytree(two / name, tmp_path / "state")
    log, weights = one
    for _ in range(2):  # the second time nothing is left to do
        model, crew = fresh(), Team()
        torch.nn.init.zeros_(model.output.weight)  # the folder decides, not the start
        found = pretrain(model, stream(1), stream(2), SETTINGS, progress=False,
                         crew=crew, state=StateFolder(tmp_path / "state", crew))
        assert gap(found, log) < CLOSE and gap(found, log, "heldout") < CLOSE
        assert weight_gap(model.state_dict(), weights) < CLOSE


@needs_team
def test_a_save_of_two_goes_on_with_three(one, two):
    do("resumed", two)
    log, weights = one
    for name in ("stopped-3", "stopped-fsdp-3"):
        assert len(json.loads((two / f"{name}-0.json").read_text())) == 50
        for rank in range(3):
            assert gap(read(two, name, rank), log) < CLOSE
        found = torch.load(two / f"{name}-0.pt", weights_only=True)
        assert weight_gap(found, weights) < CLOSE


@needs_team
def test_a_save_keeps_a_share_in_every_process_and_no_pickle(two):
    saves = sorted((two / "stopped-fsdp").iterdir())
    assert [place.name for place in saves] == ["step-00000011", "step-00000021"]
    files = sorted(saves[1].iterdir())
    assert [f.name.split("-")[0] for f in files] == ["manifest.json", "shard", "shard"]
    shares = [load_file(file) for file in files[1:]]
    sizes = [sum(t.numel() for t in share.values()) for share in shares]
    assert sum(sizes) == 3 * CONFIG.parameter_count()  # weights and AdamW's two means
    assert abs(sizes[0] - sizes[1]) < 0.1 * sizes[0]
    assert not (two / "stopped-fsdp" / ".draft").exists()


# What is added up, without processes ------------------------------------------------

def test_a_mean_of_means_would_be_another_loss():
    """Ranks differ in how many targets count; this text is such that it matters."""
    logits = torch.randn(6, 8, 40, generator=torch.Generator().manual_seed(1))
    logits = logits * torch.arange(1, 7).view(6, 1, 1)  # rows differ in surprise too
    team, gaps = [Team(rank, 2) for rank in (0, 1)], []
    for step in range(8):
        _, targets = Alone().batch(stream(1), step, SETTINGS)
        parts = [crew.batch(stream(1), step, SETTINGS)[1] for crew in team]
        counts = [int((part != IGNORED).sum()) for part in parts]
        assert sum(counts) == int((targets != IGNORED).sum())
        means = [float(F.cross_entropy(logits[r::2].flatten(0, 1), part.flatten()))
                 for r, part in enumerate(parts)]
        whole = float(F.cross_entropy(logits.flatten(0, 1), targets.flatten()))
        weighed = sum(m * n for m, n in zip(means, counts)) / sum(counts)
        assert weighed == pytest.approx(whole, rel=1e-5)
        gaps.append(abs(sum(means) / 2 - whole))
    assert max(gaps) > 1000 * CLOSE


@pytest.mark.parametrize("size, batch", [(1, 5), (2, 6), (3, 7), (5, 5)])
def test_rows_of_all_processes_are_the_batch_of_one(size, batch):
    settings = Settings(steps=9, batch=batch, length=8, warmup=1)
    whole = Alone().batch(stream(1), 4, settings)
    parts = [Team(rank, size).batch(stream(1), 4, settings) for rank in range(size)]
    for place in (0, 1):
        assert sum(len(part[place]) for part in parts) == batch
        for rank, part in enumerate(parts):
            assert torch.equal(part[place], whole[place][rank::size])


@pytest.mark.parametrize("accumulate", [1, 2, 3, 6])
def test_parts_of_a_step_add_up_to_the_step(accumulate):
    models = fresh().double(), fresh().double()
    optimisers = [make_optimiser(model, 1.0) for model in models]
    for step in range(3):
        batch = Alone().batch(stream(1), step, SETTINGS)
        found = Team(accumulate=accumulate).train_step(
            models[0], optimisers[0], *batch, 1e-2)
        assert found == pytest.approx(
            train_step(models[1], optimisers[1], *batch, 1e-2), rel=1e-5)
    assert weight_gap(models[0].state_dict(), models[1].state_dict()) < 1e-6


def test_a_batch_without_targets_changes_no_weight_but_by_decay():
    model = fresh()
    optimiser = make_optimiser(model, 1.0)
    inputs = torch.ones(2, 8, dtype=torch.long)
    loss, norm = Team().train_step(model, optimiser, inputs,
                                   torch.full_like(inputs, IGNORED), 1e-2)
    assert loss == norm == 0
    assert torch.equal(model.norm.weight, torch.ones(16))
    torch.testing.assert_close(model.output.weight, fresh().output.weight * 0.999)


@pytest.mark.parametrize("most", [1, 3, 64])
def test_evaluation_is_that_of_one_process(most):
    model = fresh()
    assert Team().evaluate(model, stream(2), 8, batch=5, most=most) == pytest.approx(
        evaluate(model, stream(2), 8, most=most), rel=1e-6)
    with pytest.raises(UserError, match="shorter than one window of 8"):
        Team().evaluate(model, stream(2, 8), 8)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_recomputing_gives_the_same_gradients_from_less_memory(dtype):
    gradients, kept = [], []
    for again in (False, True):
        model = fresh().to(dtype)
        if again:
            thrift.recompute(model)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
                lambda t: sizes.append(t.numel()) or t, lambda t: t):
            loss = model(stream(1).batch(0, 6, 8)[0]).float().square().mean()
        kept.append(sum(sizes))
        loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name]), name
    assert kept[1] < 0.6 * kept[0]


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setattr(thrift.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="needs a C.. compiler"):
        thrift.compile_blocks(fresh(), torch.device("cpu"))


# The command ----------------------------------------------------------------------

def test_one_process_reads_a_text_as_many_do(tmp_path, monkeypatch):
    """Also a text whose documents are cut, and one that a team has prepared."""
    monkeypatch.setattr(preparing, "LONGEST", 100)
    text = tmp_path / "text.txt"
    text.write_text("A hen sleeps on the hay.\n" * 40 + "\nAn owl.", encoding="utf-8")
    args = parse(["--out", str(tmp_path / "out"), "--text", str(text),
                  "--vocab", "280"])
    alone = _text(args, Team())
    preparing.prepare(tmp_path / "out.tokens", text, 280)
    together = _text(args, Team())
    assert alone[0].pieces == together[0].pieces
    assert [s.digest() for s in alone[1:]] == [s.digest() for s in together[1:]]
    assert not isinstance(together[1].tokens, type(alone[1].tokens))  # read from disk


def test_the_folder_where_one_stands_is_not_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="a folder of its own"):
        main(["--out", "."])
    assert not list(tmp_path.iterdir())


@needs_team
def test_torchrun_trains_the_model_of_one_process(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(pasture.texts(200)), encoding="utf-8")
    common = ["--text", str(text), "--steps", "6", "--vocab", "340", "--batch", "5",
              "--length", "32"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
         "--master-addr", "127.0.0.1", "--master-port", port,
         "-m", "minillama.training.pretrain", "--out", str(tmp_path / "two"),
         "--shard", "--recompute", *common],
        env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The trained model lies in") == 1  # one process speaks
    main(["--out", str(tmp_path / "one"), *common])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "text.txt", "two"]
    models = [load_file(tmp_path / name / "model.safetensors")
              for name in ("one", "two")]
    assert weight_gap(*models) < CLOSE
    assert (tmp_path / "one" / "tokenizer.model").read_bytes() == (
        tmp_path / "two" / "tokenizer.model").read_bytes()


@needs_team
def test_what_all_processes_meet_is_said_once_and_all_end(tmp_path):
    said = do("refused", tmp_path)
    assert said.splitlines() == [
        "pretrain: missing.txt cannot be read (No such file or directory); give the "
        "path of a text file.",
        "pretrain: a batch of 1 cannot be cut into 2 processes x 1 parts"]
    assert not [p for p in tmp_path.iterdir() if p.suffix != ".tokens"]


def test_a_state_of_one_process_is_not_passed_over(tmp_path):
    (tmp_path / "out.state.pt").write_bytes(b"")
    with pytest.raises(UserError, match="of a plain run of one process"):
        main(["--out", str(tmp_path / "out"), "--text", __file__, "--vocab", "400",
              "--steps", "2", "--accumulate", "2"])


@pytest.mark.parametrize("arguments, fragment", [
    (["--shard"], "--shard needs torchrun"),
    (["--accumulate", "0"], "must be positive"),
    (["--tokens", "a", "--text", "b"], "--text or --tokens, not both"),
    (["--tokens", "missing"], "missing.manifest.json is missing"),
    (["--length", "257", "--text", __file__], "257 is longer than the 256 tokens"),
    (["--batch", "3", "--accumulate", "4", "--text", __file__, "--length", "8"],
     "a batch of 3 cannot be cut into 1 processes x 4 parts"),
    (["--model", "camel", "--text", __file__], "no model named 'camel'"),
])
def test_the_command_refuses_in_one_line(arguments, fragment, tmp_path):
    with pytest.raises(UserError, match=fragment) as caught:
        main(["--out", str(tmp_path / "model"), "--steps", "2", "--vocab", "400",
              *arguments])
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_result_that_would_be_overwritten_is_named_before_training(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for out in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UserError, match="is not empty"):
            main(["--out", str(out), "--steps", "2"])
