"""Loading heavy packages in a way that can be interrupted."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While active, Ctrl-C and SIGTERM end the process at once instead of raising.

    Only to be put around imports. Nothing is half done then that would have to be cleaned
    up, and an exception that appears in the middle of a compiled package may abort it.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread only; here the host decides.
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    changed = [number for number, handler in before.items() if callable(handler)]
    for number in changed:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])
