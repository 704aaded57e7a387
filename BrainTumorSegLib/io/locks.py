"""Lock files, by which other processes see that a process is still at work.

A system takes a lock from a process when that ends, however it ends.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Leftovers are cleared away only after so long where no lock tells whose they are.
_DAY_S = 24 * 3600

_TRIES = 500


@contextmanager
def locked(path: Path, text: str) -> Iterator[None]:
    """Hold a lock file with a text in it, which also shows that files can be made there.

    Raises:
        OSError: when they cannot.
    """
    held = None
    try:
        for _ in range(_TRIES):
            held = lock(path)
            if held is not None:
                break
            time.sleep(0.01)  # somebody who tidies up has found it before it was locked
        else:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK), str(path))
        os.write(held, text.encode())
        yield
    finally:
        if held is None:
            with suppress(OSError):
                path.unlink()
        else:
            unlock(held, path)


def lock(path: Path, without_locks: Callable[[Path], bool] = Path.exists) -> int | None:
    """Open a lock file, made if need be, and lock it.

    Args:
        without_locks: whether it may be taken on a file system that knows no locks.

    Returns:
        Its file descriptor; None while it is held elsewhere.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = _hold(descriptor)
        if held is None:
            held = without_locks(path)
        # Between opening and locking it may have been removed.
        with suppress(FileNotFoundError):
            if held and os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _hold(descriptor: int) -> bool | None:
    """Whether we have the lock now; None where there are no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return None
    return True


def unlock(descriptor: int, path: Path) -> None:
    """Remove a lock file that we hold."""
    if sys.platform == "win32":
        # There an open file cannot be removed.
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        return
    # Removed while it is held, so that nobody takes a lock that is about to go.
    with suppress(OSError):
        path.unlink()
    os.close(descriptor)


def is_old(path: Path) -> bool:
    """Whether a file or folder has not been changed for a day."""
    try:
        return time.time() - path.lstat().st_mtime > _DAY_S
    except OSError:
        return False
