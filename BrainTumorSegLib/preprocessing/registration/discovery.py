"""Finding BRAINSFit, which comes with 3D Slicer and seldom alone."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.file_names import expanded, home_folder

#: Environment variable that names the executable.
VARIABLE = "BRAINTUMORSEG_BRAINSFIT"

_EXECUTABLE = "BRAINSFit.exe" if os.name == "nt" else "BRAINSFit"


@dataclass(frozen=True)
class Executable:
    """A BRAINSFit that was given or found.

    Attributes:
        path: absolute path of the program.
        origin: how it was found, in words.
    """

    path: Path
    origin: str


def find_brainsfit(given: Path | None = None) -> Executable | None:
    """Return the BRAINSFit that was given, or the first one found, or None.

    Looked for, in this order: ``given``; the environment variable
    ``BRAINTUMORSEG_BRAINSFIT``; ``PATH``; the Slicer named by ``SLICER_HOME``; the
    Slicer whose Python runs this; the folders Slicer is usually installed in,
    newest version first.

    Raises:
        DependencyError: when the file that was given, or that the variable names,
            is no executable file. What is asked for by name is never replaced.
    """
    if given is not None:
        return Executable(_checked(Path(given), "The option --brainsfit"), "given")
    named = os.environ.get(VARIABLE)
    if named:
        return Executable(_checked(Path(named), f"The variable {VARIABLE}"), VARIABLE)
    on_path = shutil.which("BRAINSFit")
    if on_path:
        return Executable(Path(on_path).resolve(), "PATH")
    for root, origin in _slicer_roots():
        for folder in _cli_folders(root):
            candidate = folder / _EXECUTABLE
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return Executable(candidate.resolve(), origin)
    return None


def launch_environment(executable: Path) -> Mapping[str, str]:
    """The environment in which the program finds its shared libraries.

    Slicer's command line modules expect Slicer's launcher to have set the library
    path. macOS needs none: there the libraries are found relative to the program.
    """
    environment = dict(os.environ)
    folder = executable.parent
    if folder.name != "cli-modules":
        return environment
    library = folder.parent
    root = library.parent.parent
    folders = [folder, library, library / "qt-loadable-modules", root / "lib", root / "bin"]
    variable = {"win32": "PATH", "darwin": None}.get(sys.platform, "LD_LIBRARY_PATH")
    if variable is not None:
        known = [environment[variable]] if environment.get(variable) else []
        present = [str(f) for f in folders if f.is_dir()]
        environment[variable] = os.pathsep.join(present + known)
    return environment


def _checked(path: Path, who: str) -> Path:
    path = expanded(path)
    if not path.is_file() or not os.access(path, os.X_OK):
        found = "is not executable" if path.is_file() else "does not exist"
        raise DependencyError(
            f"{who} names {path} as BRAINSFit, but this file {found}.",
            "Give the path of the BRAINSFit program (in Slicer's folder "
            "lib/Slicer-5.x/cli-modules), or leave it out to use SimpleITK.",
        )
    return path.resolve()


def _slicer_roots() -> Iterator[tuple[Path, str]]:
    home = os.environ.get("SLICER_HOME")
    if home:
        yield Path(home), "SLICER_HOME"
    python = Path(sys.executable) if sys.executable else Path()
    if "slicer" in str(python).lower():
        for parent in list(python.parents)[:4]:
            yield parent, "the Slicer that runs this Python"
    for folder, pattern in _usual_places():
        if folder.is_dir():
            for root in sorted(folder.glob(pattern), key=_version, reverse=True):
                yield (root / "Contents" if root.suffix == ".app" else root), "installed Slicer"


def _usual_places() -> Iterator[tuple[Path, str]]:
    home = home_folder()
    if sys.platform == "win32":
        for variable in ("LOCALAPPDATA", "ProgramFiles"):
            base = os.environ.get(variable)
            if base:
                for folder in (Path(base), Path(base) / "slicer.org", Path(base) / "NA-MIC"):
                    yield folder, "Slicer*"
    elif sys.platform == "darwin":
        yield Path("/Applications"), "Slicer*.app"
        yield home / "Applications", "Slicer*.app"
    else:
        for folder in (home, home / "Applications", home / "opt", Path("/opt"), Path("/usr/local")):
            yield folder, "[Ss]licer*"


def _cli_folders(root: Path) -> Iterator[Path]:
    yield from sorted(root.glob("lib/Slicer-*/cli-modules"), key=_version, reverse=True)


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", str(path)))
