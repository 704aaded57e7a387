"""*Guess from scene*: which loaded volumes are T1, T1CE and FLAIR of one patient at one time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.mix_ups import contradiction
from BrainTumorSegLib.core.sequence_headers import header_evidence
from BrainTumorSegLib.core.sequence_names import name_evidence, plain
from BrainTumorSegLib.core.sequences import (
    Ambiguity,
    Recognition,
    Sequence,
    Verdict,
    assign_recognized,
    weigh_evidence,
)
from BrainTumorSegLib.io.dicom.proposal import propose_sequences
from BrainTumorSegLib.io.dicom.series import Series, Study
from BrainTumorSegLib.io.dicom.stack import Grid

from ..host.translation import tr as _
from ..scene.geometry import gridOf, ijkToRAS
from ..scene.scene import nodesOfClass
from ..scene.scene_scans import SceneScan, describeScan, sceneScans
from .patient_grouping import Group, groupScans

#: Words that an image gets when it was made from another one.
_DERIVED = re.compile(
    r"\b(?:copy|clone|cloned|resampled|registered|reg|aligned|hardened|transformed|cropped|crop"
    r"|normali[sz]ed|norm|n4|n4itk|bias|corrected|stripped|skull|bet|brain|denoised|smoothed"
    r"|filtered|output)\b"
)

#: So many volumes are named when nothing was recognised.
_NAMED = 4


@dataclass(frozen=True)
class Guess:
    """What was found.

    Attributes:
        chosen: volume node of each sequence about which there is no doubt.
        reasons: for every sequence, why that volume, or why none.
        ambiguities: sequences for which a person has to choose, by node names.
        study: title of the patient or study the scans belong to, or empty.
        studies: titles of all that the scene holds; one may be given to `guessScans`.
    """

    chosen: Mapping[Sequence, Any]
    reasons: Mapping[Sequence, str]
    ambiguities: tuple[Ambiguity, ...] = ()
    study: str = ""
    studies: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Reading:
    """What one group of scans was taken for."""

    group: Group
    chosen: Mapping[Sequence, Any]
    reasons: Mapping[Sequence, str]
    ambiguities: tuple[Ambiguity, ...] = ()

    @property
    def useful(self) -> bool:
        return bool(self.chosen or self.ambiguities)

    @property
    def couldWork(self) -> bool:
        """Whether it holds what cannot be done without."""
        unclear = {ambiguity.sequence for ambiguity in self.ambiguities}
        return Sequence.T1CE in self.chosen or Sequence.T1CE in unclear


@dataclass(frozen=True)
class _Named:
    """A scan as key whose text people understand."""

    scan: SceneScan = field(compare=False)
    nodeId: str

    def __str__(self) -> str:
        return f"“{self.scan.name}”"


def guessScans(study: str | None = None) -> Guess:
    """Find the scans among the loaded volumes.

    Scans of several patients or times are never mixed. Where the scene holds more than
    one, the one whose volume is active (shown) is taken; else nothing is chosen and the
    reasons ask for it.

    Args:
        study: title of the one to take, from `Guess.studies`.
    """
    scans = sceneScans()
    if not scans:
        return _nothing(_("No scan is loaded."))
    readings = [_read(group) for group in groupScans(scans)]
    readings = _withOwnTitles([reading for reading in readings if reading.useful])
    if not readings:
        names = ", ".join(f"“{scan.name}”" for scan in scans[:_NAMED])
        if len(scans) > _NAMED:
            names = _("{names} and {count} more").format(names=names, count=len(scans) - _NAMED)
        return _nothing(_("The name of no loaded volume tells: {names}.").format(names=names))
    titles = tuple(reading.group.title for reading in readings)
    reading = _pick(readings, study)
    if reading is None:
        reason = _(
            "Scans of {count} patients or times are loaded ({titles}). Show one of those you "
            "mean in a slice view and guess again, or choose the volumes."
        ).format(count=len(readings), titles="; ".join(titles))
        return replace(_nothing(reason), studies=titles)
    return Guess(
        chosen=reading.chosen,
        reasons={sequence: _reason(reading, sequence) for sequence in Sequence},
        ambiguities=reading.ambiguities,
        study=reading.group.title,
        studies=titles,
    )


def recognizeNode(node: Any) -> Recognition:
    """What one volume node looks like, for a user who chooses it."""
    return _recognize(describeScan(node))


def contradictionOf(node: Any, sequence: Sequence) -> str | None:
    """A warning when header, name or file of a volume say that it is something else."""
    scan = describeScan(node)
    return contradiction(f"“{node.GetName()}”", sequence, _recognize(scan))


def _nothing(reason: str) -> Guess:
    return Guess({}, dict.fromkeys(Sequence, reason))


def _withOwnTitles(readings: list[_Reading]) -> list[_Reading]:
    """Number the titles that occur twice, so that each means one group."""
    titles = [reading.group.title for reading in readings]
    return [
        replace(reading, group=replace(reading.group, title=f"{title} ({number})"))
        if titles.count(title := reading.group.title) > 1
        else reading
        for number, reading in enumerate(readings, 1)
    ]


def _pick(readings: list[_Reading], study: str | None) -> _Reading | None:
    if study is not None:
        return next((reading for reading in readings if reading.group.title == study), None)
    active = activeVolumeId()
    for reading in readings:
        if active in {scan.node.GetID() for scan in reading.group.scans}:
            return reading
    if len(readings) == 1:
        return readings[0]
    able = [reading for reading in readings if reading.couldWork]
    return able[0] if len(able) == 1 else None


def activeVolumeId() -> str | None:
    """Id of the volume that the application works on: the active one, else what is shown."""
    import slicer

    scene = slicer.mrmlScene
    selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    active = selection.GetActiveVolumeID() if selection is not None else None
    if active and scene.GetNodeByID(active) is not None:
        return active
    for composite in nodesOfClass(scene, "vtkMRMLSliceCompositeNode"):
        shown = composite.GetBackgroundVolumeID()
        if shown and scene.GetNodeByID(shown) is not None:
            return shown
    return None


def _reason(reading: _Reading, sequence: Sequence) -> str:
    if sequence in reading.reasons:
        return reading.reasons[sequence]
    for ambiguity in reading.ambiguities:
        if ambiguity.sequence is sequence:
            return ambiguity.reason
    texts = {"sequence": sequence.name, "study": reading.group.title}
    if sequence is Sequence.T1CE:
        return _("No loaded volume of {study} is {sequence}; it is needed.").format(**texts)
    return _("No loaded volume of {study} is {sequence}.").format(**texts)


def _read(group: Group) -> _Reading:
    scans = _withoutCopies(group.scans)
    return _readDicom(group, scans) if group.fromDicom else _readNames(group, scans)


def _readNames(group: Group, scans: list[SceneScan]) -> _Reading:
    named = {_Named(scan, scan.node.GetID()): _recognize(scan) for scan in scans}
    found = assign_recognized(named)
    return _Reading(
        group,
        {sequence: key.scan.node for sequence, key in found.chosen.items()},
        {sequence: found.recognitions[key].reason for sequence, key in found.chosen.items()},
        found.ambiguities,
    )


def _readDicom(group: Group, scans: list[SceneScan]) -> _Reading:
    """As the command line reads a DICOM folder, with the loaded volumes as series."""
    series: dict[str, SceneScan] = {}
    for scan in scans:
        key = scan.header.get("SeriesNumber") or scan.name
        while key in series:
            key += "'"
        series[key] = scan
    study = Study(
        folder=Path(),
        uid="",
        series=tuple(_asSeries(key, scan) for key, scan in series.items()),
    )
    proposal = propose_sequences(study)
    ambiguities = tuple(
        replace(ambiguity, candidates=tuple(series[key].name for key in ambiguity.candidates))
        for ambiguity in proposal.ambiguities
    )
    return _Reading(
        group,
        {sequence: series[one.key].node for sequence, one in proposal.chosen.items()},
        proposal.reasons,
        ambiguities,
    )


def _asSeries(key: str, scan: SceneScan) -> Series:
    return Series(
        key=key,
        uid=scan.header.get("SeriesInstanceUID", ""),
        frames=(),
        grid=_grid(scan.node),
        attributes=_headerWithName(scan),
        moment=scan.moment,
    )


def _headerWithName(scan: SceneScan) -> dict[str, str]:
    """The header; a name that a person gave the volume is added to its description."""
    description = scan.header.get("SeriesDescription", "")
    header = {"Modality": "MR", **scan.header}
    if scan.name and plain(description) not in plain(scan.name):
        header["SeriesDescription"] = f"{description} | {scan.name}"
    elif not description:
        header["SeriesDescription"] = scan.name
    return header


def _grid(node: Any) -> Grid:
    spacing, origin, direction = map(tuple, gridOf(ijkToRAS(node)))
    return Grid(node.GetImageData().GetDimensions(), spacing, origin, direction)


def _recognize(scan: SceneScan) -> Recognition:
    """From the header, else from the name, else from the file's name, else from its folder's."""
    if scan.fromDicom:
        return weigh_evidence(header_evidence(_headerWithName(scan)), _("The DICOM header"))
    found = weigh_evidence(name_evidence(scan.name), _("The name “{name}”").format(name=scan.name))
    if scan.file is None:
        return found
    for name, what in (
        (scan.file.name, _("the file name")),
        (scan.file.parent.name, _("the folder's name")),
    ):
        if found.verdict is not Verdict.UNKNOWN:
            break
        other = weigh_evidence(name_evidence(name, what), found.reason)
        found = other if other.verdict is not Verdict.UNKNOWN else found
    return found


def _withoutCopies(scans: tuple[SceneScan, ...]) -> list[SceneScan]:
    """Leave out a file loaded twice, and what was made from another scan of the group."""
    files: set[Path] = set()
    kept = []
    words = {_wordsOf(scan) for scan in scans}
    for scan in scans:
        original = " ".join(_DERIVED.sub(" ", _wordsOf(scan)).split())
        if original != _wordsOf(scan) and original in words:
            continue
        # Images of several moments share one file; those are told apart by other means.
        if scan.file is not None and not scan.fromDicom:
            if scan.file in files:
                continue
            files.add(scan.file)
        kept.append(scan)
    return kept


def _wordsOf(scan: SceneScan) -> str:
    return " ".join(plain(scan.name).split())
