"""The choices of the panel: what they are called, and the settings of a run they become."""

from __future__ import annotations

from enum import Enum
from typing import Any

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.run.settings import PARAMETERS, RunSettings, optionsFrom


def choiceTitle(choice: Enum) -> str:
    """What the panel shows for a choice; its name where that says enough.

    Args:
        choice: of one of the module's enumerations.
    """
    return {
        "ReferenceScan.T1CE": _("T1CE (after contrast agent)"),
        "Registration.BRAINSFIT": _("BRAINSFit, part of 3D Slicer"),
        "Registration.SIMPLEITK": _("SimpleITK"),
        "Registration.NONE": _("None: the scans are aligned already"),
        "Views.ADVISED": _("As the model advises"),
        "Views.NONE": _("As they are (none)"),
        "Views.TTA1": _("With mirror image (TTA1)"),
        "Views.TTA2": _("With both mirror images (TTA2), advised for neurinoma"),
        "Views.TTA3": _("With mirror images and quarter turns (TTA3)"),
        "Brain.AUTO": _("Automatic"),
        "Brain.STRIPPED": _("Scans show the brain only"),
        "Brain.DEEPBET": _("Find it with deepbet"),
        "Brain.HDBET": _("Find it with HD-BET"),
        "Shading.AUTO": _("Automatic"),
        "Shading.N4": _("Correct it with N4"),
        "Shading.OFF": _("Leave it"),
    }.get(str(choice), choice.name)


def settingsFrom(parameters: Any) -> RunSettings:
    """What was chosen, as a run takes it.

    Args:
        parameters: the wrapped parameter node; its enumerations have the command
            line's words as values, an empty one meaning what the model advises.
    """
    options = {}
    for parameter in PARAMETERS:
        value = getattr(parameters, parameter)
        value = value.value if isinstance(value, Enum) else value
        # Zero members, no pack and no word mean what the library advises; 0 mm³ means that.
        options[parameter] = value if isinstance(value, float) else value or None
    return RunSettings(
        t1=_present(parameters.t1),
        t1ce=_present(parameters.t1ce),
        flair=_present(parameters.flair),
        reference=Sequence(parameters.reference.value),
        outputSegmentation=_present(parameters.outputSegmentation),
        options=optionsFrom(options),
        disagreementVolume=parameters.disagreementVolume,
        registeredCopies=parameters.registeredCopies,
    )


def _present(node: Any) -> Any:
    """A node that was removed from the scene while the panel was hidden counts as not chosen."""
    return node if node is not None and node.GetScene() is not None else None
