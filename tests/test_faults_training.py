"""A training run survives kills, full disks and damaged files, and runs no stranger's
code: one clear line each, nothing executed, nothing lost."""

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from team_fixtures import do, needs_team
from team_worker import BUSY, PLACES, SETTINGS, SHORT, alone, fresh, stream

from minillama.errors import UserError
from minillama.training import manifest, state_folder, team
from minillama.training.pretrain import pretrain
from minillama.training.state import StateFile
from minillama.training.state_folder import StateFolder
from minillama.training.team import Team

CLOSE = 1e-4  # nats, and units of the weights


def assert_same(file, expected, exactly=False):
    """A log and weights that a job left, against those of an undisturbed run."""
    log = json.loads(file.read_text(encoding="utf-8"))
    weights = torch.load(file.with_suffix(".pt"), weights_only=True)
    if exactly:
        assert log == expected[0]
    assert len(log) == len(expected[0])
    for ours, theirs in zip(log, expected[0]):
        assert ours.keys() == theirs.keys()
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=CLOSE)
    for name, tensor in expected[1].items():
        torch.testing.assert_close(weights[name], tensor, rtol=0,
                                   atol=0 if exactly else CLOSE)


# Kills ------------------------------------------------------------------------------

@needs_team
def test_runs_killed_at_random_go_on_to_the_same_curve(tmp_path):
    do("killed_at_random", tmp_path)
    expected = alone(BUSY)
    assert_same(tmp_path / "one.json", expected, exactly=True)
    assert_same(tmp_path / "two.json", expected)
    kills = [int((tmp_path / f"{name}.kills").read_text()) for name in ("one", "two")]
    assert min(kills) >= 3  # each after a new save, and before the end


@needs_team
def test_a_kill_within_a_save_leaves_the_former_saves(tmp_path):
    do("killed_while_saving", tmp_path)
    expected = alone(SHORT)
    for name in PLACES:
        saves = json.loads((tmp_path / f"{name}.saves").read_text(encoding="utf-8"))
        third = ["step-00000005"] if name == "before-pruning" else []
        assert saves == ["step-00000001", "step-00000003", *third], name
        assert_same(tmp_path / f"{name}-0.json", expected)
        left = sorted(p.name for p in (tmp_path / f"{name}.state").iterdir())
        assert left == ["step-00000007", "step-00000009"]


# A full disk ------------------------------------------------------------------------

@needs_team
def test_a_full_disk_is_said_in_one_line_and_loses_nothing(tmp_path):
    said = [line for line in do("full", tmp_path).splitlines() if "large" in line]
    assert json.loads((tmp_path / "codes.json").read_text()) == [3, 3, 3]
    assert len(said) == 3 and len({line.split(": ", 1)[1] for line in said}) == 2
    assert f"cannot write {tmp_path / 'one.state.pt'}: File too large" in said[0]
    for line in said[1:]:
        assert f"cannot save to {tmp_path / 'two.state'}: File too large" in line
        assert "step-00000021 is whole, and the same command goes on" in line
    assert json.loads((tmp_path / "saves.json").read_text()) == [
        "step-00000011", "step-00000021"]
    assert_same(tmp_path / "one.json", alone(), exactly=True)
    assert_same(tmp_path / "two-0.json", alone())
    assert not list(tmp_path.rglob(".draft")) and not list(tmp_path.glob(".*"))


def test_a_disk_that_is_full_at_the_first_save_is_named(tmp_path, monkeypatch):
    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_folder.dcp, "save", no_space)
    with pytest.raises(UserError) as caught:
        run(tmp_path / "state")
    assert str(caught.value) == (f"cannot save to {tmp_path / 'state'}: No space left "
                                 "on device; nothing was saved before")


# Damage -----------------------------------------------------------------------------

def run(folder, settings=SHORT, crew=Team(), **more):
    return pretrain(fresh(), stream(1), stream(2), settings, progress=False, crew=crew,
                    state=StateFolder(folder, crew), **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "state"
    run(folder)
    return folder


@pytest.fixture
def saved(whole, tmp_path):
    """A folder of two saves, of which the newest is to be damaged."""
    shutil.copytree(whole, tmp_path / "state")
    return tmp_path / "state"


def newest(saved, pattern="*.safetensors"):
    return sorted(next(iter(sorted(saved.iterdir())[-1:])).glob(pattern))[0]


def refusal(saved, **more):
    with pytest.raises(UserError) as caught:
        run(saved, **more)
    assert "\n" not in str(caught.value) and str(saved) in str(caught.value)
    return str(caught.value)


DAMAGES = {
    "cut": lambda b: b[:-100], "empty": lambda b: b"", "longer": lambda b: b + b"\0",
    "flipped": lambda b: b[:-9] + bytes([b[-9] ^ 1]) + b[-8:],
    "header": lambda b: bytes([b[0] ^ 1]) + b[1:],
    "zeros": lambda b: bytes(len(b)), "noise": lambda b: os.urandom(len(b)),
}


@pytest.mark.parametrize("pattern", ["*.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_save_is_named_and_the_one_before_is_offered(damage, pattern, saved):
    file = newest(saved, pattern)
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    said = refusal(saved)
    assert f"{file} is damaged" in said
    assert f"delete {file.parent} to go on from step-00000007" in said
    shutil.rmtree(file.parent)  # as advised
    assert run(saved) == run(saved.with_name("fresh"))
    assert file.exists()


@pytest.mark.parametrize("pattern", ["*.safetensors", "manifest.json"])
def test_a_missing_file_is_named(pattern, saved):
    file = newest(saved, pattern)
    file.unlink()
    assert f"{file} is missing" in refusal(saved)


def test_the_last_save_that_is_damaged_leaves_the_start(saved):
    file = newest(saved)
    shutil.rmtree(saved / "step-00000007")
    file.write_bytes(b"")
    assert refusal(saved).endswith(f"delete {file.parent} to train from the start")


@pytest.mark.parametrize("change", [
    {"settings": SETTINGS}, {"crew": Team(dtype=torch.bfloat16)}])
def test_a_save_of_another_run_is_named(change, saved):
    assert "belongs to a run with other settings" in refusal(saved, **change)


# Malice -----------------------------------------------------------------------------

class Harm:
    """Whoever unpickles it makes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def forge(place, **changes):
    """Make a manifest true again, as somebody would who means harm."""
    file = place / manifest.NAME
    content = json.loads(file.read_text(encoding="utf-8"))
    content = {k: v for k, v in {**content, **changes}.items()
               if k not in ("kind", "files", "checksum")}
    files = changes.get("files") or manifest.describe(sorted(place.glob("*.safe*")))
    manifest.write_manifest(place, state_folder.KIND, files, **content)


def test_a_pickle_in_place_of_tensors_is_not_executed(saved, tmp_path):
    harm = pickle.dumps(Harm(tmp_path / "harmed"), 2)
    file = newest(saved)
    file.write_bytes(harm)
    forge(file.parent)
    assert "does not hold this model" in refusal(saved)
    assert not (tmp_path / "harmed").exists()
    pickle.loads(harm).close()  # it would have been
    assert (tmp_path / "harmed").exists()


def test_a_pickle_where_torch_would_look_for_one_is_not_executed(saved, tmp_path):
    for place in saved.iterdir():
        for name in (".metadata", "__0_0.distcp"):
            (place / name).write_bytes(pickle.dumps(Harm(tmp_path / "harmed"), 2))
    assert len(run(saved)) == SHORT.steps and not (tmp_path / "harmed").exists()


def test_a_pickle_in_the_state_of_one_process_is_not_executed(tmp_path):
    buffer = io.BytesIO()
    torch.save({"model": Harm(tmp_path / "harmed")}, buffer)
    file = tmp_path / "run.state.pt"
    for content in (buffer.getvalue(), pickle.dumps(Harm(tmp_path / "harmed"), 2)):
        file.write_bytes(hashlib.sha256(content).digest() + content)
        with pytest.raises(UserError, match="is damaged"):
            pretrain(fresh(), stream(1), stream(2), SHORT, progress=False,
                     state=StateFile(file))
    assert not (tmp_path / "harmed").exists()


def absurd(header):
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + bytes(64)


@pytest.mark.parametrize("content", [
    (2**63).to_bytes(8, "little") + bytes(100),
    absurd({"weight.norm.weight": {"dtype": "F32", "shape": [2**40, 2**40],
                                   "data_offsets": [0, 64]}}),
    absurd({"weight.norm.weight": {"dtype": "F32", "shape": [16],
                                   "data_offsets": [0, 2**62]}}),
    absurd({"a" * 100: {"dtype": "F32", "shape": [-16], "data_offsets": [0, 64]}}),
    b"[" * 100_000, absurd([[]]), absurd({})])
def test_tensors_of_absurd_shape_are_refused(content, saved):
    file = newest(saved)
    file.write_bytes(content)
    forge(file.parent)
    assert "does not hold this model" in refusal(saved)


@pytest.mark.parametrize("change", [
    lambda t: {k: v for k, v in t.items() if k != "mean.norm.weight"},
    lambda t: {**t, "weight.norm.weight": torch.ones(17)},
    lambda t: {**t, "weight.norm.weight": torch.ones(4, 4)}])
def test_tensors_of_another_model_are_refused(change, saved):
    file = newest(saved)
    save_file(change(load_file(file)), file)
    forge(file.parent)
    assert "does not hold this model" in refusal(saved)


@pytest.mark.parametrize("changes, fragment", [
    ({"log": "[]"}, "holds no log"), ({"log": []}, "holds no log"),
    ({"run": None}, "other settings"),
    ({"files": {"../../x": {"bytes": 1, "sha256": ""}}}, "no file of its folder"),
])
def test_a_forged_manifest_is_refused(changes, fragment, saved):
    forge(newest(saved).parent, **changes)
    assert fragment in refusal(saved)


# One fails, all fail ----------------------------------------------------------------

def test_without_gloo_the_team_says_so(monkeypatch):
    code = ("import torch.distributed as d; d.is_backend_available = lambda b: False\n"
            "from minillama.training.command import main\n"
            "from minillama.errors import UserError\n"
            "try: main(['--out', 'never'])\n"
            "except UserError as error: print(error)")
    more = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": "1"}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **more},
                          capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == ("this torch has no gloo, by which processes on cpu "
                                   "talk: train with one process"), done.stderr


@pytest.mark.parametrize("device, cards, said", [
    ("mps", 0, "cannot talk on mps"), ("cuda", 1, "has 1 GPUs: start no more")])
def test_a_team_on_devices_that_cannot_hold_it_is_refused(monkeypatch, device, cards,
                                                          said):
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2",
                        "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(team, "pick_device", torch.device)
    monkeypatch.setattr(team.dist, "is_backend_available", lambda name: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    with pytest.raises(UserError, match=said), team.join(device):
        pass


def test_a_state_that_cannot_be_read_is_not_called_damaged(tmp_path):
    (tmp_path / "state.pt").mkdir()
    with pytest.raises(UserError, match="cannot read"):
        StateFile(tmp_path / "state.pt").restore(None, None, {})
