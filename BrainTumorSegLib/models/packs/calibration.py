"""What the agreement of members or views promises: the calibration that lies in a pack.

It is measured by ``brain-tumor-seg models calibrate`` on cases that the members never saw. A
pack without one, or a run of another kind, gets agreement alone: no figure is invented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.resources import schema_validator
from BrainTumorSegLib.core.tissue import Region

from .manifest import MAX_TEXT_BYTES, ModelPack

CALIBRATION = "calibration.json"
CALIBRATION_SCHEMA = "brain-tumor-seg-calibration/1"

#: What agrees: members with each other, or the views of one member.
MEMBERS, VIEWS = "members", "views"


@dataclass(frozen=True)
class Expected:
    """What a calibration expects of one region.

    Attributes:
        dice: expected Dice with a reference.
        low, high: bounds of the interval of the calibration's level.
        outside: whether members or views agreed less than in any case of the calibration.
    """

    dice: float
    low: float
    high: float
    outside: bool


@dataclass(frozen=True)
class Calibration:
    """From agreement to expected Dice.

    Attributes:
        measure: `MEMBERS` or `VIEWS`: whose agreement it takes.
        tta: name of the test-time augmentation that it holds for.
        cases: how many it was measured on.
        level: of the intervals, such as 0.8.
        command: that makes it again.
        curves: by name of `Region`: ``cases``, and rising ``agreement`` with the ``expected``,
            ``low`` and ``high`` Dice there; between them it is interpolated.
        costs: by key of a condition of scans: ``cases``, ``tta`` and the mean ``change`` of the
            Dice by name of `Region`, None where none of the cases had the region.
    """

    measure: str
    tta: str
    cases: int
    level: float
    command: str
    curves: Mapping[str, Mapping[str, Any]]
    costs: Mapping[str, Mapping[str, Any]]

    def expect(self, region: Region, agreement: float | None) -> Expected | None:
        """What to expect of a region; None where nobody found it, or nothing was measured."""
        curve = self.curves.get(region.name)
        if curve is None or agreement is None:
            return None
        known = curve["agreement"]
        dice, low, high = (
            float(np.interp(agreement, known, curve[key])) for key in ("expected", "low", "high")
        )
        return Expected(dice, low, high, outside=agreement < known[0])


def read_calibration(pack: ModelPack) -> Calibration | None:
    """The calibration of a pack; None when it has none.

    Raises:
        PackError: when the file is not the one that the manifest names, is damaged, or was
            measured with other members.
    """
    named = pack.manifest.get("calibration")
    if named is None:
        return None
    path = pack.folder / CALIBRATION
    try:
        with path.open("rb") as file:
            text = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise PackError(
            f"Cannot read {path}: {error.strerror or error}.", "Import the pack again."
        ) from error
    if sha256(text).hexdigest() != named["sha256"]:
        raise PackError(f"{path} is not the file that the pack names.", "Import the pack again.")
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise PackError(f"{path} is damaged: {error}.", "Import the pack again.") from error
    check_calibration(fields, str(path))
    if fields["members"] != {member.name: member.sha256 for member in pack.members}:
        raise PackError(
            f"{path} was measured with other members.",
            f"Measure it again: brain-tumor-seg models calibrate {pack.name} --data DATA",
        )
    keys = ("measure", "tta", "cases", "level", "command", "costs")
    return Calibration(**{key: fields[key] for key in keys}, curves=fields["regions"])


def check_calibration(fields: Any, source: str) -> None:
    """Hold a calibration against its schema, and its curves against themselves.

    Raises:
        PackError: naming ``source`` and what is wrong.
    """
    from jsonschema.exceptions import best_match

    error = best_match(schema_validator("calibration").iter_errors(fields))
    if error is not None:
        where = ".".join(str(part) for part in error.absolute_path)
        raise PackError(
            f"{source} is no valid calibration: {where}: {error.message[:300]}.",
            "Import the pack again.",
        )
    for name, curve in fields["regions"].items():
        columns = [np.array(curve[key]) for key in ("agreement", "low", "expected", "high")]
        same = len({len(column) for column in columns}) == 1
        agreement, low, expected, high = columns
        if not (
            same
            and (np.diff(agreement) > 0).all()
            and (low <= expected).all()
            and (expected <= high).all()
        ):
            raise PackError(
                f"{source} contradicts itself in the curve of {name}.", "Import the pack again."
            )
