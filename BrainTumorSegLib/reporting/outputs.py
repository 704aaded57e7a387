"""Writing a result: all the files that were asked for, or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.io.atomic import atomic_group, check_writable
from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd
from BrainTumorSegLib.io.volumes import write_image

from .html import write_report_html
from .overview import write_overview_png
from .record import write_report_json

LABELMAP_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


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
        picture: overlay picture.
        reports: ``.json`` or ``.html`` files.
        overwrite: whether existing files may be replaced.
    """

    segmentation: Path
    labelmap: Path | None = None
    probabilities: Path | None = None
    disagreement: Path | None = None
    dicom_seg: Path | None = None
    picture: Path | None = None
    reports: tuple[Path, ...] = ()
    overwrite: bool = False

    def paths(self) -> list[Path]:
        """Every file that was named."""
        single = (
            self.segmentation,
            self.labelmap,
            self.probabilities,
            self.disagreement,
            self.dicom_seg,
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
    paths = outputs.paths()
    if len({path.resolve() for path in paths}) < len(paths):
        raise OutputError("Two outputs have the same name.", "Give each a file of its own.")
    _require(outputs.segmentation, (".seg.nrrd", *LABELMAP_SUFFIXES), "segmentation")
    for path in (outputs.labelmap, outputs.probabilities, outputs.disagreement):
        if path is not None:
            _require(path, LABELMAP_SUFFIXES, "image")
    for path in outputs.reports:
        _require(path, (".json", ".html"), "report")
    if outputs.picture is not None:
        _require(outputs.picture, (".png",), "picture")
    if outputs.disagreement is not None:
        paths.append(mutual_information_path(outputs.disagreement))
    for path in paths:
        check_writable(path, outputs.overwrite)
    if case is not None and outputs.dicom_seg is not None:
        _check_dicom_reference(case)


def write_outputs(outputs: Outputs, case: Case, result: Segmentation) -> list[Path]:
    """Write every file; when one fails, none appears.

    Returns:
        The files written.

    Raises:
        OutputError: naming the file and the remedy.
    """
    jobs = {**_image_jobs(outputs, case, result), **_report_jobs(outputs, case, result)}
    with atomic_group(list(jobs), overwrite=outputs.overwrite) as temporary:
        for path, write in jobs.items():
            write(temporary[path])
    return list(jobs)


Writer = Callable[[Path], None]


def _image_jobs(outputs: Outputs, case: Case, result: Segmentation) -> dict[Path, Writer]:
    jobs: dict[Path, Writer] = {}

    def add(path: Path | None, image: sitk.Image | None) -> None:
        if path is not None and image is not None:
            jobs[path] = lambda temporary: write_image(image, temporary, overwrite=True)

    if outputs.segmentation.name.endswith(".seg.nrrd"):
        jobs[outputs.segmentation] = lambda path: write_seg_nrrd(
            result.labels, path, reference_name=case.identity, overwrite=True
        )
    else:
        add(outputs.segmentation, result.labels)
    add(outputs.labelmap, result.labels)
    add(outputs.probabilities, result.probabilities)
    if outputs.disagreement is not None:
        add(outputs.disagreement, result.disagreement)
        add(mutual_information_path(outputs.disagreement), result.mutual_information)
    if outputs.dicom_seg is not None:
        jobs[outputs.dicom_seg] = _dicom_job(case, result)
    return jobs


def _report_jobs(outputs: Outputs, case: Case, result: Segmentation) -> dict[Path, Writer]:
    jobs: dict[Path, Writer] = {}
    if outputs.picture is not None:
        jobs[outputs.picture] = lambda path: write_overview_png(case, result, path, overwrite=True)
    for report in outputs.reports:
        if report.suffix == ".json":
            jobs[report] = lambda path: write_report_json(result.record, path, overwrite=True)
        else:
            jobs[report] = lambda path: write_report_html(case, result, path, overwrite=True)
    return jobs


def mutual_information_path(disagreement: Path) -> Path:
    """``a.nii.gz`` becomes ``a.mutual-information.nii.gz``."""
    suffix = next(s for s in LABELMAP_SUFFIXES if disagreement.name.endswith(s))
    stem = disagreement.name[: -len(suffix)]
    return disagreement.with_name(f"{stem}.mutual-information{suffix}")


def _check_dicom_reference(case: Case) -> None:
    from BrainTumorSegLib.io.dicom.seg import preflight

    files = case.reference_scan.files
    if not files:
        raise OutputError(
            "A DICOM segmentation needs a reference that came from DICOM.",
            "Use --dicom FOLDER, or write .seg.nrrd instead.",
        )
    missing = preflight(files)
    if missing:
        raise OutputError(
            f"The reference {case.reference_scan.source} cannot carry a DICOM segmentation: "
            + " ".join(missing),
            "Mend the series, or write .seg.nrrd instead.",
        )


def _dicom_job(case: Case, result: Segmentation) -> Callable[[Path], None]:
    from BrainTumorSegLib.io.dicom.seg import write_dicom_seg

    files, pack = case.reference_scan.files, result.record["pack"]["name"]
    return lambda path: write_dicom_seg(result.labels, files, path, pack=pack, overwrite=True)


def _require(path: Path, suffixes: tuple[str, ...], what: str) -> None:
    if not path.name.lower().endswith(suffixes):
        raise OutputError(
            f"{path} has no known ending for a {what}.", f"Use one of {', '.join(suffixes)}."
        )
