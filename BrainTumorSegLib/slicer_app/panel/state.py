"""What the sections of the panel share, and how they learn that it changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import BrainTumorSegError

from ..host.models import PackChoice, chosenPack, packChoices
from ..review.blindness import openReading, settle
from ..run.result import RunResult, findResult
from ..scene.scene import referencesOf

if TYPE_CHECKING:
    from ..run.many_cases import CohortJob
    from ..run.opening import OpenedCase
    from ..run.segmentation_run import SegmentationRun

#: Milliseconds in which several changes count as one.
SOON_MS = 100


class PanelState:
    """The one thing that a section knows beside its own widgets.

    Attributes:
        ui: the widgets by name, as `slicer.util.childWidgetVariables` gives them.
        parameters: the wrapped parameter node; None while there is no scene to work on.
        run: the latest run; None before the first.
        many: the latest look at many cases, or their run; None before the first.
        opened: the case of those that is in the scene.
        packs, packProblem: the models that there are, or why they cannot be listed.
        devices: graphics cards that a check of the system has found: name and title.
        shown: whether the panel is the one that is shown; else it is brought up to date later.
    """

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self.parameters: Any = None
        self.run: SegmentationRun | None = None
        self.many: CohortJob | None = None
        self.opened: OpenedCase | None = None
        self.packs: tuple[PackChoice, ...] = ()
        self.packProblem = ""
        self.devices: list[tuple[str, str]] = []
        self.shown = True
        self._observers: list[Callable[[], None]] = []
        self._result: RunResult | None = None
        self._updating = self._pending = False
        self._watched: Any = None
        self._watchTag = 0
        self.readPacks()

    def observe(self, update: Callable[[], None]) -> None:
        """Have a section called whenever something changed; in the order of these calls."""
        self._observers.append(update)

    def changed(self) -> None:
        """Bring every section up to date."""
        import slicer

        # A section may correct a parameter, which reports a change again. Nodes of a scene that
        # is being loaded are still empty; this is called again afterwards.
        if self._updating or slicer.mrmlScene.IsImporting():
            return
        if self.parameters is None:
            self._watch()
            return
        self._updating = True
        try:
            self._openReading()
            for update in self._observers:
                update()
        finally:
            self._updating = False
        self._watch()

    def _watch(self) -> None:
        """Hear of every edit of the chosen segmentation, undone ones too, while it is shown."""
        node = self.segmentation if self.shown else None
        content = node.GetSegmentation() if node is not None else None
        if content is self._watched:
            return
        if self._watched is not None:
            self._watched.RemoveObserver(self._watchTag)
        self._watched = content
        if content is not None:
            self._watchTag = content.AddObserver("AnyEvent", self._onEdit)

    def _onEdit(self, _caller: Any, _event: str) -> None:
        self.changedSoon()

    def changedSoon(self) -> None:
        """Bring every section up to date once what happens now is over; once for many calls."""
        import qt

        if not self._pending:
            self._pending = True
            qt.QTimer.singleShot(SOON_MS, self._settle)

    def _settle(self) -> None:
        self._pending = False
        if self.shown:
            self.changed()

    def show(self, shown: bool) -> None:
        """The panel is shown, or another module is, or it ends."""
        self.shown = shown
        if shown:
            self.changed()
        else:
            self._watch()

    def removalOf(self, node: Any) -> None:
        """Take a node that is about to be removed out of every choice.

        A selector whose node is gone chooses the next one by itself, unless it is empty by then.
        """
        parameters = self.parameters.parameterNode if self.parameters is not None else None
        if parameters is None or node is parameters:
            return
        for role, ids in referencesOf(parameters).items():
            if node.GetID() in ids:
                parameters.SetNodeReferenceID(role, None)
        # What refers to it, half of it is still there now.
        self.changedSoon()

    def _openReading(self) -> None:
        """Instead of a reading that is put away, show the one that is open."""
        node = self.segmentation
        if node is not None:
            settle(node)
            if openReading(node) is not node:
                self.parameters.result = openReading(node)

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.run is not None and self.run.state in ("running", "cancelling")

    @property
    def manyBusy(self) -> bool:
        """Whether many cases are looked for or segmented."""
        return self.many is not None and self.many.state in ("running", "cancelling")

    @property
    def formats(self) -> list[str]:
        """The chosen formats of files by their endings, see `saving.FORMATS`."""
        ui = self.ui
        checks = {
            "seg.nrrd": ui.segNrrdCheck,
            "nii.gz": ui.niftiCheck,
            "html": ui.htmlCheck,
            "json": ui.jsonCheck,
            "dcm": ui.dicomCheck,
            "sr.dcm": ui.dicomReportCheck,
        }
        chosen = [name for name, check in checks.items() if check.checked]
        # The report refers to the segmentation.
        return chosen if "dcm" in chosen else [name for name in chosen if name != "sr.dcm"]

    @property
    def segmentation(self) -> Any:
        """The chosen segmentation; None when there is none."""
        node = self.parameters.result if self.parameters is not None else None
        return node if node is not None and node.GetScene() is not None else None

    @property
    def result(self) -> RunResult | None:
        """The chosen segmentation with all that belongs to it; None when no run has made it.

        It is the same object until another is chosen or `forgetResult` is called.
        """
        node = self.segmentation
        if node is None:
            return None
        if self._result is None or self._result.segmentationNode is not node:
            self._result = findResult(node)
        return self._result

    def forgetResult(self) -> None:
        """Look everything up again: the result was made anew."""
        self._result = None

    @property
    def pack(self) -> PackChoice | None:
        """The chosen model; None when there is none."""
        return chosenPack(self.packs, self.parameters.pack)

    def readPacks(self) -> None:
        """Look which models there are; one may have been imported meanwhile."""
        try:
            self.packs, self.packProblem = packChoices(), ""
        except BrainTumorSegError as error:
            self.packs, self.packProblem = (), str(error)

    @property
    def python(self) -> str:
        """The other Python that was named, or an empty text."""
        return self.ui.pythonEdit.currentPath.strip()
