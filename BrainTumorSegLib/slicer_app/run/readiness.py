"""Whether a run can work, and what is missing if not: before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.host.models import PackChoice
from BrainTumorSegLib.slicer_app.host.translation import tr as _

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.run.segmentation_run import RunSettings


def whatIsMissing(settings: RunSettings, pack: PackChoice | None, python: str = "") -> list[str]:
    """Sentences that say what to do before a run can work; empty when it can.

    Args:
        settings: what was chosen.
        pack: the model pack that was chosen, None when there is none.
        python: path of another Python for the computation, empty for Slicer's own.
    """
    chosen = {sequence: getattr(settings, sequence.value) for sequence in Sequence}
    missing = []
    if pack is None:
        missing.append(_("No model was found: import one, see “Check my system”."))
    needed = (Sequence.T1CE,) if pack is None else (Sequence.T1CE, *pack.needed)
    for sequence in Sequence:
        node = chosen[sequence]
        if node is None and sequence in needed:
            missing.append(_("Choose the {sequence} scan.").format(sequence=sequence.name))
        elif node is not None and not hasPixels(node):
            missing.append(_("{name} holds no image; load it again.").format(name=node.GetName()))
    missing += _twice(chosen)
    if chosen[settings.reference] is None and settings.reference not in needed:
        missing.append(
            _("The reference is {sequence}, which is not chosen.").format(
                sequence=settings.reference.name
            )
        )
    if python and not (Path(python).is_file() and os.access(python, os.X_OK)):
        missing.append(
            _("{path} (other Python) is no program; correct or empty it.").format(path=python)
        )
    return missing


def hasPixels(node: Any) -> bool:
    """Whether a volume node is in the scene and holds an image."""
    image = node.GetImageData()
    return node.GetScene() is not None and image is not None and image.GetNumberOfPoints() > 0


def _twice(chosen: dict[Sequence, Any]) -> list[str]:
    found = []
    sequences = list(Sequence)
    for position, first in enumerate(sequences):
        for second in sequences[position + 1 :]:
            if chosen[first] is not None and chosen[first] is chosen[second]:
                found.append(
                    _("{first} and {second} are the same volume.").format(
                        first=first.name, second=second.name
                    )
                )
    return found
