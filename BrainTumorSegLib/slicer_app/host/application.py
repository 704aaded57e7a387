"""What surrounds the scene code: Slicer's application, or plain Python."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import BrainTumorSegLib
from BrainTumorSegLib.core.errors import DependencyError, OutputError

from .host import inApplication, temporaryFolder
from .translation import tr as _

#: Group of our entries in the application's settings.
SETTINGS_GROUP = "BrainTumorSeg"

#: Names of settings: a folder of wheels to install from without internet, ...
WHEEL_FOLDER = "WheelFolder"

#: ... another Python to compute with, ...
WORKER_PYTHON = "WorkerPython"

#: ... the reader's name for the next review, and the folder that was saved into last.
READER, SAVE_FOLDER = "Reader", "SaveFolder"

#: ... the folder of many cases and that of their results.
CASES_FOLDER, RESULTS_FOLDER = "CasesFolder", "ResultsFolder"

#: Names the interpreter of the worker, before any setting.
PYTHON_VARIABLE = "BRAINTUMORSEG_PYTHON"

_FOLDER_PREFIX = "BrainTumorSeg-run-"

#: A run folder without changes for so long belongs to no run any more.
_FORGOTTEN_AFTER_S = 2 * 24 * 3600

#: What would make another interpreter load Slicer's Python library in place of its own.
_FOREIGN = (
    *("PYTHONHOME", "PYTHONPATH", "PYTHONEXECUTABLE", "PYTHONNOUSERSITE", "PYTHONSTARTUP"),
    *("__PYVENV_LAUNCHER__", "VIRTUAL_ENV"),
)


@dataclass(frozen=True)
class WorkerPython:
    """The interpreter that computes.

    Attributes:
        environment: all variables it is started with.
        description: for messages, for example *Slicer's Python (/opt/.../PythonSlicer)*.
        program: what it runs before the arguments of a `worker.Worker`.
    """

    executable: Path
    environment: dict[str, str]
    description: str
    program: tuple[str, ...] = ("-m", "BrainTumorSegLib")


def runFolder() -> Path:
    """Make a new empty folder for the files of one run, readable by this user alone.

    It lies where Slicer keeps its temporary files, or where Python does. Folders that a crash
    of Slicer has left there days ago are deleted, since patients' scans lie in them.

    Raises:
        OutputError: when it cannot be made.
    """
    parent = temporaryFolder()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _removeForgotten(parent)
        return Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=parent))
    except OSError as error:
        raise OutputError(
            _("No folder for temporary files could be made in {folder}: {error}.").format(
                folder=parent, error=error.strerror or error
            ),
            _("Free disk space, or choose another temporary folder in the application settings."),
        ) from error


def _removeForgotten(parent: Path) -> None:
    for folder in parent.glob(f"{_FOLDER_PREFIX}*"):
        if not re.fullmatch(rf"{_FOLDER_PREFIX}[a-z0-9_]{{8}}", folder.name):
            continue
        # Another Slicer may be deleting it at this moment.
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _FORGOTTEN_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)


def workerPython() -> WorkerPython:
    """The interpreter for the worker.

    In this order: the variable ``BRAINTUMORSEG_PYTHON`` or the setting ``WorkerPython``;
    Slicer's own ``PythonSlicer``; outside the application this interpreter.

    Raises:
        DependencyError: when Slicer's own cannot be found. An interpreter that was
            chosen is not looked for here: starting it says what is wrong with it.
    """
    chosen = os.environ.get(PYTHON_VARIABLE) or getSetting(WORKER_PYTHON)
    if chosen:
        return _chosenPython(Path(chosen).expanduser())
    if not inApplication():
        environment = _withLibrary(dict(os.environ), keep=True)
        return WorkerPython(Path(sys.executable), environment, f"Python ({sys.executable})")
    executable = _pythonSlicer()
    if executable is None:
        raise DependencyError(
            _("Slicer's Python program PythonSlicer was not found."),
            _("Install Slicer again, or name another Python in the module's settings."),
        )
    environment = _withLibrary(dict(os.environ), keep=True)
    description = _("Slicer's Python ({path})").format(path=executable)
    return WorkerPython(executable, environment, description)


def usesOtherPython() -> bool:
    """Whether the worker runs in an interpreter of the user's, whose packages are not ours."""
    return bool(os.environ.get(PYTHON_VARIABLE) or getSetting(WORKER_PYTHON))


def installsHere() -> bool:
    """Whether packages are ours to install: in Slicer, into Slicer's own Python."""
    return inApplication() and not usesOtherPython()


def getSetting(name: str, default: str = "") -> str:
    """A setting of this module, as text.

    In the application it comes from Slicer's settings (group ``BrainTumorSeg``); where it is
    not set there, and on plain Python, from a variable: ``WheelFolder`` is
    ``BRAINTUMORSEG_WHEEL_FOLDER``.
    """
    if inApplication():
        value = _settings().value(f"{SETTINGS_GROUP}/{name}")
        if value not in (None, ""):
            return str(value)
    return os.environ.get(_variable(name)) or default


def setSetting(name: str, value: str) -> None:
    """Keep a setting: in Slicer's settings, on plain Python for this process."""
    if inApplication():
        _settings().setValue(f"{SETTINGS_GROUP}/{name}", str(value))
    else:
        os.environ[_variable(name)] = str(value)


def _settings() -> Any:
    import slicer

    return slicer.app.userSettings()


def _variable(name: str) -> str:
    return "BRAINTUMORSEG_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _pythonSlicer() -> Path | None:
    """Slicer's launcher has put it on the path; without launcher it lies in ``bin``."""
    import slicer

    name = "PythonSlicer.exe" if os.name == "nt" else "PythonSlicer"
    candidates = [shutil.which("PythonSlicer"), str(Path(slicer.app.slicerHome) / "bin" / name)]
    # Older Slicers name the application itself here, which must not be started again.
    if Path(sys.executable).stem == "PythonSlicer":
        candidates.append(sys.executable)
    return next((Path(c) for c in candidates if c and Path(c).is_file()), None)


def _chosenPython(executable: Path) -> WorkerPython:
    if inApplication():
        from slicer.util import startupEnvironment

        environment = startupEnvironment()
    else:
        environment = dict(os.environ)
    # Also where Slicer was started without its launcher, which keeps no startup environment.
    environment = {name: text for name, text in environment.items() if name not in _FOREIGN}
    return WorkerPython(executable, _withLibrary(environment, keep=False), f"Python ({executable})")


def _withLibrary(environment: dict[str, str], keep: bool) -> dict[str, str]:
    """An environment in which ``-m BrainTumorSegLib`` is found and speaks UTF-8."""
    parent = Path(BrainTumorSegLib.__file__).parent.parent
    paths = environment.get("PYTHONPATH", "").split(os.pathsep) if keep else []
    # A whole site-packages in front would come before the standard library.
    if parent.name not in ("site-packages", "dist-packages"):
        paths.insert(0, str(parent))
    paths = [path for path in dict.fromkeys(paths) if path]
    environment = {**environment, "PYTHONPATH": os.pathsep.join(paths)}
    if not paths:
        del environment["PYTHONPATH"]
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    # Slicer's launcher between us and the child hides by which signal the child died.
    environment["PYTHONFAULTHANDLER"] = "1"
    if sys.platform.startswith("linux") and _speaksNoUtf8(environment):
        # The same launcher reads paths in the locale's encoding.
        environment["LC_ALL"] = "C.UTF-8"
    return environment


def _speaksNoUtf8(environment: dict[str, str]) -> bool:
    locale = next((v for n in ("LC_ALL", "LC_CTYPE", "LANG") if (v := environment.get(n))), "C")
    return locale in ("C", "POSIX")
