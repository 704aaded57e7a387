"""What is chosen for a run, and how the worker is told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.sequences import Sequence

#: Files that the worker writes into the run folder.
LABELS, DISAGREEMENT = "labels.nrrd", "disagreement.nrrd"
REPORT, REPORT_PAGE = "report.json", "report.html"

#: Ways of finding the brain; anything else is a mask file.
BRAIN_METHODS = ("auto", "stripped", "deepbet", "hdbet")


@dataclass(frozen=True)
class RunSettings:
    """The choices for one run; what is None is left to the library.

    Attributes:
        t1, t1ce, flair: scalar volume nodes.
        reference: the sequence on whose grid the result lies.
        outputSegmentation: a segmentation node whose content is replaced; None for a new one.
        pack: name or folder of a model pack.
        members: how many networks, or their names.
        tta: ``none``, ``tta1``, ``tta2`` or ``tta3``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        registration: ``brainsfit`` (SimpleITK with a warning where Slicer lacks it), ``simpleitk``,
            or ``none`` for scans that are aligned already.
        brain: ``auto``, ``stripped``, ``deepbet``, ``hdbet``, or a mask file.
        shading: ``auto``, ``n4`` or ``off``: whether smooth brightening by a coil is corrected.
        minLesion: separate lesions smaller than this many mm³ are removed.
        keepIslands: keep small parts far from the largest lesion, which are mostly false.
        disagreementVolume: keep the map of disagreement as a volume node.
        registeredCopies: keep the scans resampled onto the reference.
        name: of the case in reports.
    """

    t1: Any = None
    t1ce: Any = None
    flair: Any = None
    reference: Sequence = Sequence.T1CE
    outputSegmentation: Any = None
    pack: str | None = None
    members: int | tuple[str, ...] | None = None
    tta: str | None = None
    device: str = "auto"
    registration: str = "brainsfit"
    brain: str = "auto"
    shading: str = "auto"
    minLesion: float | None = None
    keepIslands: bool = False
    disagreementVolume: bool = False
    registeredCopies: bool = False
    name: str | None = None

    @property
    def scans(self) -> dict[Sequence, Any]:
        """The volume nodes that there are, by sequence."""
        nodes = {sequence: getattr(self, sequence.value) for sequence in Sequence}
        return {sequence: node for sequence, node in nodes.items() if node is not None}

    @property
    def referenceNode(self) -> Any:
        """The volume node on whose grid the result lies; None when it was not chosen."""
        return self.scans.get(Sequence(self.reference))


def scanFiles(settings: RunSettings) -> dict[Sequence, str]:
    """Names of the files to export the volumes to; reports and messages will show them."""
    return {s: _scanFile(s, node.GetName()) for s, node in settings.scans.items()}


def _scanFile(sequence: Sequence, name: str) -> str:
    """It has the node's name as far as ASCII goes: it travels through a launcher that reads
    its command line in the locale's encoding.
    """
    plain = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode("ascii")
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", plain).strip("-.")[:60]
    return f"{sequence.value}-{plain}.nrrd" if plain else f"{sequence.value}.nrrd"


def workerArguments(
    settings: RunSettings, files: Mapping[Sequence, str], registration: str
) -> list[str]:
    """The command line for the worker, which works in the run folder.

    Args:
        settings: the choices.
        files: the exported volumes, see `scanFiles`.
        registration: ``brainsfit`` to be asked for every run of it, ``simpleitk``, ``none``.
    """
    arguments = ["segment"]
    for sequence, file in files.items():
        arguments += [f"--{sequence.value}", file]
    arguments += ["--reference", Sequence(settings.reference).value, "--output", LABELS]
    arguments += ["--disagreement", DISAGREEMENT, "--report", REPORT, "--report", REPORT_PAGE]
    arguments += ["--progress", "json", "--device", settings.device]
    arguments += ["--registration", registration]
    if registration == "brainsfit":
        arguments += ["--brainsfit", "ask"]
    arguments += ["--brain", _brain(settings.brain), "--shading", settings.shading]
    arguments += ["--keep-islands"] if settings.keepIslands else []
    members = settings.members
    chosen = {
        "pack": None if settings.pack is None else _absolute(settings.pack),
        "members": ",".join(members) if isinstance(members, (tuple, list)) else members,
        "tta": None if settings.tta is None else settings.tta.lower(),
        "min-lesion": settings.minLesion,
        "name": settings.name,
    }
    # With an equals sign, since names may begin with a hyphen.
    arguments += [f"--{option}={value}" for option, value in chosen.items() if value is not None]
    return arguments


def _brain(brain: str) -> str:
    return brain if brain in BRAIN_METHODS else _absolute(brain)


def _absolute(given: str) -> str:
    """A path as seen from the worker's folder; a name stays a name."""
    path = Path(given)
    return str(path.absolute()) if path.exists() else str(given)
