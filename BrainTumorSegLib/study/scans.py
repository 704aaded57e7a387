"""The scans of a visit as BIDS has them: NIfTI as scanned, and what a sidecar says of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.sequence_headers import number
from BrainTumorSegLib.io.dicom.pixels import read_series_image
from BrainTumorSegLib.io.dicom.series import Series
from BrainTumorSegLib.io.volumes import write_image

from .deid.profile import CODE, NAME
from .deid.rewrite import vendor_of

#: Fields of BIDS 1.10 (MRI hardware and sequence specifics) by attribute of DICOM.
_TEXTS = {
    "MRAcquisitionType": "MRAcquisitionType",
    "ScanningSequence": "ScanningSequence",
    "SequenceVariant": "SequenceVariant",
    "ScanOptions": "ScanOptions",
}
_NUMBERS = {
    "MagneticFieldStrength": ("MagneticFieldStrength", 1.0),
    "FlipAngle": ("FlipAngle", 1.0),
    # BIDS has seconds.
    "RepetitionTime": ("RepetitionTime", 0.001),
    "EchoTime": ("EchoTime", 0.001),
    "InversionTime": ("InversionTime", 0.001),
    "SliceThickness": ("SliceThickness", 1.0),
}


def write_scan(series: Series, path: Path, enhanced: bool) -> None:
    """Write a series as NIfTI, its grid as it was scanned, with a sidecar.

    Args:
        series: whose files are de-identified.
        path: of the NIfTI file.
        enhanced: whether it was taken after the contrast agent.

    Raises:
        InputError: when the series cannot be decoded.
        OutputError: when it cannot be written.
    """
    write_image(read_series_image(series), path)
    text = json.dumps(sidecar(series.attributes, enhanced), indent=2) + "\n"
    path.with_name(path.name.removesuffix(".nii.gz") + ".json").write_text(text, encoding="utf-8")


def sidecar(attributes: Mapping[str, str], enhanced: bool) -> dict[str, Any]:
    """What a sidecar says of a scan.

    Args:
        attributes: of DICOM, as text by keyword.
        enhanced: whether it was taken after the contrast agent.
    """
    told: dict[str, Any] = {"Modality": "MR"}
    if vendor := vendor_of(attributes.get("Manufacturer", "")):
        told["Manufacturer"] = vendor
    model = attributes.get("ManufacturerModelName", "")
    if model and NAME.fullmatch(model):
        told["ManufacturersModelName"] = model
    for keyword, key in _TEXTS.items():
        words = [w for w in attributes.get(keyword, "").split("\\") if w and CODE.fullmatch(w)]
        if words:
            told[key] = words if len(words) > 1 else words[0]
    for keyword, (key, factor) in _NUMBERS.items():
        value = number(attributes, keyword)
        if value is not None and (value > 0 or key == "FlipAngle"):
            told[key] = round(value * factor, 9)
    if enhanced:
        told["ContrastBolusIngredient"] = "GADOLINIUM"
    return told
