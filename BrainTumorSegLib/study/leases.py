"""What one person at a time may change: a case that is open, the registry, the adding of scans."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from BrainTumorSegLib.cohort.lease import HEARTBEAT_S, Lease, take_lease
from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.io.atomic import make_folder

from .layout import Layout

#: How long a change of the registry is waited for, and how often it is looked at.
_PATIENCE_S, _LOOK_S = 30.0, 0.05


@contextmanager
def hold(layout: Layout, name: str, patience_s: float = _PATIENCE_S) -> Iterator[Lease]:
    """Hold the lease of a name, and say again and again that we are still there.

    Args:
        layout: of the study.
        name: of a case, or what else is changed.
        patience_s: how long to wait for somebody else.

    Raises:
        OutputError: when somebody else holds it for longer.
    """
    path = layout.lease(name)
    make_folder(path.parent)
    deadline = time.monotonic() + patience_s
    while (lease := take_lease(path)) is None:
        if time.monotonic() >= deadline:
            raise OutputError(
                f"Somebody else works on {name} of {layout.folder}.",
                "Wait until they are ready. After a crash it becomes free within two minutes.",
            )
        time.sleep(_LOOK_S)
    ended = threading.Event()

    def say_so() -> None:
        while not ended.wait(HEARTBEAT_S):
            lease.heartbeat()

    thread = threading.Thread(target=say_so, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        ended.set()
        thread.join()
        lease.release()
