"""Writing a result: which files, whether they can be written, and writing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.core.notices import notices
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.io.atomic import (
    check_not_inputs,
    check_suffix,
    check_writable,
    full_suffix,
    write_all,
)
from BrainTumorSegLib.io.headers import detached_data
from BrainTumorSegLib.io.reference_labels import with_numbering
from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd
from BrainTumorSegLib.io.volumes import WRITABLE_SUFFIXES, write_image

from .html import check_templates, write_report_html
from .overview import write_overview_png
from .record import write_report_json

if TYPE_CHECKING:
    from BrainTumorSegLib.io.dicom.seg import MadeSegmentation

Writer = Callable[[Path], None]

#: Endings of each kind of output, in any case of letters. Each is told by `full_suffix`.
SEGMENTATION_SUFFIXES = (".seg.nrrd", *WRITABLE_SUFFIXES)
REPORT_SUFFIXES = (".json", ".html")
PICTURE_SUFFIXES = (".png",)


@dataclass(frozen=True)
class Outputs:
    """The files to write.

    Attributes:
        segmentation: ``.seg.nrrd``, or a label map.
        labelmap: a label map as well.
        probabilities: vector image of class probabilities.
        disagreement: entropy map; mutual information goes beside it, see
            `mutual_information_path`.
        dicom_seg: DICOM segmentation object.
        dicom_sr: DICOM structured report that refers to it.
        dicom_seg_type: one of `options.SEG_TYPES`.
        picture: overlay picture.
        reports: ``.json`` or ``.html`` files.
        overwrite: whether existing files may be replaced.
        language: of reports to read; None as in `html.write_report_html`.
    """

    segmentation: Path
    labelmap: Path | None = None
    probabilities: Path | None = None
    disagreement: Path | None = None
    dicom_seg: Path | None = None
    dicom_sr: Path | None = None
    dicom_seg_type: str = "binary"
    picture: Path | None = None
    reports: tuple[Path, ...] = ()
    overwrite: bool = False
    language: str | None = None

    def paths(self) -> list[Path]:
        """Every file that is to be written."""
        maps = [path for path in (self.disagreement,) if path is not None]
        single = (
            self.segmentation,
            self.labelmap,
            self.probabilities,
            *(path for map_ in maps for path in (map_, mutual_information_path(map_))),
            self.dicom_seg,
            self.dicom_sr,
            self.picture,
        )
        return [path for path in (*single, *self.reports) if path is not None]


def check_outputs(outputs: Outputs, case: Case | None = None) -> None:
    """Find out before the long computation whether the files can be written.

    Args:
        outputs: the files that were asked for.
        case: once it is loaded, for what depends on it.

    Raises:
        OutputError: naming the file and the remedy.
    """
    check_suffix(outputs.segmentation, SEGMENTATION_SUFFIXES, "segmentation")
    for path in (outputs.labelmap, outputs.probabilities, outputs.disagreement):
        if path is not None:
            check_suffix(path, WRITABLE_SUFFIXES, "label map or image")
    check_reports(outputs.reports)
    if outputs.picture is not None:
        check_suffix(outputs.picture, PICTURE_SUFFIXES, "picture")
    if outputs.dicom_sr is not None and outputs.dicom_seg is None:
        raise OutputError(
            "A DICOM structured report refers to a DICOM segmentation, which was not asked for.",
            "Give --dicom-seg FILE as well.",
        )
    paths = outputs.paths()
    if len({path.resolve() for path in paths}) < len(paths):
        raise OutputError("Two outputs have the same name.", "Give each a file of its own.")
    if case is not None:
        check_not_inputs(paths, _files_of(case))
    for path in paths:
        check_writable(path, outputs.overwrite)
    if case is not None and outputs.dicom_seg is not None:
        _check_dicom_reference(case, outputs.dicom_sr is not None)


def check_reports(reports: Iterable[Path]) -> None:
    """Check that each of these files has an ending of a report, and can be made.

    Raises:
        OutputError: naming the file and the endings.
    """
    for path in reports:
        check_suffix(path, REPORT_SUFFIXES, "report")
        if full_suffix(path) == ".html":
            check_templates()


def write_outputs(outputs: Outputs, case: Case, result: Segmentation) -> list[Path]:
    """Write every file; one that fails does not take the others along.

    Returns:
        The files written.

    Raises:
        OutputError: naming each file that could not be written, and why; the others are there.
    """
    jobs = {**_image_jobs(outputs, case, result), **_report_jobs(outputs, case, result)}
    write_all(jobs, outputs.overwrite)
    return list(jobs)


def report_writer(
    report: Path, case: Case, result: Segmentation, language: str | None = None
) -> Writer:
    """What writes a report in the format that its ending tells, a page in the given language."""
    if full_suffix(report) == ".json":
        return lambda path: write_report_json(result.record, path, overwrite=True)
    return lambda path: write_report_html(case, result, path, True, language)


def _files_of(case: Case) -> Iterator[Path]:
    """The files that the scans of a case came from."""
    for scan in case.scans.values():
        yield from scan.files
        source = Path(scan.source)
        if not scan.files and source.is_file():
            yield from filter(None, (source, detached_data(source)))


def _image_jobs(outputs: Outputs, case: Case, result: Segmentation) -> dict[Path, Writer]:
    jobs: dict[Path, Writer] = {}
    forms = case.reference_scan.forms

    def add(path: Path | None, image: sitk.Image | None) -> None:
        if path is not None and image is not None:
            jobs[path] = lambda temporary: write_image(
                image, temporary, overwrite=True, forms=forms
            )

    if full_suffix(outputs.segmentation) == ".seg.nrrd":
        jobs[outputs.segmentation] = lambda path: write_seg_nrrd(
            result.labels, path, reference_name=case.identity, overwrite=True
        )
    else:
        add(outputs.segmentation, with_numbering(result.labels))
    add(outputs.labelmap, with_numbering(result.labels))
    add(outputs.probabilities, result.probabilities)
    if outputs.disagreement is not None:
        add(outputs.disagreement, result.disagreement)
        add(mutual_information_path(outputs.disagreement), result.mutual_information)
    if outputs.dicom_seg is not None:
        jobs |= _dicom_jobs(outputs, case, result)
    return jobs


def _report_jobs(outputs: Outputs, case: Case, result: Segmentation) -> dict[Path, Writer]:
    jobs: dict[Path, Writer] = {}
    if outputs.picture is not None:
        jobs[outputs.picture] = lambda path: write_overview_png(case, result, path, overwrite=True)
    for report in outputs.reports:
        jobs[report] = report_writer(report, case, result, outputs.language)
    return jobs


def mutual_information_path(disagreement: Path) -> Path:
    """``a.nii.gz`` becomes ``a.mutual-information.nii.gz``."""
    cut = -len(full_suffix(disagreement)) or None
    stem, suffix = disagreement.name[:cut], disagreement.name[cut:] if cut else ""
    return disagreement.with_name(f"{stem}.mutual-information{suffix}")


def _check_dicom_reference(case: Case, with_report: bool) -> None:
    from BrainTumorSegLib.io.dicom.seg import preflight
    from BrainTumorSegLib.io.dicom.sr import check_dicom_sr

    files = case.reference_scan.files
    if not files:
        raise OutputError(
            "A DICOM segmentation needs a reference that came from DICOM.",
            "Use --dicom FOLDER, or write .seg.nrrd instead.",
        )
    missing = preflight(files, check_dicom_sr if with_report else None)
    if missing:
        raise OutputError(
            f"The reference {case.reference_scan.source} cannot carry a DICOM segmentation: "
            + " ".join(missing),
            "Mend the series, or write .seg.nrrd instead.",
        )


def _dicom_jobs(outputs: Outputs, case: Case, result: Segmentation) -> dict[Path, Writer]:
    from BrainTumorSegLib.io.dicom.seg import SegSettings, make_dicom_seg, save_dicom
    from BrainTumorSegLib.io.dicom.sr import make_dicom_sr

    record = result.record

    @cache
    def segmentation() -> MadeSegmentation:
        """Made once: the report names the very object that is written."""
        settings = SegSettings(
            pack=record["pack"]["name"], warnings=notices(record), kind=outputs.dicom_seg_type
        )
        return make_dicom_seg(result.labels, case.reference_scan.files, settings)

    def write_report(path: Path) -> None:
        report = make_dicom_sr(segmentation(), record["volumes_ml"], record.get("diameters"))
        save_dicom(report, path, overwrite=True)

    jobs: dict[Path, Writer] = {}
    if outputs.dicom_seg is not None:
        jobs[outputs.dicom_seg] = lambda path: save_dicom(segmentation().dataset, path, True)
    if outputs.dicom_sr is not None:
        jobs[outputs.dicom_sr] = write_report
    return jobs
