"""The end of closer looks at a result."""

from __future__ import annotations

from .alignment import endAlignmentCheck
from .doubt import removeMark
from .reading import endReadingLayout


def endLooking(layout: bool = True, mark: bool = True) -> None:
    """Show again what was shown before the alignment was checked.

    Args:
        layout: end the reading layout too.
        mark: take the mark of a doubtful region away too.
    """
    endAlignmentCheck()
    if layout:
        endReadingLayout()
    if mark:
        removeMark()
