"""How to compute: registration, model, views, device, outputs, and what is advanced."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import BrainTumorSegError
from BrainTumorSegLib.slicer_app.host.application import getSetting, setSetting
from BrainTumorSegLib.slicer_app.host.models import PackChoice, chosenPack, packChoices
from BrainTumorSegLib.slicer_app.host.names import WHEEL_FOLDER, WORKER_PYTHON
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.run.brainsfit import brainsfitAvailable

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.panel.panel import Panel

#: The largest number of networks the spin box is given before a pack is known.
MANY = 99


class SettingsSection:
    """The section *Settings* with its part *Advanced*."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.packs: tuple[PackChoice, ...] = ()
        self.packProblem = ""
        self._devices: list[tuple[str, str]] = []
        self._filling = False
        ui = panel.ui
        self._inputs = (
            *(ui.registrationCombo, ui.packCombo, ui.membersSpin, ui.viewsCombo, ui.deviceCombo),
            *(ui.outputSelector, ui.disagreementCheck, ui.copiesCheck, ui.show3DCheck),
            *(ui.brainCombo, ui.shadingCombo, ui.minLesionSpin, ui.islandsCheck),
            *(ui.wheelFolderEdit, ui.pythonEdit),
        )
        ui.wheelFolderEdit.currentPath = getSetting(WHEEL_FOLDER, "")
        ui.pythonEdit.currentPath = getSetting(WORKER_PYTHON, "")
        self.setDevices([])
        self.readPacks()
        ui.packCombo.currentIndexChanged.connect(self.onPack)
        ui.deviceCombo.currentIndexChanged.connect(self.onDevice)
        for signal in ("currentPathChanged", "validInputChanged"):
            # Of an emptied field only the second tells.
            getattr(ui.wheelFolderEdit, signal).connect(self.onWheelFolder)
            getattr(ui.pythonEdit, signal).connect(self.onPython)

    @property
    def python(self) -> str:
        """The other Python that was named, or an empty text."""
        return self.panel.ui.pythonEdit.currentPath.strip()

    def pack(self) -> PackChoice | None:
        """The chosen model; None when there is none."""
        return chosenPack(self.packs, self.panel.parameters.pack)

    def readPacks(self) -> None:
        """Look which models there are; one may have been imported meanwhile."""
        try:
            self.packs, self.packProblem = packChoices(), ""
        except BrainTumorSegError as error:
            self.packs, self.packProblem = (), str(error)
        titles = [
            _("{name} (recommended)").format(name=pack.name) if pack.default else pack.name
            for pack in self.packs
        ]
        self._fill(self.panel.ui.packCombo, titles, [pack.description for pack in self.packs])

    def setDevices(self, found: list[tuple[str, str]]) -> None:
        """Offer devices: those every computer may have, and those a check has found.

        Args:
            found: name as the command line takes it (``cuda:0``) and a title.
        """
        graphics = (
            [("mps", _("Apple graphics (MPS)"))]
            if sys.platform == "darwin"
            else [("cuda", _("NVIDIA graphics card (CUDA)"))]
        )
        self._devices = [
            ("auto", _("Automatic")),
            ("cpu", _("Processor (CPU)")),
            *graphics,
            *found,
        ]
        self._fill(self.panel.ui.deviceCombo, [title for _name, title in self._devices])
        if self.panel.parameters is not None:
            self._showDevice()

    def onPack(self) -> None:
        """Another model was chosen."""
        index = self.panel.ui.packCombo.currentIndex
        if not self._filling and self.panel.parameters is not None and 0 <= index < len(self.packs):
            self.panel.parameters.pack = self.packs[index].name

    def onDevice(self) -> None:
        """Another device was chosen."""
        index = self.panel.ui.deviceCombo.currentIndex
        if not self._filling and self.panel.parameters is not None and index >= 0:
            self.panel.parameters.device = self._devices[index][0]

    def onWheelFolder(self, *_: object) -> None:
        """Remember the folder of packages on this computer."""
        setSetting(WHEEL_FOLDER, self.panel.ui.wheelFolderEdit.currentPath.strip())

    def onPython(self, *_: object) -> None:
        """Remember the other Python on this computer."""
        setSetting(WORKER_PYTHON, self.python)
        self.panel.update()

    def update(self) -> None:
        """Show the chosen model and device, and what there is to say about the choices."""
        ui, parameters = self.panel.ui, self.panel.parameters
        for widget in self._inputs:
            widget.enabled = not self.panel.run.busy
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
        ui, pack = self.panel.ui, self.pack()
        index = self.packs.index(pack) if pack is not None else -1
        self._filling = True
        ui.packCombo.currentIndex = index
        ui.membersSpin.maximum = pack.members if pack else MANY
        self._filling = False
        if pack is not None:
            ui.membersSpin.specialValueText = _("All {count}").format(count=pack.members)
            ui.packNote.text = pack.title
            ui.packNote.toolTip = pack.description.strip()
        else:
            name = self.panel.parameters.pack
            ui.packNote.toolTip = ""
            ui.packNote.text = self.packProblem or (
                _("The model {name} is not on this computer.").format(name=name)
                if name
                else _("No model was found.")
            )

    def _showDevice(self) -> None:
        names = [name for name, _title in self._devices]
        device = self.panel.parameters.device
        if device not in names:
            # A scene from another computer, or a script, may name any device.
            self._devices.append((device, device))
            self._fill(self.panel.ui.deviceCombo, [title for _name, title in self._devices])
            names.append(device)
        self._filling = True
        self.panel.ui.deviceCombo.currentIndex = names.index(device)
        self._filling = False

    def _fill(self, combo: object, titles: list[str], tips: list[str] | None = None) -> None:
        import qt

        self._filling = True
        combo.clear()
        for index, title in enumerate(titles):
            combo.addItem(title)
            if tips:
                combo.setItemData(index, tips[index].strip(), qt.Qt.ToolTipRole)
        self._filling = False
