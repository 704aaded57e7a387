"""Brain Tumor Segmentation: the 3D Slicer module.

Thin on purpose: `BrainTumorSegLib.slicer_app` works for the logic, its `panel` behaves for the
widget, and a child process computes. Nothing but what Slicer ships is needed
to load this file.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from BrainTumorSegLib.core.progress import ProgressEvent
    from BrainTumorSegLib.slicer_app.panel.panel import Panel
    from BrainTumorSegLib.slicer_app.run.result import RunResult
    from BrainTumorSegLib.slicer_app.run.segmentation_run import SegmentationRun


def findLibrary() -> None:
    """In a source checkout the library lies beside this folder, where Python does not look."""
    if importlib.util.find_spec("BrainTumorSegLib") is None:
        sys.path.append(str(Path(__file__).resolve().parents[1]))


findLibrary()

# Both need nothing but Python, so that the module loads before anything is installed.
from BrainTumorSegLib.core import options  # noqa: E402
from BrainTumorSegLib.core.sequences import Sequence  # noqa: E402
from BrainTumorSegLib.slicer_app.host.translation import loadTranslations  # noqa: E402


class BrainTumorSeg(ScriptedLoadableModule):
    """What the application knows about the module."""

    HOMEPAGE = "https://github.com/BrainTumorSeg/SlicerBrainTumorSeg"

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        # Before the first text: what was said once is not translated later.
        loadTranslations()
        parent.title = _("Brain Tumor Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["The BrainTumorSeg contributors"]
        parent.helpText = _(
            "Finds edema, non-enhancing tumour, enhancing tumour and necrosis on T1, "
            "contrast-enhanced T1 and T2-FLAIR scans of one patient, measures them, and lets two "
            "readers correct and approve the result. {link}"
            "<p><b>Research software, not a medical device.</b> Do not use it for diagnosis, "
            "treatment planning or any other decision about a patient.</p>"
        ).format(link=f'<a href="{self.HOMEPAGE}">{_("Documentation and tutorial")}</a>.')
        parent.acknowledgementText = _(
            "The method follows <i>{title}</i> by {authors}. Please cite it, and the data behind "
            "the model you use, which its model card names. The networks of this module were not "
            "trained on that data set, which is not public."
        ).format(
            title="The Siberian Multimodal Brain Tumor Image Segmentation dataset",
            authors="Golushko, Amelin, Tuchinov, Amelina, Tolstokulakov, Pavlovskiy and Groza",
        )
        slicer.app.connect("startupCompleted()", self.onStartupCompleted)

    def onStartupCompleted(self) -> None:
        """Make the sample data and our terminology known; other modules are loaded now."""
        from BrainTumorSegLib.slicer_app.sample_data import registerSampleData
        from BrainTumorSegLib.slicer_app.scene.provenance import watchDeletions
        from BrainTumorSegLib.slicer_app.scene.segments import registerTerminology

        registerSampleData(self.resourcePath("Icons"))
        registerTerminology()
        watchDeletions(slicer.mrmlScene)


class Choice:
    """What is common to the panel's choices; their values are the words of the command line."""

    def label(self) -> str:
        """What the panel shows for it."""
        from BrainTumorSegLib.slicer_app.panel.wording import choiceTitle

        return choiceTitle(self)


def choices(name: str, *members: Enum, **more: str) -> type[Enum]:
    """A parameter's type; saved scenes hold the names of its members, the first is the default."""
    words = {**more, **{member.name: member.value for member in members}}
    return Enum(name, words, type=Choice, module=__name__)


ReferenceScan = choices("ReferenceScan", Sequence.T1CE, Sequence.T1, Sequence.FLAIR)
# Automatic means BRAINSFit here.
Registration = choices("Registration", *(m for m in options.Registration if m != "auto"))
Views = choices("Views", *options.Tta, ADVISED="")
Brain = choices("Brain", *options.Brain)
Shading = choices("Shading", *options.BiasField)


@parameterNodeWrapper
class BrainTumorSegParameterNode:
    """The choices in the panel; saved with the scene.

    Attributes:
        t1, t1ce, flair: the scans.
        reference: on whose grid the result lies.
        registration, pack, members, views, device, brain, shading, minLesion, keepIslands: see
            `BrainTumorSegLib.core.options.Options`; an empty pack is the default one, 0 members
            are all.
        outputSegmentation: where the result goes; None for a new segmentation.
        disagreementVolume, registeredCopies, show3D: what else is made.
        result: the segmentation that the panel shows.
    """

    t1: vtkMRMLScalarVolumeNode
    t1ce: vtkMRMLScalarVolumeNode
    flair: vtkMRMLScalarVolumeNode
    reference: ReferenceScan
    registration: Registration
    pack: str
    members: Annotated[int, WithinRange(0, 99)]
    views: Views
    device: str = "auto"
    brain: Brain
    shading: Shading
    minLesion: Annotated[float, WithinRange(0, 10000)] = options.MIN_LESION_MM3
    keepIslands: bool
    outputSegmentation: vtkMRMLSegmentationNode
    disagreementVolume: bool
    registeredCopies: bool
    show3D: bool
    result: vtkMRMLSegmentationNode


class BrainTumorSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel; what its parts do stands in `BrainTumorSegLib.slicer_app.panel`."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: BrainTumorSegLogic | None = None
        self.panel: Panel | None = None
        self._parameterNode: BrainTumorSegParameterNode | None = None
        self._guiTag: int | None = None

    def setup(self) -> None:
        """Build the panel; called once, when it is first opened."""
        from BrainTumorSegLib.slicer_app.panel.panel import Panel

        super().setup()
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/BrainTumorSeg.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = BrainTumorSegLogic()
        self.panel = Panel(self.ui)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneReplaced)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneReplaced)
        self.addObserver(scene, scene.NodeAboutToBeRemovedEvent, self.onNodeAboutToBeRemoved)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """The application ends, or the module is loaded anew."""
        # Widgets may be gone already: connections to them end by themselves.
        self.removeObservers()
        self._parameterNode = self._guiTag = None
        if self.panel is not None:
            self.panel.close()

    def enter(self) -> None:
        """The panel is shown."""
        self.initializeParameterNode()
        if self.panel is not None:
            self.panel.enter()

    def exit(self) -> None:
        """Another module is shown; a run goes on, and its end is still noticed."""
        self._disconnectGui()
        if self.panel is not None:
            self.panel.exit()

    def onReload(self) -> None:
        """Load the library anew as well; for developers."""
        if self.panel is not None:
            self.panel.close()
        for name in [n for n in sys.modules if n.partition(".")[0] == "BrainTumorSegLib"]:
            del sys.modules[name]
        super().onReload()

    def onSceneStartClose(self, caller: Any, event: str) -> None:
        """The parameter node is about to be reset; a run may no longer write to the scene."""
        self.setParameterNode(None)
        self.panel.sceneCloses()

    def onSceneReplaced(self, caller: Any, event: str) -> None:
        """Emptied, or loaded: then the nodes follow after the parameters that refer to them."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller: Any, event: str, node: Any) -> None:
        """Heard before the selectors hear it, which would choose another node in its place."""
        if not caller.IsClosing():
            self.panel.removalOf(node)

    def initializeParameterNode(self) -> None:
        """Make sure that there is a parameter node and that the panel shows it."""
        if self.logic is not None:
            self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, parameterNode: BrainTumorSegParameterNode | None) -> None:
        """Show a parameter node and react to its changes; None to show none."""
        self._disconnectGui()
        self._parameterNode = parameterNode
        if parameterNode is None or self.panel is None:
            return
        self._guiTag = parameterNode.connectGui(self.ui)
        self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterChanged)
        self.panel.setParameters(parameterNode)

    def _disconnectGui(self) -> None:
        if self._parameterNode is not None and self._guiTag is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self.removeObserver(
                self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParameterChanged
            )
        self._guiTag = None

    def onParameterChanged(self, caller: Any, event: str) -> None:
        """Something was chosen, here or by a script."""
        self.panel.state.changed()


class BrainTumorSegLogic(ScriptedLoadableModuleLogic):
    """Segmenting without the panel, from the console or a script.

    See `BrainTumorSegLib.slicer_app.api.runSettings` for all that can be chosen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.run: SegmentationRun | None = None

    def getParameterNode(self) -> BrainTumorSegParameterNode:
        """The panel's choices in the present scene."""
        return BrainTumorSegParameterNode(super().getParameterNode())

    def segment(
        self,
        *scans: Any,
        onProgress: Callable[[ProgressEvent], None] | None = None,
        **choices: Any,
    ) -> RunResult:
        """Segment and wait for the result; windows stay alive meanwhile.

        Args:
            scans: T1, T1CE, FLAIR and the segmentation to replace: nodes, their ids or names; also
                by name (``t1``, ``t1ce``, ``flair``, ``outputSegmentation``).
            onProgress: called with every step of the progress.
            choices: see `BrainTumorSegLib.slicer_app.api.runSettings`.

        Raises:
            BrainTumorSegError: with the remedy; the scene is as it was before.
        """
        from BrainTumorSegLib.slicer_app import api

        return api.segment(api.runSettings(*scans, **choices), onProgress)

    def start(
        self,
        *scans: Any,
        onProgress: Callable[[ProgressEvent], None] | None = None,
        onFinished: Callable[[SegmentationRun], None] | None = None,
        **choices: Any,
    ) -> SegmentationRun:
        """Start as `segment` does, but return at once; ``onFinished`` is called at the end.

        Raises:
            BrainTumorSegError: when it cannot start; nothing was changed.
        """
        from BrainTumorSegLib.slicer_app import api

        self.run = api.start(api.runSettings(*scans, **choices), onProgress, onFinished)
        return self.run

    def cancel(self) -> None:
        """Stop what `start` has started last; the scene stays as it is."""
        if self.run is not None:
            self.run.cancel()


class BrainTumorSegTest(ScriptedLoadableModuleTest):
    """Tests in the application, with and without a main window.

    The demonstration case is generated; where Slicer's own Python has no packages yet,
    ``BRAINTUMORSEG_PYTHON`` names one that has.
    """

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self, **_options: Any) -> None:
        """Run every test."""
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            self.delayDisplay(name.replace("_", " "))
            getattr(self, name)()
        self.setUp()

    def test_the_logic_gives_the_labels_of_the_command_line(self) -> None:  # noqa: D102
        from BrainTumorSegLib.slicer_app.self_test import QUICK, differingVoxels, loadScans

        scans, events = loadScans(), []
        result = BrainTumorSegLogic().segment(**scans, **QUICK, onProgress=events.append)
        self.assertEqual(differingVoxels(result.segmentationNode, scans["t1ce"]), 0)
        self.assertGreater(result.volumes["WT"], 1.0)
        self.assertGreater(len({event.stage for event in events}), 4)

    def test_a_cancelled_run_leaves_the_scene_as_it_was(self) -> None:  # noqa: D102
        from BrainTumorSegLib.slicer_app.self_test import sceneState, waitFor

        logic, before = self.startedRun()
        logic.cancel()
        self.assertTrue(waitFor(lambda: logic.run.state == "cancelled", 2.0), logic.run.state)
        self.assertEqual(sceneState(), before)

    def test_a_killed_worker_is_an_error_and_leaves_the_scene_as_it_was(self) -> None:  # noqa: D102
        from BrainTumorSegLib.slicer_app.self_test import killWorker, sceneState, waitFor

        logic, before = self.startedRun()
        killWorker(logic.run)
        self.assertTrue(waitFor(lambda: logic.run.state == "failed", 10), logic.run.state)
        self.assertTrue(logic.run.error.remedy)
        self.assertEqual(sceneState(), before)

    def startedRun(self) -> tuple[BrainTumorSegLogic, Any]:
        """A logic whose run has reported progress, and the scene as it was before."""
        from BrainTumorSegLib.slicer_app.self_test import QUICK, loadScans, sceneState, waitFor

        logic, scans, events = BrainTumorSegLogic(), loadScans(), []
        before = sceneState()
        logic.start(**scans, **QUICK, onProgress=events.append)
        self.assertTrue(waitFor(lambda: events, 120))
        return logic, before

    def test_a_scan_given_twice_is_refused_before_anything_is_computed(self) -> None:  # noqa: D102
        from BrainTumorSegLib.core.errors import InputError
        from BrainTumorSegLib.slicer_app.self_test import loadScans, sceneState

        scans = loadScans()
        before = sceneState()
        with self.assertRaises(InputError):
            BrainTumorSegLogic().segment(t1=scans["t1ce"], t1ce=scans["t1ce"])
        self.assertEqual(sceneState(), before)

    def test_the_scans_are_guessed_with_a_reason(self) -> None:  # noqa: D102
        from BrainTumorSegLib.slicer_app.guess.scans import guessScans
        from BrainTumorSegLib.slicer_app.self_test import loadScans

        scans, guess = loadScans(), guessScans()
        self.assertEqual({s.value: node for s, node in guess.chosen.items()}, scans)
        self.assertTrue(all(guess.reasons.values()))

    def test_every_button_of_the_panel_works_once(self) -> None:  # noqa: D102
        from BrainTumorSegLib.slicer_app.self_test_panel import pressPanel

        widget = slicer.modules.braintumorseg.widgetRepresentation().self()
        widget.enter()
        pressPanel(self, widget)

    def test_every_button_of_result_and_review_does_what_it_says(self) -> None:  # noqa: D102
        from BrainTumorSegLib.slicer_app.self_test import (
            QUICK,
            checkAlignment,
            checkLooking,
            checkTwoReaders,
            loadScans,
        )

        result = BrainTumorSegLogic().segment(**loadScans(), **QUICK)
        widget = slicer.modules.braintumorseg.widgetRepresentation().self()
        widget.enter()
        widget.panel.parameters.result = result.segmentationNode
        checkLooking(self, widget)
        checkAlignment(self, widget)
        checkTwoReaders(self, widget)
