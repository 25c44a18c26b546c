"""Starting the jobs of team_worker.py, or saying why that cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed as dist

if not dist.is_available():
    pytest.skip("this torch has no torch.distributed", allow_module_level=True)

CAN_TALK = dist.is_gloo_available() and hasattr(os, "fork")
needs_team = pytest.mark.skipif(
    not CAN_TALK, reason="processes cannot talk here: no gloo, or no fork")
WORKER = Path(__file__).with_name("team_worker.py")


def environment():
    """Processes of one thread that meet on this machine and nowhere else."""
    more = {"OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        more["GLOO_SOCKET_IFNAME"] = "lo"
    return {**os.environ, **more}


def do(job, folder):
    """Run a job of team_worker.py; what its processes said on standard error."""
    done = subprocess.run([sys.executable, str(WORKER), job, str(folder)],
                          env=environment(), capture_output=True, text=True,
                          timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stderr
