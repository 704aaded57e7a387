"""Loaded by workers of Dask in tests: cases that take no time, crash, or end their worker."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

from BrainTumorSegLib.cohort import attempt, child

#: Nothing else of what takes seconds to import is needed.
PRELOADED = ["dask_stub", "BrainTumorSegLib.cohort.state"]


def dask_setup(_worker):
    """Called by Dask in every worker that loads this module."""
    attempt.run_case = run_case
    attempt.PRELOADED = PRELOADED


def run_case(order):
    child._segment = segment
    child.run_case(order)


def segment(words):
    """Stands for the command ``segment``: writes every output with the name of the case."""
    given = dict(word.removeprefix("--").partition("=")[::2] for word in words[1:])
    name, output = given["name"], Path(given["output"])
    if name.startswith("crashes"):
        os.abort()
    if name.startswith("slow"):
        time.sleep(60)
    first = output.parent / "begun"
    if name.startswith("loses") and not first.exists():
        first.touch()
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(60)
    for flag in ("output", "report", "picture"):
        Path(given[flag]).write_text(name)
    return 0
