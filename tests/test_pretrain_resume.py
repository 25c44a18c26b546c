"""A training run that was stopped goes on to the identical curve, or says why not."""

import hashlib
import io
import math
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from minillama import pasture
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.model import Llama
from minillama.training import ablations, pretrain as room
from minillama.training.data import TokenStream
from minillama.training.command import main
from minillama.training.pretrain import Settings, evaluate, pretrain

SETTINGS = Settings(steps=11, batch=2, length=8, peak=1e-2, warmup=3, evaluate_every=4)


class Stop(KeyboardInterrupt):
    """An interruption that is certainly ours."""


def unpack(state):
    """The parts of a state file, behind its checksum of 32 bytes."""
    return torch.load(io.BytesIO(state.read_bytes()[32:]), weights_only=True)


def stream(seed, n=900):
    generator = torch.Generator().manual_seed(seed)
    return TokenStream(torch.randint(3, 40, (n,), generator=generator), 1)


def fresh(seed=0):
    torch.manual_seed(seed)
    return Llama(LlamaConfig(40, 16, 1, 2, ffn_dim=24, max_seq_len=8))


def run(model, state=None, settings=SETTINGS, **more):
    return pretrain(model, stream(1), stream(2), settings, state_file=state,
                    progress=False, **more)


@pytest.fixture(scope="module")
def unstopped():
    """The log and the weights of a run that nothing disturbed."""
    model = fresh()
    return run(model), model.state_dict()


def test_a_run_logs_every_step_and_evaluates_where_said(unstopped):
    log, _ = unstopped
    assert [row["step"] for row in log] == list(range(11))
    assert [row["step"] for row in log if "heldout" in row] == [0, 4, 8, 10]
    assert log[0]["loss"] == pytest.approx(math.log(40), abs=0.1)
    assert log[2]["rate"] == 1e-2 and log[-1]["rate"] == pytest.approx(1e-3)


def same(log, model, unstopped):
    expected, weights = unstopped
    assert log == expected
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name


def raise_at(call, at, after):
    """``call``, but its ``at``-th use stops, before or after it did its work."""
    uses = []

    def stopping(*arguments, **more):
        uses.append(1)
        if len(uses) == at and not after:
            raise Stop
        result = call(*arguments, **more)
        if len(uses) == at:
            raise Stop
        return result

    return stopping


PLACES = {
    "batch": (TokenStream, "batch", 6, True),
    "gradient": (torch.Tensor, "backward", 6, True),
    "step": (torch.optim.AdamW, "step", 6, True),
    "whole step": (room, "train_step", 6, True),
    "before a step": (room, "train_step", 6, False),
    "evaluation": (room, "evaluate", 3, False),
    "first step": (room, "train_step", 1, True),
}


@pytest.mark.parametrize("place", PLACES)
def test_stopped_anywhere_it_goes_on_to_the_same_curve(
        place, tmp_path, monkeypatch, unstopped):
    owner, name, at, after = PLACES[place]
    state = tmp_path / "run.state.pt"
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(owner, name, raise_at(getattr(owner, name), at, after))
        run(fresh(), state)
    model = fresh(seed=99)  # whatever it starts from, the file decides
    if not state.exists():
        model = fresh()
    same(run(model, state), model, unstopped)


@pytest.mark.parametrize("error, stop_at", [
    (Stop, 0), (Stop, 4), (Stop, 10),
    (RuntimeError, 0), (RuntimeError, 4), (RuntimeError, 10)])
def test_stopped_in_the_callback_it_goes_on_to_the_same_curve(
        error, stop_at, tmp_path, unstopped):
    def callback(step, model):
        if step == stop_at:
            raise error

    state = tmp_path / "run.state.pt"
    with pytest.raises(error):
        run(fresh(), state, on_evaluation=callback)
    model = fresh()
    same(run(model, state), model, unstopped)


def test_stopped_twice_and_then_finished(tmp_path, monkeypatch, unstopped):
    state = tmp_path / "run.state.pt"
    for at, kept in ((6, 5), (5, 9)):  # in steps 5 and 9, after evaluating 4 and 8
        with monkeypatch.context() as patch, pytest.raises(Stop):
            patch.setattr(TokenStream, "batch", raise_at(TokenStream.batch, at, False))
            run(fresh(), state)
        assert len(unpack(state)["log"]) == kept
    model = fresh()
    same(run(model, state), model, unstopped)
    # once more: nothing is left to do, and the log is still there
    model = fresh(seed=5)
    same(run(model, state), model, unstopped)


def test_the_callback_sees_the_model_at_every_evaluation(unstopped):
    seen = []
    run(fresh(), on_evaluation=lambda step, model: seen.append(
        (step, evaluate(model, stream(2), 8))))
    assert seen == [(r["step"], r["heldout"]) for r in unstopped[0] if "heldout" in r]


# What cannot be resumed -----------------------------------------------------------

@pytest.fixture(scope="module")
def state_bytes(tmp_path_factory):
    state = tmp_path_factory.mktemp("state") / "run.state.pt"
    run(fresh(), state)
    return state.read_bytes()


def refusal(state, settings=SETTINGS):
    """The one line with which a state is refused; the file stays as it was."""
    before = state.read_bytes()
    with pytest.raises(UserError) as caught:
        run(fresh(), state, settings)
    assert "\n" not in str(caught.value) and str(state) in str(caught.value)
    assert state.read_bytes() == before
    return str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9, 0.99, 0.9999])
def test_a_state_cut_off_is_named(share, state_bytes, tmp_path):
    state = tmp_path / "run.state.pt"
    state.write_bytes(state_bytes[: int(share * len(state_bytes))])
    assert "damaged" in refusal(state)


@pytest.mark.parametrize("content", [
    b"once upon a time", bytes(1000), b"PK\x03\x04" + bytes(500), b"\x80\x02}q\x00."])
def test_what_is_no_state_is_named(content, tmp_path):
    state = tmp_path / "run.state.pt"
    state.write_bytes(content)
    assert "damaged" in refusal(state)


@pytest.mark.parametrize("missing", ["model", "optimiser", "settings", "log"])
def test_a_state_that_lacks_a_part_is_named(missing, state_bytes, tmp_path):
    state = tmp_path / "run.state.pt"
    state.write_bytes(state_bytes)
    parts = unpack(state)
    del parts[missing]
    buffer = io.BytesIO()
    torch.save(parts, buffer)
    content = buffer.getvalue()
    state.write_bytes(hashlib.sha256(content).digest() + content)
    assert "damaged" in refusal(state)


def test_a_state_with_a_flipped_byte_is_named_or_harmless(
        state_bytes, tmp_path, unstopped):
    state = tmp_path / "run.state.pt"
    refused = 0
    for at in range(0, len(state_bytes), len(state_bytes) // 150):
        damaged = bytearray(state_bytes)
        damaged[at] ^= 0x10
        state.write_bytes(damaged)
        model = fresh()
        try:
            log = run(model, state)
        except UserError as error:
            assert "damaged" in str(error)
            refused += 1
        else:  # padding and directory entries that nobody reads
            same(log, model, unstopped)
    assert refused > 30


@pytest.mark.parametrize("change", [
    {"steps": 12}, {"batch": 3}, {"length": 7}, {"peak": 2e-2}, {"seed": 1}])
def test_a_state_of_another_run_is_named(change, state_bytes, tmp_path):
    state = tmp_path / "run.state.pt"
    state.write_bytes(state_bytes)
    assert "other settings" in refusal(state, replace(SETTINGS, **change))


@pytest.mark.parametrize("change, fragment", [
    ({"steps": 0}, "steps must be positive"), ({"batch": 0}, "batch must be positive"),
    ({"length": -4}, "length must be positive"), ({"peak": 0.0}, "peak must be"),
    ({"warmup": -1}, "warmup must be"), ({"evaluate_every": 0}, "evaluate_every must"),
    ({"warmup": 11}, "warm-up 11 must be shorter than the 11 steps"),
])
def test_settings_that_cannot_be_trained_with_are_refused(change, fragment):
    with pytest.raises(UserError, match=fragment):
        replace(SETTINGS, **change)


def test_a_held_out_text_that_is_too_short_is_refused():
    with pytest.raises(UserError, match="shorter than one window of 8"):
        evaluate(fresh(), stream(2, n=8), 8)


def test_evaluation_is_the_mean_over_all_unmasked_targets():
    """Windows differ in how many targets they mask; each target counts the same."""
    torch.manual_seed(4)
    tokens = torch.randint(1, 40, (90,))
    tokens[torch.randperm(40)[:25]] = 1
    model, text = fresh().double(), TokenStream(tokens, 1)
    total, count = 0.0, 0
    with torch.no_grad():
        for at in range(0, 88, 8):
            logits = model(tokens[None, at : at + 8])[0]
            for row, target in zip(logits, tokens[at + 1 : at + 9]):
                if target != 1:
                    total -= float(row[target] - row.exp().sum().log())
                    count += 1
    for batch in (1, 3, 32):
        assert evaluate(model, text, 8, batch) == pytest.approx(total / count, rel=1e-6)


# The command and the ablation runs -----------------------------------------------

def test_the_command_trains_on_a_text_file_and_leaves_no_state(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(pasture.texts(300)), encoding="utf-8")
    out = tmp_path / "model"
    main(["--out", str(out), "--text", str(text), "--steps", "2", "--vocab", "340"])
    assert str(out) in capsys.readouterr().out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "text.txt"]
    opened = AutoModelForCausalLM.from_pretrained(out)
    assert opened.config.vocab_size == 340


@pytest.mark.parametrize("arguments, fragment", [
    (["--steps", "0"], "steps must be positive"),
    (["--text", "missing.txt"], "missing.txt cannot be read"),
    (["--device", "abacus"], "unknown device"),
])
def test_the_command_refuses_in_one_line(arguments, fragment, tmp_path):
    with pytest.raises(UserError, match=fragment) as caught:
        main(["--out", str(tmp_path / "model"), *arguments])
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_ablation_runs_do_not_depend_on_the_process_that_makes_them():
    text, held = stream(1, 1200), stream(2, 600)
    settings = Settings(steps=2, batch=2, length=16, warmup=1, evaluate_every=9)
    losses = ablations.run_all(text, held, settings, ("Llama 2",), progress=False)
    threads = torch.get_num_threads()
    try:
        alone = [ablations.run(ablations.Job("Llama 2", seed, settings, text, held))
                 for seed in ablations.SEEDS]
    finally:
        torch.set_num_threads(threads)
    assert losses == {"Llama 2": [loss for _, _, loss in alone]}
    assert len(set(losses["Llama 2"])) == len(ablations.SEEDS)
