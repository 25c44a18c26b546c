"""Run a notebook in a fresh kernel: offline, repeatable, measured."""

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from ..errors import UserError
from .paths import FIGURES, NOTEBOOKS, OFFLINE
from .source import tags

ENVIRONMENT = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0", "TQDM_DISABLE": "1",
               "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
               "TRANSFORMERS_VERBOSITY": "error", "MPLBACKEND":
               "module://matplotlib_inline.backend_inline", "PYTHONWARNINGS": "default",
               "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # sums in one order
PATIENCE = 600  # seconds that one cell may take


@dataclass
class Measured:
    """What a run cost: seconds, and the kernel's peak memory in bytes."""

    seconds: float = 0.0
    memory: int = 0
    warnings: int = 0


class Client(NotebookClient):
    """A notebook client that leaves cells tagged ``live`` to people with a kernel."""

    run_live = False
    stopped = False
    bar: tqdm | None = None

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        """Start the kernel; nbclient has put up its signal handlers by now."""
        self._stop_on_signals()
        await super().async_start_new_kernel(**kwargs)

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int,
                                 **kwargs: Any) -> NotebookNode:
        """Execute one cell, unless it only makes sense with somebody watching."""
        if self.bar is not None:
            self.bar.update()
        if "live" in tags(cell) and not self.run_live:
            return cell
        return await super().async_execute_cell(cell, cell_index, **kwargs)

    def _stop_on_signals(self) -> None:
        """Ctrl-C cancels the run, so that the kernel is put away in the usual way.

        nbclient's own handler kills the kernel under the running cell, and what then
        comes up is an assertion about that. A cancelled cell it reports as a dead
        kernel, hence ``stopped``.
        """
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop() -> None:
            self.stopped = True
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(RuntimeError):  # Windows, or not in the main thread
                loop.add_signal_handler(number, stop)


def environment(figures: Path | None = FIGURES) -> dict[str, str]:
    """The kernel's environment: ours, no network, fixed seeds, where figures go."""
    paths = [str(OFFLINE), os.environ.get("PYTHONPATH", "")]
    extra = {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    if figures is not None:
        extra["MINILLAMA_FIGURES"] = str(figures)
    return {**os.environ, **ENVIRONMENT, **extra}


def execute(notebook: NotebookNode, name: str, run_live: bool = False,
            figures: Path | None = FIGURES, progress: bool = True) -> Measured:
    """Run all cells in place. Raises UserError that names the failing cell."""
    measured = Measured()
    client = Client(notebook, timeout=PATIENCE, kernel_name="python3",
                    record_timing=False, store_widget_state=False,
                    coalesce_streams=True,
                    resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.run_live = run_live
    client.bar = tqdm(total=len(notebook.cells), desc=name, unit="cell",
                      disable=not progress, leave=False)
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(client, measured, stop))
    started = time.monotonic()
    watcher.start()
    try:
        # what the kernel says outside of cells concerns nobody
        client.execute(env=environment(figures), stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        cell = _failing(notebook)
        where = f"cell {cell.id}" if cell else "a cell"
        raise UserError(f"{name}: {where} failed: {_last_line(error)}") from None
    except (CellTimeoutError, DeadKernelError, asyncio.CancelledError) as error:
        if client.stopped:
            raise KeyboardInterrupt from None
        if isinstance(error, CellTimeoutError):  # it quotes the cell, line by line
            raise UserError(f"{name}: a cell took longer than {PATIENCE} s, which is "
                            "all that one may take") from None
        raise UserError(f"{name}: the kernel gave up: {_last_line(error)}") from None
    finally:
        stop.set()
        watcher.join()
        client.bar.close()
    measured.seconds = time.monotonic() - started
    measured.warnings = _normalise(notebook)
    return measured


def _watch(client: Client, measured: Measured, stop: threading.Event) -> None:
    """Sample the memory of the kernel and its children until told to stop."""
    while not stop.wait(0.2):
        try:
            pid = client.km.provisioner.pid
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            used = sum(p.memory_info().rss for p in family)
            measured.memory = max(measured.memory, used)
        except (psutil.Error, AttributeError, TypeError):
            continue  # not started yet, or gone


def _failing(notebook: NotebookNode) -> NotebookNode | None:
    # the last one: errors before it are those that a cell was allowed to show
    for cell in reversed(notebook.cells):
        if any(o.output_type == "error" for o in cell.get("outputs", [])):
            return cell
    return None


def _last_line(error: Exception) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _normalise(notebook: NotebookNode) -> int:
    """Drop what changes from run to run; returns how many cells wrote to stderr."""
    warnings = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        if "live" in tags(cell):
            cell.outputs, cell.execution_count = [], None
        warnings += any(o.get("name") == "stderr" for o in cell.outputs)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.validate(notebook)
    return warnings
