"""Why a run ended badly, and what can be done about it, in words for a radiologist.

Standard library only: this runs inside Slicer before anything was installed.
"""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from BrainTumorSegLib.core.errors import (
    BrainTumorSegError,
    Cancelled,
    DependencyError,
    DeviceError,
    InputError,
    OutputError,
    PackError,
    RegistrationError,
)

from ..host.application import usesOtherPython
from ..host.host import inApplication
from ..host.translation import told
from ..host.translation import tr as _

#: The oldest Python that the worker runs on, see pyproject.toml.
OLDEST_PYTHON = (3, 11)

_KINDS: Mapping[int, type[BrainTumorSegError]] = {
    kind.exit_code: kind
    for kind in (
        InputError,
        OutputError,
        RegistrationError,
        PackError,
        DependencyError,
        DeviceError,
    )
}


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


@dataclass(frozen=True)
class Failure:
    """A failure as a dialog shows it.

    Attributes:
        text: what is wrong.
        remedy: what to do about it, if anything is known.
        details: the last lines of the log.
    """

    title: str
    text: str
    remedy: str | None
    details: str


def describe(error: BaseException, logTail: str = "") -> Failure:
    """An error as a dialog shows it; ``logTail`` is `worker.Worker.logTail`."""
    titles = {
        Cancelled: _("Cancelled"),
        InputError: _("Not possible like this"),
        OutputError: _("The result cannot be written"),
        RegistrationError: _("Registration failed"),
        PackError: _("The model cannot be used"),
        DependencyError: _("Something needed is not installed"),
        DeviceError: _("Memory or device"),
    }
    title = next((t for kind, t in titles.items() if isinstance(error, kind)), None)
    title = title or _("Something went wrong")
    if isinstance(error, BrainTumorSegError):
        remedy = told(error.remedy) if error.remedy else error.remedy
        return Failure(title, told(error.message), remedy, logTail)
    text = f"{type(error).__name__}: {error}"
    return Failure(title, text, _("Please report it with the log."), logTail)


def startFailure(program: str, error: OSError) -> BrainTumorSegError:
    """Why the worker's program, as people call it, could not be started."""
    if error.errno == errno.ENOSPC:
        return _diskFull()
    if isinstance(error, FileNotFoundError):
        message = _("{python} does not exist.")
    elif isinstance(error, PermissionError):
        message = _("{python} may not be started: it is no program, or the permission is missing.")
    else:
        message = _("{python} could not be started: {reason}.")
    reason = error.strerror or str(error)
    return DependencyError(message.format(python=program, reason=reason), _choosePython())


def workerFailure(
    exitCode: int | None, log: str, program: str, lastError: Mapping[str, Any] | None = None
) -> BrainTumorSegError:
    """Why a worker ended badly.

    Args:
        exitCode: as of ``Popen.returncode``.
        log: its last lines besides JSON.
        program: the Python that it ran in, as people call it.
        lastError: its JSON line of kind ``error`` (message, remedy, exit_code), if it
            found the time to write one.
    """
    reported = int(lastError.get("exit_code", 1)) if lastError else None
    if lastError is not None and reported in _KINDS:
        return _ownError(lastError)
    if _terminated(reported):
        return _endedByOthers()
    message = str(lastError["message"]) if lastError else ""
    for look in _LOOKS:
        found = look(f"{log}\n{message}")
        if found is not None:
            return found
    if lastError is not None:
        return BrainTumorSegError(message, _("Please report it with the log."))
    return _byExitCode(exitCode, log, program)


def _ownError(line: Mapping[str, Any]) -> BrainTumorSegError:
    """What the library has explained itself; only the way to the remedy is another one here."""
    kind = _KINDS[int(line["exit_code"])]
    message, remedy = str(line["message"]), line.get("remedy")
    speaksOfOptions = re.search(r"--[a-z]", remedy or "") is not None
    if kind is DependencyError and inApplication():
        remedy = _installRemedy()
    elif kind is RegistrationError and speaksOfOptions:
        remedy = _(
            "Look at both scans side by side: do they show the same patient's whole head? If they "
            "are aligned already, say so under registration; else align them by hand first."
        )
    elif kind is DeviceError and speaksOfOptions:
        remedy = _memoryRemedy()
    return kind(message, remedy)


def _outOfMemory(text: str) -> BrainTumorSegError | None:
    if re.search(r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC", text):
        return DeviceError(
            _("The graphics card ran out of memory."),
            _("Close other programs that use it, or choose CPU as device."),
        )
    if re.search(r"can't allocate memory|MemoryError|bad_alloc|Cannot allocate memory", text):
        return _noMemory()
    return None


def _fullDisk(text: str) -> BrainTumorSegError | None:
    pattern = r"No space left on device|\[Errno 28\]|WinError 112|Disk quota exceeded"
    return _diskFull() if re.search(pattern, text) else None


def _oldPython(text: str) -> BrainTumorSegError | None:
    """Told by the traceback, since an old Python stumbles in many ways.

    Only Pythons before 3.11 load ``runpy``, which ``-m`` starts with, from a file.
    """
    pattern = r"[/\\]python3(?:\.(\d+)|(\d{1,2}))[/\\](?:lib[/\\])?runpy\.py"
    minors = re.findall(pattern, text, re.IGNORECASE)
    versions = {(3, int(first or second)) for first, second in minors}
    if not versions or max(versions) >= OLDEST_PYTHON:
        return None
    version = max(versions)
    return DependencyError(
        _("The Python of the worker is too old: {version}.").format(
            version=f"{version[0]}.{version[1]}"
        ),
        _("Choose Python {oldest} or newer, or Slicer's own by leaving that setting empty.").format(
            oldest=".".join(map(str, OLDEST_PYTHON))
        ),
    )


def _missingModule(text: str) -> BrainTumorSegError | None:
    found = re.findall(r"No module named '?([\w.]+)'?", text)
    name = found[-1].partition(".")[0] if found else ""
    if name == "BrainTumorSegLib" or re.search(r"cannot import name .* from 'BrainTumor", text):
        return DependencyError(
            _("The library BrainTumorSegLib is incomplete or was not found."),
            _("Install the extension again; a file of it is missing or cannot be read."),
        )
    if not found:
        return None
    return DependencyError(
        _("The Python package “{name}” is not installed.").format(name=name), _installRemedy()
    )


def _brokenLibrary(text: str) -> BrainTumorSegError | None:
    found = re.search(
        r"(DLL load failed[^\n]*|[\w.+-]+\.(?:so|dylib)[\w.]*: cannot open shared object[^\n]*"
        r"|undefined symbol[^\n]*|Library not loaded[^\n]*)",
        text,
    )
    if found is None:
        return None
    return DependencyError(
        _("A library that the worker needs could not be loaded: {reason}.").format(
            reason=found.group().rstrip(".")
        ),
        _("Start Slicer again, and if that does not help install the packages again."),
    )


#: In this order: an old Python also lacks modules, and a full disk breaks libraries.
_LOOKS: tuple[Callable[[str], BrainTumorSegError | None], ...] = (
    _outOfMemory,
    _fullDisk,
    _oldPython,
    _missingModule,
    _brokenLibrary,
)


def _byExitCode(code: int | None, log: str, program: str) -> BrainTumorSegError:
    """Nothing was said: the exit code is all there is."""
    crash = _crash(code, log)
    if crash is not None:
        return BrainTumorSegError(
            _("The worker crashed ({reason}).").format(reason=crash),
            _(
                "Try once more, with CPU as device. If it happens again, install the packages "
                "again, and report it with the log."
            ),
        )
    if _killed(code, log):
        return DeviceError(
            _("The worker was ended by the system, most likely for want of memory."),
            _memoryRemedy(),
        )
    if _terminated(code):
        return _endedByOthers()
    if _incomplete(code):
        return DependencyError(
            _("{python} could not be started: it is incomplete.").format(python=program),
            _choosePython(),
        )
    if code == 2:
        return BrainTumorSegError(
            _("The module and its library do not belong to the same version."),
            _("Install the extension again and restart Slicer."),
        )
    if code == 0:
        return BrainTumorSegError(
            _("The worker ended without a result."), _("Please report it with the log.")
        )
    return BrainTumorSegError(
        _("The worker ended unexpectedly (exit code {code}).").format(code=code),
        _("Please report it with the log."),
    )


def _crash(code: int | None, log: str) -> str | None:
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
    message = (signal.strsignal(found) or "").lower()
    return None if found.name in _SENT else f"{found.name}, {message}"


def _killed(code: int | None, log: str) -> bool:
    """Whether the system ended the program, as it does when memory runs out."""
    behindLauncher = code == 1 and _LAUNCHER_SAW_A_SIGNAL in log
    return code in (-9, 137) or behindLauncher or _unsigned(code) in _WINDOWS_OUT_OF_MEMORY


def _terminated(code: int | None) -> bool:
    """Whether somebody asked the program to end."""
    return code in (-15, 143, -2, 130, -1, 129)


def _incomplete(code: int | None) -> bool:
    """Whether the program could not be loaded."""
    return _unsigned(code) in _WINDOWS_MISSING_LIBRARY or code in (126, 127)


def _unsigned(code: int | None) -> int:
    return -1 if code is None else code & 0xFFFFFFFF


def _endedByOthers() -> BrainTumorSegError:
    return BrainTumorSegError(
        _("The worker was ended by another program."), _("Start the segmentation again.")
    )


def _noMemory() -> DeviceError:
    return DeviceError(_("This computer ran out of memory."), _memoryRemedy())


def _memoryRemedy() -> str:
    return _("Close other programs and data, or use fewer members of the model.")


def _diskFull() -> OutputError:
    return OutputError(
        _("The disk with the temporary files is full."),
        _("Free some space, or choose another temporary folder in the application settings."),
    )


def _installRemedy() -> str:

    if inApplication() and usesOtherPython():
        return _(
            "Install it into the Python you chose; “Check my system” says what is missing. Or "
            "leave that setting empty for Slicer's own."
        )
    if inApplication():
        return _("Press “Install packages” in the module, then start again.")
    return _("Install the packages with: pip install BrainTumorSeg")


def _choosePython() -> str:
    return _("Correct the setting of the worker's Python, or leave it empty for Slicer's own.")
