"""How far to trust a run, as its record tells it: expected Dice by region, and signs against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.trust import Light, light_of
from BrainTumorSegLib.models.packs import ModelPack
from BrainTumorSegLib.models.packs.calibration import MEMBERS, VIEWS, Calibration
from BrainTumorSegLib.preprocessing.doubts import MISSING_SHARE
from BrainTumorSegLib.preprocessing.registration.multistart import POOR_SCORE

from .agreement import Agreement

#: Slices thicker than this, or farther apart, are unlike those of the networks' training.
THICK_MM = 4.0

#: In the words of `evaluation.conditions`, whose costs a calibration holds.
_MISREGISTERED, _CROPPED = "misregistered", "cropped"
_MISSING = {Sequence.T1: "without-t1", Sequence.FLAIR: "without-flair"}


@dataclass(frozen=True)
class Sign:
    """What makes a case unlike those that the networks know.

    Attributes:
        condition: of `evaluation.conditions`, the one that is most like it.
        text: a sentence.
    """

    condition: str
    text: str


def trust_record(
    agreement: Agreement,
    calibration: Calibration | None,
    tta: str,
    signs: Iterable[Sign],
) -> dict[str, Any]:
    """What stands in a record under ``trust``.

    Args:
        agreement: between members and views.
        calibration: of the pack; None where it has none.
        tta: name of the run's test-time augmentation.
        signs: from `signs_against`.
    """
    record = agreement.as_record()
    fits = (
        calibration is not None
        and bool(calibration.curves)
        and calibration.tta == tta
        and record[calibration.measure] is not None
    )
    if calibration is not None and fits:
        measure: str | None = calibration.measure
    else:
        measure = next((m for m in (MEMBERS, VIEWS) if record[m] is not None), None)
    values: Mapping[str, float | None] = record[measure] if measure else {}
    costs = {} if calibration is None else calibration.costs
    note = (
        "This model pack is not calibrated: no Dice can be expected from it."
        if calibration is None or not calibration.curves
        else "Not calibrated for this test-time augmentation and number of networks."
    )
    return {
        "measure": measure,
        "regions": {
            region.name: _region(region, values.get(region.name), calibration if fits else None)
            for region in Region
        },
        "agreement": record,
        "calibration": (
            {"cases": calibration.cases, "tta": calibration.tta, "level": calibration.level}
            if calibration is not None and fits
            else None
        ),
        "note": None if fits else note,
        "signs": [
            {"sign": sign.condition, "text": sign.text, "cost": _cost(costs.get(sign.condition))}
            for sign in signs
        ],
    }


def _region(
    region: Region, agreement: float | None, calibration: Calibration | None
) -> dict[str, Any]:
    expected = None if calibration is None else calibration.expect(region, agreement)
    if expected is None:
        return {
            "agreement": agreement,
            **dict.fromkeys(("expected", "low", "high")),
            "outside": False,
            "light": Light.NONE.value,
        }
    return {
        "agreement": agreement,
        "expected": round(expected.dice, 3),
        "low": round(expected.low, 3),
        "high": round(expected.high, 3),
        "outside": expected.outside,
        "light": light_of(expected.dice, expected.low, expected.outside).value,
    }


def _cost(cost: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if cost is None else {key: cost[key] for key in ("cases", "tta", "change")}


def signs_against(
    case: Case,
    pack: ModelPack,
    registration: Iterable[Mapping[str, Any]],
    shading: Mapping[str, Any] | None,
    missing: Mapping[Sequence, float],
) -> Iterator[Sign]:
    """What makes a case unlike those that the networks know, one after the other.

    Args:
        case: the scans.
        pack: tells which sequences its networks look at.
        registration: records of `preprocessing.registration.align`.
        shading: of the record.
        missing: share of the brain that each scan does not show.
    """
    for sequence, key in _MISSING.items():
        if sequence in pack.sequences and sequence not in case.scans:
            yield Sign(key, f"{sequence.name} is missing.")
    thickest = max(max(scan.image.GetSpacing()) for scan in case.scans.values())
    if thickest >= THICK_MM:
        yield Sign("thick-slices", f"The slices are thick ({thickest:.1f} mm).")
    for entry in registration:
        score, name = entry.get("score"), entry["sequence"].upper()
        apart = entry["engine"] == "none" and entry["already_aligned"] is False
        if apart or (score is not None and score < POOR_SCORE):
            yield Sign(_MISREGISTERED, f"{name} lies poorly on the reference.")
    strong = shading is not None and shading["corrected"]
    if strong:
        yield Sign("bias-field-corrected", "The scans are strongly shaded.")
    for sequence, share in missing.items():
        if share >= MISSING_SHARE:
            yield Sign(_CROPPED, f"{sequence.name} does not show {100 * share:.0f} % of the brain.")
