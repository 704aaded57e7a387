"""A child process with everything it started, and ending all of it.

Standard library only: this runs inside Slicer before anything was installed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

#: Carries a run's own mark to every process that is started in its course.
MARK = "BRAINTUMORSEG_RUN"

#: Flags that let Windows start a console program without a console window.
_HIDDEN = getattr(subprocess, "CREATE_NO_WINDOW", 0)


def startOptions() -> dict[str, object]:
    """Arguments of ``Popen`` that put a child into a process group of its own."""
    if os.name == "nt":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | _HIDDEN}
    return {"start_new_session": True}


def findTree(root: int, mark: str) -> set[int]:
    """Ids of the living processes that belong to a child started with `startOptions`.

    Found by group, session and parent, and on Linux also by the mark in the environment,
    which those keep who left group, session and parent. Zombies do not count. Empty on
    Windows, where ``taskkill`` finds them itself.
    """
    if os.name == "nt":
        return set()
    table = _linuxProcesses() if Path("/proc/self/stat").exists() else _listedProcesses()
    found = {pid for pid, entry in table.items() if root in (pid, *entry[1:])}
    if sys.platform.startswith("linux"):
        found |= {pid for pid in table.keys() - found if _isMarked(pid, mark)}
    size = 0
    while size < len(found):
        size = len(found)
        found |= {pid for pid, entry in table.items() if entry[0] in found}
    return found - {os.getpid()}


def signalTree(root: int, processes: Iterable[int], number: int) -> None:
    """Send a signal to a child's group and to each of the processes.

    Raises nothing for those that ended meanwhile.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(root, number)
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def terminateTree(root: int, processes: Iterable[int]) -> None:
    """Ask a child and all it started to end; a stopped one hears it too. Returns at once."""
    if os.name == "nt":
        # Without a console there is no gentle way.
        taskkill(root)
        return
    processes = list(processes)
    signalTree(root, processes, signal.SIGTERM)
    signalTree(root, processes, signal.SIGCONT)


def killTree(root: int, processes: Iterable[int]) -> None:
    """End a child and all it started, whether they like it or not. Returns at once."""
    if os.name == "nt":
        taskkill(root)
    else:
        signalTree(root, processes, signal.SIGKILL)


def taskkill(root: int) -> subprocess.Popen[bytes]:
    """Start Windows' own program for ending a process with its children."""
    return subprocess.Popen(
        ["taskkill", "/PID", str(root), "/T", "/F"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=_HIDDEN,
    )


def _linuxProcesses() -> Mapping[int, tuple[int, int, int]]:
    """Parent, group and session of every living process, by id."""
    table = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended meanwhile
        # The name, in parentheses, may hold spaces and parentheses itself.
        state, parent, group, session = text.rpartition(")")[2].split()[:4]
        if state not in "ZX":
            table[int(folder.name)] = int(parent), int(group), int(session)
    return table


def _isMarked(process: int, mark: str) -> bool:
    try:
        environment = Path(f"/proc/{process}/environ").read_bytes()
    except OSError:
        return False  # it ended meanwhile, or belongs to somebody else
    return f"{MARK}={mark}".encode() in environment.split(b"\0")


def _listedProcesses() -> Mapping[int, tuple[int, int, int]]:
    """The same on macOS, where sessions have no numbers."""
    command = ["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}  # the group can still be signalled
    table = {}
    for line in listing.stdout.splitlines():
        pid, parent, group, state = line.split()[:4]
        if not state.startswith("Z"):
            table[int(pid)] = int(parent), int(group), int(group)
    return table
