"""How far to trust a result, in words: what the record says, as page, panel and tables show it.

Needs the standard library only. Records are English; who shows them gives a catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .language import Catalogue
from .tissue import Region


class Light(StrEnum):
    """A traffic light, always shown with its words."""

    GREEN, YELLOW, RED, NONE = "green", "yellow", "red", "none"

    def words(self, catalogue: Catalogue) -> str:
        """What it says; color alone reaches not everybody."""
        _ = catalogue.text
        return {
            Light.GREEN: _("probably good"),
            Light.YELLOW: _("check closely"),
            Light.RED: _("probably poor"),
            Light.NONE: _("not calibrated"),
        }[self]

    @property
    def color(self) -> tuple[int, int, int]:
        """RGB, 0..255."""
        return {
            Light.GREEN: (46, 140, 70),
            Light.YELLOW: (224, 160, 0),
            Light.RED: (200, 40, 40),
            Light.NONE: (140, 140, 140),
        }[self]


#: A Dice of 0.7 and more is commonly called good overlap (Zijdenbos et al., IEEE TMI 1994): green
#: where it is expected with room below, red where even that is not expected.
GOOD_DICE, GOOD_LOW = 0.8, 0.65
POOR_DICE = 0.6


@dataclass(frozen=True)
class RegionTrust:
    """What is known of one region, ready to be shown.

    Attributes:
        region: which.
        light: with its title.
        agreement: 0 to 1; None where nothing was found, or nothing compared.
        expected, low, high: Dice; None where it is not calibrated.
    """

    region: Region
    light: Light
    agreement: float | None
    expected: float | None
    low: float | None
    high: float | None

    def figure(self, words: Catalogue) -> str:
        """The figures in a few words."""
        _ = words.text
        if self.agreement is None:
            return "–"
        if self.expected is None or self.low is None or self.high is None:
            return _("agreement {value}").format(value=_two(self.agreement))
        return f"{_two(self.expected)} ({_two(self.low)}–{_two(self.high)})"


def light_of(expected: float, low: float, outside: bool) -> Light:
    """The light of an expectation.

    Args:
        expected, low: Dice and the lower end of its interval.
        outside: whether the agreement is lower than in any case of the calibration.
    """
    if outside or expected < POOR_DICE:
        return Light.RED
    return Light.GREEN if expected >= GOOD_DICE and low >= GOOD_LOW else Light.YELLOW


def region_trust(record: Mapping[str, Any]) -> list[RegionTrust]:
    """The regions of a record, in their order; none in a record of an older release."""
    known = record.get("trust", {}).get("regions", {})
    return [
        RegionTrust(
            region,
            Light(entry["light"]),
            *(entry[key] for key in ("agreement", "expected", "low", "high")),
        )
        for region in Region
        if (entry := known.get(region.name)) is not None
    ]


def trust_remarks(record: Mapping[str, Any], words: Catalogue) -> Iterator[str]:
    """Sentences below the figures: whose agreement it is, and on what it was measured.

    Args:
        record: of a result.
        words: in whose language.
    """
    _ = words.text
    trust = record.get("trust")
    if not trust:
        return
    whose = {
        "views": _("Agreement: of one network's views with each other (test-time augmentation)."),
        "members": _("Agreement: of the networks with each other."),
    }
    if trust["measure"] is None:
        yield _("One network looked once: nothing can be said about agreement.")
    else:
        yield whose[trust["measure"]]
    calibrated = trust["calibration"]
    if calibrated:
        yield _(
            "Expected Dice with a reader's labels and its {level} % interval, measured on {cases} "
            "cases that the networks had not seen."
        ).format(level=round(100 * calibrated["level"]), cases=calibrated["cases"])
    elif trust["measure"] is not None:
        yield words.message(trust["note"])


def sign_remarks(record: Mapping[str, Any], words: Catalogue) -> Iterator[str]:
    """What makes the scans unlike those that the networks know, and what that costs."""
    for sign in record.get("trust", {}).get("signs", ()):
        yield f"{words.message(sign['text'])} {_cost(sign, words)}"


def _cost(sign: Mapping[str, Any], words: Catalogue) -> str:
    _, cost = words.text, sign["cost"]
    if cost is None:
        return _("What this costs was not measured for this model pack.")
    changes = ", ".join(
        f"{name} {change:+.2f}" for name, change in cost["change"].items() if change is not None
    )
    return _("Change of the Dice on {cases} cases: {changes}.").format(
        cases=cost["cases"], changes=changes
    )


def _two(value: float) -> str:
    return f"{value:.2f}"
