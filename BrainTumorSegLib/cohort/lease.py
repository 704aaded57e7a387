"""A file that keeps two engines off one case.

The holder touches it again and again. It is given up when its processes are gone, as far as that
can be seen from the same machine, and otherwise when nobody has touched it for a while.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

#: How often a lease is touched, and after how many seconds without it is given up. On network
#: disks it can take half a minute until others see a change.
HEARTBEAT_S, GIVEN_UP_S = 15.0, 120.0


@dataclass
class Lease:
    """A case that is ours; see `take_lease`."""

    path: Path
    token: str

    def heartbeat(self, process: int | None = None) -> None:
        """Say that we are still there.

        Args:
            process: one that works on the case for us, and counts as we do.
        """
        if process is not None:
            new = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
            new.write_text(_holder(self.token, process), encoding="utf-8")
            new.replace(self.path)
        else:
            # Somebody who thought that we were dead may have taken it.
            with suppress(FileNotFoundError):
                os.utime(self.path)

    def release(self) -> None:
        """Give the case free, if it is still ours."""
        if _read(self.path).get("token") == self.token:
            self.path.unlink(missing_ok=True)


def take_lease(path: Path) -> Lease | None:
    """Take the lease of a case; None when somebody else holds it."""
    lease = Lease(path, secrets.token_hex(8))
    for _ in range(2):
        text = _holder(lease.token)
        try:
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            before = _read(path)
            if is_held(path):
                return None
            # Renamed first: of several who find it given up, one gets it.
            given_up = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            with suppress(FileNotFoundError):
                path.rename(given_up)
                if _read(given_up) != before:
                    # In the meantime another one got it, whose file this is.
                    with suppress(FileExistsError):
                        os.link(given_up, path)
                    given_up.unlink()
                    return None
            given_up.unlink(missing_ok=True)
            continue
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(text)
        return lease
    return None


def is_held(path: Path) -> bool:
    """Whether somebody works on the case."""
    try:
        age = _now(path) - path.stat().st_mtime
    except OSError:
        return False
    holder = _read(path)
    if holder.get("host") == socket.gethostname() and _psutil() is not None:
        return any(_lives(process) for process in holder.get("processes", ()))
    return age < GIVEN_UP_S


def _holder(token: str, *others: int) -> str:
    processes = [_told(process) for process in (os.getpid(), *others)]
    return json.dumps({"token": token, "host": socket.gethostname(), "processes": processes})


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _psutil() -> ModuleType | None:
    """The package that sees other processes, which Slicer may lack; then only time tells."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil


def _told(process: int) -> list[float]:
    """A process by number and start: numbers are used again."""
    psutil = _psutil()
    if psutil is None:
        return [process, 0.0]
    try:
        return [process, psutil.Process(process).create_time()]
    except psutil.Error:
        return [process, 0.0]


def _lives(told: list[float]) -> bool:
    psutil = _psutil()
    assert psutil is not None  # `is_held` has looked
    number, start = told
    if not start:
        # Its holder could not tell.
        return bool(psutil.pid_exists(int(number)))
    try:
        process = psutil.Process(int(number))
        same = abs(process.create_time() - start) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _now(path: Path) -> float:
    """The time of the disk's own clock, which may be another machine's."""
    probe = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
