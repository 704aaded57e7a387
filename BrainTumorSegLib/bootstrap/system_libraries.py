"""Shared libraries of the operating system that some wheels need beside them.

Standard library only, in the syntax of Python 3.8: see `bootstrap`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping

from BrainTumorSegLib.core.errors import DependencyError

#: By distribution: the libraries its wheel leaves to the system, with the Debian package of each
#: (what `ldd` finds missing on a minimal Debian 12). torch, SimpleITK, vtk and slicer-core
#: need none for what the tests do with them.
LIBRARIES_BY_DISTRIBUTION: Mapping[str, Mapping[str, str]] = {
    "pyside6-essentials": {
        "libGL.so.1": "libgl1",
        "libEGL.so.1": "libegl1",
        "libX11.so.6": "libx11-6",
        "libxkbcommon.so.0": "libxkbcommon0",
        "libglib-2.0.so.0": "libglib2.0-0",
        "libfreetype.so.6": "libfreetype6",
        "libfontconfig.so.1": "libfontconfig1",
        "libdbus-1.so.3": "libdbus-1-3",
    },
}


def missing_libraries(distributions: Iterable[str]) -> dict[str, str]:
    """Libraries that the dynamic linker cannot load, with their Debian packages.

    Only Linux is looked at: elsewhere wheels bring these themselves.

    Args:
        distributions: names of the installed Python packages, in any spelling.
    """
    if not sys.platform.startswith("linux"):
        return {}
    needed: dict[str, str] = {}
    for name in distributions:
        needed.update(LIBRARIES_BY_DISTRIBUTION.get(name.lower().replace("_", "-"), {}))
    return {name: package for name, package in needed.items() if not _loads(name)}


def _loads(library: str) -> bool:
    # A process of its own: a library loaded here would stay, and may crash at exit.
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    command = [sys.executable, "-I", "-c", code, library]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ensure_system_libraries(distributions: Iterable[str]) -> str | None:
    """Install what is missing through apt-get where we may; otherwise return advice.

    Args:
        distributions: names of the installed Python packages.

    Returns:
        None when everything is there, otherwise what the person should install.

    Raises:
        DependencyError: when apt-get was allowed to install and failed.
    """
    missing = missing_libraries(distributions)
    if not missing:
        return None
    packages = sorted(set(missing.values()))
    if shutil.which("apt-get") is None:
        return (
            f"Some tests need system libraries that are missing: {', '.join(sorted(missing))}. "
            "Install them with this system's package manager."
        )
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if os.geteuid() != 0:
        return (
            "Some tests need system libraries that are missing. "
            f"Install them with: sudo {' '.join(command)}"
        )
    print(f"Installing system libraries: {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # A failed update is told by the installation that follows it: old lists may still do.
    for step in (["apt-get", "update", "-q"], command):
        done = subprocess.run(
            step,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode:
        raise DependencyError(
            f"apt-get could not install {' '.join(packages)}:\n{done.stdout[-2000:]}",
            "Check the network and the package sources of this machine.",
        )
    return None
