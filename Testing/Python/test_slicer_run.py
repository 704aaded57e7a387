"""Runs from volume nodes to a segmentation node: what they make, and how they end."""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_runs import NAMES, add_scans, phantom, quick_settings, stand_in
from mrml_scene import snapshot

from BrainTumorSegLib.core.errors import (
    BrainTumorSegError,
    DependencyError,
    DeviceError,
    InputError,
    PackError,
)
from BrainTumorSegLib.core.option_fields import given_options, options_of
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.run.segmentation_run import RunSettings, SegmentationRun
from BrainTumorSegLib.slicer_app.run.settings import scanFiles, workerArguments
from BrainTumorSegLib.slicer_app.self_test import killWorker

CHECKOUT = Path(__file__).resolve().parents[2]

#: Reports progress for a while, however much it is asked to end.
STUBBORN = """
    import json, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for step in range(1000):
        line = dict(kind="progress", stage="segment", step=step, total=1000, message="",
                    fraction=step / 1000, seconds_left=9.0)
        print(json.dumps(line), flush=True)
        time.sleep(0.05)
"""

#: Hands out what the command line has made of the same scans.
REPLAY = """
    import json, shutil, sys
    for name in ("labels.nrrd", "disagreement.nrrd", "report.json", "report.html"):
        shutil.copy({outputs!r} + "/" + name, name)
    print(json.dumps(dict(kind="progress", stage="done", step=1, total=1, message="",
                          fraction=1.0, seconds_left=0.0)))
    print(json.dumps(dict(kind="result", outputs=[], volumes_ml=dict(), warnings=[])))
"""


@pytest.fixture(scope="module")
def images():
    return phantom()


@pytest.fixture(scope="module")
def command_line(images, tmp_path_factory):
    """What the command line makes of the same scans, from files of its own."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    folder = tmp_path_factory.mktemp("command-line")
    command = [sys.executable, "-m", "BrainTumorSegLib", "segment"]
    for sequence, image in images.items():
        path = folder / f"{sequence.value}.nii.gz"
        sitk.WriteImage(image, str(path))
        command += [f"--{sequence.value}", str(path)]
    command += ["-o", str(folder / "labels.nrrd")]
    command += ["--disagreement", str(folder / "disagreement.nrrd")]
    command += ["--report", str(folder / "report.json"), "--report", str(folder / "report.html")]
    command += ["--members", "1", "--tta", "none", "--device", "cpu"]
    command += ["--registration", "none", "--brain", "stripped"]
    subprocess.run(command, check=True, cwd=CHECKOUT, capture_output=True)
    return folder


@pytest.fixture
def nodes(scene, images):
    return add_scans(images)


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """Where run folders go: with spaces, and letters of several alphabets."""
    folder = tmp_path / "Временная папка für Läufe"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def replay(monkeypatch, tmp_path, command_line):
    stand_in(monkeypatch, tmp_path / "replay.py", REPLAY.format(outputs=str(command_line)))


def poll_until(run, condition, timeout=60.0):
    began = time.monotonic()
    while not condition():
        assert not run.poll(), f"over too early: {run.state}, {run.error}, {run.log}"
        assert time.monotonic() - began < timeout
        time.sleep(0.005)


def end(run, timeout=60.0):
    began = time.monotonic()
    while not run.poll():
        assert time.monotonic() - began < timeout
        time.sleep(0.005)
    return time.monotonic() - began


def labels_of(result, reference):
    from BrainTumorSegLib.slicer_app.scene.segments import labelImage

    return sitk.GetArrayFromImage(labelImage(result.segmentationNode, reference))


# The whole way


def test_a_run_gives_the_labels_of_the_command_line(nodes, temporary, command_line):
    events, finished = [], []
    run = SegmentationRun(quick_settings(nodes), events.append, finished.append)
    run.start()
    assert run.state == "running" and len(list(temporary.iterdir())) == 1
    result = run.wait()
    assert run.state == "finished", "\n".join(run.log)
    assert result is run.result and run.error is None and finished == [run]

    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(command_line / "labels.nrrd")))
    assert len(np.unique(expected)) > 2
    assert np.array_equal(labels_of(result, nodes[Sequence.T1CE]), expected)
    record = json.loads((command_line / "report.json").read_text(encoding="utf-8"))
    assert result.report["volumes_ml"] == record["volumes_ml"]
    assert list(temporary.iterdir()) == []
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == [
        *("export", "", "read", "register", "brain", "prepare", "segment", "restore", "write"),
        *("import", "done"),
    ]
    assert any("“ФЛЭР”" in line for line in run.log)
    assert run.log[-1].startswith("Finished")


def test_scans_under_transforms_come_out_as_if_they_had_none(
    scene, nodes, replay, monkeypatch, tmp_path
):
    """All under one transform: in the reference's own coordinates nothing has moved."""
    import vtk

    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    matrix = vtk.vtkTransform()
    matrix.Translate(30, -4, 7)
    matrix.RotateX(12)
    transform.SetMatrixTransformToParent(matrix.GetMatrix())
    for node in nodes.values():
        node.SetAndObserveTransformNodeID(transform.GetID())
    check = """
        import SimpleITK as sitk, sys
        for name, file in zip(sys.argv, sys.argv[1:]):
            if name in ("--t1", "--t1ce", "--flair"):
                image = sitk.ReadImage(file)
                assert all(abs(a - b) < 1e-5 for a, b in
                           zip(image.GetOrigin(), (-70, -85, -40))), image.GetOrigin()
    """
    script = tmp_path / "replay.py"
    code = script.read_text(encoding="utf-8")
    stand_in(monkeypatch, script, check)
    script.write_text(script.read_text(encoding="utf-8") + code, encoding="utf-8")
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "finished", "\n".join(run.log)
    assert all(n.GetParentTransformNode() is transform for n in nodes.values())
    assert run.result.segmentationNode.GetParentTransformNode() is transform


def test_inputs_are_exported_one_a_poll_so_that_the_application_stays_alive(nodes, replay):
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    folder = run._worker.folder
    counts = []
    while run.phase == "export":
        run.poll()
        counts.append(len(list(folder.glob("*.nrrd"))))
    assert max(np.diff([0, *counts])) == 1 and counts[-1] == 3
    run.wait()


def test_polling_does_not_block_while_the_worker_computes(nodes, monkeypatch, tmp_path):
    code = STUBBORN.replace("signal.SIG_IGN", "signal.SIG_DFL").replace("0.05", "0.005")
    stand_in(monkeypatch, tmp_path / "busy.py", code)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    spans = []
    for _ in range(100):
        began = time.perf_counter()
        run.poll()
        spans.append(time.perf_counter() - began)
        time.sleep(0.005)
    run.cancel()
    end(run)
    assert np.percentile(spans, 95) < 0.05


# Cancelling


def test_a_run_can_be_cancelled_before_anything_was_written(scene, nodes, temporary):
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.cancel()
    assert run.state == "cancelling"
    assert end(run) < 2
    assert run.state == "cancelled" and run.error is None and run.result is None
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


@pytest.mark.parametrize("polls", [1, 2, 3, 4])
def test_a_run_can_be_cancelled_while_scans_are_written(scene, nodes, temporary, polls):
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    for _ in range(polls):
        run.poll()
    run.cancel()
    assert end(run) < 2 and run.state == "cancelled"
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


@pytest.mark.parametrize("stage", ["read", "brain"])
def test_a_real_worker_can_be_cancelled(scene, nodes, temporary, stage):
    before = snapshot(scene)
    stages = []
    run = SegmentationRun(quick_settings(nodes), lambda event: stages.append(event.stage))
    run.start()
    poll_until(run, lambda: stage in stages)
    run.cancel()
    assert end(run) < 2 and run.state == "cancelled"
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_a_worker_that_is_just_starting_can_be_cancelled(scene, nodes, temporary):
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    run.cancel()
    assert end(run) < 2 and run.state == "cancelled"
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_a_worker_that_does_not_want_to_end_is_cancelled_all_the_same(
    scene, nodes, temporary, monkeypatch, tmp_path
):
    stand_in(monkeypatch, tmp_path / "stubborn.py", STUBBORN)
    before = snapshot(scene)
    events = []
    run = SegmentationRun(quick_settings(nodes), events.append)
    run.start()
    poll_until(run, lambda: any(event.step > 3 for event in events))
    assert events[-1].seconds_left == 9.0
    run.cancel()
    assert end(run) < 2 and run.state == "cancelled"
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_a_run_can_be_cancelled_before_the_result_is_loaded(scene, nodes, temporary, replay):
    before = snapshot(scene)
    runs = []

    def stop(event):
        if event.stage == "import":
            runs[0].cancel()

    runs.append(SegmentationRun(quick_settings(nodes), stop))
    runs[0].start()
    assert runs[0].wait() is None
    assert runs[0].state == "cancelled"
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_a_wish_to_cancel_comes_too_late_once_the_result_enters_the_scene(
    nodes, replay, monkeypatch
):
    from BrainTumorSegLib.slicer_app.run import result

    import_result = result.importResult
    run = SegmentationRun(quick_settings(nodes))

    def interrupted(*arguments):
        run.cancel()
        return import_result(*arguments)

    monkeypatch.setattr(result, "importResult", interrupted)
    run.start()
    run.wait()
    assert run.state == "finished", "\n".join(run.log)
    assert run.result.segmentationNode.GetScene() is not None


def test_cancelling_twice_or_after_the_end_changes_nothing(nodes, replay):
    run = SegmentationRun(quick_settings(nodes))
    run.cancel()
    assert run.state == "idle"
    run.start()
    run.wait()
    run.cancel()
    assert run.state == "finished" and run.poll()


# Failing


def test_the_workers_own_explanation_is_passed_on(scene, nodes, temporary):
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes, pack="nonesuch"))
    run.start()
    assert run.wait() is None
    assert run.state == "failed" and isinstance(run.error, PackError)
    assert "nonesuch" in run.error.message and run.error.remedy
    assert run.failure.text == run.error.message and run.failure.title
    assert str(run.error) == run.log[-1]
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_killed_worker_fails_the_run_with_the_last_lines_of_its_log(
    scene, nodes, temporary, monkeypatch, tmp_path
):
    stand_in(
        monkeypatch,
        tmp_path / "killed.py",
        """
        import os, signal, sys
        print("allocating 90 GB", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "failed" and isinstance(run.error, DeviceError)
    assert run.failure.details == "allocating 90 GB" and "allocating 90 GB" in run.log
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_real_worker_that_is_killed_in_the_middle_fails_the_run(scene, nodes, temporary):
    before = snapshot(scene)
    stages = []
    run = SegmentationRun(quick_settings(nodes), lambda event: stages.append(event.stage))
    run.start()
    assert run.processes() == set()
    poll_until(run, lambda: "register" in stages)
    killWorker(run)
    run.wait()
    assert run.processes() == set()
    assert run.state == "failed" and "memory" in run.error.message
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_an_interpreter_that_is_missing_fails_the_run(scene, nodes, temporary, monkeypatch):
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", "/nowhere/python")
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "failed" and isinstance(run.error, DependencyError)
    assert "/nowhere/python" in run.error.message
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


@pytest.mark.parametrize("missing", ["labels.nrrd", "report.json"])
def test_a_result_that_is_not_complete_leaves_nothing_in_the_scene(
    scene, nodes, temporary, monkeypatch, tmp_path, command_line, missing
):
    outputs = tmp_path / "outputs"
    shutil.copytree(command_line, outputs)
    (outputs / missing).write_text("broken", encoding="utf-8")
    stand_in(monkeypatch, tmp_path / "replay.py", REPLAY.format(outputs=str(outputs)))
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "failed" and run.error.message and run.result is None
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_a_worker_that_ends_without_a_result_fails_the_run(nodes, monkeypatch, tmp_path):
    stand_in(monkeypatch, tmp_path / "nothing.py", "print('bye')")
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "failed" and "without a result" in run.error.message


# The scene changes meanwhile


@pytest.mark.parametrize("phase", ["export", "compute"])
@pytest.mark.parametrize("sequence", [Sequence.T1CE, Sequence.FLAIR])
def test_a_removed_volume_ends_the_run_in_words(
    scene, nodes, temporary, monkeypatch, tmp_path, phase, sequence
):
    stand_in(monkeypatch, tmp_path / "stubborn.py", STUBBORN)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == phase)
    scene.RemoveNode(nodes[sequence])
    before = snapshot(scene)
    assert end(run) < 2
    assert run.state == "failed" and isinstance(run.error, InputError)
    assert f"{sequence.name} “{NAMES[sequence]}” was removed" in run.error.message
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_a_removed_output_segmentation_ends_the_run_in_words(scene, nodes, replay):
    output = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    run = SegmentationRun(quick_settings(nodes, outputSegmentation=output))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    scene.RemoveNode(output)
    end(run)
    assert run.state == "failed" and "“mine” was removed" in run.error.message


@pytest.mark.parametrize("phase", ["export", "compute", "import"])
def test_a_closed_scene_ends_the_run_in_words(
    scene, nodes, temporary, monkeypatch, tmp_path, phase, command_line
):
    code = REPLAY.format(outputs=str(command_line)) if phase == "import" else STUBBORN
    stand_in(monkeypatch, tmp_path / "program.py", code)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == phase)
    scene.Clear(False)
    before = snapshot(scene)
    assert end(run) < 2
    assert run.state == "failed" and "scene was closed" in run.error.message
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def assert_told_everywhere(result):
    """Every warning stands in the record, the page and the attributes."""
    told = list(result.warnings)
    node = result.segmentationNode
    assert json.loads(node.GetAttribute("BrainTumorSeg.Warnings")) == told
    assert json.loads(result.reportNode.GetText())["warnings"] == told
    page = html.unescape(result.pageNode.GetText())
    assert told and all(f"<li>{text}</li>" in page for text in told)


def test_a_volume_that_was_changed_meanwhile_is_told_in_the_record(nodes, replay):
    import slicer

    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    slicer.util.arrayFromVolume(nodes[Sequence.FLAIR])[:] *= 2
    slicer.util.arrayFromVolumeModified(nodes[Sequence.FLAIR])
    run.wait()
    assert run.state == "finished", "\n".join(run.log)
    warnings = [w for w in run.result.report["warnings"] if "changed during the run" in w]
    assert len(warnings) == 1 and "ФЛЭР" in warnings[0]
    assert warnings[0] in run.result.warnings
    assert any(warnings[0] in line for line in run.log)
    assert_told_everywhere(run.result)


def test_a_volume_that_was_moved_meanwhile_is_told_in_the_record(scene, nodes, replay):
    import vtk

    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 2.0)
    transform.SetMatrixTransformToParent(matrix)
    nodes[Sequence.T1].SetAndObserveTransformNodeID(transform.GetID())
    run.wait()
    assert run.state == "finished", "\n".join(run.log)
    warnings = [w for w in run.result.report["warnings"] if "moved during the run" in w]
    assert len(warnings) == 1 and NAMES[Sequence.T1] in warnings[0]


def test_volumes_left_alone_bring_no_warning(nodes, replay, command_line):
    nodes[Sequence.T1].SetName("renamed is not changed")
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    nodes[Sequence.T1].SetName("again")
    run.wait()
    record = json.loads((command_line / "report.json").read_text(encoding="utf-8"))
    assert run.result.report["warnings"] == record["warnings"]


# Registration


def test_where_brainsfit_is_missing_simpleitk_is_used_and_that_is_recorded(
    nodes, monkeypatch, tmp_path, command_line
):
    code = """
        import sys
        assert "--registration=simpleitk" in sys.argv, sys.argv
        assert "--brainsfit=ask" not in sys.argv and "--brainsfit" not in sys.argv
    """
    replay = REPLAY.format(outputs=str(command_line))
    stand_in(monkeypatch, tmp_path / "program.py", code + replay.replace("\n    ", "\n        "))
    events = []
    run = SegmentationRun(quick_settings(nodes, registration="brainsfit"), events.append)
    run.start()
    assert [event.kind for event in events] == ["warning"]
    run.wait()
    assert run.state == "finished", "\n".join(run.log)
    warnings = [text for text in run.result.report["warnings"] if "BRAINSFit" in text]
    assert len(warnings) == 1 and "SimpleITK" in warnings[0]
    assert any("BRAINSFit" in line for line in run.log)
    assert_told_everywhere(run.result)


def test_volumes_chosen_for_other_sequences_than_their_names_say_are_told(nodes, replay):
    nodes[Sequence.FLAIR].SetName("AX T1 POST GAD")
    nodes[Sequence.T1CE].SetName("AX FLAIR")
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "finished", "\n".join(run.log)
    told = [text for text in run.result.warnings if " was given as " in text]
    assert [text.partition(", although")[0] for text in told] == [
        "“AX FLAIR” was given as T1CE",
        "“AX T1 POST GAD” was given as FLAIR",
    ]
    assert_told_everywhere(run.result)
    names = scanFiles(quick_settings(nodes))
    assert names[Sequence.FLAIR] == "flair.nrrd" and names[Sequence.T1CE] == "t1ce.nrrd"


@pytest.fixture
def brainsfit(scene, tmp_path):
    from mrml_brainsfit import offer_brainsfit

    with offer_brainsfit(tmp_path / "Slicer") as cli:
        yield cli


@pytest.fixture
def displaced(images, scene, monkeypatch, tmp_path):
    """FLAIR lies 12 mm and 8 degrees off, whatever its header says."""
    pose = sitk.VersorRigid3DTransform()
    pose.SetRotation((0, 0, 1), np.radians(8))
    pose.SetTranslation((10, -6, 4))
    truth = sitk.VersorRigid3DTransform()
    truth.SetMatrix(pose.GetInverse().GetMatrix())
    truth.SetTranslation(pose.GetInverse().GetTranslation())
    sitk.WriteTransform(truth, str(tmp_path / "truth.tfm"))
    monkeypatch.setenv("BRAINSFIT_FAKE_TRUTH", str(tmp_path / "truth.tfm"))
    flair = images[Sequence.FLAIR]
    return add_scans({**images, Sequence.FLAIR: sitk.Resample(flair, flair, pose)})


def test_a_run_with_brainsfit_registers_and_leaves_only_the_result(
    scene, displaced, brainsfit, temporary
):
    before = snapshot(scene)
    run = SegmentationRun(quick_settings(displaced, registration="brainsfit"))
    run.start()
    result = run.wait()
    assert run.state == "finished", "\n".join(run.log)
    assert brainsfit.commands
    records = {r["sequence"]: r for r in result.report["registration"]}
    assert records["flair"]["engine"] == "brainsfit" and records["flair"]["run_by"]
    after = snapshot(scene)
    for node in displaced.values():
        assert after["nodes"][node.GetID()] == before["nodes"][node.GetID()]
    kinds = {node["class"] for node in after["nodes"].values()}
    assert "vtkMRMLCommandLineModuleNode" not in kinds
    assert list(temporary.iterdir()) == []


def test_a_run_can_be_cancelled_while_brainsfit_is_running(
    scene, displaced, brainsfit, temporary, monkeypatch
):
    before = snapshot(scene)
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "hang")
    run = SegmentationRun(quick_settings(displaced, registration="brainsfit"))
    run.start()
    poll_until(run, lambda: brainsfit.commands)
    program = brainsfit.tasks[0].process
    assert run._brainsfit.active and program.poll() is None
    run.cancel()
    assert end(run) < 2 and run.state == "cancelled"
    assert program.poll() is not None
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_an_unknown_registration_is_refused(nodes, temporary):
    with pytest.raises(InputError, match="magic"):
        quick_settings(nodes, registration="magic")


# Starting


def test_settings_that_cannot_work_are_refused_at_once(scene, nodes, temporary):
    before = snapshot(scene)
    for settings in (
        replace(quick_settings(nodes), t1ce=None),
        replace(quick_settings(nodes), t1=nodes[Sequence.T1CE]),
        replace(quick_settings(nodes), flair=None, reference=Sequence.FLAIR),
        RunSettings(),
    ):
        run = SegmentationRun(settings)
        with pytest.raises(InputError):
            run.start()
        assert run.state == "idle"
    assert snapshot(scene) == before and list(temporary.iterdir()) == []


def test_an_empty_scan_fails_the_run_before_the_worker_starts(scene, nodes, temporary):
    import slicer

    slicer.util.arrayFromVolume(nodes[Sequence.FLAIR])[:] = 0
    slicer.util.arrayFromVolumeModified(nodes[Sequence.FLAIR])
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.wait()
    assert run.state == "failed" and isinstance(run.error, InputError)
    assert "ФЛЭР" in run.error.message and list(temporary.iterdir()) == []


def test_a_second_run_is_refused_while_one_goes_on(nodes, temporary, monkeypatch, tmp_path):
    stand_in(monkeypatch, tmp_path / "stubborn.py", STUBBORN)
    first = SegmentationRun(quick_settings(nodes))
    first.start()
    second = SegmentationRun(quick_settings(nodes))
    with pytest.raises(BrainTumorSegError, match="going on"):
        second.start()
    assert second.state == "idle" and len(list(temporary.iterdir())) == 1
    first.cancel()
    end(first)
    second.start()
    second.cancel()
    end(second)
    assert second.state == "cancelled"


def test_a_run_that_was_forgotten_does_not_stand_in_the_way(
    nodes, temporary, monkeypatch, tmp_path
):
    import gc

    stand_in(monkeypatch, tmp_path / "stubborn.py", STUBBORN)
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    poll_until(run, lambda: run.phase == "compute")
    del run
    gc.collect()
    assert list(temporary.iterdir()) == []
    run = SegmentationRun(quick_settings(nodes))
    run.start()
    run.cancel()
    end(run)


def test_callbacks_that_fail_do_not_fail_the_run(nodes, replay, caplog):
    def broken(_):
        raise KeyError("of the caller")

    run = SegmentationRun(quick_settings(nodes), broken, broken)
    run.start()
    run.wait()
    assert run.state == "finished"
    assert "of the caller" in caplog.text


def test_polling_within_a_callback_does_no_harm(nodes, replay):
    runs, depths = [], []

    def again(event):
        depths.append(runs[0].poll())
        assert runs[0].wait() is None or runs[0].over

    runs.append(SegmentationRun(quick_settings(nodes), again))
    runs[0].start()
    runs[0].wait()
    assert runs[0].state == "finished" and not any(depths)


# The worker's command line


def test_the_command_line_says_what_was_chosen(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my pack").mkdir()
    settings = RunSettings(
        **{s.value: n for s, n in nodes.items()},
        reference=Sequence.FLAIR,
        options=Options(
            pack="my pack",
            members=("a", "b"),
            tta="TTA2",
            device="cuda:1",
            brain="hdbet",
            bias_field="n4",
            min_lesion_mm3=12.5,
            keep_distant_components=True,
        ),
        name="--odd name",
    )
    files = scanFiles(settings)
    arguments = workerArguments(settings, files, "brainsfit")
    from BrainTumorSegLib.cli.application import build_parser

    parsed = build_parser().parse_args(arguments)
    assert parsed.t1ce == Path(files[Sequence.T1CE]) and parsed.reference == "flair"
    assert parsed.pack == str(tmp_path / "my pack") and parsed.members == ("a", "b")
    assert (parsed.tta, parsed.device, parsed.brain) == ("tta2", "cuda:1", "hdbet")
    given = given_options(Options, parsed, brainsfit=None)
    assert given == replace(settings.options, registration="brainsfit", pack=parsed.pack)
    assert parsed.name == "--odd name"
    assert parsed.registration == "brainsfit" and str(parsed.brainsfit) == "ask"
    assert str(parsed.output) == "labels.nrrd" and parsed.progress == "json"
    assert all(argument.isascii() for argument in arguments)


def test_what_was_not_chosen_is_left_to_the_library(nodes):
    settings = RunSettings(t1ce=nodes[Sequence.T1CE])
    arguments = workerArguments(settings, scanFiles(settings), "none")
    flags = {flag for option in options_of(Options).values() for flag in option.flags}
    given = {argument.partition("=")[0] for argument in arguments}
    assert given & flags == {"--registration"}
    assert not given & {"--t1", "--flair", "--name"}


def test_a_mask_is_found_from_the_folder_of_the_worker(nodes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mask.nrrd").touch()
    settings = quick_settings(nodes, brain="mask.nrrd")
    arguments = workerArguments(settings, scanFiles(settings), "none")
    assert f"--brain={tmp_path / 'mask.nrrd'}" in arguments


def test_file_names_of_volumes_are_plain_and_differ(scene, images):
    nodes = add_scans(images)
    for node in nodes.values():
        node.SetName('../..\\ a/b:*?"<>| \u202e' + "x" * 300)
    names = scanFiles(RunSettings(**{s.value: n for s, n in nodes.items()})).values()
    assert len(set(names)) == 3
    for name in names:
        assert name.isascii() and len(name) < 80 and Path(name).name == name
        assert not set(name) & set('/\\:*?"<>| ')
