"""Asking the program that started us to run BRAINSFit: questions, answers and silences."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import CHECKOUT, case_of, fake_brainsfit, landmark_error, phantom, rigid

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import Cancelled, InputError, RegistrationError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.registration import align, brainsfit, brainsfit_client
from BrainTumorSegLib.preprocessing.registration.brainsfit_client import BrainsfitClient
from BrainTumorSegLib.preprocessing.registration.rigid import matrix_and_offset

TRUTH = rigid((1, 2, 3), 14.0, (9.0, -12.0, 8.0))
SLICER = "BRAINSFit in 3D Slicer 5.12.0"


@pytest.fixture(scope="module")
def heads() -> tuple[sitk.Image, sitk.Image]:
    """A phantom T1CE, and its FLAIR displaced by `TRUTH` though the headers agree."""
    return phantom(Sequence.T1CE), phantom(Sequence.FLAIR, moved_by=TRUTH)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporaries go: a folder with spaces and letters beyond ASCII in its name."""
    folder = tmp_path / "Störung im Kopf 脳"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Parent:
    """The other side: reads our lines from a pipe and answers requests through another.

    ``serve`` gets each request and returns the bytes to answer, or None to say nothing.
    """

    def __init__(self, serve: Callable[[dict], bytes | None]) -> None:
        self.lines: list[dict] = []
        answers_in, self.answers = os.pipe()
        questions, ours = os.pipe()
        self._ours = os.fdopen(ours, "w", encoding="utf-8")
        self._questions = os.fdopen(questions, encoding="utf-8")
        self._descriptor = answers_in
        self.client = BrainsfitClient(answers_in, self._ours)
        self._serve = serve
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        for line in self._questions:
            self.lines.append(json.loads(line))
            answer = self._serve(self.lines[-1]) if self.lines[-1]["kind"] == "request" else None
            if answer is not None:
                os.write(self.answers, answer)

    @property
    def requests(self) -> list[dict]:
        return [line for line in self.lines if line["kind"] == "request"]

    @property
    def withdrawn(self) -> list[int]:
        return [line["id"] for line in self.lines if line["kind"] == "withdrawal"]

    def hang_up(self) -> None:
        if self.answers >= 0:
            os.close(self.answers)
            self.answers = -1

    def close(self) -> None:
        self.hang_up()
        self._ours.close()
        self._thread.join(10)
        self._questions.close()
        os.close(self._descriptor)
        assert not self._thread.is_alive()


@pytest.fixture
def parent():
    parents: list[Parent] = []

    def make(serve: Callable[[dict], bytes | None]) -> Parent:
        parents.append(Parent(serve))
        return parents[-1]

    yield make
    for one in parents:
        one.close()


def said(request: dict, **answer) -> bytes:
    return json.dumps({"id": request["id"], **answer}).encode() + b"\n"


def as_slicer_writes(transform: sitk.Transform) -> sitk.AffineTransform:
    """Slicer stores every linear transform as an affine one without a centre."""
    matrix, offset = matrix_and_offset(transform)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix.ravel().tolist())
    affine.SetTranslation(offset.tolist())
    return affine


def answer_well(request: dict) -> bytes:
    sitk.WriteTransform(as_slicer_writes(TRUTH), request["transform"])
    return said(request, ok=True, program=SLICER)


# --- questions and good answers -----------------------------------------------------------------


def test_a_good_answer_is_accepted_and_its_program_recorded(heads, parent, temporary):
    other = parent(answer_well)
    fixed, moving = heads
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=other.client)
    (record,) = found.records
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 0.01
    assert (record["engine"], record["chosen"]) == ("brainsfit", "headers")
    assert (record["executable"], record["run_by"]) == (None, SLICER)
    assert record["score"] > record["score_before"]
    assert list(temporary.iterdir()) == []
    schema = json.loads(resource_path("Schemas", "report.schema.json").read_text(encoding="utf-8"))
    entry = {"$defs": schema["$defs"], **schema["properties"]["registration"]["items"]}
    jsonschema.validate(json.loads(json.dumps(record)), entry)


def test_the_question_names_whole_files_and_brainsfits_own_parameters(heads, parent):
    seen = {}

    def look(request: dict) -> bytes:
        for role, image in zip(("fixed", "moving"), heads, strict=True):
            path = Path(request[role])
            assert path.is_absolute()
            seen[role] = sitk.Hash(sitk.ReadImage(path)) == sitk.Hash(image)
        seen["transform"] = Path(request["transform"])
        seen["there"] = seen["transform"].exists()
        return answer_well(request)

    other = parent(look)
    align(case_of(*heads), "brainsfit", brainsfit=other.client)
    (request,) = other.requests
    assert seen["fixed"] and seen["moving"] and not seen["there"]
    assert seen["transform"].is_absolute() and seen["transform"].suffix == ".txt"
    assert (request["id"], request["request"], request["volume"]) == (1, "brainsfit", None)
    assert (request["fixed_sequence"], request["moving_sequence"]) == ("t1ce", "flair")
    assert request["initial_transform"] is None and request["time_limit_s"] == 300
    expected = brainsfit.parameters("Off", stripped=False)
    assert request["parameters"] == {
        name: value for name, value in expected.items() if name not in brainsfit.FILES
    }
    assert "samplingPercentage" in request["parameters"]


def test_a_program_that_really_registers_can_be_behind_the_answer(heads, parent, tmp_path):
    program = fake_brainsfit(tmp_path / "Programme für Ärzte")

    def serve(request: dict) -> bytes:
        words = {
            **request["parameters"],
            "fixedVolume": request["fixed"],
            "movingVolume": request["moving"],
            "linearTransform": request["transform"],
        }
        subprocess.run(brainsfit.command_line(program, words), check=True, capture_output=True)
        return said(request, ok=True)

    fixed, moving = heads
    found = align(case_of(fixed, moving), "auto", brainsfit=parent(serve).client)
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 1.0
    assert found.records[0]["engine"] == "brainsfit"
    assert found.records[0]["run_by"] == brainsfit_client.UNNAMED


def test_aligned_scans_raise_no_request(parent):
    other = parent(answer_well)
    scans = phantom(Sequence.T1CE), phantom(Sequence.FLAIR)
    found = align(case_of(*scans), "brainsfit", brainsfit=other.client)
    assert found.records[0]["already_aligned"] and found.records[0]["run_by"] is None
    assert other.lines == []


def test_nobody_is_asked_when_simpleitk_was_chosen(heads, parent):
    other = parent(answer_well)
    found = align(case_of(*heads), "simpleitk", brainsfit=other.client)
    assert found.records[0]["engine"] == "simpleitk" and found.records[0]["run_by"] is None
    assert other.lines == []


# --- bad answers ----------------------------------------------------------------------------------


def no_file(request: dict) -> bytes:
    return said(request, ok=True)


def wrong_way(request: dict) -> bytes:
    sitk.WriteTransform(as_slicer_writes(TRUTH.GetInverse()), request["transform"])
    return said(request, ok=True)


def sheared(request: dict) -> bytes:
    affine = as_slicer_writes(TRUTH)
    affine.SetMatrix((np.array(affine.GetMatrix()) * 1.02).tolist())
    sitk.WriteTransform(affine, request["transform"])
    return said(request, ok=True)


def mirrored(request: dict) -> bytes:
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(np.diag([-1.0, 1.0, 1.0]).ravel().tolist())
    sitk.WriteTransform(affine, request["transform"])
    return said(request, ok=True)


def flat(request: dict) -> bytes:
    sitk.WriteTransform(sitk.Euler2DTransform(), request["transform"])
    return said(request, ok=True)


def not_finite(request: dict) -> bytes:
    text = (
        "#Insight Transform File V1.0\n#Transform 0\nTransform: VersorRigid3DTransform_double_3_3"
    )
    text += "\nParameters: nan nan nan nan nan nan\nFixedParameters: 0 0 0\n"
    Path(request["transform"]).write_text(text, encoding="utf-8")
    return said(request, ok=True)


def gibberish(request: dict) -> bytes:
    Path(request["transform"]).write_text("Parameters: 1 2 3\nno transform\n", encoding="utf-8")
    return said(request, ok=True)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (
            lambda r: said(r, ok=False, message="it crashed", program=SLICER),
            f"{SLICER}, failed: it ",
        ),
        (lambda r: said(r, ok=False), "no reason was given"),
        (lambda r: b"Segmentation fault\n", "cannot be understood: 'Segmentation fault'"),
        (lambda r: b"\xff\xfe\n", "cannot be understood"),
        (lambda r: b"[1, 2]\n", "cannot be understood"),
        (lambda r: b'{"id": 1}\n', "cannot be understood"),
        (lambda r: b'{"id": true, "ok": true}\n', "cannot be understood"),
        (lambda r: b'{"id": "1", "ok": true}\n', "cannot be understood"),
        (lambda r: b'{"id": 1, "ok": "yes"}\n', "cannot be understood"),
        (lambda r: b'{"id": 7, "ok": true}\n', "number 7 instead of 1"),
        (lambda r: b"[" * 100_000 + b"\n", "cannot be understood"),
        (no_file, "wrote no transform.txt"),
        (wrong_way, "stopped half way"),
        (sheared, "not rigid"),
        (mirrored, "not rigid"),
        (flat, "no linear transform in space"),
        (not_finite, "no finite numbers"),
        (gibberish, "cannot be read"),
    ],
)
def test_a_bad_answer_fails_that_start_and_the_next_one_is_tried(
    heads, parent, temporary, first, reason
):
    other = parent(lambda r: first(r) if r["id"] == 1 else answer_well(r))
    fixed, moving = heads
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=other.client)
    (record,) = found.records
    refused, accepted = record["attempts"]
    assert (refused["outcome"], accepted["outcome"]) == ("refused", "accepted")
    assert reason in refused["reason"]
    assert len(refused["reason"]) < 400
    assert record["chosen"] == "geometry" and record["run_by"] == SLICER
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 0.01
    assert list(temporary.iterdir()) == []


def test_a_blank_line_between_answers_is_passed_over(heads, parent):
    other = parent(lambda r: b"\n  \r\n" + answer_well(r))
    found = align(case_of(*heads), "brainsfit", brainsfit=other.client)
    assert found.records[0]["attempts"][0]["outcome"] == "accepted"


def test_when_every_start_fails_auto_goes_on_with_simpleitk_and_says_so(heads, parent):
    other = parent(lambda r: said(r, ok=False, message="not today"))
    progress = Progress()
    found = align(case_of(*heads), "auto", progress, brainsfit=other.client)
    assert found.records[0]["engine"] == "simpleitk" and found.records[0]["run_by"] is None
    assert [r["id"] for r in other.requests] == list(range(1, len(other.requests) + 1))
    assert len(other.requests) >= 3
    assert any("SimpleITK is tried" in warning for warning in progress.warnings)


def test_when_every_start_fails_brainsfit_alone_gives_up_and_tells_why(heads, parent):
    other = parent(lambda r: said(r, ok=False, message="not today"))
    with pytest.raises(RegistrationError, match="not today"):
        align(case_of(*heads), "brainsfit", brainsfit=other.client)


def test_the_last_start_hands_over_a_transform_to_begin_with(heads, parent):
    halfway = rigid((1, 2, 3), 7.0, (4.5, -6.0, 4.0))
    begins = []

    def serve(request: dict) -> bytes:
        if request["initial_transform"] is None:
            sitk.WriteTransform(halfway, request["transform"])
            return said(request, ok=True)
        begins.append(sitk.ReadTransform(request["initial_transform"]))
        assert "initialTransform" not in request["parameters"]
        return answer_well(request)

    fixed, moving = heads
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=parent(serve).client)
    assert found.records[0]["chosen"] == "search" and len(begins) == 1
    assert landmark_error(fixed, found.transforms[Sequence.FLAIR], TRUTH) < 0.01


# --- silence ------------------------------------------------------------------------------------


def test_an_input_that_ends_is_an_error_that_tries_nothing_else(heads, parent, temporary):
    other = parent(lambda r: other.hang_up())
    with pytest.raises(InputError, match="Standard input ended") as caught:
        align(case_of(*heads), "auto", brainsfit=other.client)
    assert "ask" in caught.value.remedy
    assert len(other.requests) == 1
    assert list(temporary.iterdir()) == []


def test_a_last_line_without_its_end_still_counts(heads, parent):
    def serve(request: dict) -> bytes | None:
        os.write(other.answers, answer_well(request).rstrip(b"\n"))
        other.hang_up()
        return None

    other = parent(serve)
    found = align(case_of(*heads), "brainsfit", brainsfit=other.client)
    assert found.records[0]["attempts"][0]["outcome"] == "accepted"


def test_cancelling_while_waiting_is_heard_at_once_and_the_question_withdrawn(
    heads, parent, temporary
):
    token, asked = CancelToken(), threading.Event()

    def serve(_request: dict) -> None:
        asked.set()
        token.cancel()

    other = parent(serve)
    with pytest.raises(Cancelled):
        align(case_of(*heads), "brainsfit", Progress(cancel=token), brainsfit=other.client)
    heard = time.monotonic()
    assert asked.is_set()
    while not other.withdrawn and time.monotonic() - heard < 2:
        time.sleep(0.01)
    assert other.withdrawn == [1]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("noise", [b"\n", b" \r\n", b'{"id": 0, "ok": true}\n', b"x"])
def test_lines_without_end_do_not_hold_the_run(monkeypatch, noise):
    monkeypatch.setattr(brainsfit_client, "GRACE_S", 0.1)
    answers, ours = os.pipe()
    over = threading.Event()

    def chatter() -> None:
        # Ends when the other side has closed its end.
        with contextlib.suppress(OSError):
            while not over.is_set():
                os.write(ours, noise)
                time.sleep(0.001)

    thread = threading.Thread(target=chatter)
    thread.start()
    request = brainsfit_client.BrainsfitRequest(
        *(Path("fixed"), Path("moving"), Sequence.T1CE, Sequence.T1, {}, None, Path("t"), 0.2)
    )
    client = BrainsfitClient(answers, io.StringIO())
    began = time.monotonic()
    try:
        with pytest.raises(RegistrationError, match="no answer about BRAINSFit came within 0 s"):
            client.ask(request)
        assert time.monotonic() - began < 10
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            client.ask(replace(request, time_limit_s=100.0), cancel)
    finally:
        over.set()
        thread.join(10)
        os.close(ours)
        time.sleep(0.1)  # the reader sees the end
        os.close(answers)


def test_an_answer_that_comes_too_late_is_withdrawn_and_passed_over(heads, parent, monkeypatch):
    monkeypatch.setattr(brainsfit_client, "GRACE_S", 0.1)
    late = []

    def serve(request: dict) -> bytes | None:
        if request["id"] == 1:
            late.append(said(request, ok=True, program="the late one"))
            return None
        return late.pop() + answer_well(request)

    other = parent(serve)
    fixed, moving = heads
    chosen = brainsfit.parameters("Off", stripped=False)
    began = time.monotonic()
    with pytest.raises(RegistrationError, match="no answer about BRAINSFit came within 0 s"):
        brainsfit.register(other.client, fixed, moving, chosen, time_limit_s=0.2)
    assert time.monotonic() - began < 10
    found = brainsfit.register(other.client, fixed, moving, chosen)
    assert landmark_error(fixed, found, TRUTH) < 0.01
    assert other.client.run_by == SLICER
    assert other.withdrawn == [1]


def test_nothing_is_read_before_the_question_or_beyond_the_answer(heads, parent):
    other = parent(lambda r: answer_well(r) + b"for somebody else\n")
    threads = threading.active_count()
    align(case_of(*heads), "brainsfit", brainsfit=other.client)
    assert os.read(other._descriptor, 100) == b"for somebody else\n"
    assert threading.active_count() == threads


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("scans")
    arguments = []
    for sequence in Sequence:
        moved = None if sequence is Sequence.T1CE else TRUTH
        path = folder / f"{sequence.value}.nrrd"
        sitk.WriteImage(phantom(sequence, moved_by=moved), path)
        arguments += [f"--{sequence.value}", str(path)]
    return arguments


def start(scans: list[str], tmp_path: Path, **pipes) -> subprocess.Popen:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ("segment", *scans, "-o", tmp_path / "a.nrrd", "--brainsfit", "ask")
    return subprocess.Popen(
        [sys.executable, "-m", "BrainTumorSegLib", *map(str, words), "--progress", "json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)},
        **pipes,
    )


def until_asked(process: subprocess.Popen) -> dict:
    for text in process.stdout:
        line = json.loads(text)
        if line["kind"] == "request":
            return line
    raise AssertionError(process.stderr.read())


def assert_nothing_left(tmp_path: Path) -> None:
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".nrrd"] == []
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for child processes")
def test_terminating_a_child_that_waits_ends_it_at_once_and_cleanly(scans, tmp_path):
    process = start(scans, tmp_path)
    request = until_asked(process)
    assert Path(request["fixed"]).is_file() and request["moving_sequence"] == "t1"
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["kind"] for line in lines] == ["withdrawal", "error"]
    assert process.returncode == lines[-1]["exit_code"] == 143
    assert_nothing_left(tmp_path)


def test_a_child_whose_parent_has_gone_ends_with_an_error(scans, tmp_path):
    process = start(scans, tmp_path)
    until_asked(process)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    assert process.returncode == json.loads(out.splitlines()[-1])["exit_code"] == 3
    assert b"Standard input ended" in err and b"Traceback" not in err
    assert_nothing_left(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_a_child_whose_parent_has_died_with_all_its_pipes_ends_too(scans, tmp_path):
    process = start(scans, tmp_path)
    until_asked(process)
    for stream in (process.stdout, process.stderr, process.stdin):
        stream.close()
    process.wait(timeout=20)
    assert process.returncode != 0
    assert_nothing_left(tmp_path)


def test_the_child_goes_on_with_the_next_start_after_a_failure(scans, tmp_path):
    process = start(scans, tmp_path)
    for number in (1, 2):
        request = until_asked(process)
        assert request["id"] == number
        process.stdin.write(said(request, ok=False, message="no"))
        process.stdin.flush()
    assert request["parameters"]["initializeTransformMode"] == "useGeometryAlign"
    process.kill()
    process.communicate()


@pytest.mark.parametrize("kind", ["bar", "none"])
@pytest.mark.parametrize("command", ["segment", "demo"])
def test_asking_needs_somebody_who_reads_the_request(tmp_path, capsys, command, kind):
    words = [command, "-o", str(tmp_path / "a.nrrd"), "--brainsfit", "ask", "--progress", kind]
    assert cli.main(words) == 3
    assert "--progress json" in capsys.readouterr().err
    assert list(tmp_path.glob("a*")) == []
