"""BRAINSFit: its parameters, finding it, and noticing each way in which it fails."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from registration_scans import CHECKOUT, case_of, fake_brainsfit, landmark_error, phantom, rigid

from BrainTumorSegLib.core.errors import Cancelled, DependencyError, RegistrationError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.registration import align, brainsfit, discovery
from BrainTumorSegLib.preprocessing.registration.discovery import Executable, find_brainsfit
from BrainTumorSegLib.preprocessing.registration.starts import STARTS

TRUTH = rigid((1, 2, 3), 14.0, (9.0, -12.0, 8.0))


@pytest.fixture(scope="module")
def heads() -> tuple[sitk.Image, sitk.Image]:
    """A phantom T1CE, and its FLAIR displaced by `TRUTH` though the headers agree."""
    return phantom(Sequence.T1CE), phantom(Sequence.FLAIR, moved_by=TRUTH)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporaries go: a folder with spaces and letters beyond ASCII in its name."""
    folder = tmp_path / "Störung im Kopf 脳"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def fake(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch):
    """Call with a mode to get the stand-in's path; it knows the right answer."""
    truth = tmp_path / "truth.txt"
    sitk.WriteTransform(TRUTH, truth)
    monkeypatch.setenv("BRAINSFIT_FAKE_TRUTH", str(truth))
    monkeypatch.setenv("BRAINSFIT_FAKE_LOG", str(tmp_path / "calls.jsonl"))

    def with_mode(mode: str) -> Path:
        monkeypatch.setenv("BRAINSFIT_FAKE_MODE", mode)
        return fake_brainsfit(tmp_path / "Programme für Ärzte")

    return with_mode


def calls(tmp_path: Path) -> list[dict]:
    lines = (tmp_path / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


# --- the command line ---------------------------------------------------------------------


def nipype_brainsfit():
    os.environ["NIPYPE_NO_ET"] = "1"  # it would ask the network for its version
    pytest.importorskip("nipype", reason="nipype holds the specification of BRAINSFit")
    from nipype.interfaces.semtools import BRAINSFit

    return BRAINSFit()


@pytest.mark.parametrize("stripped", [True, False])
@pytest.mark.parametrize("mode", [*STARTS.values(), "initial"])
def test_the_command_line_is_the_one_nipype_builds_from_the_specification(
    tmp_path, monkeypatch, mode, stripped
):
    tool = nipype_brainsfit()
    monkeypatch.chdir(tmp_path)
    for name in (brainsfit.FIXED, brainsfit.MOVING, brainsfit.INITIAL):
        (tmp_path / name).touch()
    chosen = brainsfit.parameters("Off" if mode == "initial" else mode, stripped, mode == "initial")
    for name, value in chosen.items():
        listed = name in ("numberOfIterations", "minimumStepLength")
        # Unknown names, wrong types and words outside an enumeration raise here.
        setattr(tool.inputs, name, [value] if listed else value)

    def pairs(words: list[str]) -> set[tuple[str, str]]:
        found = []
        for word in words:
            if word.startswith("--"):
                found.append([word, ""])
            else:
                found[-1][1] = Path(word).name if "." in word and "/" in word else word
        return {(flag, _number(value)) for flag, value in found}

    ours = brainsfit.command_line(Path("BRAINSFit"), chosen)
    theirs = tool.cmdline.split()
    assert pairs(ours[1:]) == pairs(theirs[1:])


def _number(text: str) -> str:
    try:
        return f"{float(text):.6f}"
    except ValueError:
        return text


def test_the_stand_in_knows_exactly_the_parameters_of_the_specification():
    path = CHECKOUT / "Testing" / "Fakes" / "BRAINSFit.py"
    spec = importlib.util.spec_from_file_location("fake", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    known = {*module.STRINGS, *module.INTEGERS, *module.REALS, *module.SWITCHES, *module.WORDS}
    traits = nipype_brainsfit().inputs.traits()
    specified = {n for n, t in traits.items() if t.argstr and n != "args"}
    assert known == specified
    switches = {n for n in specified if "%" not in traits[n].argstr}
    assert set(module.SWITCHES) == switches
    enumerated = {n: t for n, t in traits.items() if hasattr(t.trait_type, "values")}
    for name, words in module.WORDS.items():
        assert set(words) == set(enumerated[name].trait_type.values)


@pytest.mark.parametrize(
    "spoil",
    [
        ["--useRigid", "True"],
        ["--histogramMatch", "False"],
        ["--costMetric", "NMI"],
        ["--numberOfIterationz", "5"],
        ["--bsplineTransform", "second.txt"],
        ["--useRigid"],
        ["--numberOfThreads", "many"],
    ],
)
def test_the_stand_in_refuses_what_the_real_program_refuses(heads, fake, spoil):
    program = Executable(fake("good"), "given")
    chosen = brainsfit.parameters("Off", stripped=False)
    words = brainsfit.command_line(program.path, chosen) + spoil
    code, _ = brainsfit._run(program, words, Path(tempfile.gettempdir()), None, 60)
    assert code == 1


def test_histograms_are_never_matched_and_masks_only_computed_on_whole_heads():
    whole, brain = brainsfit.parameters("Off", False), brainsfit.parameters("Off", True)
    assert whole["histogramMatch"] is False
    assert "--histogramMatch" not in brainsfit.command_line(Path("b"), whole)
    assert whole["maskProcessingMode"] == "ROIAUTO" and whole["ROIAutoDilateSize"] == 3.0
    assert brain["maskProcessingMode"] == "NOMASK" and "ROIAutoDilateSize" not in brain


# --- success and each kind of failure -------------------------------------------------------


def test_a_good_result_is_accepted_from_the_first_start(heads, fake, tmp_path, temporary):
    fixed, moving = heads
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=fake("good"))
    record = found.records[0]
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 0.01
    assert record["engine"] == "brainsfit" and record["chosen"] == "headers"
    assert record["executable"].endswith("BRAINSFit")
    assert [a["outcome"] for a in record["attempts"]] == ["accepted"]
    assert record["score"] > record["score_before"]
    assert len(calls(tmp_path)) == 1
    assert list(temporary.iterdir()) == []


def test_the_program_registers_without_being_told_the_answer(heads, fake, monkeypatch):
    program = fake("good")
    monkeypatch.delenv("BRAINSFIT_FAKE_TRUTH")
    fixed, moving = heads
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=program)
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 1.0


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("halfway", "stopped half way"),
        ("nothing", "exited with code 0 but wrote no"),
        ("no-volume", "wrote no registered.nrrd"),
        ("exit1", "failed with exit code 1"),
        ("crash", "signal 6"),
        ("nan", "no finite numbers"),
        ("nan-volume", "output volume is not finite"),
        ("garbage", "no finite numbers"),
        ("wrong-grid", "not on the grid"),
        ("wrong-way", "stopped half way"),
        ("mismatch", "does not match its transform"),
        ("affine", "cannot be read"),
        ("far", "not plausible"),
    ],
)
def test_a_failed_start_is_noticed_and_the_next_one_tried(
    heads, fake, tmp_path, temporary, mode, reason
):
    fixed, moving = heads
    program = fake(f"Off={mode},useGeometryAlign=good")
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=program)
    record = found.records[0]
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 0.01
    first, second = record["attempts"]
    assert (first["outcome"], second["outcome"]) == ("refused", "accepted")
    assert reason in first["reason"]
    assert record["chosen"] == "geometry"
    json.dumps(record, allow_nan=False)
    assert list(temporary.iterdir()) == []


def test_when_all_starts_stop_half_way_the_best_place_seen_becomes_a_start(heads, fake, tmp_path):
    fixed, moving = heads
    program = fake("else=halfway,initialTransform=good")
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=program)
    record = found.records[0]
    assert [a["start"] for a in record["attempts"]] == [*STARTS, "search"]
    assert record["chosen"] == "search"
    last = calls(tmp_path)[-1]["arguments"]
    assert last[last.index("--initialTransform") + 1] == brainsfit.INITIAL


def test_a_registration_that_always_stops_half_way_is_never_passed_on(heads, fake, temporary):
    fixed, moving = heads
    with pytest.raises(RegistrationError) as caught:
        align(case_of(fixed, moving), "brainsfit", brainsfit=fake("halfway"))
    assert "flair.nii.gz" in caught.value.message
    assert caught.value.message.count("stopped half way") == 4
    assert "--registration none" in caught.value.remedy
    assert list(temporary.iterdir()) == []


def test_auto_lets_simpleitk_take_over_where_brainsfit_fails_and_says_so(heads, fake):
    fixed, moving = heads
    progress = Progress()
    found = align(case_of(fixed, moving), "auto", progress, brainsfit=fake("exit1"))
    record = found.records[0]
    assert record["engine"] == "simpleitk" and record["executable"] is None
    assert [a["engine"] for a in record["attempts"]] == ["brainsfit"] * 4 + ["simpleitk"]
    assert any("SimpleITK is tried" in w for w in progress.warnings)
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 1.0


def test_missing_libraries_are_explained(heads, fake, temporary):
    fixed, moving = heads
    with pytest.raises(DependencyError) as caught:
        align(case_of(fixed, moving), "brainsfit", brainsfit=fake("library"))
    assert "libITKCommon" in caught.value.message
    assert "LD_LIBRARY_PATH" in caught.value.remedy
    progress = Progress()
    found = align(case_of(fixed, moving), "auto", progress, brainsfit=fake("library"))
    assert found.records[0]["engine"] == "simpleitk"
    assert any("does not start" in w for w in progress.warnings)
    assert list(temporary.iterdir()) == []


def test_a_file_that_is_no_program_does_not_start(heads, tmp_path, temporary):
    program = tmp_path / "BRAINSFit"
    program.write_bytes(b"\x7fELF no program at all")
    program.chmod(0o755)
    with pytest.raises(DependencyError, match="does not start"):
        align(case_of(*heads), "brainsfit", brainsfit=program)
    assert list(temporary.iterdir()) == []


def _wait_for(condition, seconds: float = 20.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_cancelling_ends_the_program_and_its_children(
    heads, fake, tmp_path, temporary, monkeypatch
):
    pids = tmp_path / "pids"
    monkeypatch.setenv("BRAINSFIT_FAKE_PID", str(pids))
    program = fake("hang")
    token = CancelToken()

    def cancel_once_it_runs() -> None:
        _wait_for(lambda: pids.is_file() and len(pids.read_text().split()) == 2)
        token.cancel()

    thread = threading.Thread(target=cancel_once_it_runs)
    thread.start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        align(case_of(*heads), "brainsfit", Progress(cancel=token), brainsfit=program)
    thread.join()
    assert time.monotonic() - began < 30
    started = [int(p) for p in pids.read_text().split()]
    assert len(started) == 2
    assert all(_wait_for(lambda pid=pid: _gone(pid)) for pid in started)
    assert list(temporary.iterdir()) == []


def test_a_program_that_never_ends_is_given_up(heads, fake, tmp_path, temporary, monkeypatch):
    pids = tmp_path / "pids"
    monkeypatch.setenv("BRAINSFIT_FAKE_PID", str(pids))
    program = Executable(fake("hang"), "given")
    fixed, moving = heads
    chosen = brainsfit.parameters("Off", False)
    with pytest.raises(RegistrationError, match="did not finish within 3 s"):
        brainsfit.register(program, fixed, moving, chosen, time_limit_s=3)
    assert all(_wait_for(lambda pid=pid: _gone(pid)) for pid in map(int, pids.read_text().split()))
    assert list(temporary.iterdir()) == []


def test_the_inputs_are_not_changed(heads, fake):
    fixed, moving = heads
    before = [sitk.Hash(i) for i in heads]
    align(case_of(fixed, moving), "brainsfit", brainsfit=fake("good"))
    assert [sitk.Hash(i) for i in heads] == before


# --- finding it -----------------------------------------------------------------------------


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Slicer."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.delenv("SLICER_HOME", raising=False)
    monkeypatch.delenv(discovery.VARIABLE, raising=False)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    places = [(home, "[Ss]licer*")]
    monkeypatch.setattr(discovery, "_usual_places", lambda: iter(places))
    return home


def installed(root: Path, version: str) -> Path:
    program = root / "lib" / f"Slicer-{version}" / "cli-modules" / discovery._EXECUTABLE
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    return program


def test_without_slicer_nothing_is_found(nowhere, heads):
    assert find_brainsfit() is None
    with pytest.raises(DependencyError, match="not found"):
        align(case_of(*heads), "brainsfit")


def test_the_newest_installed_slicer_is_taken(nowhere):
    installed(nowhere / "Slicer-5.8.1-linux-amd64", "5.8")
    newest = installed(nowhere / "Slicer-5.12.0-linux-amd64", "5.12")
    found = find_brainsfit()
    assert found is not None and found.path == newest.resolve()


def test_slicer_home_and_slicers_own_python_come_before_installed_ones(nowhere, monkeypatch):
    installed(nowhere / "Slicer-5.12.0", "5.12")
    own = installed(nowhere / "mine" / "Slicer-5.10.0", "5.10")
    monkeypatch.setattr(sys, "executable", str(own.parents[3] / "bin" / "PythonSlicer"))
    found = find_brainsfit()
    assert found is not None and found.path == own.resolve()
    other = installed(nowhere / "other", "5.9")
    monkeypatch.setenv("SLICER_HOME", str(nowhere / "other"))
    found = find_brainsfit()
    assert found is not None and (found.path, found.origin) == (other.resolve(), "SLICER_HOME")


@pytest.mark.skipif(os.name == "nt", reason="PATH looks for .exe there")
def test_the_path_comes_before_slicer_and_what_is_given_before_all(nowhere, tmp_path, monkeypatch):
    installed(nowhere / "Slicer-5.12.0", "5.12")
    on_path, named, given = (tmp_path / n / "BRAINSFit" for n in ("path", "named", "given"))
    for program in (on_path, named, given):
        program.parent.mkdir()
        program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert find_brainsfit() == Executable(on_path.resolve(), "PATH")
    monkeypatch.setenv(discovery.VARIABLE, str(named))
    assert find_brainsfit() == Executable(named.resolve(), discovery.VARIABLE)
    assert find_brainsfit(given) == Executable(given.resolve(), "given")


def test_a_program_that_was_named_but_is_missing_is_never_replaced(nowhere, tmp_path, monkeypatch):
    installed(nowhere / "Slicer-5.12.0", "5.12")
    with pytest.raises(DependencyError, match="does not exist"):
        find_brainsfit(tmp_path / "missing")
    monkeypatch.setenv(discovery.VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(DependencyError, match=discovery.VARIABLE):
        find_brainsfit()


def test_the_version_is_asked_for_to_see_whether_it_starts(fake, tmp_path):
    assert "5.8.0" in brainsfit.version(Executable(fake("good"), "given"))
    broken = tmp_path / "BRAINSFit"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(DependencyError, match="does not start"):
        brainsfit.version(Executable(broken, "given"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the variable is Linux's")
def test_a_slicer_module_gets_slicers_libraries(nowhere, monkeypatch):
    program = installed(nowhere / "Slicer-5.12.0", "5.12")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/already/there")
    folders = discovery.launch_environment(program)["LD_LIBRARY_PATH"].split(os.pathsep)
    assert folders[0] == str(program.parent)
    assert str(program.parent.parent) in folders and folders[-1] == "/already/there"
    alone = nowhere / "BRAINSFit"
    assert discovery.launch_environment(alone)["LD_LIBRARY_PATH"] == "/already/there"


def test_aligned_scans_do_not_start_the_program(fake, tmp_path):
    fixed, moving = phantom(Sequence.T1CE), phantom(Sequence.FLAIR)
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=fake("crash"))
    assert found.records[0]["already_aligned"] and found.records[0]["engine"] == "none"
    assert not (tmp_path / "calls.jsonl").exists()
    assert np.allclose(found.transforms[Sequence.FLAIR].GetParameters(), 0)
