"""What the choices of the panel are called."""

from __future__ import annotations

from enum import Enum

from BrainTumorSegLib.slicer_app.host.translation import tr as _


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
