"""BRAINSFit run by Slicer for the worker: exact transforms, an untouched scene, and an end."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from registration_scans import landmark_error, phantom, rigid

pytest.importorskip("slicer", reason="slicer-core has the MRML nodes")

from mrml_brainsfit import offer_brainsfit
from mrml_scene import snapshot

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.registration import brainsfit
from BrainTumorSegLib.slicer_app.host.host import brainsfitAvailable
from BrainTumorSegLib.slicer_app.run import brainsfit as served
from BrainTumorSegLib.slicer_app.run.brainsfit import BrainsfitServer
from BrainTumorSegLib.slicer_app.run.brainsfit_nodes import rigidFromNode

TRUTH = rigid((1, 2, 3), 14.0, (9.0, -12.0, 8.0), center=(12.0, -30.0, 55.0))
POINTS = np.array([[0, 0, 0], [80, -70, 60], [-55, 90, -40.5], [3.25, 1e3, -250]], float)


@pytest.fixture(scope="module")
def heads():
    """A phantom T1CE, and its FLAIR displaced by `TRUTH` though the headers agree."""
    spacing = (5.0, 5.0, 5.0)
    return phantom(Sequence.T1CE, spacing), phantom(Sequence.FLAIR, spacing, moved_by=TRUTH)


@pytest.fixture
def cli(scene, tmp_path, monkeypatch):
    truth = tmp_path / "truth.txt"
    sitk.WriteTransform(TRUTH, truth)
    monkeypatch.setenv("BRAINSFIT_FAKE_TRUTH", str(truth))
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "good")
    with offer_brainsfit(tmp_path / "Slicer für Ärzte") as offered:
        yield offered


@pytest.fixture
def furnished(scene):
    """A user's scene: two scans under a transform, one of them shown and selected."""
    import slicer

    selection = scene.AddNewNodeByClass("vtkMRMLSelectionNode")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "head holder")
    for name in ("T1CE", "FLAIR"):
        volume = slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), np.int16), name=name)
        volume.SetAndObserveTransformNodeID(transform.GetID())
    selection.SetActiveVolumeID(volume.GetID())
    for view in range(3):
        composite = scene.GetNthNodeByClass(view, "vtkMRMLSliceCompositeNode")
        composite.SetBackgroundVolumeID(volume.GetID())
    return scene


@pytest.fixture
def request_of(heads, tmp_path):
    """Call to get a request like the worker's."""
    folder = tmp_path / "Lauf 1 脳"
    folder.mkdir()
    fixed, moving = heads
    sitk.WriteImage(fixed, folder / "fixed.nrrd")
    sitk.WriteImage(moving, folder / "moving.nrrd")

    def make(**changes) -> dict:
        return {
            "kind": "request",
            "id": 7,
            "request": "brainsfit",
            "fixed": str(folder / "fixed.nrrd"),
            "moving": str(folder / "moving.nrrd"),
            "fixed_sequence": "t1ce",
            "moving_sequence": "flair",
            "parameters": brainsfit.parameters("Off", stripped=False),
            "initial_transform": None,
            "transform": str(folder / "result.txt"),
            "volume": None,
        } | changes

    return make


@pytest.fixture
def answers() -> list[dict]:
    return []


@pytest.fixture
def server(answers) -> BrainsfitServer:
    return BrainsfitServer(answers.append)


def serve(server: BrainsfitServer, request: dict, limit: float = 60.0) -> None:
    server.serve(request)
    wait(server, limit)


def wait(server: BrainsfitServer, limit: float = 60.0) -> None:
    end = time.monotonic() + limit
    while server.active:
        assert time.monotonic() < end, "it does not end"
        server.poll()
        time.sleep(0.01)


def until_running(server: BrainsfitServer, cli) -> None:
    end = time.monotonic() + 30
    while not (cli.tasks and cli.tasks[-1].process):
        assert time.monotonic() < end
        server.poll()
        time.sleep(0.005)


def moved(transform: sitk.Transform) -> np.ndarray:
    return np.array([transform.TransformPoint(point) for point in POINTS.tolist()])


# --- what comes back -----------------------------------------------------------------------


def test_the_result_is_the_transform_that_the_program_found(cli, server, answers, request_of):
    request = request_of()
    serve(server, request)
    assert [(a["id"], a["ok"]) for a in answers] == [(7, True)]
    result = sitk.ReadTransform(request["transform"])
    assert result.GetName() == "VersorRigid3DTransform"
    assert np.allclose(moved(result), moved(TRUTH), rtol=0, atol=1e-9)


def test_the_worker_reads_the_result_as_if_it_had_run_the_program(
    cli, server, answers, request_of, heads
):
    folder = Path(request_of()["transform"]).parent
    request = request_of(
        transform=str(folder / brainsfit.TRANSFORM), volume=str(folder / brainsfit.VOLUME)
    )
    serve(server, request)
    # Also holds the volume against the transform: one pointing the wrong way is refused.
    found = brainsfit._read_result(folder, *heads)
    assert landmark_error(heads[0], found, TRUTH) < 1e-6


def test_a_left_handed_reference_keeps_its_grid(cli, server, answers, request_of, heads, tmp_path):
    """Slicer loads such a scan with the order of its slices turned round."""
    fixed, moving = heads
    flipped = sitk.Flip(fixed, [False, False, True], False)
    request = request_of(volume=str(tmp_path / brainsfit.VOLUME))
    request["transform"] = str(tmp_path / brainsfit.TRANSFORM)
    sitk.WriteImage(flipped, request["fixed"])
    assert np.linalg.det(np.reshape(flipped.GetDirection(), (3, 3))) < 0
    serve(server, request)
    assert answers[0]["ok"], answers
    found = brainsfit._read_result(tmp_path, flipped, moving)
    assert landmark_error(fixed, found, TRUTH) < 1e-6


def test_a_known_rotation_and_shift_survive_slicers_own_file_and_back(scene, tmp_path):
    import slicer

    sitk.WriteTransform(TRUTH, tmp_path / "known.txt")
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(tmp_path / "known.txt"))
    assert storage.ReadData(node)
    assert np.allclose(moved(rigidFromNode(node)), moved(TRUTH), rtol=0, atol=1e-9)


def test_a_point_of_the_moving_volume_goes_where_slicer_puts_it(scene, tmp_path):
    """The node moves what is under it the other way round, in patient axes RAS."""
    import slicer
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    slicer.util.updateVTKMatrixFromArray(
        matrix, np.array([[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]], float)
    )
    node.SetMatrixTransformToParent(matrix)
    # RAS (1, 2, 3) of the moving scan lies at (-2+10, 1+20, 3+30) of the fixed one.
    assert np.allclose(rigidFromNode(node).TransformPoint((-8, -21, 33)), (-1, -2, 3))


def test_the_start_reaches_the_program_with_its_centre(cli, server, answers, request_of, tmp_path):
    start = tmp_path / "initial.txt"
    sitk.WriteTransform(TRUTH, start)
    kept = {}

    def keep(task):
        kept["start"] = sitk.ReadTransform(task.files["initialTransform"])

    parameters = brainsfit.parameters("Off", stripped=True, initial_transform=True)
    server.serve(request_of(parameters=parameters, initial_transform=str(start)))
    until_running(server, cli)
    keep(cli.tasks[-1])
    wait(server)
    assert answers[0]["ok"]
    assert np.allclose(moved(kept["start"]), moved(TRUTH), rtol=0, atol=1e-9)
    center = sitk.AffineTransform(kept["start"]).GetCenter()
    assert np.allclose(center, TRUTH.GetCenter(), atol=1e-9)


@pytest.mark.parametrize("mode", ["Off", "useGeometryAlign", "useMomentsAlign"])
@pytest.mark.parametrize("stripped", [True, False])
def test_slicer_builds_the_command_line_that_we_would_build(
    cli, server, answers, request_of, mode, stripped
):
    chosen = brainsfit.parameters(mode, stripped)
    serve(server, request_of(parameters=chosen, volume=str(cli.folder / "registered.nrrd")))
    assert answers[0]["ok"]

    def without_files(words: list[str]) -> list[str]:
        left, rest = [], iter(words[1:])
        for word in rest:
            if word.removeprefix("--") in served.NODE_PARAMETERS:
                next(rest)
            else:
                left.append(word)
        return left

    ours = brainsfit.command_line(cli.program, chosen)
    assert without_files(cli.commands[0]) == without_files(ours)
    named = {word for word in cli.commands[0] if word.removeprefix("--") in served.NODE_PARAMETERS}
    assert named == {f"--{name}" for name in chosen if name in served.NODE_PARAMETERS}


def test_names_are_those_of_the_specification(request_of):
    os.environ["NIPYPE_NO_ET"] = "1"
    pytest.importorskip("nipype", reason="nipype holds the specification of BRAINSFit")
    from nipype.interfaces.semtools import BRAINSFit

    chosen = served.moduleParameters(
        brainsfit.parameters("Off", stripped=False, initial_transform=True),
        dict.fromkeys(served.NODE_PARAMETERS, "vtkMRMLNode1"),
    )
    assert set(served.NODE_PARAMETERS) <= set(chosen)
    assert set(chosen) <= set(BRAINSFit().inputs.traits())


# --- the scene -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["good", "exit1", "crash", "nothing", "far", "affine"])
def test_the_scene_is_the_same_afterwards(
    furnished, cli, server, answers, request_of, monkeypatch, mode, tmp_path
):
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", mode)
    monkeypatch.setattr("tempfile.tempdir", str(cli.folder))
    before = snapshot(furnished)
    serve(server, request_of(volume=str(tmp_path / "volume.nrrd")))
    assert snapshot(furnished) == before
    assert len(answers) == 1
    assert list(cli.folder.glob("*.h5")) == []


def test_the_temporary_nodes_are_hidden_and_never_saved(furnished, cli, server, request_of):
    before = {furnished.GetNthNode(n).GetID() for n in range(furnished.GetNumberOfNodes())}
    hierarchy = snapshot(furnished)["hierarchy"]
    server.serve(request_of())
    server.poll()
    new = [
        node
        for node in map(furnished.GetNthNode, range(furnished.GetNumberOfNodes()))
        if node.GetID() not in before
    ]
    assert len(new) == 4
    assert all(node.GetHideFromEditors() for node in new)
    assert not any(node.GetSaveWithScene() for node in new)
    assert snapshot(furnished)["hierarchy"] == hierarchy
    wait(server)


def test_requests_can_follow_one_another(furnished, cli, server, answers, request_of):
    before = snapshot(furnished)
    for number in (1, 2):
        serve(server, request_of(id=number))
    assert [(a["id"], a["ok"]) for a in answers] == [(1, True), (2, True)]
    assert snapshot(furnished) == before


def test_a_second_request_at_the_same_time_is_a_mistake(cli, server, request_of):
    server.serve(request_of())
    with pytest.raises(RuntimeError, match="one request at a time"):
        server.serve(request_of(id=8))
    server.cancel()
    wait(server)


# --- what goes wrong -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("exit1", "All samples map outside moving image buffer"),
        ("library", "error while loading shared libraries"),
        ("crash", "it printed nothing"),
        ("affine", "more than turn and shift"),
    ],
)
def test_a_failure_is_told_in_the_programs_own_words(
    cli, server, answers, request_of, monkeypatch, mode, said
):
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", mode)
    request = request_of()
    serve(server, request)
    assert answers[0]["ok"] is False
    assert said in answers[0]["message"]
    assert not Path(request["transform"]).exists()


def test_a_program_that_writes_nothing_leaves_the_identity_for_the_worker_to_judge(
    cli, server, answers, request_of, monkeypatch, tmp_path
):
    """Slicer does not tell; with a volume asked for, its absence does."""
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "nothing")
    serve(server, request_of(volume=str(tmp_path / "volume.nrrd")))
    assert answers[0]["ok"] is False
    assert "no registered volume" in answers[0]["message"]


@pytest.mark.parametrize("name", ["fixed", "moving", "initial_transform"])
def test_a_file_that_is_not_there_is_named(
    furnished, cli, server, answers, request_of, tmp_path, name
):
    before = snapshot(furnished)
    server.serve(request_of(**{name: str(tmp_path / "absent.nrrd")}))
    assert not server.active
    assert answers[0]["ok"] is False
    assert "absent.nrrd" in answers[0]["message"]
    assert snapshot(furnished) == before


def test_a_request_that_lacks_something_is_answered(furnished, cli, server, answers, request_of):
    before, request = snapshot(furnished), request_of()
    del request["parameters"]
    server.serve(request)
    assert answers[0]["ok"] is False
    assert snapshot(furnished) == before


def test_without_the_module_the_request_is_refused(scene, server, answers, request_of):
    assert not brainsfitAvailable()
    server.serve(request_of())
    assert (answers[0]["id"], answers[0]["ok"]) == (7, False)
    assert "no BRAINSFit module" in answers[0]["message"]


def test_the_module_is_found_where_it_is(cli):
    assert brainsfitAvailable()


def test_plain_python_has_no_brainsfit_module(monkeypatch):
    import slicer

    monkeypatch.setattr(slicer, "modules", None, raising=False)
    assert not brainsfitAvailable()


def test_a_start_that_computes_for_ever_is_ended(cli, server, answers, request_of, monkeypatch):
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "hang")
    serve(server, request_of(time_limit_s=0.3), limit=10)
    assert answers[0]["ok"] is False
    assert "did not finish within" in answers[0]["message"]
    assert cli.tasks[-1].process.poll() is not None


def test_a_closed_scene_ends_the_request(scene, cli, server, answers, request_of):
    server.serve(request_of())
    scene.Clear(False)
    server.poll()
    assert not server.active
    assert "scene was closed" in answers[0]["message"]


# --- cancelling ----------------------------------------------------------------------------


@pytest.mark.parametrize("polls", [0, 1, 2, 5])
def test_cancelling_ends_the_program_within_two_seconds(
    furnished, cli, server, answers, request_of, monkeypatch, tmp_path, polls
):
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "hang")
    monkeypatch.setenv("BRAINSFIT_FAKE_PID", str(tmp_path / "pids"))
    before = snapshot(furnished)
    server.serve(request_of())
    for _ in range(polls):
        server.poll()
        time.sleep(0.1)
    began = time.monotonic()
    server.cancel()
    assert time.monotonic() - began < 0.1
    wait(server, limit=2)
    assert snapshot(furnished) == before
    assert answers == []
    if (tmp_path / "pids").exists():
        left = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert [pid for pid in left if psutil.pid_exists(pid) and _alive(pid)] == []


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_wish_that_slicer_forgets_is_repeated(cli, server, request_of, monkeypatch):
    """While the inputs are written the node can be cancelled, to no effect."""
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "hang")
    server.serve(request_of())
    task = cli.tasks[-1]
    assert task.stage == task.start
    cli.paused = True
    server.cancel()
    assert task.status == task.node.Cancelling
    cli.paused = False
    task.advance()
    assert task.status == task.node.Running
    wait(server, limit=2)
    assert task.process.poll() is not None


def test_results_that_are_being_loaded_are_not_cancelled(cli, server, answers, request_of):
    server.serve(request_of())
    task = cli.tasks[-1]
    end = time.monotonic() + 30
    while task.status != task.node.Completing:
        assert time.monotonic() < end
        task.advance()
        time.sleep(0.01)
    server.cancel()
    assert task.status != task.node.Cancelling
    wait(server, limit=2)
    assert answers == []


def test_behind_another_module_of_the_user_the_end_is_not_awaited(
    furnished, cli, server, answers, request_of, monkeypatch
):
    monkeypatch.setattr(served, "LEAVE_AFTER_S", 0.2)
    before = snapshot(furnished)
    cli.blocked = True
    server.serve(request_of())
    server.poll()
    server.cancel()
    wait(server, limit=2)
    # The module may be about to read the nodes; they stay until it lets go of them.
    assert len(snapshot(furnished)["nodes"]) > len(before["nodes"])
    cli.blocked = False
    cli.processEvents()
    assert snapshot(furnished) == before
    assert answers == []
    assert cli.commands == []


def test_the_worker_and_the_server_understand_each_other(
    cli, server, answers, request_of, heads, tmp_path
):
    """The whole way: what the worker asks in its child process is answered here."""
    from BrainTumorSegLib.preprocessing.registration.brainsfit_client import (
        BrainsfitClient,
        BrainsfitRequest,
    )

    ours, theirs = os.pipe()
    questions = io.StringIO()
    client = BrainsfitClient(ours, questions)
    given = request_of()
    question = BrainsfitRequest(
        Path(given["fixed"]),
        Path(given["moving"]),
        Sequence.T1CE,
        Sequence.FLAIR,
        {n: v for n, v in given["parameters"].items() if n not in served.NODE_PARAMETERS},
        None,
        tmp_path / "asked.txt",
        60.0,
    )
    worker = threading.Thread(target=client.ask, args=(question,), daemon=True)
    worker.start()
    while not questions.getvalue().endswith("\n"):
        time.sleep(0.01)
    serve(server, json.loads(questions.getvalue()))
    os.write(theirs, json.dumps(answers[0]).encode() + b"\n")
    worker.join(10)
    assert not worker.is_alive()
    assert client.run_by == "3D Slicer (BRAINSFit Unspecified)"
    found = sitk.ReadTransform(tmp_path / "asked.txt")
    assert landmark_error(heads[0], found, TRUTH) < 1e-6
    os.close(ours)
    os.close(theirs)


def test_cancelling_nothing_does_nothing(server):
    server.cancel()
    server.poll()
    assert not server.active


def test_serving_never_blocks(cli, server, answers, request_of, monkeypatch):
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "hang")
    server.serve(request_of())
    taken = []
    for _ in range(40):
        began = time.monotonic()
        server.poll()
        taken.append(time.monotonic() - began)
        time.sleep(0.01)
    assert np.percentile(taken, 95) < 0.2
    server.cancel()
    wait(server, limit=2)


# --- matrices that are none ----------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        np.diag([1.2, 1.2, 1.2, 1.0]),
        np.diag([-1.0, 1.0, 1.0, 1.0]),
        np.diag([np.nan, 1.0, 1.0, 1.0]),
    ],
)
def test_what_is_no_rigid_transform_is_refused(spoil):
    import vtk

    def fill(matrix: vtk.vtkMatrix4x4) -> None:
        for row in range(4):
            for column in range(4):
                matrix.SetElement(row, column, spoil[row, column])

    node = SimpleNamespace(GetMatrixTransformFromParent=fill)
    with pytest.raises(served.RegistrationError):
        rigidFromNode(node)
