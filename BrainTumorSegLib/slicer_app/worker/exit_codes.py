"""What the exit code of a process says about its end.

Standard library only: this runs inside Slicer before anything was installed.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

#: Windows' status codes for what POSIX reports as signals.
_WINDOWS_CRASHES: Mapping[int, str] = {
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    0xC0000094: "division by zero",
    0xC00000FD: "stack overflow",
    0xC0000374: "heap corruption",
    0xC0000409: "stack buffer overrun",
}
_WINDOWS_OUT_OF_MEMORY = (0xC0000017, 0xC000012D)
_WINDOWS_MISSING_LIBRARY = (0xC0000135, 0xC0000139, 0xC0000142)

#: Signals that are sent on purpose; all others are faults of the program.
_SENT = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")

#: What PythonSlicer, a launcher, says of a program that a signal ended; it exits with 1 itself.
_LAUNCHER_SAW_A_SIGNAL = "exit abnormally"


def crash(code: int | None, log: str) -> str | None:
    """The fault by which a broken program ended, for example *SIGSEGV, segmentation fault*.

    Args:
        code: as of ``Popen.returncode``, or 128 + signal as shells have it.
        log: what the program said; Python's fault handler names the fault there.
    """
    fault = re.search(r"Fatal Python error: ([^\n]+)|Windows fatal exception: ([^\n]+)", log)
    if fault and code != 0:
        return (fault.group(1) or fault.group(2)).rstrip(". ").lower()
    if code is None:
        return None
    if _unsigned(code) in _WINDOWS_CRASHES:
        return _WINDOWS_CRASHES[_unsigned(code)]
    try:
        found = signal.Signals(-code if code < 0 else code - 128)
    except ValueError:
        return None
    said = (signal.strsignal(found) or "").lower()
    return None if found.name in _SENT else f"{found.name}, {said}"


def killed(code: int | None, log: str) -> bool:
    """Whether the system ended the program, as it does when memory runs out."""
    behindLauncher = code == 1 and _LAUNCHER_SAW_A_SIGNAL in log
    return code in (-9, 137) or behindLauncher or _unsigned(code) in _WINDOWS_OUT_OF_MEMORY


def terminated(code: int | None) -> bool:
    """Whether somebody asked the program to end."""
    return code in (-15, 143, -2, 130, -1, 129)


def incomplete(code: int | None) -> bool:
    """Whether the program could not be loaded."""
    return _unsigned(code) in _WINDOWS_MISSING_LIBRARY or code in (126, 127)


def _unsigned(code: int | None) -> int:
    return -1 if code is None else code & 0xFFFFFFFF
