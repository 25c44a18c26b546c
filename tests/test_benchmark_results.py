"""PPO by part, build times, and the page that is made of the results."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minillama.errors import UserError

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)


def test_the_clock_books_every_second_once():
    from clock import Clock

    clock = Clock()
    started = time.perf_counter()
    clock.read()
    slow = clock.during(lambda: time.sleep(0.03), "scores", "forward", "rollout")
    slow()
    time.sleep(0.01)
    spent = clock.read()
    assert sum(spent.values()) <= time.perf_counter() - started
    assert spent["scores", "forward"] >= 0.03
    assert spent["rollout", "rest"] >= 0.01 and ("rollout", "forward") not in spent


def small_ppo():
    from ppo_iteration import untrained

    from minillama.alignment.ppo import PPOSettings

    return untrained(PPOSettings(iterations=2, batch=4, minibatch=2, max_new_tokens=3,
                                 value_warmup=0))


def test_time_goes_to_the_part_that_takes_it(monkeypatch):
    import torch
    from clock import Clock
    from ppo_iteration import iterations, table

    learner, prompts, score, judges, settings, eos_id = small_ppo()

    def slow_score(*args):
        time.sleep(0.05)
        return score(*args)

    def slow_estimate(*args):
        time.sleep(0.07)
        return plain(*args)

    plain, learner.estimate = learner.estimate, slow_estimate
    backward = torch.Tensor.backward
    spent = iterations((learner, prompts, slow_score, judges, settings, eos_id),
                       Clock())
    assert torch.Tensor.backward is backward  # all hooks are off again
    assert not learner.policy._forward_hooks and not learner.policy._forward_pre_hooks
    assert len(spent) == 2
    for one in spent:
        assert one["scores", "rest"] >= 0.05
        assert one["reference and values", "rest"] >= 0.07
        for part in ("value update", "policy update"):
            assert min(one[part, kind] for kind in ("forward", "backward",
                                                    "optimiser")) > 0
        assert one["rollout", "forward"] > 0 and ("rollout", "backward") not in one
        assert one["reference and values", "forward"] > 0
    found = table(spent)
    assert sum(row["share"] for row in found.values()) == pytest.approx(1)
    assert all(row["share"] == pytest.approx(row["own"] + row["rest"])
               for row in found.values())
    with pytest.raises(UserError, match="unknown parts"):
        table([{("lunch", "rest"): 1.0}] * 2)


def test_hooks_change_nothing_that_is_learnt():
    import torch
    from clock import Clock
    from ppo_iteration import iterations

    from minillama.alignment.ppo import train_ppo
    from minillama.alignment.rollout import sample

    plain, hooked = small_ppo(), small_ppo()
    iterations(hooked, Clock())
    learner, prompts, score, _, settings, eos_id = plain
    train_ppo(learner, prompts, score, settings, eos_id, sample)
    for ours, theirs in zip(learner.policy.parameters(),
                            hooked[0].policy.parameters()):
        assert torch.equal(ours, theirs)


# Build times, results, page -----------------------------------------------------

@pytest.fixture
def notes(tmp_path):
    """Notes of two notebooks that share a stage, and a note that is none."""
    sources, state = tmp_path / "source", tmp_path / "state"
    for folder in (sources, state):
        folder.mkdir()
    for name, code, seconds in (("01_a", 'x = get("tokenizer")', 3.0),
                                ("02_b", 'x = get("corpus")', 5.0)):
        (sources / f"{name}.py").write_text(f"# %%\n{code}\n", encoding="utf-8")
        (state / f"{name}.json").write_text(json.dumps({"seconds": seconds}), "utf-8")
    (state / "03_c.json").write_text("{", encoding="utf-8")
    return sources, state


def test_build_times_count_a_shared_stage_once(notes, tmp_path, monkeypatch):
    import build_times

    from minillama import stages

    monkeypatch.setenv("MINILLAMA_ARTIFACTS", str(tmp_path / "artifacts"))
    announced = {name: stages.STAGES[name].seconds for name in ("tokenizer", "corpus")}
    found = build_times.rows(notes[1], notes[0])
    assert found["notebooks"]["01_a"]["cold"] == 3 + announced["tokenizer"]
    assert found["warm"] == 8 and found["cold"] == 8 + sum(announced.values())
    assert found["measured_stages"] == 0
    made = stages.folder("corpus") / "made.json"
    made.parent.mkdir(parents=True)
    made.write_text(json.dumps({"seconds": 77.5}), encoding="utf-8")
    found = build_times.rows(notes[1], notes[0])
    assert found["cold"] == 8 + announced["tokenizer"] + 77.5
    assert found["stage_seconds"]["corpus"] == {"seconds": 77.5, "measured": True}
    log = tmp_path / "build.log"
    log.write_text("x stage tokenizer took 9 s and\rstage corpus took 60 s", "utf-8")
    found = build_times.rows(notes[1], notes[0], log)
    assert found["cold"] == 8 + 9 + 60 and found["measured_stages"] == 2
    log.write_text("nothing was made", encoding="utf-8")
    for file, fault in ((log, "tells of no stage"), (tmp_path / "none", "cannot read")):
        with pytest.raises(UserError, match=fault):
            build_times.rows(notes[1], notes[0], file)
    with pytest.raises(UserError, match="no notes of a build"):
        build_times.rows(tmp_path / "nowhere")


def test_what_its_user_can_mend_is_one_line(tmp_path):
    done = subprocess.run([sys.executable, FOLDER / "build_times.py", "--state",
                           tmp_path / "none"], capture_output=True, text=True)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("build_times: ") and "course.py build" in done.stderr


def test_all_together_write_results_figure_and_page(tmp_path, monkeypatch, capsys):
    import run_all
    from page import page

    out = tmp_path / "out"
    trial = "--only tokenizer_training encoding --quick --note Tried".split()
    run_all.main([*trial, "--out", str(out)])
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["note"] == "Tried"
    assert "training_sentencepiece" in results["benchmarks"]
    assert (out / "README.md").read_text(encoding="utf-8") == page(results)
    assert (out / "ratios.svg").stat().st_size > 1000 < (
        out / "ratios.png").stat().st_size
    before = results["benchmarks"]["encoding_tokenizers"]
    run_all.main(["--only", "tokenizer_training", "--quick", "--out", str(out)])
    again = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert again["benchmarks"]["encoding_tokenizers"] == before
    assert again["note"] == "Tried"
    with pytest.raises(UserError, match="--quick measures nothing"):
        run_all.main(["--quick"])
    (tmp_path / "bad.py").write_text("raise ValueError('no luck')", encoding="utf-8")
    monkeypatch.setattr(run_all, "HERE", tmp_path)
    with pytest.raises(UserError, match="bad failed: ValueError: no luck"):
        run_all.run("bad", [], tmp_path)


def test_the_committed_page_and_figure_say_what_the_results_say():
    from figure import draw
    from page import page

    text = (FOLDER / "results.json").read_text(encoding="utf-8")
    results = json.loads(text)
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == page(results)
    assert (FOLDER / "ratios.svg").read_bytes() == draw(results)["svg"]
    for machine_only in ("/tmp", "/home", "/work", "/Users", "\\\\"):
        assert machine_only not in text
    assert {"processor", "cores", "python", "torch"} <= results["machine"].keys()


@pytest.mark.parametrize("low, high, word", [
    (1.31, 1.5, "reached"), (1.1, 1.29, "not reached"), (1.1, 1.5, "not decided"),
])
def test_an_aim_is_reached_when_the_whole_interval_is_beyond_it(low, high, word):
    from page import ratio_table

    one = {"fast": "a", "slow": "b", "ratio": 1.2, "low": low, "high": high,
           "least": 1, "most": 2, "rounds": 3}
    row = ratio_table({"benchmarks": {"pretraining_peer": one}}).splitlines()[-1]
    assert f"| 1.3, {word} |" in row
