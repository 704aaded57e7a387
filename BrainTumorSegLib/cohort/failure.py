"""Why the process of a case ended without a result."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from typing import Any

from BrainTumorSegLib.core.errors import DeviceError

_SHORT_OF_MEMORY = (
    *("bad_alloc", "bad allocation", "Cannot allocate memory", "MemoryError"),
    "Resource temporarily unavailable",  # no room for another thread
)
_MEMORY_REMEDY = "Use fewer --workers or --members, or a computer with more memory."


def explain_failure(code: int, output: str, peak_bytes: int = 0) -> dict[str, Any]:
    """Why a process ended without a result, for people and for the decision to try again.

    Args:
        code: exit code; negative for the number of the signal that ended it.
        output: the end of what it printed.
        peak_bytes: memory that it was seen to take.

    Returns:
        ``reason``, ``remedy``, ``exit_code``, ``out_of_memory`` and ``worth_retrying``.
    """
    told = _told_error(output)
    if told is not None and code > 0:
        memory = code == DeviceError.exit_code or "memory" in told["message"].lower()
        return {
            "reason": told["message"],
            "remedy": told.get("remedy") or "",
            "exit_code": code,
            "out_of_memory": memory,
            "worth_retrying": memory,
        }
    seen = f" It was seen to take {peak_bytes / 1024**3:.1f} GB." if peak_bytes else ""
    killed = code == -getattr(signal, "SIGKILL", 9)
    memory = killed or any(words in output for words in _SHORT_OF_MEMORY)
    if memory:
        how = "The system ended it" if killed else "It crashed"
        reason, remedy = f"{how}, most likely for lack of memory.{seen}", _MEMORY_REMEDY
    elif code < 0:
        reason = f"The program crashed ({_signal_name(-code)}).{seen}"
        remedy = (
            "Look at the log. If the scans can be opened elsewhere, please report it with the log."
        )
    else:
        reason = f"The program ended with code {code} and no result."
        remedy = "Look at the log, and please report it with the log."
    return {
        "reason": reason,
        "remedy": remedy,
        "exit_code": code,
        "out_of_memory": memory,
        "worth_retrying": True,
    }


def _told_error(output: str) -> dict[str, Any] | None:
    """The last line of the output that tells an error, see ``--progress json``."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and found.get("kind") == "error":
                    return found
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
