"""What runs in the process of one case: the command ``segment``, and the state of the case.

The process is of no use to anybody when the engine that started it is gone, and ends with it.
"""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Key of an order's outputs under which the BIDS sidecar of a segmentation stands.
SIDECAR = "sidecar"


@dataclass(frozen=True)
class CaseOrder:
    """What a process needs to know; plain types, as it goes through a pipe.

    Attributes:
        words: the arguments of the program that compute the case.
        inputs: files and folders whose hashes are kept, by what they are.
        home: folder from which arguments and inputs are told.
        outputs: files that there must be then, by kind, relative to ``folder``.
        folder: of all results.
        state: file of the state.
        log: file that takes all that is printed.
        known: of the state: ``case``, ``attempts``, ``pack``, ``options``, and ``run``, which
            engine ordered it.
        sidecar: what the BIDS sidecar says, if one is wanted.
    """

    words: tuple[str, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    home: str
    folder: str
    state: str
    log: str
    known: Mapping[str, Any]
    sidecar: Mapping[str, Any] = field(default_factory=dict)


def run_case(order: CaseOrder) -> None:
    """Compute a case and keep its state. Ends the process with the exit code of ``segment``."""
    _leave_the_engine(Path(order.log))
    from BrainTumorSegLib.cohort.state import State, stamp, write_state
    from BrainTumorSegLib.core.errors import BrainTumorSegError
    from BrainTumorSegLib.io.atomic import write_text

    # If it is gone, the first input that cannot be read says so.
    with suppress(OSError):
        os.chdir(order.home)
    begun = time.time()
    state = {**order.known, "state": State.RUNNING, "begun": begun}
    path = Path(order.state)
    try:
        state["inputs"] = {key: stamp(Path(file)) for key, file in order.inputs.items()}
        write_state(path, state)
        code = _segment(order.words)
        if code == 0:
            outputs = {kind: Path(order.folder, file) for kind, file in order.outputs.items()}
            if SIDECAR in outputs:
                text = json.dumps(order.sidecar, indent=2) + "\n"
                write_text(outputs[SIDECAR], text, overwrite=True)
            state["outputs"] = {
                kind: {**stamp(file), "file": order.outputs[kind]} for kind, file in outputs.items()
            }
            ended = time.time()
            state |= {"ended": ended, "seconds": round(ended - begun, 3)}
            state |= {"peak_memory_bytes": _peak_memory(), "state": State.DONE}
            write_state(path, state)
    except BrainTumorSegError as error:
        line = {"kind": "error", "message": error.message, "remedy": error.remedy}
        print(json.dumps({**line, "exit_code": error.exit_code}), flush=True)
        code = error.exit_code
    sys.exit(code)


def _segment(words: tuple[str, ...]) -> int:
    """Run the program as ``python -m BrainTumorSegLib`` does; its exit code."""
    sys.argv = ["brain-tumor-seg", *words]
    try:
        runpy.run_module("BrainTumorSegLib", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _leave_the_engine(log: Path) -> None:
    """Become a process of our own: group, output, and Ctrl-C, which is the engine's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setsid"):
        os.setsid()
    with log.open("ab") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    # A native crash then says in the log where it happened.
    faulthandler.enable(sys.stderr)
    threading.Thread(target=_end_with_the_engine, daemon=True).start()


def _end_with_the_engine() -> None:
    engine = multiprocessing.parent_process()
    if engine is None:
        return
    engine.join()
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


def _peak_memory() -> int | None:
    """Bytes; what was shared with other cases counts as well. None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
