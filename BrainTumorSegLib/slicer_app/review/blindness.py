"""The one rule of blindness: what of two readings a reader may see now.

A reader sees the other's labels, review and scores once they have recorded their own review.
The panel, saved files and the scene itself all ask here. While one of the two still reads,
the scene keeps reviews sealed and the reading that is not open put away, so that who opens
a saved scene next meets neither.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

from ..host.host import inApplication
from ..scene import provenance
from ..scene.scene import outOfTree
from .readings import firstReading, positionOf, readingOf, secondReading

#: Reviews that were replaced or withdrawn, on the result.
HISTORY = provenance.PREFIX + "Review.History"

#: Begins a text that is not to be read by chance; for safety against haste, not against intent.
_SEAL = "sealed:"


def reviewAttribute(position: int) -> str:
    """The attribute of the result that keeps one reader's review."""
    return f"{provenance.PREFIX}Review.{position}"


def seenFrom(node: Any) -> frozenset[int]:
    """Whose labels, review and scores the reader of ``node`` may see now: 1, 2 or both.

    Args:
        node: the reader's segmentation: the result, or its second reading.
    """
    own = positionOf(node)
    recorded = bool(firstReading(node).GetAttribute(reviewAttribute(own)))
    return frozenset({1, 2}) if recorded else frozenset({own})


def isBlind(node: Any) -> bool:
    """Whether there are two readings, and one of the readers may not see everything yet."""
    second = secondReading(node)
    return second is not None and seenFrom(second) & seenFrom(firstReading(node)) != {1, 2}


def openReading(node: Any) -> Any:
    """The reading itself, or the one that is open when this one is put away."""
    other = readingOf(node, 3 - positionOf(node))
    return other if other is not None and isPutAway(node) and isBlind(node) else node


def isPutAway(node: Any) -> bool:
    """Whether a reading is kept out of the tree of the module Data."""
    return node.GetAttribute(outOfTree()) is not None


def showReading(node: Any, position: int) -> None:
    """Show the segmentation of one reader, and hide the other's."""
    for number in (1, 2):
        reading = readingOf(node, number)
        if reading is not None and reading.GetDisplayNode() is not None:
            reading.GetDisplayNode().SetVisibility(number == position)
    settle(node, position)


def settle(node: Any, position: int | None = None) -> None:
    """Seal what must not be seen by who opens the scene next, and open it when it may be.

    Args:
        position: the reading that is open from now on; None for this one, or for the other
            where this one is put away.
    """
    first, blind = firstReading(node), isBlind(node)
    for name in (reviewAttribute(1), reviewAttribute(2), HISTORY):
        _write(first, name, read(first, name), blind)
    if position is None:
        own = positionOf(node)
        position = 3 - own if isPutAway(node) else own
    seen = seenFrom(readingOf(first, position)) if blind else {1, 2}
    for number in (1, 2):
        reading = readingOf(first, number)
        if reading is not None:
            _putAway(reading, number not in seen)


def read(first: Any, name: str) -> str:
    """An attribute of the result, sealed or not; empty when there is none."""
    text = first.GetAttribute(name) or ""
    if text.startswith(_SEAL):
        return zlib.decompress(base64.b64decode(text.removeprefix(_SEAL))).decode()
    return text


def _write(first: Any, name: str, text: str, sealed: bool) -> None:
    if text and sealed:
        text = _SEAL + base64.b64encode(zlib.compress(text.encode())).decode()
    if text != (first.GetAttribute(name) or ""):
        first.SetAttribute(name, text or None)


def _putAway(reading: Any, away: bool) -> None:
    """Only out of the tree: Slicer before 5.12 does not save nodes that are hidden everywhere."""
    if isPutAway(reading) == away:
        return
    reading.SetAttribute(outOfTree(), "1" if away else None)
    if away and reading.GetDisplayNode() is not None:
        reading.GetDisplayNode().SetVisibility(False)
    _refreshTrees()


def _refreshTrees() -> None:
    """Trees of the module Data ask who is to be left out only when something else changes."""
    if not inApplication():
        return
    import slicer

    if hasattr(slicer.modules, "data"):
        # While another module is shown, its panel is no part of the main window.
        panel = slicer.modules.data.widgetRepresentation()
        for tree in slicer.util.findChildren(panel, className="qMRMLSubjectHierarchyTreeView"):
            tree.sortFilterProxyModel().invalidate()
