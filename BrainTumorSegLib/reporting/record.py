"""The record of a result: what it says of the labels, reading one, and correcting one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.masks import mask_volume_ml
from BrainTumorSegLib.core.resources import schema_validator
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.core.volumes import DOUBTFUL_ENTROPY, volumes_ml
from BrainTumorSegLib.io.atomic import write_text
from BrainTumorSegLib.io.folders import MAX_RECORD_BYTES, SCHEMA
from BrainTumorSegLib.measurement.diameters import diameters_record, measure_diameters

#: Bytes of file names that are no letters, as Python keeps them; no file can be written with them.
_UNPRINTABLE = re.compile("[\ud800-\udfff]+")


def measured(labels: sitk.Image, brain_ml: float) -> dict[str, dict[str, Any]]:
    """Volumes in mL and in percent of the brain, and diameters, as they stand in a record.

    Args:
        labels: values of `Tissue`.
        brain_ml: volume of the brain in mL, above zero.
    """
    volumes = volumes_ml(labels)
    return {
        "volumes_ml": {name: round(ml, 3) for name, ml in volumes.items()},
        "percent_of_brain": {name: round(100 * ml / brain_ml, 3) for name, ml in volumes.items()},
        "diameters": diameters_record(measure_diameters(labels)),
    }


def confidence(labels: sitk.Image, entropy: sitk.Image) -> dict[str, Any]:
    """How sure the networks were where the labels lie, as it stands in a record.

    Args:
        labels: values of `Tissue`.
        entropy: 0 to 1 on the same grid, zero outside the brain.
    """
    values = sitk.GetArrayViewFromImage(entropy)
    label_values = sitk.GetArrayViewFromImage(labels)
    return {
        "mean_entropy": {
            tissue.key: round(float(values[where].mean()), 4) if where.any() else None
            for tissue in TUMOR_TISSUES
            for where in (label_values == tissue,)
        },
        "doubtful_ml": round(mask_volume_ml(entropy > DOUBTFUL_ENTROPY), 3),
    }


def drawn_by_reader(record: Mapping[str, Any]) -> bool:
    """Whether the diameters of a record are those of lines that a person drew."""
    return (record.get("diameters") or {}).get("drawn_by") == "reader"


def now() -> str:
    """The present moment in UTC, as records tell it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_record(path: Path) -> dict[str, Any]:
    """Read a ``report.json``, held against ``Resources/Schemas/report.schema.json``.

    Raises:
        InputError: naming the file and what is wrong with it.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_RECORD_BYTES + 1)
        if len(text) > MAX_RECORD_BYTES:
            raise ValueError("it is far too long")
        record = json.loads(text.decode("utf-8-sig"), parse_constant=_check_not_constant)
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror or error}.", "Give the JSON report of a run."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no report in JSON: {error}.", "Give the JSON report of a run."
        ) from error
    check_record(record, str(path))
    return record


def check_record(record: Any, source: str) -> None:
    """Hold a record against its schema.

    Raises:
        InputError: naming ``source`` and the place that is wrong.
    """
    from jsonschema.exceptions import best_match

    error = best_match(schema_validator("report").iter_errors(record))
    if error is None:
        return
    where = ".".join(str(part) for part in error.absolute_path)
    reason = error.message if len(error.message) <= 300 else error.message[:297] + "..."
    raise InputError(
        f"{source} is no valid report: {where + ': ' if where else ''}{reason}.",
        f"Give a report that follows {SCHEMA}; Resources/Schemas/report.schema.json describes it.",
    )


def corrected_record(
    record: Mapping[str, Any],
    labels: sitk.Image,
    source: str,
    sha256: str,
    entropy: sitk.Image | None = None,
) -> dict[str, Any]:
    """The record of a run whose labels an expert has gone over.

    Volumes are those of the new labels, against the brain of the run; what the run had
    measured is kept beside them. Diameters are measured anew unless a person drew their lines.
    Everything else stays as it was.

    Args:
        record: of the run, or of an earlier correction.
        labels: the expert's, values of `Tissue`, on the grid of the run's reference.
        source, sha256: the file that they were read from.
        entropy: disagreement map of the run on that grid; without it the figures of
            confidence stay those of the automatic labels, and the record says so.

    Raises:
        InputError: when the record knows no brain volume, or holds the confidence of
            other corrected labels and no map is given.
    """
    brain_ml = record["brain"]["volume_ml"]
    if brain_ml <= 0:
        raise InputError("The record knows no brain volume.", "Give the report of a whole run.")
    before = record.get("correction")
    if entropy is None and before is not None and before["confidence"] == "corrected":
        raise InputError(
            "The record was corrected before: its confidence speaks of those labels.",
            "Give the disagreement map as well, or the report of the run itself.",
        )
    automatic = before["automatic"] if before else None
    certain = record["confidence"] if entropy is None else confidence(labels, entropy)
    changed = measured(labels, brain_ml)
    if drawn_by_reader(record):
        changed["diameters"] = record["diameters"]
    return {
        **record,
        **changed,
        "confidence": certain,
        "correction": {
            "created": now(),
            "version": __version__,
            "labels": {"source": source, "sha256": sha256},
            "automatic": automatic or {k: record[k] for k in ("volumes_ml", "percent_of_brain")},
            "confidence": "automatic" if entropy is None else "corrected",
        },
    }


def _check_not_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def write_report_json(record: Mapping[str, Any], path: Path, overwrite: bool = False) -> None:
    """Write a result's record; ``Resources/Schemas/report.schema.json`` describes it.

    Raises:
        OutputError: naming the file and the remedy.
        ValueError: when the record holds what JSON cannot say, such as NaN.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    text = _UNPRINTABLE.sub(lambda found: json.dumps(printable(found[0]))[1:-1], text)
    write_text(path, text, overwrite)
