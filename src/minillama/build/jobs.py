"""Stages and notebooks two at a time, each in a process of its own.

Stages wait for stages and notebooks for stages; whatever is free to begin begins, the
one with the longest chain behind it first. A process has one thread: for models as
small as ours two of them do more on two cores than one with two threads.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import IO

from tqdm import tqdm

from ..errors import UserError
from ..training.pretrain import PACE
from .paths import ROOT

LANES = 2
COMMAND = [sys.executable, "-m", "minillama.build.jobs"]
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUTF8": "1"}


@dataclass(frozen=True)
class Job:
    """A stage to make or a notebook to run; ``needs`` are names of jobs."""

    kind: str  # "stage" or "notebook"
    name: str
    needs: frozenset[str]
    seconds: float  # about; of a stage, with two threads

    @property
    def alone(self) -> float:
        """About how long it takes with one thread."""
        return self.seconds * (1.6 if self.kind == "stage" else 1.0)


@dataclass
class Running:
    """A job at work, and the files that take what it says."""

    job: Job
    process: subprocess.Popen
    said: tuple[IO[bytes], IO[bytes]]
    started: float = field(default_factory=time.monotonic)

    def progress(self) -> float:
        """Seconds of its expected time that are over; the last twentieth is kept."""
        return min(time.monotonic() - self.started, 0.95 * self.job.alone)


def run_all(jobs: Sequence[Job]) -> None:
    """Run all jobs, each after those it needs. Raises UserError where one fails; those
    that are under way are then stopped, and what is done stays done."""
    waiting, running, done = list(jobs), list[Running](), set[str]()
    finished = 0.0
    with tqdm(total=round(sum(job.alone for job in jobs)), desc="building",
              unit="s", mininterval=PACE, bar_format="{desc}: {percentage:3.0f}%|"
              "{bar}| {elapsed}<{remaining}{postfix}") as bar:
        try:
            while waiting or running:
                for job in ready(waiting, done, jobs)[: LANES - len(running)]:
                    waiting.remove(job)
                    running.append(_start(job))
                time.sleep(0.2)
                for one in [one for one in running if one.process.poll() is not None]:
                    running.remove(one)
                    _finish(one, bar)
                    finished += one.job.alone
                    done.add(one.job.name)
                bar.set_postfix_str(", ".join(one.job.name for one in running), False)
                bar.update(int(finished + sum(one.progress() for one in running))
                           - bar.n)
        finally:
            _stop(running)


def ready(waiting: Iterable[Job], done: set[str], jobs: Sequence[Job]) -> list[Job]:
    """Jobs that can begin, the one with the longest chain behind it first."""
    chain: dict[str, float] = {}

    def length(job: Job) -> float:
        if job.name not in chain:
            chain[job.name] = job.alone + max(
                (length(other) for other in jobs if job.name in other.needs), default=0)
        return chain[job.name]

    return sorted((job for job in waiting if job.needs <= done), key=length,
                  reverse=True)


def _start(job: Job) -> Running:
    said = (tempfile.TemporaryFile(), tempfile.TemporaryFile())
    process = subprocess.Popen(
        [*COMMAND, job.kind, job.name], cwd=ROOT, env={**os.environ, **THREADS},
        stdin=subprocess.DEVNULL, stdout=said[0], stderr=said[1],
        start_new_session=os.name == "posix")  # Ctrl-C reaches the parent alone
    return Running(job, process, said)


def _finish(one: Running, bar: tqdm) -> None:
    """Pass on what a job had to say; progress bars of its own are left out."""
    lines = []
    for file in one.said:
        file.seek(0)
        text = file.read().decode("utf-8", "replace").replace("\r", "\n")
        lines.append([line for line in text.splitlines() if line.strip()])
        file.close()
    if one.process.returncode != 0:
        raise UserError(_complaint(one.job, one.process.returncode, lines[1]))
    for line in lines[0] + [line for line in lines[1] if line.startswith("stage ")]:
        bar.write(line)


def _complaint(job: Job, status: int, lines: Sequence[str]) -> str:
    """Why a job failed, in one line."""
    if status < 0:
        return f"{job.kind} {job.name} was killed by signal {-status}"
    last = lines[-1] if lines else ""
    if status != 1 or not last or last.startswith("stage "):
        return f"{job.kind} {job.name} ended with status {status} and gave no reason"
    return last if last.startswith(job.name) else f"{job.kind} {job.name}: {last}"


def _stop(running: Sequence[Running]) -> None:
    """Ask all to stop, and end those that do not within ten seconds."""
    for one in running:
        with suppress(OSError):
            one.process.terminate()
    try:
        for one in running:
            with suppress(subprocess.TimeoutExpired):
                one.process.wait(timeout=10)
    finally:
        for one in running:
            one.process.kill()
            one.process.wait()
            for file in one.said:
                file.close()


def _interrupt(number: int, _frame: object) -> None:
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)  # once is enough
    raise KeyboardInterrupt


def _follow(parent: int) -> None:
    """Stop when the parent is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main(kind: str, name: str) -> None:
    """One job, in the process that was started for it."""
    signal.signal(signal.SIGTERM, _interrupt)  # so that drafts are cleared away
    Thread(target=_follow, args=(os.getppid(),), daemon=True).start()
    try:
        if kind == "stage":
            from .. import stages
            stages.get(name)
        else:
            from . import make
            make.run_and_publish(name)
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
