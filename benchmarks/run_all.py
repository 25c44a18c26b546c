"""Run every benchmark, one after another; write results.json, the figure, the README.

``python benchmarks/run_all.py [--only NAME ...] [--note TEXT] [--out FOLDER]``

With ``--only`` the other results stay as they are. ``--quick`` tries everything out in
sizes that say nothing about speed. ``--note`` says what else the machine was doing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from alternation import once
from figure import draw
from page import page

from minillama.errors import UserError
from minillama.files import write_bytes, write_json, write_text

HERE = Path(__file__).parent
SCRIPTS = {  # arguments of a measurement, and of a trial
    "pretraining_peer": ("", "--rounds 2 --steps 1 --batch 2 --length 16 --quick"),
    "pretraining": ("", "--rounds 2 --steps 1 --batch 2 --length 16"),
    "sampling": ("", "--prompts 3 --new 4 --rounds 2 --untrained"),
    "tokenizer_training": ("", "--megabytes 0.02 --vocab 400 --rounds 2"),
    "encoding": ("", "--kilobytes 30 --vocab 400 --rounds 2"),
    "ppo_iteration": ("", "--iterations 2 --batch 4 --new 4 --untrained"),
    "build_times": ("", ""),
}
PACKAGES = ("torch", "transformers", "tokenizers", "sentencepiece")
LEFT_OUT = ("cores", "python", "machine", "ratios")  # said once, or too long


def machine() -> dict[str, Any]:
    """The machine in words that name nobody: processor, cores, versions."""
    processor = platform.processor() or platform.machine()
    told = Path("/proc/cpuinfo")
    if told.exists():
        names = [line.partition(":")[2].strip()
                 for line in told.read_text(encoding="utf-8").splitlines()
                 if line.startswith("model name")]
        processor = names[0] if names else processor
    return {"processor": processor, "cores": os.cpu_count(),
            "system": platform.system(), "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES}}


def run(script: str, arguments: list[str], folder: Path) -> dict[str, Any]:
    """The figures that one script writes, by their names. Raises UserError where it
    fails."""
    for old in folder.glob("*.json"):
        old.unlink()
    done = subprocess.run([sys.executable, HERE / f"{script}.py", *arguments],
                          env={**os.environ, "MINILLAMA_BENCHMARKS": str(folder)},
                          stderr=subprocess.PIPE, text=True, encoding="utf-8")
    if done.returncode != 0:
        last = done.stderr.strip().splitlines() or ["no reason given"]
        raise UserError(f"{script} failed: {last[-1]}")
    return {file.stem: rounded({name: value for name, value in
                                json.loads(file.read_text(encoding="utf-8")).items()
                                if name not in LEFT_OUT})
            for file in sorted(folder.glob("*.json"))}


def rounded(value: Any) -> Any:
    """Four digits of every measured number: more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def write(results: dict[str, Any], out: Path) -> None:
    """results.json, the figure and the README, all from the same results."""
    write_json(out / "results.json", results)
    for kind, picture in draw(results).items():
        write_bytes(out / f"ratios.{kind}", picture)
    write_text(out / "README.md", page(results))


def main(arguments: list[str] | None = None) -> None:
    """Measure, then write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    parser.add_argument("--note", help="what else the machine was doing")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--state", help="folder of the build's notes")
    parser.add_argument("--log", help="output of a cold build, for its stages")
    args = parser.parse_args(arguments)
    if args.quick and args.out.resolve() == HERE.resolve():
        raise UserError("--quick measures nothing: choose another folder with --out")
    file = args.out / "results.json"
    found: dict[str, Any] = {}
    note = args.note
    if file.exists():
        old = json.loads(file.read_text(encoding="utf-8"))
        found = old["benchmarks"] if set(args.only) != set(SCRIPTS) else {}
        note = old["note"] if note is None else note
    with tempfile.TemporaryDirectory() as folder:
        for script in args.only:
            print(f"{script} ...", flush=True)
            extra = [word for option in ("state", "log") if script == "build_times"
                     and (value := getattr(args, option))
                     for word in (f"--{option}", value)]
            found |= run(script, SCRIPTS[script][args.quick].split() + extra,
                         Path(folder))
            write({"machine": machine(), "note": note or "",
                   "benchmarks": dict(sorted(found.items()))}, args.out)


if __name__ == "__main__":
    once(main)
