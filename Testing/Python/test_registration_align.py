"""Bringing the scans of a case into register, engine and all."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import case_of, landmark_error, phantom, rigid

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.errors import Cancelled, RegistrationError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing import registration
from BrainTumorSegLib.preprocessing.registration import align, simpleitk

TRUTH = rigid((1, -2, 1), 12.0, (-11.0, 8.0, 9.0))


@pytest.fixture(scope="module")
def displaced() -> Case:
    return case_of(phantom(Sequence.T1CE), phantom(Sequence.FLAIR, moved_by=TRUTH))


@pytest.fixture(scope="module")
def found(displaced) -> registration.Alignment:
    return align(displaced, "simpleitk", seed=3)


@pytest.fixture(autouse=True)
def no_brainsfit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "find_brainsfit", lambda given=None: None)


def test_every_scan_gets_a_transform_and_every_moving_one_a_record():
    scans = {
        Sequence.T1: Scan(phantom(Sequence.T1, moved_by=TRUTH), "t1.nii"),
        Sequence.T1CE: Scan(phantom(Sequence.T1CE), "t1ce.nii"),
        Sequence.FLAIR: Scan(phantom(Sequence.FLAIR), "flair.nii"),
    }
    progress = Progress()
    progress.stage("registration", total=2)
    found = align(Case("case", scans), "simpleitk", progress)
    assert set(found.transforms) == set(Sequence)
    assert np.allclose(found.transforms[Sequence.T1CE].GetParameters(), 0)
    assert [r["sequence"] for r in found.records] == ["t1", "flair"]
    first, second = found.records
    assert (first["engine"], first["already_aligned"]) == ("simpleitk", False)
    assert (second["engine"], second["already_aligned"]) == ("none", True)
    assert progress.fraction == 1
    reference = scans[Sequence.T1CE].image
    assert landmark_error(reference, found.transforms[Sequence.T1], TRUTH) < 1.0


def test_any_scan_can_be_the_reference(displaced):
    case = Case("case", displaced.scans, Sequence.FLAIR)
    found = align(case, "simpleitk")
    flair = displaced.scans[Sequence.FLAIR].image
    assert landmark_error(flair, found.transforms[Sequence.T1CE], TRUTH.GetInverse()) < 1.0


def test_the_record_is_plain_json_and_tells_each_attempt(found):
    record = json.loads(json.dumps(found.records[0], allow_nan=False))
    attempt = record["attempts"][0]
    assert record["chosen"] == attempt["start"] == "headers"
    assert attempt["score_after"] > attempt["score_before"] == record["score_before"]
    assert attempt["rotation_deg"] == pytest.approx(12.0, abs=1.0)
    assert attempt["seconds"] >= 0 and attempt["parameters"]["levels"]
    matrix = np.array(record["matrix"])
    point = np.array([10.0, -20.0, 30.0])
    moved = found.transforms[Sequence.FLAIR].TransformPoint(point.tolist())
    assert (matrix @ [*point, 1.0])[:3] == pytest.approx(moved)


def test_the_transform_is_what_resampling_takes(displaced, found):
    reference = displaced.reference_scan.image
    moving = displaced.scans[Sequence.FLAIR].image
    aligned = sitk.Resample(moving, reference, found.transforms[Sequence.FLAIR], sitk.sitkLinear)
    wanted = sitk.GetArrayFromImage(phantom(Sequence.FLAIR)).ravel()
    got, before = (sitk.GetArrayFromImage(i).ravel() for i in (aligned, moving))
    assert np.corrcoef(got, wanted)[0, 1] > 0.97
    assert np.corrcoef(before, wanted)[0, 1] < 0.9


def test_the_same_seed_gives_the_same_transform_however_many_threads(displaced, found):
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    try:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads + 3)
        again = align(displaced, "simpleitk", seed=3)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    first, second = (f.transforms[Sequence.FLAIR].GetParameters() for f in (found, again))
    assert first == second


def test_without_brainsfit_auto_uses_simpleitk_and_says_so_once(displaced):
    progress = Progress()
    assert align(displaced, "auto", progress).records[0]["engine"] == "simpleitk"
    assert [w for w in progress.warnings if "BRAINSFit was not found" in w] == progress.warnings
    assert len(progress.warnings) == 1


def test_none_trusts_the_headers_but_says_when_the_images_contradict_them(displaced):
    progress = Progress()
    found = align(displaced, "none", progress)
    assert np.allclose(found.transforms[Sequence.FLAIR].GetParameters(), 0)
    record = found.records[0]
    assert record["engine"] == "none" and record["already_aligned"] is False
    assert record["attempts"] == []
    assert any("flair.nii.gz" in w and "out of register" in w for w in progress.warnings)


def test_none_proceeds_where_no_head_is_found(displaced):
    speck = np.zeros((40, 40, 40), np.float32)
    speck[20, 20, 20] = 1
    image = sitk.GetImageFromArray(speck)
    image.SetSpacing((4.0, 4.0, 4.0))
    case = case_of(displaced.reference_scan.image, image)
    record = align(case, "none").records[0]
    assert record["score"] is None and "No head" in record["note"]
    with pytest.raises(RegistrationError, match=r"flair\.nii\.gz"):
        align(case, "simpleitk")


def test_a_result_that_stops_half_way_is_never_passed_on(displaced, monkeypatch):
    half = sitk.VersorRigid3DTransform(TRUTH)
    half.SetParameters([0.5 * p for p in TRUTH.GetParameters()])
    monkeypatch.setattr(simpleitk, "register", lambda *_: half)
    with pytest.raises(RegistrationError) as caught:
        align(displaced, "simpleitk")
    assert "flair.nii.gz" in caught.value.message and "half way" in caught.value.message
    assert "--registration none" in caught.value.remedy


def test_a_start_that_fails_is_followed_by_another(displaced, monkeypatch):
    real, seen = simpleitk.register, []

    def fails_at_first(*arguments):
        seen.append(arguments)
        if len(seen) == 1:
            raise RegistrationError("SimpleITK gave up: no overlap")
        return real(*arguments)

    monkeypatch.setattr(simpleitk, "register", fails_at_first)
    found = align(displaced, "simpleitk")
    attempts = found.records[0]["attempts"]
    assert [a["outcome"] for a in attempts] == ["refused", "accepted"]
    assert attempts[0]["reason"] == "SimpleITK gave up: no overlap"
    reference = displaced.reference_scan.image
    assert landmark_error(reference, found.transforms[Sequence.FLAIR], TRUTH) < 1.0


def test_a_nearly_aligned_scan_is_left_as_it_is_when_no_start_does_better(monkeypatch):
    def gives_up(*_):
        raise RegistrationError("SimpleITK gave up")

    monkeypatch.setattr(simpleitk, "register", gives_up)
    slices = (1.0, 1.0, 5.5)
    nudged = rigid((0, 0, 1), 0.0, (0.0, 1.6, 0.0))
    case = case_of(phantom(Sequence.T1CE, slices), phantom(Sequence.T1, slices, nudged))
    progress = Progress()
    found = align(case, "simpleitk", progress)
    record = found.records[0]
    assert record["chosen"] == "as is" and record["already_aligned"] is False
    assert all(a["outcome"] == "refused" for a in record["attempts"])
    assert np.allclose(found.transforms[Sequence.FLAIR].GetParameters(), 0)
    assert any("left as it is" in w for w in progress.warnings)


def test_a_scan_of_something_else_never_passes_in_silence():
    middle, spacing = [66.0, 78.0, 66.0], [3.0] * 3
    blob = sitk.GaussianSource(
        sitk.sitkFloat32, [44, 52, 44], [27.0] * 3, middle, 255.0, [0.0] * 3, spacing
    )
    noise = sitk.AdditiveGaussianNoise(blob, 60.0, 0.0, 1)
    noise.SetOrigin([-m for m in middle])
    progress = Progress()
    try:
        align(case_of(phantom(Sequence.T1CE), noise), "simpleitk", progress)
    except RegistrationError as error:
        assert "same patient" in error.remedy
    else:
        assert any("agree poorly" in w for w in progress.warnings)


def test_cancelling_stops_simpleitk_between_iterations(displaced):
    token = CancelToken()
    threading.Timer(0.8, token.cancel).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        for _ in range(200):
            align(displaced, "simpleitk", Progress(cancel=token))
    assert time.monotonic() - began < 20


def test_cancelling_during_the_optimisation_is_heard(displaced, monkeypatch):
    token = CancelToken()
    from BrainTumorSegLib.preprocessing.registration.head import find_head
    from BrainTumorSegLib.preprocessing.registration.starts import start_transform

    fixed, moving = (find_head(s.image, s.source) for s in displaced.scans.values())
    sampled = simpleitk._sampled

    def cancel_then_sample(*arguments):
        token.cancel()
        return sampled(*arguments)

    monkeypatch.setattr(simpleitk, "_sampled", cancel_then_sample)
    with pytest.raises(Cancelled):
        simpleitk.register(fixed, moving, start_transform("headers", fixed, moving), token)


def test_an_unknown_engine_is_a_mistake_of_the_caller(displaced):
    with pytest.raises(ValueError, match="unknown registration engine"):
        align(displaced, "elastix")
