"""From the parameters of the panel to the settings of a run."""

from __future__ import annotations

from typing import Any

from BrainTumorSegLib.mrml.run import RunSettings
from BrainTumorSegLib.sequences import Sequence


def settingsFrom(parameters: Any) -> RunSettings:
    """What was chosen, as a run takes it.

    Args:
        parameters: the wrapped parameter node; its enumerations have the command
            line's words as values, an empty one meaning what the model advises.
    """
    return RunSettings(
        t1=_present(parameters.t1),
        t1ce=_present(parameters.t1ce),
        flair=_present(parameters.flair),
        reference=Sequence(parameters.reference.value),
        outputSegmentation=_present(parameters.outputSegmentation),
        pack=parameters.pack or None,
        members=parameters.members or None,
        tta=parameters.views.value or None,
        device=parameters.device,
        registration=parameters.registration.value,
        brain=parameters.brain.value,
        shading=parameters.shading.value,
        minLesion=parameters.minLesion,
        disagreementVolume=parameters.disagreementVolume,
        registeredCopies=parameters.registeredCopies,
    )


def _present(node: Any) -> Any:
    """A node that was removed from the scene while the panel was hidden counts as not chosen."""
    return node if node is not None and node.GetScene() is not None else None
