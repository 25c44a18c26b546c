"""Cold and warm build of the series, by notebook and by stage, from the build's notes.

Of each notebook the build notes the seconds that it ran with its stages ready (warm).
A cold build makes the stages as well. Of a stage the seconds it took are read from what
a build said (``--log``, its kept output) or from made.json in the stage's folder, where
there is one; otherwise the seconds that its definition announces stand in their place,
and the table says so.

``python benchmarks/build_times.py [--state FOLDER] [--log FILE]``
"""

import argparse
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from alternation import keep, once

from minillama import stages
from minillama.build.incremental import stages_used
from minillama.build.paths import SOURCES, STATE
from minillama.errors import UserError


def notebooks(state: Path) -> dict[str, float]:
    """Seconds of each notebook with its stages ready. Raises UserError where the build
    has left no notes."""
    found: dict[str, float] = {}
    for file in sorted(state.glob("*.json")):
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(file.read_text(encoding="utf-8"))
            found[file.stem] = float(known["seconds"])
    if not found:
        raise UserError(f"{state} holds no notes of a build: run course.py build first")
    return found


def said(log: Path | None) -> dict[str, float]:
    """Seconds of the stages that the output of a build tells of. Raises UserError for
    a file that cannot be read or tells of none."""
    if log is None:
        return {}
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"cannot read {log}: {error.strerror}") from None
    found = {name: float(seconds) for name, seconds in
             re.findall(r"stage (\w+) took (\d+) s", text)}
    if not found:
        raise UserError(f"{log} tells of no stage that was made")
    return found


def stage_seconds(name: str, told: dict[str, float]) -> tuple[float, bool]:
    """Seconds that a stage took, and whether they were measured or announced."""
    if name in told:
        return told[name], True
    with suppress(OSError, ValueError, TypeError, KeyError):
        made = json.loads((stages.folder(name) / "made.json").read_text("utf-8"))
        return float(made["seconds"]), True
    return float(stages.STAGES[name].seconds), False


def rows(state: Path, sources: Path = SOURCES, log: Path | None = None
         ) -> dict[str, Any]:
    """Seconds of notebooks and stages, and their sums."""
    warm, told = notebooks(state), said(log)
    uses = {name: stages_used((sources / f"{name}.py").read_text(encoding="utf-8"))
            for name in warm if (sources / f"{name}.py").exists()}
    made = {name: stage_seconds(name, told) for name in stages.names()}
    needed = {stage for mine in uses.values() for stage in mine}
    table = {name: {"warm": warm[name], "stages": mine,
                    "cold": warm[name] + sum(made[stage][0] for stage in mine)}
             for name, mine in uses.items()}
    return {"notebooks": table,
            "stage_seconds": {name: {"seconds": s, "measured": measured}
                              for name, (s, measured) in made.items()
                              if name in needed},
            "warm": sum(warm[name] for name in uses),
            "cold": sum(warm[name] for name in uses)
            + sum(made[stage][0] for stage in needed),
            "measured_stages": sum(made[stage][1] for stage in needed)}


def main(arguments: list[str] | None = None) -> None:
    """Print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=STATE,
                        help="folder of the build's notes")
    parser.add_argument("--log", type=Path, help="output of a cold build")
    args = parser.parse_args(arguments)
    found = rows(args.state, log=args.log)
    print(f"{'notebook':<24}{'warm s':>8}{'cold s':>8}  stages")
    for name, row in found["notebooks"].items():
        print(f"{name:<24}{row['warm']:>8.0f}{row['cold']:>8.0f}  "
              + ", ".join(row["stages"]))
    for name, row in found["stage_seconds"].items():
        print(f"stage {name:<18}{row['seconds']:>8.0f}  "
              + ("measured" if row["measured"] else "announced"))
    print(f"all, one after another: warm {found['warm'] / 60:.1f} min, cold "
          f"{found['cold'] / 60:.1f} min; a build runs two at a time")
    keep("build_times", found)


if __name__ == "__main__":
    once(main)
