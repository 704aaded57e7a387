"""The virtual environment of a checkout, made and kept up to date with pip.

Standard library only, in the syntax of Python 3.8: see `bootstrap`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from BrainTumorSegLib.core.errors import (
    BrainTumorSegError,
    DependencyError,
    InputError,
    OutputError,
)

#: PyTorch's own public index of builds without CUDA.
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

#: Disk space in GB to begin with, by torch build. Without CUDA 2.6 GB stay in use.
NEEDED_GB = {"cpu": 4, "default": 12}

_HEARTBEAT_SECONDS = 30

_NETWORK_SIGNS = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "Connection refused",
    "Connection aborted",
    "IncompleteRead",
)


def pinned_version(constraints: str, package: str) -> str:
    """The version that a constraints file pins a package to.

    Raises:
        InputError: when it does not pin the package.
    """
    for line in constraints.splitlines():
        name, found, version = line.partition("==")
        if found and name.strip() == package:
            return version.strip()
    raise InputError(f"The constraints file does not pin {package}.", "Restore it from git.")


class Environment:
    """The virtual environment ``.venv`` of a checkout.

    Args:
        checkout: the folder with ``pyproject.toml``.
        torch: ``cpu`` or ``default``, see `torch_choice`.
    """

    def __init__(self, checkout: Path, torch: str) -> None:
        self.checkout = checkout
        self.torch = torch
        self.folder = checkout / ".venv"
        self.python = self.folder.joinpath(
            *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python"))
        )
        self.constraints = checkout / "Resources" / "Setup" / "constraints.txt"
        self.log = self.folder / "bootstrap.log"
        self.stamp = self.folder / "brain-tumor-seg.json"

    def fingerprint(self) -> str:
        """SHA-256 over everything that decides what the environment should hold."""
        digest = hashlib.sha256()
        for path in (
            self.checkout / "pyproject.toml",
            self.checkout / "BrainTumorSegLib" / "__init__.py",
            self.constraints,
        ):
            digest.update(path.read_bytes())
        digest.update(f"{sys.version_info[:2]} {self.checkout} {self.torch}".encode())
        return digest.hexdigest()

    def recorded(self) -> dict[str, object]:
        """What the stamp says; empty when there is none or it cannot be read."""
        try:
            record = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def recorded_extras(self) -> set[str]:
        """Extras that the stamp says were asked for."""
        extras = self.recorded().get("extras")
        return set(extras) if isinstance(extras, list) else set()

    def is_ready(self, extras: list[str] | tuple[str, ...]) -> bool:
        """Whether a finished installation with these extras is there already."""
        return (
            self.recorded().get("fingerprint") == self.fingerprint()
            and set(extras) <= self.recorded_extras()
            and self.runs()
        )

    def runs(self) -> bool:
        """Whether the environment's Python starts and is of our version."""
        code = "import sys; print(*sys.version_info[:2])"
        try:
            answer = subprocess.run(
                [str(self.python), "-I", "-c", code], capture_output=True, text=True, check=False
            )
        except OSError:
            return False
        return answer.stdout.split() == [str(part) for part in sys.version_info[:2]]

    def distributions(self) -> list[str]:
        """Names of the Python packages that are installed."""
        code = "import importlib.metadata as m; print(*{d.name for d in m.distributions()})"
        command = [str(self.python), "-I", "-c", code]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        return sorted(answer.stdout.split())

    def ensure(self, extras: list[str] | tuple[str, ...]) -> None:
        """Make the environment or bring it up to date; does nothing when it is ready.

        Raises:
            DependencyError: when pip cannot install something.
            OutputError: when there is no room or no right to write.
        """
        if self.is_ready(extras):
            return
        started = time.monotonic()
        wanted = sorted(set(extras) | self.recorded_extras())
        self.create()
        build = "without CUDA" if self.torch == "cpu" else "as pip's sources offer it"
        print(f"[2/3] Installing PyTorch {build} (once; this takes minutes)", flush=True)
        pins = self.install_torch(["install"])
        target = f"{self.checkout}[{','.join(wanted)}]" if wanted else str(self.checkout)
        named = f" with {', '.join(wanted)}" if wanted else ""
        print(f"[3/3] Installing BrainTumorSeg{named}", flush=True)
        # torch is named again so that nothing can replace the build chosen above.
        self.pip(["install", "-c", str(self.constraints), *pins, "--editable", target])
        record = {"fingerprint": self.fingerprint(), "extras": wanted, "torch": self.torch}
        self.stamp.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        print(f"Ready after {time.monotonic() - started:.0f} s.", flush=True)

    def create(self) -> None:
        """Make an empty environment, or keep the one there is if it can be used.

        Raises:
            OutputError: no room, no right to write, or a foreign environment that is broken.
            DependencyError: when Python cannot make one.
        """
        record = self.recorded()
        usable = self.runs() and record.get("torch", self.torch) == self.torch
        if self.folder.exists() and not usable and not record:
            raise OutputError(
                f"{self.folder} exists, was not made by this command and cannot be used with "
                f"Python {sys.version_info[0]}.{sys.version_info[1]}.",
                "Move it away and run the command again.",
            )
        self.check_room()
        if usable:
            print(f"[1/3] Updating {self.folder}", flush=True)
        else:
            print(f"[1/3] Making {self.folder}", flush=True)
            command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                check=False,
            )
            if done.returncode:
                raise explain_failure(done.stdout, "making the environment")
        # Says that the environment is ours but unfinished; the fingerprint is added at the end.
        self.stamp.write_text(json.dumps({"torch": self.torch}), encoding="utf-8")

    def check_room(self) -> None:
        """Refuse to start what cannot be finished.

        Raises:
            OutputError: when the checkout cannot be written to or the disk is too full.
        """
        if not os.access(self.checkout, os.W_OK):
            raise OutputError(
                f"{self.checkout} cannot be written to.", "Clone into a folder of your own."
            )
        free = shutil.disk_usage(self.checkout).free / 1e9
        # Network mounts say 0 where they do not know.
        if 0 < free < NEEDED_GB[self.torch] and not self.recorded().get("fingerprint"):
            raise OutputError(
                f"Only {free:.1f} GB are free at {self.checkout}; "
                f"up to {NEEDED_GB[self.torch]} GB are needed.",
                "Make room, or clone to a larger disk.",
            )

    def install_torch(self, verb: list[str]) -> list[str]:
        """Install (or collect) torch and torchvision in the chosen build.

        Args:
            verb: pip's words, ``["install"]`` or ``["wheel", "--wheel-dir", ...]``.

        Returns:
            Requirements that pin the build, for pip's later calls.

        Raises:
            DependencyError: when the build cannot be had.
        """
        text = self.constraints.read_text(encoding="utf-8")
        torch, vision = (pinned_version(text, name) for name in ("torch", "torchvision"))
        if self.torch != "cpu":
            self.pip([*verb, f"torch=={torch}", f"torchvision=={vision}"])
            return [f"torch=={torch}"]
        pins = [f"torch=={torch}+cpu"]
        try:
            self.pip([*verb, *pins])
        except DependencyError:
            self._from_pytorch_index(verb, torch, vision)
            return pins
        # A source with a CPU build of torch need not have torchvision's. The general build will
        # do then: no compiled operator of it is used (see compat.py), and it brings no CUDA.
        try:
            self.pip([*verb, *pins, f"torchvision=={vision}+cpu"])
        except DependencyError:
            self.pip([*verb, *pins, f"torchvision=={vision}"])
        return pins

    def _from_pytorch_index(self, verb: list[str], torch: str, vision: str) -> None:
        requirements = [f"torch=={torch}+cpu", f"torchvision=={vision}+cpu"]
        try:
            self.pip([*verb, "--extra-index-url", PYTORCH_CPU_INDEX, *requirements])
        except DependencyError as error:
            raise DependencyError(
                f"PyTorch {torch} without CUDA could be had neither from pip's configured "
                f"sources nor from {PYTORCH_CPU_INDEX}. {error.message}",
                f"{error.remedy} Or name a folder with its wheel in PIP_FIND_LINKS, or accept the "
                "larger build with CUDA: put `--torch default` before the command.",
            ) from error

    def pip(self, arguments: list[str]) -> None:
        """Run the environment's pip quietly, its output in the log, with a sign of life.

        Raises:
            DependencyError, OutputError: as `explain_failure` finds.
        """
        command = [str(self.python), "-m", "pip", *arguments]
        variables = {
            **os.environ,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            # A user-wide `pip config` may ask for --user, which environments refuse.
            "PIP_USER": "0",
        }
        with self.log.open("a+", encoding="utf-8", errors="replace") as log:
            log.write(f"\n$ pip {' '.join(arguments)}\n")
            log.flush()
            begin = log.tell()
            process = subprocess.Popen(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
            code = _wait(process)
            log.seek(begin)
            output = log.read()
        if code:
            raise explain_failure(output, "installing", self.log)


def _wait(process: subprocess.Popen[bytes]) -> int:
    started = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=_HEARTBEAT_SECONDS)
            except subprocess.TimeoutExpired:
                spent = time.monotonic() - started
                print(f"      still working ({spent:.0f} s)", flush=True)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def explain_failure(output: str, task: str, log: Path | None = None) -> BrainTumorSegError:
    """The error, with a remedy, that the output of a failed pip or venv stands for."""
    where = f" The whole log is in {log}." if log else ""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "error:", "Error:"))]
    # pip lists every version it saw, which hides what it says.
    message = re.sub(r" \(from versions: [^)]*\)", "", " ".join(errors[-3:] or lines[-5:]))
    if "No space left on device" in output or "Errno 28" in output:
        return OutputError(f"The disk became full while {task}.{where}", "Make room, then rerun.")
    if "Permission denied" in output or "Errno 13" in output:
        return OutputError(f"No right to write while {task}: {message}{where}", "Check the rights.")
    if any(sign in output for sign in _NETWORK_SIGNS):
        return DependencyError(
            f"The package index could not be reached while {task}: {message}{where}",
            "Check the network, and the proxy if there is one (HTTPS_PROXY, `pip config`). Without "
            "internet, collect wheels elsewhere: see Resources/Docs/offline.md.",
        )
    if "No matching distribution found" in output:
        return DependencyError(
            f"Something that is needed has no build for Python {sys.version_info[0]}."
            f"{sys.version_info[1]} on this system: {message}{where}",
            "Try Python 3.11 or 3.12 on 64-bit Linux, Windows or macOS (Apple silicon).",
        )
    return DependencyError(
        f"Failed while {task}: {message}{where}", "Read the log, then run again."
    )
