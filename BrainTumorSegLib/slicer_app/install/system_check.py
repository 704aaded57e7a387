"""*Check my system*: what the application and the worker lack, each with a remedy to press.

The library's own doctor runs in the worker, where the computation will run; what only the
application knows is looked at here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from BrainTumorSegLib.bootstrap import doctor
from BrainTumorSegLib.bootstrap.doctor import (
    OK,
    PROBLEM,
    STATUSES,
    WARNING,
    as_text,
    disk_finding,
    worst,
)
from BrainTumorSegLib.core.errors import BrainTumorSegError
from BrainTumorSegLib.core.requirements import EXTRAS, REQUIRED

from ..host.application import installsHere, runFolder, workerPython
from ..host.host import brainsfitAvailable, inApplication
from ..host.translation import tr as _
from ..worker.worker import Worker, runWorker
from .dependencies import install, installPytorchExtension, pytorchExtensionInstalled

#: The oldest Slicer that this module is made for.
OLDEST_SLICER = (5, 10)

#: Kinds of `Action`.
INSTALL, EXTENSION, OPEN, COPY = "install", "extension", "open", "copy"

#: Findings of the doctor that the application answers better, or that mean nothing here.
_ANSWERED_HERE = ("BRAINSFit", "disk, this folder", "disk, temporary")


@dataclass(frozen=True)
class Action:
    """What a button beside a finding does; see `perform`.

    Attributes:
        title: of the button.
        kind: ``install``: packages, payload an extra or empty; ``extension``: a Slicer
            extension by name; ``open``: a Slicer module by name, or a web address;
            ``copy``: text for the clipboard.
        payload: see kind.
    """

    title: str
    kind: str
    payload: str = ""


@dataclass(frozen=True)
class Finding(doctor.Finding):
    """One thing that was looked at, with the button for its remedy, if there is one."""

    action: Action | None = None


class SystemCheck:
    """Looks at the application at once, and at the worker in the background.

    Poll it until it is over, or hand it to `job.pollUntilOver`.

    Args:
        onFinished: called with this object when it is over, unless it was cancelled.
    """

    def __init__(self, onFinished: Callable[[SystemCheck], None] | None = None) -> None:
        self._onFinished = onFinished
        self._worker: Worker | None = None
        self._found: list[Finding] = []

    @property
    def running(self) -> bool:
        """Whether the worker is still looking."""
        return self._worker is not None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found so far, the gravest first."""
        return tuple(sorted(self._found, key=lambda finding: STATUSES.index(finding.status)))

    @property
    def status(self) -> str:
        """The gravest status so far."""
        return worst(self._found)

    def start(self) -> None:
        """Look at the application, and start the worker; takes milliseconds."""
        self._found = examineApplication() if inApplication() else []
        try:
            self._worker = runWorker(["doctor", "--json"])
        except BrainTumorSegError as error:
            self._addWorkerProblem(error)
            self._over()

    def poll(self) -> bool:
        """Look whether the worker has answered; True when it is over."""
        worker = self._worker
        if worker is None:
            return True
        worker.poll()
        if worker.running:
            return False
        try:
            self._found += fromDoctor(worker.output())
        except ValueError:
            self._addWorkerProblem(worker.failure())
        self._over()
        return True

    def cancel(self) -> None:
        """Stop looking, without a callback."""
        self._onFinished = None
        self._over()

    def wait(self, timeout: float = 300.0) -> None:
        """Wait for the end while the application stays alive; for scripts and tests."""
        if self._worker is not None:
            self._worker.wait(timeout)
            self.poll()

    def text(self) -> str:
        """Everything as text, to be copied into a report."""
        return as_text(self.findings)

    def _addWorkerProblem(self, error: BrainTumorSegError) -> None:
        name = _("computation")
        action = _copy(error.remedy) if error.remedy else None
        self._found.append(Finding(name, PROBLEM, error.message, error.remedy, action))

    def _over(self) -> None:
        if self._worker is not None:
            self._worker.dispose()
            self._worker = None
        if self._onFinished is not None:
            self._onFinished(self)


def fromDoctor(output: str) -> list[Finding]:
    """The worker's findings with buttons.

    Args:
        output: of ``doctor --json``.

    Raises:
        ValueError: when this is no answer of the doctor.
    """
    begin = output.find("{")
    answer = json.loads(output[begin:]) if begin >= 0 else None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("findings"), list):
        raise ValueError("no findings")
    found = [Finding(**entry) for entry in answer["findings"]]
    if inApplication():
        found = [finding for finding in found if finding.name not in _ANSWERED_HERE]
    return [_withAction(finding) for finding in found]


def _withAction(finding: Finding) -> Finding:
    if not finding.remedy:
        return finding
    extra = finding.name.removeprefix("extra ")
    if installsHere() and finding.name in {need.name for need in REQUIRED}:
        action = Action(_("Install packages"), INSTALL)
        remedy = _("Press “Install packages”; Slicer's own packages stay as they are.")
        return replace(finding, remedy=remedy, action=action)
    if installsHere() and finding.name.startswith("extra ") and extra in EXTRAS:
        action = Action(_("Install"), INSTALL, extra)
        return replace(finding, remedy=_("Optional: press “Install”."), action=action)
    if finding.name == "networks" and pytorchExtensionInstalled():
        return replace(finding, action=Action(_("Open PyTorch Utils"), OPEN, "PyTorchUtils"))
    return replace(finding, action=_copy(finding.remedy))


def _copy(text: str) -> Action:
    return Action(_("Copy"), COPY, text)


def examineApplication() -> list[Finding]:
    """What the worker cannot see: Slicer, its modules and extensions, its temporary folder."""
    return [_slicer(), _interpreter(), _brainsfit(), _pytorch(), _temporaryFolder()]


def _slicer() -> Finding:
    import slicer

    app, name = slicer.app, "3D Slicer"
    detail = f"{app.applicationVersion} ({app.platform})"
    if (int(app.majorVersion), int(app.minorVersion)) >= OLDEST_SLICER:
        return Finding(name, OK, detail)
    remedy = _("Install Slicer {oldest} or newer.").format(oldest="5.10")
    address = "https://download.slicer.org"
    return Finding(name, PROBLEM, detail, remedy, Action(_("Open website"), OPEN, address))


def _interpreter() -> Finding:
    name = _("Python of the computation")
    try:
        return Finding(name, OK, workerPython().description)
    except BrainTumorSegError as error:
        return Finding(name, PROBLEM, error.message, error.remedy)


def _brainsfit() -> Finding:
    if brainsfitAvailable():
        return Finding("BRAINSFit", OK, _("Slicer's module is there"))
    return Finding(
        "BRAINSFit",
        WARNING,
        _("this Slicer has no BRAINSFit module; SimpleITK registers the scans instead"),
        _("Enable command line modules in the application settings, or install Slicer anew."),
    )


def _pytorch() -> Finding:
    name = _("PyTorch extension")
    if pytorchExtensionInstalled():
        return Finding(name, OK, _("installed"))
    torch = next(need for need in REQUIRED if need.name == "torch")
    if torch.installed or not installsHere():
        return Finding(name, OK, _("not installed, and not needed now"))
    return Finding(
        name,
        PROBLEM,
        _("not installed; it brings PyTorch, which computes the networks"),
        _("Install it and restart Slicer; without internet use a folder of wheels."),
        Action(_("Install extension"), EXTENSION, "PyTorch"),
    )


def _temporaryFolder() -> Finding:
    name = _("temporary folder")
    remedy = _("Make room, or choose another temporary folder in the application settings.")
    try:
        folder = runFolder()
    except BrainTumorSegError as error:
        return Finding(name, PROBLEM, error.message, error.remedy)
    try:
        (folder / "try ü.txt").write_text("ü", encoding="utf-8")
        return Finding(**vars(disk_finding(name, folder.parent, remedy)))
    except OSError as error:
        message = _("{folder} cannot be written to: {error}").format(folder=folder, error=error)
        return Finding(name, PROBLEM, message, remedy)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def perform(action: Action) -> str | None:
    """Do what a button promises.

    Returns:
        A sentence for the person, or None where what happened shows itself.

    Raises:
        BrainTumorSegError: when it does not work out.
    """
    if action.kind == INSTALL:
        install(extras=(action.payload,) if action.payload else ())
        return _("Everything is installed.")
    if action.kind == EXTENSION:
        if installPytorchExtension():
            return _("Restart Slicer to load the extension.")
        return _("It was not installed. Install “{name}” in the Extensions Manager.").format(
            name=action.payload
        )
    if action.kind == OPEN:
        _open(action.payload)
        return None
    if action.kind == COPY:
        import qt

        qt.QApplication.clipboard().setText(action.payload)
        return _("Copied.")
    raise ValueError(f"unknown kind of action: {action.kind}")


def _open(target: str) -> None:
    import slicer

    if "://" in target:
        import qt

        qt.QDesktopServices.openUrl(qt.QUrl(target))
    else:
        slicer.util.selectModule(target)
