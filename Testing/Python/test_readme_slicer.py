"""What the documentation says on 3D Slicer: its code runs, its words are on the buttons."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("slicer", reason="slicer-core has the MRML nodes")
pytest.importorskip("PySide6", reason="PySide6 plays Slicer's widgets")

import SimpleITK as sitk
from documentation import CHECKOUT, DOCS, blocks
from mrml_nodes import add_volume, head
from mrml_run import finish_run
from slicer_fakes import module_in_application

from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.core.requirements import REQUIRED
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd
from BrainTumorSegLib.slicer_app import api
from BrainTumorSegLib.slicer_app.install.dependencies import PROTECTED
from BrainTumorSegLib.slicer_app.run.result import importResult
from BrainTumorSegLib.slicer_app.sample_data import DEMONSTRATION, PUBLIC_CASES
from BrainTumorSegLib.slicer_app.scene.volumes import setVolume

TUTORIAL, PYTHON, OFFLINE = (DOCS / name for name in ("tutorial.md", "python.md", "offline.md"))
UI = CHECKOUT / "BrainTumorSeg" / "Resources" / "UI" / "BrainTumorSeg.ui"


class Run:
    """A run whose worker has finished at once: settings and result are real ones."""

    runs: list[Run]

    def __init__(self, settings: Any, onProgress: Any = None, onFinished: Any = None) -> None:
        self.settings, self._onProgress, self._onFinished = settings, onProgress, onFinished
        self.state, self.result, self.error, self.cancelled = "idle", None, None, False
        self.runs.append(self)

    def start(self) -> None:
        self.state = "running"
        if self._onProgress:
            self._onProgress(ProgressEvent("progress", "networks", 1, 4, "", 0.25, 9.0))

    def poll(self) -> bool:
        if self.state == "running":
            folder = self.folder / str(len(self.runs))
            finish_run(folder, self.settings)
            self.result = importResult(folder, self.settings)
            self.state = "finished"
            if self._onFinished:
                self._onFinished(self)
        return True

    wait = poll

    def cancel(self) -> None:
        self.cancelled, self.state = True, "cancelled"


@pytest.fixture
def console(scene, tmp_path, monkeypatch):
    """A Python console of Slicer in which ``from BrainTumorSeg import ...`` works."""
    # PySide6 reads the source of every module, which this one of torch's cannot bear.
    monkeypatch.delitem(sys.modules, "torch.classes", raising=False)
    monkeypatch.setattr(Run, "runs", [], raising=False)
    monkeypatch.setattr(Run, "folder", tmp_path / "runs", raising=False)
    monkeypatch.setattr(api, "SegmentationRun", Run)
    with module_in_application(monkeypatch):
        yield SimpleNamespace(scene=scene, runs=Run.runs)


def blocks_with(text: str) -> list[str]:
    return [block for block in blocks(PYTHON, "python") if text in block]


def execute(block: str) -> dict[str, Any]:
    variables: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block, str(PYTHON), "exec"), variables)
    return variables


def add_three(scene) -> dict[str, Any]:
    return {
        name: add_volume(scene, name, head(seed=number))
        for number, name in enumerate(("T1", "T1CE", "FLAIR"))
    }


def test_the_console_example_segments(console, capsys):
    scans = add_three(console.scene)
    (block,) = blocks_with("logic.segment(")
    variables = execute(block)
    (run,) = console.runs
    chosen = run.settings
    assert (chosen.t1, chosen.t1ce, chosen.flair) == tuple(scans.values())
    options = chosen.options
    assert (options.tta, options.device, options.registration) == ("tta2", "auto", "brainsfit")
    assert variables["result"] is run.result
    said = capsys.readouterr().out
    assert f"whole tumour {run.result.volumes['WT']:.1f} mL" in said
    assert run.result.segmentationNode.GetName() in said


def test_the_example_that_starts_and_cancels_does_so(console, capsys):
    add_three(console.scene)
    (block,) = blocks_with("logic.cancel()")
    before, after = block.split("# ...")
    variables = execute(before)
    (run,) = console.runs
    assert variables["run"] is run
    assert "networks 25%" in capsys.readouterr().out
    run.poll()
    assert "finished None" in capsys.readouterr().out
    exec("# ..." + after, variables)
    assert run.cancelled


def test_the_script_loads_segments_and_saves(console, tmp_path, monkeypatch):
    import slicer

    folder = tmp_path / "patient-1"
    folder.mkdir()
    for number, name in enumerate(("t1", "t1ce", "flair")):
        image = sitk.GetImageFromArray(head(seed=number))
        sitk.WriteImage(image, folder / f"{name}.nii.gz")
    ended = []

    def load(path: str) -> Any:
        node = console.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", Path(path).name)
        setVolume(node, sitk.ReadImage(path))
        return node

    def save(node: Any, path: str) -> bool:
        storage = node.CreateDefaultStorageNode()
        storage.UnRegister(None)
        storage.SetFileName(path)
        return bool(storage.WriteData(node))

    monkeypatch.setattr(slicer.util, "loadVolume", load)
    monkeypatch.setattr(slicer.util, "saveNode", save)
    monkeypatch.setattr(slicer.util, "exit", lambda: ended.append(True))
    monkeypatch.setattr(sys, "argv", ["segment_case.py", str(folder)])
    (block,) = blocks_with("sys.argv")
    execute(block)
    assert ended == [True]
    labels = sitk.GetArrayFromImage(read_seg_nrrd(folder / "tumour.seg.nrrd"))
    assert set(labels.ravel().tolist()) == {0, 1, 2, 3, 4}
    assert (folder / "volumes.csv").stat().st_size > 0
    assert console.runs[0].settings.name == "patient-1"


def test_every_block_on_slicer_is_run_by_a_test_here():
    assert len(blocks_with("BrainTumorSegLogic")) == 3


# --- the tutorial --------------------------------------------------------------------------


def tutorial() -> str:
    return TUTORIAL.read_text(encoding="utf-8")


def texts_of_the_panel() -> str:
    sources = [UI, *(CHECKOUT / "BrainTumorSegLib" / "slicer_app").rglob("*.py")]
    return " ".join(path.read_text(encoding="utf-8") for path in sources)


@pytest.mark.parametrize(
    "words",
    [
        *("Guess from scene", "Patient", "Reference", "Apply", "Cancel", "Settings", "Views"),
        *("Networks", "Compute on", "Map of disagreement", "Registered copies", "Check alignment"),
        *("Blend", "Registration", "None: the scans are aligned already", "Next doubtful region"),
        *("Edit", "Review", "Record review", "Start second reading", "Save", "Advanced"),
        *("Package folder", "Other Python", "Check my system", "Copy report", "Log", "Model"),
        *("Slicer's PyTorch extension is not loaded", "The graphics card ran out of memory"),
        "Processor (CPU)",
    ],
)
def test_the_tutorial_uses_the_words_of_the_panel(words):
    assert re.sub(r"\s+", " ", tutorial()).count(words)
    assert words in texts_of_the_panel()


def test_the_tutorial_names_the_sample_data():
    assert all(name in tutorial() for name in (DEMONSTRATION, *(c.name for c in PUBLIC_CASES)))


def test_the_offline_command_fetches_what_slicer_does_not_ship():
    text = OFFLINE.read_text(encoding="utf-8")
    (command,) = re.findall(r"pip download --dest wheels (.*)", text)
    needed = {need.name for need in REQUIRED if need.name.lower() not in PROTECTED}
    assert set(command.split()) - {"torch", "torchvision"} == needed


def test_the_tutorial_says_on_its_first_screen_what_the_program_is_not():
    assert any("Not a medical device" in line for line in tutorial().splitlines()[:12])
