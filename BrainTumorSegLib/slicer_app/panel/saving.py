"""Saving a result: which files, where, and what is missing for DICOM."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from ..export.saving import SaveJob, defaultFolder, defaultTargets, dicomPreflight, save
from ..export.without_identity import SUFFIX, saveWithoutIdentity
from ..host.application import SAVE_FOLDER, getSetting, installsHere, setSetting
from ..host.translation import told
from ..host.translation import tr as _
from ..install.dependencies import install
from ..install.packages import missingPackages
from ..scene.segments import editState
from .dialogs import confirm, errorsShown, showError
from .state import PanelState

#: What the export of DICOM needs beside what a run needs.
DICOM_EXTRA = ("dicom",)


#: Name of the file of a scene; that of a node could be the patient's.
_SCENE = "scene-without-identity"


class SavingSection:
    """The section *Save*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self.job: SaveJob | None = None
        self._outcome = ""
        #: The segmentation that the outcome speaks of, and the folder that was proposed for it.
        self._of: str | None = None
        self._proposed: Path | None = None
        self._proposing = False
        self._preflight: tuple[Any, list[str]] = (None, [])
        ui = state.ui
        self._checks = (
            *(ui.segNrrdCheck, ui.niftiCheck, ui.htmlCheck, ui.jsonCheck, ui.dicomCheck),
            ui.dicomReportCheck,
        )
        ui.folderButton.directory = str(_usualFolder())
        for check in self._checks:
            check.toggled.connect(state.changed)
        ui.folderButton.directoryChanged.connect(self.onFolder)
        ui.saveButton.clicked.connect(self.onSave)
        ui.identityButton.clicked.connect(self.onSaveScene)
        ui.installDicomButton.clicked.connect(self.onInstall)
        ui.savingButton.contentsCollapsed.connect(self.update)
        state.observe(self.update)

    @property
    def busy(self) -> bool:
        """Whether files are being written."""
        return self.job is not None and not self.job.over

    def onFolder(self, folder: str) -> None:
        """Remember the folder on this computer, for scans that have none."""
        if self._proposing:
            return
        setSetting(SAVE_FOLDER, folder)
        self._outcome = ""
        self.update()

    def onSave(self) -> None:
        """Save, or stop saving."""
        if self.busy:
            self.cancel()
            return
        with errorsShown():
            self.save()
        self.update()

    def save(self) -> None:
        """Begin to write the chosen files; existing ones are replaced only after asking.

        Raises:
            BrainTumorSegError: when it cannot begin; nothing was written.
        """
        node, folder = self.state.segmentation, Path(self.state.ui.folderButton.directory)
        targets = defaultTargets(node, folder, self.state.formats)
        existing = [path.name for path in targets.values() if path.exists()]
        if existing and not confirm(
            _("Replace {names} in {folder}?").format(names=", ".join(existing), folder=folder),
            _("Replace files"),
        ):
            return
        self._outcome = ""
        self.job = save(
            node, folder, self.state.formats, overwrite=bool(existing), onFinished=self.onFinished
        )

    def onSaveScene(self) -> None:
        """Save the scene for others, after asking where a file is replaced."""
        with errorsShown():
            self.saveScene()
        self.update()

    def saveScene(self) -> None:
        """Write the scene without identity into the folder.

        Raises:
            BrainTumorSegError: when it cannot be written; nothing was written then.
        """
        path = Path(self.state.ui.folderButton.directory) / f"{_SCENE}{SUFFIX}"
        if path.exists() and not confirm(
            _("Replace {names} in {folder}?").format(names=path.name, folder=path.parent),
            _("Replace files"),
        ):
            return
        self._outcome = ""
        saveWithoutIdentity(path, overwrite=True)
        self._outcome = "<br>".join([_savedIn(path.parent), escape(path.name)])

    def onFinished(self, job: SaveJob) -> None:
        """The files are there, or none of them."""
        if self.job is None or self.state.parameters is None:
            return
        if job.state == "finished":
            self._noteSaved(job)
            lines = [_savedIn(job.written[0].parent)]
            lines += [escape(path.name) for path in job.written]
            self._outcome = "<br>".join([*lines, *(f"⚠ {escape(told(w))}" for w in job.warnings)])
        elif job.state == "cancelled":
            self._outcome = _("Cancelled; nothing was written.")
        else:
            self._outcome = _("It failed; nothing was written.")
        self.update()
        if job.error is not None:
            showError(job.error, job.logTail)

    def _noteSaved(self, job: SaveJob) -> None:
        """What an opened case has lost nothing of when another one is opened."""
        opened = self.state.opened
        if opened is not None and job.segmentationNode in opened.readings:
            labels = {"seg.nrrd", "nii.gz", "dcm"} & job.targets.keys()
            opened.noteSaved(bool(labels), bool({"json", "html"} & job.targets.keys()))

    def onInstall(self) -> None:
        """Install what the export of DICOM needs, after asking."""
        with errorsShown():
            install(confirm=True, extras=DICOM_EXTRA)
        self._preflight = (None, [])
        self.update()

    def cancel(self) -> None:
        """Stop; no file is written."""
        if self.busy:
            self.job.cancel()
            self.state.ui.savedLabel.text = _("Cancelling …")

    def abandon(self) -> None:
        """Stop without touching a widget again."""
        job, self.job = self.job, None
        if job is not None and not job.over:
            job.cancel()
            job.poll()

    def update(self) -> None:
        """Enable *Save* when it can work; say what is missing for DICOM."""
        ui, busy = self.state.ui, self.busy
        usable = self.state.result is not None and not self.state.busy
        self._propose()
        for check in self._checks:
            # They are of use for many cases too, when there is no result yet.
            check.enabled = not busy
        ui.folderButton.enabled = usable and not busy
        # It refers to the segmentation.
        ui.dicomReportCheck.enabled = not busy and ui.dicomCheck.checked
        missing = self._missingForDicom() if usable and not busy else []
        self._showMissing(missing)
        ui.saveButton.text = _("Cancel") if busy else _("Save")
        ui.saveButton.enabled = busy or (usable and bool(self.state.formats) and not missing)
        ui.identityButton.enabled = usable and not busy
        ui.savedLabel.text = ui.savedLabel.toolTip = (
            escape(self.job.step) if busy else self._outcome
        )
        ui.savedLabel.visible = bool(ui.savedLabel.text)

    def _propose(self) -> None:
        """With another segmentation: the folder of its scans, and nothing said of the last one."""
        node = self.state.segmentation if self.state.result is not None else None
        of = node.GetID() if node is not None else None
        if of == self._of:
            return
        self._of, self._outcome = of, ""
        if node is None:
            return
        folder = defaultFolder(node) or _usualFolder()
        # The other reading of a case leaves the folder that was chosen for it.
        if folder == self._proposed:
            return
        self._proposed, self._proposing = folder, True
        self.state.ui.folderButton.directory = str(folder)
        self._proposing = False

    def _missingForDicom(self) -> list[str]:
        """Checked anew only when the segmentation has changed: it takes a moment."""
        ui, node = self.state.ui, self.state.segmentation
        if not ui.dicomCheck.checked or ui.savingButton.collapsed:
            return []
        engine = "library" if ui.dicomReportCheck.checked else "auto"
        state = (editState(node), engine)
        if state != self._preflight[0]:
            try:
                self._preflight = (state, dicomPreflight(node, engine))
            except Exception as error:
                self._preflight = (state, [str(error)])
        return self._preflight[1]

    def _showMissing(self, missing: list[str]) -> None:
        ui = self.state.ui
        ui.preflightLabel.text = "\n".join(f"• {text}" for text in missing)
        ui.preflightLabel.visible = bool(missing)
        ui.installDicomButton.visible = bool(
            missing and installsHere() and missingPackages(DICOM_EXTRA)
        )


def _savedIn(folder: Path) -> str:
    link = f'<a href="{folder.as_uri()}">{escape(str(folder))}</a>'
    return _("Saved in {folder}:").format(folder=link)


def _usualFolder() -> Path:
    """The folder that was chosen last on this computer."""
    return Path(getSetting(SAVE_FOLDER, "") or Path.home())
