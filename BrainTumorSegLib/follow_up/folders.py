"""Reading visits: folders of results, or a segmentation with its scan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Scan, check_scan
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import OWN_NUMBERING
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.io.atomic import full_suffix
from BrainTumorSegLib.io.folders import image_files, record_files, visible_files
from BrainTumorSegLib.io.grids import place_on_grid
from BrainTumorSegLib.io.reference_labels import read_tissues
from BrainTumorSegLib.io.volumes import WRITABLE_SUFFIXES, file_sha256, read_scan
from BrainTumorSegLib.reporting.record import read_record

from .visits import Visit, Warn, read_day

#: How far volumes of a record, which are rounded, may be from those of its segmentation (mL).
_ROUNDED_ML = 0.002


def visit_from_files(
    day: str,
    segmentation: Path,
    scan: Path,
    numbering: str | None = None,
    warn: Warn | None = None,
) -> Visit:
    """A visit of a segmentation and the T1CE that it was drawn on.

    Args:
        day: of the scan, see `read_day`; ``auto`` for that of a DICOM series.
        segmentation: ``.seg.nrrd`` or label map.
        scan: image file, or folder of a DICOM series.
        numbering: as in `read_tissues`.
        warn: told what a reader of the result must know about the files.

    Raises:
        InputError: naming the file and the remedy.
    """
    image, found, files = _read_any_scan(scan, warn)
    if day == "auto" and found is None:
        raise InputError(f"{scan} does not say of which day it is.", "Give the date of the scan.")
    labels = read_tissues(segmentation, numbering, warn)
    place_on_grid(labels, image.image, str(segmentation))
    return Visit(
        day=found if day == "auto" and found else read_day(day),
        labels=labels,
        scan=image,
        sequence=Sequence.T1CE,
        source=segmentation.name,
        files=(segmentation, *files),
    )


def visit_from_result(
    folder: Path,
    day: str | None = None,
    scans: Iterable[Path] = (),
    warn: Warn | None = None,
) -> Visit:
    """A visit of what ``segment`` has written: a record, its segmentation, and the scan.

    Args:
        folder: holds the record and the segmentation.
        day: of the scan; without it that of a DICOM series.
        scans: files, folders, or folders of DICOM series where its scan may lie besides.
        warn: told what a reader of the result must know about the files.

    Raises:
        InputError: naming the file and the remedy, when there is no record or more than one, no
            segmentation with the volumes of the record, or the scan is not that of the record.
    """
    path, record = _find_record(folder)
    reference = Sequence(record["case"]["reference"])
    entry = next(e for e in record["case"]["inputs"] if e["sequence"] == reference.value)
    image, found, files = _find_scan(folder, entry, scans, path, warn)
    source, labels = _find_segmentation(folder, record, warn)
    place_on_grid(labels, image.image, str(source))
    if day is None and found is None:
        raise InputError(
            f"{path} does not say of which day its scan is.",
            "Give --date once for each folder, in their order.",
        )
    return Visit(
        day=found if day is None and found else read_day(day or ""),
        labels=labels,
        scan=image,
        sequence=reference,
        # Names of folders may hold a patient's name, and records are passed on.
        source=record["case"]["identity"],
        record=record,
        files=(path, source, *files),
    )


def _find_record(folder: Path) -> tuple[Path, dict[str, Any]]:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.", "Give a folder that segment has written.")
    found = record_files(folder)
    if not found:
        raise InputError(
            f"{folder} holds no report of a run.",
            "Segment with --report report.json, or give --visit DATE SEGMENTATION T1CE.",
        )
    if len(found) > 1:
        raise InputError(
            f"{folder} holds the reports of several runs: {', '.join(p.name for p in found)}.",
            "Give a folder for each visit.",
        )
    return found[0], read_record(found[0])


def _find_segmentation(
    folder: Path, record: Mapping[str, Any], warn: Warn | None
) -> tuple[Path, sitk.Image]:
    """The file whose labels have the volumes that the record tells."""
    refused: list[Path] = []
    inputs = {e["source"] for e in record["case"]["inputs"]}
    for path in _by_likelihood(folder):
        if path.name in inputs:
            continue
        try:
            labels = read_tissues(path, OWN_NUMBERING, warn)
        except InputError:
            continue
        measured, told = volumes_ml(labels), record["volumes_ml"]
        if all(abs(measured[key] - told[key]) <= _ROUNDED_ML for key in measured):
            return path, labels
        refused.append(path)
    if refused:
        raise InputError(
            f"{refused[0]} has other volumes than the report beside it tells.",
            "It was changed after the run: write its report with `brain-tumor-seg report`, or "
            "give --visit DATE SEGMENTATION T1CE.",
        )
    raise InputError(
        f"{folder} holds no segmentation beside its report.",
        "Keep both in one folder, or give --visit DATE SEGMENTATION T1CE.",
    )


def _by_likelihood(folder: Path) -> Iterator[Path]:
    files = visible_files(folder)
    yield from (path for path in files if full_suffix(path) == ".seg.nrrd")
    yield from (path for path in files if full_suffix(path) in WRITABLE_SUFFIXES)


def _find_scan(
    folder: Path,
    entry: Mapping[str, Any],
    scans: Iterable[Path],
    record: Path,
    warn: Warn | None,
) -> tuple[Scan, date | None, tuple[Path, ...]]:
    """The scan that a record names, which must be that very one."""
    digest, name = entry["sha256"], entry["source"]
    places = [folder, *map(Path, scans)]
    if digest is None:
        return _find_series(entry, places, record, warn)
    named: Path | None = None
    for path in _files_in(places):
        # Files are hashed only as long as they might be it: by name first.
        if path.name == name:
            named = named or path
            if file_sha256(path) == digest:
                return read_scan(path), None, (path,)
    if named is not None:
        raise InputError(
            f"{named} is not the scan of {record}: its SHA-256 differs.",
            "Give the scan that was segmented, or segment this one.",
        )
    for path in _files_in(places):
        if file_sha256(path) == digest:
            return read_scan(path), None, (path,)
    raise InputError(
        f"The scan of {record}, {name}, was not found.",
        "Put it into the folder of the result, or name where it lies with --scans.",
    )


def _files_in(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from image_files(place)
        elif place.is_file():
            yield place
        else:
            raise InputError(f"{place} does not exist.", "Give files or folders with --scans.")


def _find_series(
    entry: Mapping[str, Any], places: Iterable[Path], record: Path, warn: Warn | None
) -> tuple[Scan, date | None, tuple[Path, ...]]:
    """A DICOM series, which a record knows by its size only."""
    for place in places:
        if not place.is_dir():
            continue
        try:
            scan, day, files = _read_series(place, warn)
        except InputError:
            continue
        same = list(scan.image.GetSize()) == entry["size"] and np.allclose(
            scan.image.GetSpacing(), entry["spacing"], atol=1e-3
        )
        if same:
            if warn is not None:
                warn(
                    f"{record} names a DICOM series, which has no SHA-256: {scan.source} was taken "
                    "for it because it has the same size."
                )
            return scan, day, files
    raise InputError(
        f"The scan of {record} is a DICOM series and was not found.",
        "Name the folder of the series with --scans.",
    )


def _read_any_scan(path: Path, warn: Warn | None) -> tuple[Scan, date | None, tuple[Path, ...]]:
    if path.is_dir():
        return _read_series(path, warn)
    scan = read_scan(path)
    check_scan(scan, Sequence.T1CE)
    for text in scan.warnings if warn is not None else ():
        warn(text)
    return scan, None, (path,)


def _read_series(folder: Path, warn: Warn | None) -> tuple[Scan, date | None, tuple[Path, ...]]:
    """The T1CE of a study, or the only series of a folder, and its day."""
    import pydicom

    from BrainTumorSegLib.io.dicom.study import load_case_from_study, propose_sequences, read_study

    study = read_study(folder)
    choice: Any = propose_sequences(study)
    if Sequence.T1CE not in choice.chosen and len(study.series) == 1:
        choice = {Sequence.T1CE: study.series[0].key}
    case = load_case_from_study(study, choice)
    for text in case.warnings if warn is not None else ():
        warn(text)
    scan = case.scans[Sequence.T1CE]
    header = pydicom.dcmread(scan.files[0], stop_before_pixels=True)
    days = (header.get(k) for k in ("AcquisitionDate", "SeriesDate", "StudyDate"))
    day = next((read_day(str(text)) for text in days if text), None)
    return scan, day, scan.files
