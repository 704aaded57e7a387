"""How volumes change from visit to visit, and whether more than measuring itself makes of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from BrainTumorSegLib.core.options import MIN_LESION_MM3
from BrainTumorSegLib.core.resources import resource_path

#: Slices at least this far apart have the error of thick ones, in mm.
THICK_MM = 3.0

#: Below this volume in mL a lesion is not there: the error does not shrink with it any more.
LEAST_ML = MIN_LESION_MM3 / 1000.0

#: Thresholds of RANO 2.0 for measurable disease (Wen et al., J Clin Oncol 2023; 41:5187-5199), in
#: percent of change: of the sum of products of diameters, and of the volume.
RANO = {
    "increase": {"sum_of_products": 25, "volume": 40},
    "decrease": {"sum_of_products": -50, "volume": -65},
}


@dataclass(frozen=True)
class Change:
    """How one volume differs between two visits.

    Attributes:
        key: of `core.volumes.volumes_ml`.
        before_ml, after_ml: each measured on its own grid.
        change_ml: their difference.
        percent: of the first; None where that is zero.
        error_ml: measurement error of the difference, 95 % (see `measurement_error`).
        certain: whether the change is larger.
        mm3_per_day: growth; None without days.
        percent_per_day: specific growth rate ``ln(V2 / V1) / days`` (Mehrara et al., Cancer Res
            2007), in percent; None without days or where a volume is zero.
        doubling_days: ``ln 2`` by the specific growth rate; negative where the volume shrinks,
            then it halves in so many days. Only of a certain change.
    """

    key: str
    before_ml: float
    after_ml: float
    change_ml: float
    percent: float | None
    error_ml: float
    certain: bool
    mm3_per_day: float | None
    percent_per_day: float | None
    doubling_days: float | None

    def as_record(self) -> dict[str, Any]:
        """As plain JSON types, rounded."""
        digits = {"percent": 1, "mm3_per_day": 2, "percent_per_day": 4, "doubling_days": 1}
        return {
            name: round(value, digits.get(name, 3)) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def change_of(key: str, before_ml: float, after_ml: float, days: int, error_ml: float) -> Change:
    """The change of one volume.

    Args:
        key: of `core.volumes.volumes_ml`.
        before_ml, after_ml: volumes in mL.
        days: between the visits; 0 gives no rates.
        error_ml: measurement error of the difference in mL.
    """
    change = after_ml - before_ml
    certain = abs(change) > error_ml
    rate = None
    if days > 0 and before_ml > 0 and after_ml > 0:
        rate = math.log(after_ml / before_ml) / days
    return Change(
        key=key,
        before_ml=before_ml,
        after_ml=after_ml,
        change_ml=change,
        percent=100 * change / before_ml if before_ml > 0 else None,
        error_ml=error_ml,
        certain=certain,
        mm3_per_day=1000 * change / days if days > 0 else None,
        percent_per_day=None if rate is None else 100 * rate,
        doubling_days=math.log(2) / rate if rate and certain else None,
    )


@cache
def repeatability() -> Mapping[str, Any]:
    """The figures that ``brain-tumor-seg repeatability`` measured on real cases."""
    path = resource_path("FollowUp", "repeatability.json")
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def measurement_error_ml(key: str, before_ml: float, after_ml: float, thick: bool) -> float:
    """What two measurements of one unchanged volume differ by at most, in 95 of 100 cases.

    It comes from segmenting real scans again that were sliced anew, and grows with the surface,
    ``volume^(2/3)``. Where one of both is empty it is at least what was once found there.

    Args:
        key: of `core.volumes.volumes_ml`.
        before_ml, after_ml: volumes in mL.
        thick: whether a visit has thick slices, see `THICK_MM`.

    Returns:
        Milliliters; never below the smallest lesion that is kept.
    """
    by_key = repeatability()["kinds"]["thick" if thick else "thin"]
    limit = by_key[key]["limit"]
    if limit is None:
        # Too rare to be measured: no better than the worst one.
        limit = max(f["limit"] for f in by_key.values() if f["limit"] is not None)
    error = limit * ((before_ml + after_ml) / 2) ** (2 / 3)
    least = LEAST_ML
    if min(before_ml, after_ml) < LEAST_ML:
        least = max(least, by_key[key]["largest_empty_ml"])
    return float(max(error, least))
