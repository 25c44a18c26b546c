"""Jobs that tests run in many processes: torch is loaded once, then the team forks.

``python tests/team_worker.py JOB FOLDER`` prints nothing and leaves JSON files.
"""

import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import torch
import torch._dynamo  # torch loads both with its first optimiser: here once for all
import torch._inductor

from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.model import Llama
from minillama.training import state_folder
from minillama.training.command import main
from minillama.training.data import TokenStream
from minillama.training.pretrain import Settings, pretrain
from minillama.training.spreading import collect, spread
from minillama.training.state_folder import StateFolder
from minillama.training.team import join
from minillama.training.thrift import recompute

SETTINGS = Settings(steps=50, batch=6, length=8, peak=2e-2, warmup=5,
                    evaluate_every=10)
CONFIG = LlamaConfig(40, 16, 2, 2, ffn_dim=24, max_seq_len=8)
PATIENCE = 60  # seconds, after which a team that hangs is ended


class Stop(Exception):
    """An interruption that is certainly ours."""


def stream(seed, n=900):
    """Tokens that mostly follow a rule; in half of the windows most are masked."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(3, 40, (n,), generator=generator)
    kept = torch.rand(n, generator=generator) < 0.8
    tokens = noise.clone()
    for i in range(1, n):
        if kept[i]:
            tokens[i] = 3 + (5 * tokens[i - 1] + 1) % 37
    masked = torch.rand(n // 8 + 1, generator=generator).repeat_interleave(8)[:n] < 0.5
    tokens[masked & (torch.rand(n, generator=generator) < 0.8)] = 1
    return TokenStream(tokens, 1)


def fresh():
    torch.manual_seed(0)
    return Llama(CONFIG)


def recomputing():
    model = fresh()
    recompute(model)
    return model


def alone(settings=SETTINGS, file=None, **more):
    """The log and the weights of a plain run of one process."""
    model = fresh()
    log = pretrain(model, stream(1), stream(2), settings, file, progress=False, **more)
    return log, model.state_dict()


def run(folder, settings=SETTINGS, stop_at=None, again=False, **how):
    """This process's part of a team's run; its log and, on the first, the weights."""
    def callback(step, model):
        if step == stop_at:
            raise Stop

    with join(**how) as team:
        model = spread(recomputing if again else fresh, team)
        log = pretrain(model, stream(1), stream(2), settings, None, callback, False,
                       crew=team, state=StateFolder(folder, team))
        whole = collect(model, team)
        return log, whole and whole.state_dict()


def members(n, call):
    """Fork ``n`` processes that know each other and run ``call(rank)``; their ids."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ids = []
    for rank in range(n):
        pid = os.fork()
        if pid == 0:
            os.environ.update(RANK=str(rank), WORLD_SIZE=str(n),
                              MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
            code = 1
            try:
                signal.alarm(PATIENCE)
                torch.set_num_threads(1)
                call(rank)
                code = 0
            except UserError as error:
                sys.stderr.write(f"{rank}: {error}\n")  # whole lines, of all processes
                code = 3
            except Stop:
                code = 4
            except SystemExit as end:
                code = end.code
            except Exception as error:  # a partner that was killed
                sys.stderr.write(f"{rank}: {type(error).__name__} {error}\n")
            finally:
                os._exit(code)
        ids.append(pid)
    return ids


def wait(ids):
    """Exit codes; negative: the signal that ended a process."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in ids]


def team(n, call):
    return wait(members(n, call))


def note(file, log, weights=None):
    """Leave a log, and weights beside it."""
    if weights is not None:
        torch.save(weights, file.with_suffix(".pt"))
    draft = file.with_suffix(".draft")  # a kill may come at any moment
    draft.write_text(json.dumps(log), encoding="utf-8")
    os.replace(draft, file)


def curve(folder, name, n, **how):
    """Run a team to its end, and leave what each process says of it."""
    def call(rank):
        note(folder / f"{name}-{rank}.json", *run(folder / f"{name}.state", **how))

    codes = team(n, call)
    assert codes == [0] * n, (name, codes)


def precisions(file):
    """Leave in what precision a sharded block gets its tokens and its angles."""
    with join(shard=True, dtype=torch.bfloat16) as team:
        model, seen = spread(fresh, team), []
        model.layers[1].attention.register_forward_pre_hook(
            lambda _, arguments: seen.append([str(a.dtype) for a in arguments[:3]]))
        team.evaluate(model, stream(2), 8, most=2)
        note(file, seen)


def curves(folder):
    """Two processes in every manner; saves to resume from."""
    curve(folder, "ddp", 2)
    curve(folder, "fsdp", 2, shard=True)
    curve(folder, "accumulated-ddp", 2, accumulate=3)
    curve(folder, "recomputed-accumulated-fsdp", 2, shard=True, accumulate=2,
          again=True)
    curve(folder, "bfloat16-ddp", 2, dtype=torch.bfloat16)
    curve(folder, "bfloat16-fsdp", 2, dtype=torch.bfloat16, shard=True)
    team(2, lambda rank: precisions(folder / f"precisions-{rank}.json"))
    for name, how in (("stopped", {}), ("stopped-fsdp", {"shard": True})):
        assert team(2, lambda rank: run(folder / name, stop_at=30, **how)) == [4, 4]


def resumed(folder):
    """Saves of two processes, gone on with by three."""
    for name, how in (("stopped", {}), ("stopped-fsdp", {"shard": True})):
        shutil.copytree(folder / name, folder / f"{name}-3.state")
        curve(folder, f"{name}-3", 3, **how)


def refused(folder):
    """Two processes that cannot begin; each must end by itself."""
    common = ["--out", str(folder / "out"), "--steps", "2"]
    for more in (["--text", "missing.txt"],
                 ["--text", __file__, "--vocab", "400", "--batch", "1"]):
        assert team(2, lambda rank: main([*common, *more])) == [1, 1]


# Faults ---------------------------------------------------------------------------

BUSY = Settings(steps=60, batch=4, length=8, peak=3e-2, warmup=5, evaluate_every=1)
SHORT = Settings(steps=9, batch=4, length=8, peak=3e-2, warmup=2, evaluate_every=2)
# Where in its save a process dies: which function, at which use, in which rank. The
# manifest is renamed too, so the sixth rename is that of the third save.
PLACES = {
    "before-writing": ("dcp.save", 3, 0), "partner-before-writing": ("dcp.save", 3, 1),
    "written": ("describe", 3, 0), "partner-written": ("describe", 3, 1),
    "before-manifest": ("write_manifest", 3, 0), "before-rename": ("os.replace", 6, 0),
    "before-pruning": ("shutil.rmtree", 7, 0),
}


def die_at(path, at):
    """Let the ``at``-th use of a function end this process as a cut of power would."""
    *owners, name = path.split(".")
    owner = getattr(state_folder, owners[0]) if owners else state_folder
    call, uses = getattr(owner, name), []

    def last(*arguments, **more):
        uses.append(1)
        if len(uses) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **more)

    setattr(owner, name, last)


def killed_while_saving(folder):
    """One of two processes dies within a save; then both go on from what is there."""
    for name, (path, at, victim) in PLACES.items():
        where = folder / f"{name}.state"

        def call(rank):
            if rank == victim:
                die_at(path, at)
            run(where, SHORT, shard=True)

        codes = team(2, call)
        assert codes[victim] == -signal.SIGKILL and codes[1 - victim], (name, codes)
        saves = sorted(place.name for place in where.glob("step-*"))
        (folder / f"{name}.saves").write_text(json.dumps(saves), encoding="utf-8")
        curve(folder, name, 2, settings=SHORT, shard=True)


def killed_at_random(folder):
    """Runs that save at every step, killed at random moments until they are through:
    one process, then two of which one or both are killed."""
    def single(_):
        note(folder / "one.json", *alone(BUSY, folder / "one.state.pt"))

    def double(rank):
        found = run(folder / "two.state", BUSY)
        if rank == 0:
            note(folder / "two.json", *found)

    for name, n, call in (("one", 1, single), ("two", 2, double)):
        rng, kills = random.Random(n), 0
        result = folder / f"{name}.json"
        while not result.exists():
            before, ids = saved_at(folder, name), members(n, call)
            until = time.monotonic() + 10
            while saved_at(folder, name) == before and not result.exists() and (
                    time.monotonic() < until):
                time.sleep(0.002)  # it must have come further than its predecessor
            if kills < 6:
                time.sleep(rng.uniform(0, 0.08))
                for pid in rng.choice([ids, ids[:1], ids[-1:]]):
                    os.kill(pid, signal.SIGKILL)
                kills += not result.exists()
            wait(ids)
        (folder / f"{name}.kills").write_text(str(kills), encoding="utf-8")


def saved_at(folder, name):
    """Changes with every save of a run."""
    places = (*folder.glob(f"{name}.state.pt"), *folder.glob(f"{name}.state/step-*"))
    try:
        return max((place.stat().st_mtime_ns for place in places), default=0)
    except FileNotFoundError:  # it was replaced between two looks
        return -1


def fill_disk(*_):
    """From here on no file may grow beyond three thousand bytes."""
    import resource  # Windows has none, and runs none of this
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))


def full(folder):
    """The disk fills up during a save of step 30: of one process, and of the second of
    two; when there is room again they go on."""
    def single(_):
        alone(SETTINGS, folder / "one.state.pt",
              on_evaluation=lambda step, model: step == 30 and fill_disk())

    def double(rank):
        with join() as crew:
            model = spread(fresh, crew)
            pretrain(model, stream(1), stream(2), SETTINGS, None,
                     lambda step, _: step == 30 and rank == 1 and fill_disk(), False,
                     crew=crew, state=StateFolder(folder / "two.state", crew))

    codes = [*team(1, single), *team(2, double)]
    (folder / "codes.json").write_text(json.dumps(codes), encoding="utf-8")
    saves = [place.name for place in sorted((folder / "two.state").glob("step-*"))]
    (folder / "saves.json").write_text(json.dumps(saves), encoding="utf-8")
    team(1, lambda _: note(folder / "one.json",
                           *alone(SETTINGS, folder / "one.state.pt")))
    curve(folder, "two", 2)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
