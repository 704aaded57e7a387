"""From a bare Python and a checkout to a result: ``python3 -m BrainTumorSegLib.bootstrap demo``.

Needs nothing but the standard library. Makes ``.venv`` in the checkout, installs the project
into it with the tried releases of ``Resources/Setup/constraints.txt``, and starts the command
that was asked for. A machine without an NVIDIA GPU gets the CPU build of PyTorch, which is
several gigabytes smaller.

The syntax stays that of Python 3.8, so that an old Python can say that it is too old.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from BrainTumorSegLib.core.errors import BrainTumorSegError, DependencyError, InputError

from .environment import Environment

CHECKOUT = Path(__file__).resolve().parents[2]
OLDEST_PYTHON = (3, 11)

#: What the editable installation itself is built with; an offline wheel folder needs it too.
BUILD_REQUIREMENTS = ("hatchling>=1.25", "editables>=0.3")

#: Every core runs tests. Who has finished takes over from the others; the tests of a file still
#: mostly follow each other, and share what its fixtures have made.
PARALLEL = ("-n", "auto", "--dist", "worksteal")

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

#: Extras that each command needs.
EXTRAS = {"demo": (), "test": ("dev",), "translations": ("dev",)}


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; return its exit code.

    On POSIX the demonstration and the tests replace this process, so that signals reach them.
    """
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BrainTumorSegError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"What to do: {error.remedy}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m BrainTumorSegLib.bootstrap",
        description="Install BrainTumorSeg into .venv of this checkout and start it.",
    )
    parser.add_argument(
        "--torch",
        choices=("auto", "cpu", "default"),
        default="auto",
        help="cpu: PyTorch without CUDA; default: whatever pip's sources offer; "
        "auto: cpu on Linux without an NVIDIA GPU, otherwise default",
    )
    parser.add_argument(
        "command",
        choices=("demo", "test", "install", "wheels", "translations"),
        help="demo: segment the demonstration case (arguments go to `brain-tumor-seg demo`); "
        "test: ruff and pytest (arguments go to pytest); install [EXTRA ...]: only install; "
        "wheels FOLDER [EXTRA ...]: collect wheels for a machine without internet; "
        "translations [LANGUAGE ...]: bring Resources/Translations up to the sources",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _run(options: argparse.Namespace) -> int:
    check_python()
    check_checkout(CHECKOUT)
    torch = torch_choice(options.torch)
    environment = Environment(CHECKOUT, torch)
    if options.command == "wheels":
        if not options.arguments:
            raise InputError("No folder for the wheels was given.", "Say: wheels FOLDER")
        return collect_wheels(environment, Path(options.arguments[0]), options.arguments[1:])
    if options.command == "install":
        environment.ensure(options.arguments)
        print(f"Installed. Start it with: {environment.python.parent / 'brain-tumor-seg'}")
        return 0
    environment.ensure(EXTRAS[options.command])
    if options.command == "demo":
        return _become([environment.python, "-m", "BrainTumorSegLib", "demo", *options.arguments])
    if options.command == "translations":
        module = "BrainTumorSegLib.bootstrap.translations"
        return _become([environment.python, "-m", module, *options.arguments])
    return run_tests(environment, options.arguments)


def run_tests(environment: Environment, arguments: list[str]) -> int:
    """Lint, then test the checkout; pytest's closing line comes last."""
    advice = ensure_system_libraries(environment.distributions())
    if advice:
        print(f"Warning: {advice}", file=sys.stderr)
    for check in (("check",), ("format", "--check")):
        print(f"ruff {' '.join(check)}", flush=True)
        command = [environment.python, "-m", "ruff", *check, "--quiet", "."]
        code = subprocess.run([str(c) for c in command], cwd=CHECKOUT, check=False).returncode
        if code:
            print("ruff found something: `ruff check --fix` and `ruff format` mend most of it.")
            return code
    os.chdir(CHECKOUT)
    return _become([environment.python, "-m", "pytest", *PARALLEL, *arguments])


def _become(command: list[object]) -> int:
    words = [str(word) for word in command]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(words[0], words)
    return subprocess.call(words)


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> None:
    """Refuse a Python that is too old or lacks the means to make environments.

    Raises:
        DependencyError: naming a newer Python on this machine, or the package to install.
    """
    if tuple(version) < OLDEST_PYTHON:
        newer = [f"python3.{minor}" for minor in range(20, OLDEST_PYTHON[1] - 1, -1)]
        found = next((name for name in newer if shutil.which(name)), None)
        raise DependencyError(
            f"BrainTumorSeg needs Python 3.11 or newer; this is {version[0]}.{version[1]}.",
            f"This machine has {found}: run `{found} -m BrainTumorSegLib.bootstrap ...`."
            if found
            else "Install Python 3.11 or newer and run the same command with it.",
        )
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        raise DependencyError(
            "This Python cannot make virtual environments: its venv package is missing.",
            "On Debian and Ubuntu install it with `apt-get install python3-venv`.",
        )


def check_checkout(folder: Path) -> None:
    """Refuse to work from anything but a source checkout.

    Raises:
        InputError: when the project's files are not there.
    """
    for name in ("pyproject.toml", "Resources/Setup/constraints.txt"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder} is no complete checkout of BrainTumorSeg: it has no {name}.",
                "Clone the repository and run this command inside it.",
            )


def has_nvidia_gpu() -> bool:
    """Whether the NVIDIA driver on this machine sees a GPU."""
    if any(Path("/proc/driver/nvidia/gpus").glob("*")):
        return True
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listing = subprocess.run([program, "-L"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listing.returncode == 0 and b"GPU" in listing.stdout


def torch_choice(requested: str = "auto", platform: str = sys.platform) -> str:
    """``cpu`` for a build of torch without CUDA, ``default`` for what pip finds by itself."""
    if requested != "auto":
        return requested
    # For macOS and Windows the default builds already come without CUDA.
    return "cpu" if platform.startswith("linux") and not has_nvidia_gpu() else "default"


def collect_wheels(environment: Environment, folder: Path, extras: list[str]) -> int:
    """Fill a folder with wheels of the project and all it needs, for a machine without internet.

    The other machine needs the same operating system and Python version.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not environment.runs():
        environment.create()
    verb = ["wheel", "--wheel-dir", str(folder), "--find-links", str(folder)]
    print(f"Collecting wheels in {folder} (this takes minutes)", flush=True)
    pins = environment.install_torch(verb)
    target = f"{environment.checkout}[{','.join(extras)}]" if extras else str(environment.checkout)
    constraints = ["-c", str(environment.constraints)]
    environment.pip([*verb, *constraints, *pins, target, *BUILD_REQUIREMENTS, "pip"])
    size = sum(path.stat().st_size for path in folder.glob("*.whl")) / 1e6
    count = len(list(folder.glob("*.whl")))
    named = f"[{','.join(extras)}]" if extras else ""
    print(f"{count} wheels, {size:.0f} MB. On the other machine:")
    print("  python3 -m venv brain-tumor-seg")
    print(
        "  brain-tumor-seg/bin/python -m pip install --no-index "
        f'--find-links {folder.name} "BrainTumorSeg{named}"'
    )
    return 0


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
    # If this fails the installation that follows says so: old lists may still do.
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
