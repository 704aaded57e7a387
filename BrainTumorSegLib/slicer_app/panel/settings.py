"""How to compute: registration, model, views, device, outputs, and what is advanced."""

from __future__ import annotations

import sys
from collections.abc import Sequence as SequenceOf
from typing import Any

from ..host.application import WHEEL_FOLDER, WORKER_PYTHON, getSetting, setSetting
from ..host.host import brainsfitAvailable
from ..host.translation import told
from ..host.translation import tr as _
from .state import PanelState

#: The largest number of networks the spin box is given before a pack is known.
MANY = 99


class SettingsSection:
    """The section *Settings* with its part *Advanced*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._devices: list[str] = []
        self._shown: dict[str, list[str]] = {}
        self._filling = False
        ui = state.ui
        self._inputs = (
            *(ui.registrationCombo, ui.packCombo, ui.membersSpin, ui.viewsCombo, ui.deviceCombo),
            *(ui.outputSelector, ui.disagreementCheck, ui.copiesCheck, ui.show3DCheck),
            *(ui.brainCombo, ui.shadingCombo, ui.minLesionSpin, ui.islandsCheck),
            *(ui.wheelFolderEdit, ui.pythonEdit),
        )
        ui.wheelFolderEdit.currentPath = getSetting(WHEEL_FOLDER, "")
        ui.pythonEdit.currentPath = getSetting(WORKER_PYTHON, "")
        ui.packCombo.currentIndexChanged.connect(self.onPack)
        ui.deviceCombo.currentIndexChanged.connect(self.onDevice)
        for signal in ("currentPathChanged", "validInputChanged"):
            # Only the second is emitted when the field is emptied.
            getattr(ui.wheelFolderEdit, signal).connect(self.onWheelFolder)
            getattr(ui.pythonEdit, signal).connect(self.onPython)
        state.observe(self.update)

    def onPack(self) -> None:
        """Another model was chosen."""
        index, packs = self.state.ui.packCombo.currentIndex, self.state.packs
        if not self._filling and self.state.parameters is not None and 0 <= index < len(packs):
            self.state.parameters.pack = packs[index].name

    def onDevice(self) -> None:
        """Another device was chosen."""
        index = self.state.ui.deviceCombo.currentIndex
        if not self._filling and self.state.parameters is not None and index >= 0:
            self.state.parameters.device = self._devices[index]

    def onWheelFolder(self, *_: object) -> None:
        """Remember the folder of packages on this computer."""
        setSetting(WHEEL_FOLDER, self.state.ui.wheelFolderEdit.currentPath.strip())

    def onPython(self, *_: object) -> None:
        """Remember the other Python on this computer."""
        setSetting(WORKER_PYTHON, self.state.python)
        self.state.changed()

    def update(self) -> None:
        """Show the chosen model and device, and notes on the choices."""
        ui, parameters = self.state.ui, self.state.parameters
        for widget in self._inputs:
            widget.enabled = not self.state.busy
        self._showPack()
        self._showDevice()
        note = ""
        if parameters.registration.value == "brainsfit" and not brainsfitAvailable():
            note = _("This Slicer has no BRAINSFit; SimpleITK will align the scans.")
        elif parameters.registration.value == "none":
            note = _("The scans are taken to be aligned. Check it when the result is there.")
        ui.registrationNote.text = note
        ui.registrationNote.visible = bool(note)

    def _showPack(self) -> None:
        ui, packs, pack = self.state.ui, self.state.packs, self.state.pack
        titles = [
            _("{name} (recommended)").format(name=one.name) if one.default else one.name
            for one in packs
        ]
        index = packs.index(pack) if pack is not None else -1
        self._show(ui.packCombo, titles, index, [told(one.description.strip()) for one in packs])
        ui.membersSpin.maximum = pack.members if pack else MANY
        if pack is not None:
            ui.membersSpin.specialValueText = _("All {count}").format(count=pack.members)
            ui.packNote.text = told(pack.title)
            ui.packNote.toolTip = told(pack.description.strip())
        else:
            name = self.state.parameters.pack
            ui.packNote.toolTip = ""
            ui.packNote.text = self.state.packProblem or (
                _("The model {name} is not on this computer.").format(name=name)
                if name
                else _("No model was found.")
            )

    def _showDevice(self) -> None:
        """Offer the devices that every computer may have, and those that a check has found."""
        device = self.state.parameters.device
        titles = {"auto": _("Automatic"), "cpu": _("Processor (CPU)")}
        if sys.platform == "darwin":
            titles["mps"] = _("Apple graphics (MPS)")
        else:
            titles["cuda"] = _("NVIDIA graphics card (CUDA)")
        titles |= dict(self.state.devices)
        # A scene from another computer, or a script, may name any device.
        titles.setdefault(device, device)
        self._devices = list(titles)
        self._show(self.state.ui.deviceCombo, list(titles.values()), self._devices.index(device))

    def _show(self, combo: Any, titles: list[str], index: int, tips: SequenceOf[str] = ()) -> None:
        """Choose in a combo box, which is filled anew when its titles have changed."""
        import qt

        self._filling = True
        if self._shown.get(combo.objectName) != titles:
            self._shown[combo.objectName] = titles
            combo.clear()
            for title in titles:
                combo.addItem(title)
            for number, tip in enumerate(tips):
                combo.setItemData(number, tip.strip(), qt.Qt.ToolTipRole)
        combo.currentIndex = index
        self._filling = False
