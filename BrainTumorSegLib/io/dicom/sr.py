"""DICOM Structured Reports (TID 1500) of what was measured, beside a DICOM Segmentation."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import ANATOMY, CATEGORY, STYLES, TUMOR_TISSUES, Code, Region
from BrainTumorSegLib.core.version import __version__

from .seg import MadeSegmentation, highdicom_module, result_series_number

VOLUME = Code("SCT", "118565006", "Volume")
LONG_AXIS = Code("SCT", "103339001", "Long Axis")
SHORT_AXIS = Code("SCT", "103340004", "Short Axis")

#: For what no code list has.
PRODUCT = Code("99BRAINTUMORSEG", "PRODUCT", "Product of long and short axis")
SUM_OF_PRODUCTS = Code("99BRAINTUMORSEG", "SUMPRODUCT", "Sum of products of target lesions")

TUMOR = Code("SCT", "108369006", "Neoplasm")
PROCEDURE = Code("LN", "25056-3", "MR unspecified body region")

MM = Code("UCUM", "mm", "millimeter")
MM2 = Code("UCUM", "mm2", "square millimeter")
MM3 = Code("UCUM", "mm3", "cubic millimeter")

#: What stands in a report of which nothing is known but that it can be made.
_TRIAL: Mapping[str, float] = {
    **{tissue.key: 1.0 for tissue in TUMOR_TISSUES},
    **{region.name: 1.0 for region in Region},
}


def make_dicom_sr(
    segmentation: MadeSegmentation,
    volumes_ml: Mapping[str, float],
    diameters: Mapping[str, Any] | None = None,
    series_description: str = "Brain tumour measurements (BrainTumorSeg)",
) -> Any:
    """Make a Comprehensive 3D SR with an Imaging Measurement Report (TID 1500), in memory.

    Each tissue is a volumetric ROI (TID 1411) that refers to its segment; whole tumour and
    tumour core, which are no segments, and the lesions with their diameters as lines in space
    are measurement groups (TID 1501) that refer to the source images. Patient and study are
    those of the source images; nothing else is told of a person.

    Args:
        segmentation: from `seg.make_dicom_seg`.
        volumes_ml: mL by the keys of `volumes.volumes_ml`.
        diameters: as they stand in a record, places LPS in mm.
        series_description: at most 64 characters.

    Raises:
        InputError: when highdicom cannot make one of what stands in the headers.
        DependencyError: without highdicom.
    """
    highdicom_module()
    import highdicom.sr

    try:
        groups = [
            *_tissue_groups(highdicom, segmentation, volumes_ml),
            *_region_groups(highdicom, segmentation, volumes_ml),
            *_lesion_groups(highdicom, segmentation, diameters or {}),
        ]
        report = highdicom.sr.MeasurementReport(
            observation_context=_context(highdicom),
            procedure_reported=_code(PROCEDURE),
            imaging_measurements=groups,
            title=_code(Code("DCM", "126000", "Imaging Measurement Report")),
        )
        document = highdicom.sr.Comprehensive3DSR(
            evidence=[segmentation.dataset, *segmentation.sources],
            content=report[0],
            series_instance_uid=highdicom.UID(),
            series_number=result_series_number(segmentation.series_number, 2),
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="BrainTumorSeg",
            is_complete=True,
        )
        document.SeriesDescription = series_description[:64]
        document.ManufacturerModelName = "BrainTumorSeg"
        document.SoftwareVersions = __version__
        document.save_as(io.BytesIO())
    except Exception as error:  # what stands in a foreign header meets every line of highdicom
        raise InputError(
            f"No DICOM structured report can be written for this series: {error}.",
            "Write the report as .json or .html instead.",
        ) from error
    return document


def check_dicom_sr(segmentation: MadeSegmentation) -> None:
    """Find out whether a report can be made beside a segmentation, for `seg.preflight`.

    Raises:
        InputError: as `make_dicom_sr`.
    """
    line = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    lesion = {"long_mm": 1, "short_mm": 1, "product_mm2": 1, "long": line, "short": line}
    make_dicom_sr(
        segmentation,
        _TRIAL,
        {
            "lesions": [{**lesion, "target": True}],
            "sum_of_products_mm2": 1,
            "drawn_by": "automatic",
            "criteria": "",
        },
    )


def _context(highdicom: Any) -> Any:
    sr = highdicom.sr
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=highdicom.UID(),
        name="BrainTumorSeg",
        manufacturer_name="BrainTumorSeg",
        model_name=f"BrainTumorSeg {__version__}",
    )
    observer = sr.ObserverContext(
        observer_type=_code(Code("DCM", "121007", "Device")),
        observer_identifying_attributes=device,
    )
    return sr.ObservationContext(observer_device_context=observer)


def _tissue_groups(
    highdicom: Any, made: MadeSegmentation, volumes_ml: Mapping[str, float]
) -> list[Any]:
    """A volumetric ROI of each tissue that there is, which refers to its segment."""
    sr, segmentation = highdicom.sr, made.dataset
    groups = []
    for tissue in TUMOR_TISSUES:
        if not volumes_ml[tissue.key]:
            continue
        segment = segmentation.get_segment_description(int(tissue))
        groups.append(
            sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=sr.TrackingIdentifier(
                    uid=segment.tracking_uid, identifier=segment.tracking_id
                ),
                referenced_segment=_segment(sr, made, int(tissue)),
                finding_category=_code(CATEGORY),
                finding_type=_code(STYLES[tissue].code),
                finding_sites=[sr.FindingSite(anatomic_location=_code(ANATOMY))],
                algorithm_id=_algorithm(sr),
                measurements=[_volume(sr, volumes_ml[tissue.key])],
            )
        )
    return groups


def _segment(sr: Any, made: MadeSegmentation, number: int) -> Any:
    series = made.sources[0].SeriesInstanceUID
    return sr.ReferencedSegment(
        sop_class_uid=made.dataset.SOPClassUID,
        sop_instance_uid=made.dataset.SOPInstanceUID,
        segment_number=number,
        source_series=sr.SourceSeriesForSegmentation(referenced_series_instance_uid=series),
    )


def _region_groups(
    highdicom: Any, made: MadeSegmentation, volumes_ml: Mapping[str, float]
) -> list[Any]:
    """Whole tumour and tumour core; enhancing tumour is a segment of its own."""
    sr = highdicom.sr
    return [
        _group(highdicom, made, region.title, [_volume(sr, volumes_ml[region.name])], TUMOR)
        for region in (Region.WT, Region.TC)
    ]


def _lesion_groups(
    highdicom: Any, made: MadeSegmentation, diameters: Mapping[str, Any]
) -> list[Any]:
    """The enhancing lesions with their diameters, and the sum of their products."""
    sr, lesions = highdicom.sr, diameters.get("lesions") or ()
    automatic = diameters.get("drawn_by") != "reader"
    groups = []
    for number, lesion in enumerate(lesions, start=1):
        measurements = [
            _line(sr, made, LONG_AXIS, lesion["long_mm"], lesion["long"]),
            _line(sr, made, SHORT_AXIS, lesion["short_mm"], lesion["short"]),
            _number(sr, PRODUCT, lesion["product_mm2"], MM2),
        ]
        name = f"enhancing lesion {number}{' (target)' if lesion['target'] else ''}"
        code = STYLES[TUMOR_TISSUES[-1]].code
        groups.append(_group(highdicom, made, name, measurements, code, automatic))
    if any(lesion["target"] for lesion in lesions):
        total = _number(sr, SUM_OF_PRODUCTS, diameters["sum_of_products_mm2"], MM2)
        name = f"target lesions {diameters['criteria']}".strip()
        groups.append(_group(highdicom, made, name, [total], TUMOR, automatic))
    return groups


def _group(
    highdicom: Any,
    made: MadeSegmentation,
    name: str,
    measurements: Sequence[Any],
    finding: Code,
    automatic: bool = True,
) -> Any:
    sr = highdicom.sr
    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=highdicom.UID(), identifier=name),
        finding_category=_code(CATEGORY),
        finding_type=_code(finding),
        finding_sites=[sr.FindingSite(anatomic_location=_code(ANATOMY))],
        algorithm_id=_algorithm(sr) if automatic else None,
        measurements=list(measurements),
        source_images=[sr.SourceImageForMeasurementGroup.from_source_image(made.sources[0])],
    )


def _line(sr: Any, made: MadeSegmentation, name: Code, mm: float, ends: Any) -> Any:
    coordinates = sr.CoordinatesForMeasurement3D(
        graphic_type=sr.GraphicTypeValues3D.POLYLINE,
        graphic_data=np.asarray(ends, float),
        frame_of_reference_uid=made.dataset.FrameOfReferenceUID,
    )
    return sr.Measurement(
        name=_code(name), value=float(mm), unit=_code(MM), referenced_coordinates=[coordinates]
    )


def _number(sr: Any, name: Code, value: float, unit: Code) -> Any:
    return sr.Measurement(name=_code(name), value=float(value), unit=_code(unit))


def _volume(sr: Any, ml: float) -> Any:
    return _number(sr, VOLUME, round(1000 * ml, 1), MM3)


def _algorithm(sr: Any) -> Any:
    return sr.AlgorithmIdentification(name="BrainTumorSeg", version=__version__)


def _code(code: Code) -> Any:
    from pydicom.sr.coding import Code as DicomCode

    return DicomCode(code.value, code.scheme, code.meaning)
