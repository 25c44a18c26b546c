"""Time two ways of doing the same in alternation, and say how sure the ratio is.

A machine that slows down for a while slows both ways of a round alike, so the ratio
within a round is steadier than either time. The spread is over rounds.
"""

import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minillama.errors import UserError
from minillama.files import write_json
from minillama.stages import artifacts_folder
from minillama.training.intervals import interval


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def alternate(slow: Callable[[], object], fast: Callable[[], object],
              rounds: int) -> list[tuple[float, float]]:
    """Seconds of both in each round; who goes first changes from round to round."""
    times = []
    for turn in range(rounds):
        if turn % 2:
            second, first = seconds(fast), seconds(slow)
        else:
            first, second = seconds(slow), seconds(fast)
        times.append((first, second))
    return times


def summary(times: list[tuple[float, float]]) -> dict[str, float | list[float]]:
    """How many times as fast the second is: geometric mean, 95% interval, extremes."""
    ratios = [slow / fast for slow, fast in times]
    logs = interval([math.log(ratio) for ratio in ratios])
    return {
        "ratio": math.exp(logs.mean), "low": math.exp(logs.low),
        "high": math.exp(logs.high), "least": min(ratios), "most": max(ratios),
        "slow_seconds": statistics.median(slow for slow, _ in times),
        "fast_seconds": statistics.median(fast for _, fast in times),
        "ratios": ratios,
    }


def once(main: Callable[[], None]) -> None:
    """Run a script; what its user can mend is said in one line."""
    try:
        main()
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {error}")


def results_folder() -> Path:
    """Where figures are kept: MINILLAMA_BENCHMARKS, or beside the trained stages."""
    chosen = os.environ.get("MINILLAMA_BENCHMARKS")
    return Path(chosen) if chosen else artifacts_folder() / "benchmarks"


def keep(name: str, figures: dict[str, Any]) -> Path:
    """Write the figures of one benchmark and say where they lie."""
    file = results_folder() / f"{name}.json"
    write_json(file, figures)
    print(f"the figures lie in {file}")
    return file


def report(name: str, fast: str, slow: str, times: list[tuple[float, float]],
           **more: Any) -> Path:
    """Print the ratio with its spread, keep all figures, and say where they lie."""
    found = summary(times)
    print(f"{fast} is {found['ratio']:.3g} times as fast as {slow} "
          f"(95% interval {found['low']:.3g} to {found['high']:.3g} over {len(times)} "
          f"rounds, single rounds {found['least']:.3g} to {found['most']:.3g})")
    print(f"{slow}: {found['slow_seconds']:.3g} s, {fast}: "
          f"{found['fast_seconds']:.3g} s (medians)")
    return keep(name, {"fast": fast, "slow": slow, **found, **more,
                       "rounds": len(times), "cores": os.cpu_count(),
                       "python": platform.python_version(),
                       "machine": platform.machine()})
