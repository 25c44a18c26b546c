"""Two jobs at a time: in their order, never more, and stopped together."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from build_fixtures import tree  # noqa: F401
from models import one_line

from minillama.build import jobs, make
from minillama.build.jobs import Job, ready, run_all
from minillama.errors import UserError

WORKER = """
import json, os, pathlib, sys, time
kind, name = sys.argv[1:]
log = pathlib.Path(__file__).parent / f"{name}.json"
began = time.time()
log.write_text(json.dumps([began, os.getpid()]))
if name != "endless":
    while list(log.parent.glob("endless.*")) == [] and name in ("wrong", "silent"):
        time.sleep(0.05)
print(f"{name}: done", flush=True)
print("a bar 10%\\rstage " + name + " took 1 s", file=sys.stderr, flush=True)
if name == "wrong":
    sys.exit("wrong: cell w-01 failed: ValueError")
if name == "silent":
    sys.exit(3)
if name == "killed":
    os.kill(os.getpid(), 9)
time.sleep(30 if name == "endless" else 0.5)
log.write_text(json.dumps([began, time.time()]))
"""


def job(name, *needs, seconds=1.0):
    return Job("stage", name, frozenset(needs), seconds)


@pytest.fixture
def worker(tmp_path, monkeypatch):
    file = tmp_path / "worker.py"
    file.write_text(WORKER, encoding="utf-8")
    monkeypatch.setattr(jobs, "COMMAND", [sys.executable, str(file)])

    def times(name):
        return json.loads((tmp_path / f"{name}.json").read_text("utf-8"))

    times.folder = tmp_path
    return times


def test_who_holds_up_most_begins_first():
    every = [job("short", seconds=5), job("long", seconds=2), job("leaf", seconds=9),
             job("after", "long", seconds=6), job("last", "after", seconds=2)]
    assert [one.name for one in ready(every, set(), every)] == ["long", "leaf", "short"]
    assert [one.name for one in ready(every[3:], {"long"}, every)] == ["after"]
    assert ready(every[3:], set(), every) == []


def test_jobs_wait_for_what_they_need_and_run_two_at_a_time(worker, capsys):
    every = [job("d", "b", "c"), job("a"), job("b", "a"), job("c", "a"), job("e")]
    run_all(every)
    times = {one.name: worker(one.name) for one in every}
    for one in every:
        assert all(times[need][1] <= times[one.name][0] for need in one.needs)
    moments = [began for began, _ in times.values()]
    together = [sum(began <= at < ended for began, ended in times.values())
                for at in moments]
    assert max(together) == 2
    said = capsys.readouterr().out
    for name in times:
        assert f"{name}: done" in said and f"stage {name} took 1 s" in said
    assert "a bar" not in said


@pytest.mark.parametrize("name, words", [
    ("wrong", ["wrong: cell w-01 failed: ValueError"]),
    ("silent", ["stage silent", "status 3"])])
def test_one_failure_stops_the_other_and_starts_nothing(worker, tmp_path, name, words):
    with pytest.raises(UserError) as error:
        run_all([job("endless", seconds=9), job(name), job("later", name)])
    one_line(error.value, *words)
    assert not psutil.pid_exists(worker("endless")[1])
    assert not (tmp_path / "later.json").exists()


def test_a_killed_job_says_so(worker):
    with pytest.raises(UserError) as error:
        run_all([job("killed")])
    one_line(error.value, "stage killed", "signal 9")


def test_ctrl_c_stops_all_jobs(worker, monkeypatch):
    def impatient(_seconds):
        if any(one.exists() for one in [worker.folder / "endless.json"]):
            raise KeyboardInterrupt

    monkeypatch.setattr(jobs.time, "sleep", impatient)
    with pytest.raises(KeyboardInterrupt):
        run_all([job("endless")])
    assert not psutil.pid_exists(worker("endless")[1])


def test_a_stopped_stage_clears_its_draft_away(tmp_path):
    """The real worker: SIGTERM while it makes a stage."""
    place = {"MINILLAMA_ARTIFACTS": str(tmp_path)}
    with subprocess.Popen([*jobs.COMMAND, "stage", "corpus"], env={**os.environ, **place},
                          stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob(".*-*")):  # a draft
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        said = process.stderr.read()
    assert process.returncode == 1 and said.strip().endswith("stopped")
    assert not list(tmp_path.glob(".*-*"))


def test_a_job_that_does_not_exist_is_one_line():
    done = subprocess.run([*jobs.COMMAND, "stage", "nothing"], capture_output=True,
                          text=True)
    assert done.returncode != 0 and "nothing" in done.stderr
    assert done.stderr.strip().count("\n") == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_jobs_do_not_outlive_their_parent(tmp_path, number):
    code = ("from minillama.build.jobs import Job, run_all\n"
            "run_all([Job('stage', 'base', frozenset(), 99.0)])")
    place = {"MINILLAMA_ARTIFACTS": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **place},
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as parent:
        while not list(tmp_path.glob(".base-*")):  # its draft
            assert parent.poll() is None
            time.sleep(0.05)
        parent.send_signal(number)
    until = time.monotonic() + 30
    while list(tmp_path.glob(".base-*")):
        assert time.monotonic() < until, "the draft is still there"
        time.sleep(0.1)


def test_a_large_build_is_made_of_jobs(tree, monkeypatch):  # noqa: F811
    seen = []
    monkeypatch.setattr(make, "WORTH", 0)
    monkeypatch.setattr(make.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(make, "run_all", lambda given: seen.extend(given) or 1 / 0)
    ready_made = {"tokenizer"}
    monkeypatch.setattr(make.stages, "problem",
                        lambda name: None if name in ready_made else "missing")
    tree.write("00_a"), tree.write("01_b", 'from minillama import stages\n'
                                   'stages.get("base")')
    with pytest.raises(ZeroDivisionError):
        make.build()
    found = {one.name: (one.kind, set(one.needs)) for one in seen}
    assert found == {"corpus": ("stage", set()), "base": ("stage", {"corpus"}),
                     "00_a": ("notebook", set()), "01_b": ("notebook",
                                                           {"corpus", "base"})}
