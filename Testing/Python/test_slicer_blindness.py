"""A second reader meets nothing of the first one's work: in the panel, in files, in the scene."""

from __future__ import annotations

import json

import pytest
from mrml_nodes import OBLIQUE, add_volume, head
from mrml_results import add_result, correct, labels_of
from mrml_scene import snapshot
from test_slicer_result import save_and_load

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.slicer_app.export.saving import save
from BrainTumorSegLib.slicer_app.review import second_reading
from BrainTumorSegLib.slicer_app.review.blindness import (
    isBlind,
    isPutAway,
    openReading,
    seenFrom,
    settle,
    showReading,
)
from BrainTumorSegLib.slicer_app.review.readings import reviewedCopy, secondReading
from BrainTumorSegLib.slicer_app.review.reviews import (
    agreementTable,
    betweenReaders,
    readReviews,
    replacedReviews,
    reviewAt,
    reviewRecords,
    withdrawReview,
    writeReview,
)
from BrainTumorSegLib.slicer_app.run.result import importResult

READER, COMMENT = "Dr. Anna Erstleserin", "Oedem rechts frontal uebersehen"

#: What the first reader has said and done, as a second reader must not meet it.
SECRETS = (READER, COMMENT, "corrected", "Dice", '"verdict"')


@pytest.fixture
def made(scene, tmp_path):
    t1 = add_volume(scene, "Kopf T1", head(seed=1), OBLIQUE)
    return add_result(scene, tmp_path / "run", t1=t1)


@pytest.fixture
def first(made):
    """The result, corrected and reviewed by the first reader, who has replaced a review once."""
    result, settings = made
    writeReview(result.segmentationNode, READER, "approved", COMMENT)
    correct(result.segmentationNode, settings.t1ce, Tissue.EDEMA, 3)
    writeReview(result.segmentationNode, READER, "corrected", COMMENT, replace=True)
    return result.segmentationNode


@pytest.fixture
def second(first):
    return second_reading.startSecondReading(first)


def scene_text(scene) -> str:
    """What stands in the scene's file, and the cells of its tables."""
    scene.SetSaveToXMLString(1)
    scene.Commit()
    scene.SetSaveToXMLString(0)
    described = json.dumps(snapshot(scene)["nodes"], default=str, ensure_ascii=False)
    return scene.GetSceneXMLString() + described


# The rule


def test_a_reader_sees_the_other_once_they_have_recorded_their_own(first, second):
    assert (seenFrom(first), seenFrom(second)) == ({1, 2}, {2})
    assert isBlind(first) and isBlind(second)
    writeReview(second, "B", "approved")
    assert (seenFrom(first), seenFrom(second)) == ({1, 2}, {1, 2})
    assert not isBlind(first)


def test_the_rule_holds_for_the_first_reader_too(made):
    node = made[0].segmentationNode
    second = second_reading.startSecondReading(node)
    writeReview(second, "B", "approved", COMMENT)
    assert readReviews(node) == []
    assert [review.reader for review in readReviews(second)] == ["B"]
    assert COMMENT not in json.dumps(reviewRecords(node))


def test_a_single_reading_is_blind_to_nobody(first):
    assert not isBlind(first)
    assert [review.reader for review in readReviews(first)] == [READER]
    assert agreementTable(first) is not None


def test_nothing_of_the_first_review_is_read_from_a_blind_second_reading(first, second):
    assert readReviews(second) == []
    assert replacedReviews(second) == []
    assert betweenReaders(second) is None
    assert reviewRecords(second) == []
    assert len(replacedReviews(first)) == 1


def test_after_the_second_review_both_read_everything(first, second):
    writeReview(second, "B", "approved")
    for node in (first, second):
        assert [review.reader for review in readReviews(node)] == [READER, "B"]
        assert len(replacedReviews(node)) == 1
        assert betweenReaders(node) is not None


def test_withdrawing_the_second_review_makes_it_blind_again(scene, first, second):
    writeReview(second, "B", "approved")
    withdrawReview(second, 2)
    assert readReviews(second) == []
    assert agreementTable(first) is None
    assert isPutAway(first)
    assert READER not in scene_text(scene)


# Saved files


def test_the_saved_files_of_a_blind_second_reading_hold_nothing_of_the_first(
    second, tmp_path, scene
):
    out = tmp_path / "out"
    out.mkdir()
    job = save(second, out, ["json", "html", "seg.nrrd", "nii.gz"])
    job.wait()
    assert job.state == "finished", f"{job.error} {job.logTail}"
    for path in job.written:
        assert READER not in path.name
        content = path.read_bytes()
        for secret in (READER, COMMENT, "Dice"):
            assert secret.encode() not in content, path.name
    record = json.loads(job.targets["json"].read_text(encoding="utf-8"))
    assert "reviews" not in record


def test_after_the_second_review_the_saved_files_hold_both(first, second, tmp_path):
    writeReview(second, "B", "approved")
    out = tmp_path / "out"
    out.mkdir()
    job = save(second, out, ["json", "html"])
    job.wait()
    assert job.state == "finished", f"{job.error} {job.logTail}"
    record = json.loads(job.targets["json"].read_text(encoding="utf-8"))
    assert [review["reader"] for review in record["reviews"]] == [READER, "B"]
    page = job.targets["html"].read_text(encoding="utf-8")
    assert READER in page and COMMENT in page


# The scene


def test_a_scene_handed_to_the_second_reader_shows_nothing_of_the_first(scene, first):
    assert READER in scene_text(scene)
    second_reading.startSecondReading(first)
    text = scene_text(scene)
    assert [secret for secret in SECRETS if secret in text] == []


def test_the_first_readers_segmentation_is_put_away_and_not_shown(first, second):
    assert isPutAway(first)
    assert not first.GetDisplayNode().GetVisibility()
    # Slicer before 5.12 would not save a node that is hidden from editors.
    assert not first.GetHideFromEditors()
    assert not isPutAway(second)
    assert second.GetDisplayNode().GetVisibility()
    assert openReading(first) is second


def test_when_both_have_recorded_all_is_in_the_open(scene, first, second):
    writeReview(second, "B", "approved")
    assert not isPutAway(first) and not isPutAway(second)
    assert openReading(first) is first
    assert READER in scene_text(scene)
    table = agreementTable(first).GetTable()
    titles = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    assert "Dice reader 1 / reader 2" in titles


def test_the_first_reader_can_open_the_own_reading_again(first, second):
    showReading(second, 1)
    assert not isPutAway(first)
    assert first.GetDisplayNode().GetVisibility()
    assert openReading(first) is first
    showReading(first, 2)
    assert isPutAway(first)


def test_what_was_sealed_is_the_same_when_it_is_opened(first):
    before = reviewAt(first, 1)
    second = second_reading.startSecondReading(first)
    assert reviewAt(second, 1) == before
    writeReview(second, "B", "approved")
    assert reviewAt(first, 1) == before
    assert json.loads(first.GetAttribute("BrainTumorSeg.Review.1"))["reader"] == READER


def test_a_blind_scene_stays_blind_when_it_is_saved_and_loaded(scene, made, second, tmp_path):
    import slicer

    second_name = second.GetName()
    mine = labels_of(second, made[1].t1ce)
    save_and_load(scene, tmp_path / "saved", into_used_scene=False)
    folder = tmp_path / "saved"
    text = (folder / "scene.mrml").read_text(encoding="utf-8")
    assert [secret for secret in SECRETS if secret in text] == []
    again = slicer.mrmlScene.GetFirstNodeByName(second_name)
    reference = again.GetNodeReference("BrainTumorSeg.Scan.t1ce")
    assert (labels_of(again, reference) == mine).all()
    assert readReviews(again) == []
    writeReview(again, "B", "approved")
    assert [review.reader for review in readReviews(again)] == [READER, "B"]
    assert reviewedCopy(again, 1) is not None


def test_a_scene_of_before_with_a_review_in_the_open_is_sealed_when_it_is_shown(first, second):
    writeReview(second, "B", "approved")
    open_text = first.GetAttribute("BrainTumorSeg.Review.1")
    withdrawReview(second, 2)
    # As 0.1.0 has left it.
    first.SetAttribute("BrainTumorSeg.Review.1", open_text)
    assert reviewAt(first, 1).reader == READER
    assert readReviews(second) == []
    settle(second)
    assert READER not in first.GetAttribute("BrainTumorSeg.Review.1")
    assert reviewAt(first, 1).reader == READER


def test_a_failed_start_of_the_second_reading_seals_nothing(scene, first, monkeypatch):
    def fail(*_):
        raise RuntimeError("full")

    before = snapshot(scene)
    monkeypatch.setattr(second_reading, "showReading", fail)
    with pytest.raises(RuntimeError, match="full"):
        second_reading.startSecondReading(first)
    assert snapshot(scene) == before


def test_without_the_second_reading_the_first_comes_back(scene, first, second):
    scene.RemoveNode(second)
    assert secondReading(first) is None
    assert openReading(first) is first
    settle(first)
    assert not isPutAway(first)
    assert json.loads(first.GetAttribute("BrainTumorSeg.Review.1"))["reader"] == READER


def test_a_new_run_into_a_reading_that_was_put_away_brings_it_back(made, first, second, tmp_path):
    settings = made[1]
    settings.outputSegmentation = first
    importResult(tmp_path / "run", settings)
    assert not isPutAway(first)
