"""Two readers review a result: what is kept, what is refused, what survives."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pytest
from mrml_nodes import add_transform, affine, put_under, rotation
from mrml_results import add_result, correct, labels_of
from mrml_scene import snapshot
from test_slicer_result import save_and_load

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.slicer_app.review.blindness import showReading
from BrainTumorSegLib.slicer_app.review.readings import (
    firstReading,
    positionOf,
    reviewedCopy,
    secondReading,
)
from BrainTumorSegLib.slicer_app.review.reviews import (
    agreementTable,
    betweenReaders,
    isCurrent,
    readReviews,
    replacedReviews,
    reviewAt,
    reviewRecords,
    suggestVerdict,
    withdrawReview,
    writeReview,
)
from BrainTumorSegLib.slicer_app.review.second_reading import startSecondReading
from BrainTumorSegLib.slicer_app.run.result import findResult, importResult

COMMENT = (
    'Ödem rechts frontal übersehen — «см. FLAIR», 5 % <größer>; a=b:c & "d"\n' + 40 * "länger "
)


@pytest.fixture
def result(scene, tmp_path):
    made, _ = add_result(scene, tmp_path / "run")
    return made


@pytest.fixture
def reference(result):
    return result.segmentationNode.GetNodeReference("BrainTumorSeg.Scan.t1ce")


def visible(node) -> bool:
    return bool(node.GetDisplayNode().GetVisibility())


# One reader


def test_a_review_is_kept_with_name_date_verdict_and_comment(result):
    node = result.segmentationNode
    before = datetime.now().astimezone().replace(microsecond=0)
    written = writeReview(node, "  Dr.  Йванова ", "approved", COMMENT)
    (review,) = readReviews(node)
    assert review == written
    assert (review.position, review.reader, review.verdict) == (1, "Dr. Йванова", "approved")
    assert review.comment == COMMENT.strip()
    date = datetime.fromisoformat(review.date)
    assert date.tzinfo is not None
    assert date >= before


def test_an_approved_result_agrees_with_the_automatic_one(result):
    review = writeReview(result.segmentationNode, "A", "approved")
    assert review.agreement.changedMl == 0
    assert set(review.agreement.dice.values()) == {1.0}
    assert set(review.agreement.volumeChangePercent.values()) == {0.0}


def test_a_corrected_result_has_dice_and_change_of_volume(result, reference):
    node = result.segmentationNode
    added = correct(node, reference, Tissue.EDEMA, 3)
    agreement = writeReview(node, "A", "corrected").agreement
    edema, before = agreement.secondMl["edema"], agreement.firstMl["edema"]
    assert agreement.volumeChangeMl["edema"] == pytest.approx(added)
    assert agreement.volumeChangePercent["edema"] == pytest.approx(100 * added / before)
    assert agreement.dice["edema"] == pytest.approx(2 * before / (before + edema))
    assert agreement.dice["ET"] == 1.0
    assert agreement.changedMl == pytest.approx(added)


def test_approving_what_was_changed_is_refused(result, reference):
    node = result.segmentationNode
    correct(node, reference)
    assert suggestVerdict(node) == "corrected"
    with pytest.raises(InputError, match=r"differs from the automatic result.*“corrected”"):
        writeReview(node, "A", "approved")
    assert readReviews(node) == []


def test_correcting_nothing_is_refused(result):
    assert suggestVerdict(result.segmentationNode) == "approved"
    with pytest.raises(InputError, match=r"Nothing in .* was corrected.*“approved”"):
        writeReview(result.segmentationNode, "A", "corrected")


@pytest.mark.parametrize("name", ["", "  ", "\n"])
def test_a_review_needs_a_name(result, name):
    with pytest.raises(InputError, match="name is missing"):
        writeReview(result.segmentationNode, name, "approved")


def test_an_unknown_verdict_is_refused(result):
    with pytest.raises(InputError, match=r"'fine' is no verdict.*approved, corrected, rejected"):
        writeReview(result.segmentationNode, "A", "fine")


def test_a_rejected_result_keeps_no_labels_and_no_scores(result, reference):
    node = result.segmentationNode
    correct(node, reference)
    review = writeReview(node, "A", "rejected", "Motion")
    assert review.agreement is None
    assert reviewedCopy(node, 1) is None
    assert agreementTable(node) is None


def test_the_approved_labels_are_kept_hidden_and_do_not_change_any_more(scene, result, reference):
    node = result.segmentationNode
    correct(node, reference)
    writeReview(node, "A", "corrected")
    copy = reviewedCopy(node, 1)
    assert copy.GetHideFromEditors()
    assert not copy.GetSelectable()
    assert not visible(copy)
    kept = labels_of(copy, reference)
    assert np.array_equal(kept, labels_of(node, reference))
    assert isCurrent(node, 1)
    correct(node, reference, Tissue.ENHANCING, 2)
    assert not isCurrent(node, 1)
    assert np.array_equal(labels_of(copy, reference), kept)


def test_a_second_review_by_the_same_position_needs_confirmation(scene, result, reference):
    node = result.segmentationNode
    writeReview(node, "A", "approved", "fine")
    correct(node, reference)
    before = snapshot(scene)
    with pytest.raises(InputError, match="A has reviewed this already"):
        writeReview(node, "A", "corrected")
    assert snapshot(scene) == before
    copy = reviewedCopy(node, 1)
    writeReview(node, "A", "corrected", replace=True)
    assert reviewedCopy(node, 1) is copy
    assert np.array_equal(labels_of(copy, reference), labels_of(node, reference))
    (old,) = replacedReviews(node)
    assert (old["verdict"], old["comment"], old["how"]) == ("approved", "fine", "replaced")


def test_a_replaced_review_that_rejects_drops_the_copy(scene, result):
    node = result.segmentationNode
    writeReview(node, "A", "approved")
    copy, table = reviewedCopy(node, 1), agreementTable(node)
    writeReview(node, "A", "rejected", replace=True)
    assert copy.GetScene() is None
    assert table.GetScene() is None


def test_withdrawing_leaves_nothing_but_the_history(scene, result):
    node = result.segmentationNode
    before = snapshot(scene)
    writeReview(node, "A", "approved")
    assert withdrawReview(node, 1).reader == "A"
    assert readReviews(node) == []
    after = snapshot(scene)
    (entry,) = json.loads(
        after["nodes"][node.GetID()]["attributes"].pop("BrainTumorSeg.Review.History")
    )
    assert entry["how"] == "withdrawn"
    assert after["order"] == before["order"]
    for state in (before, after):
        state["nodes"][node.GetID()].pop("scene file")
    assert after["nodes"][node.GetID()] == before["nodes"][node.GetID()]
    with pytest.raises(InputError, match="has not reviewed"):
        withdrawReview(node, 1)


def test_a_failure_half_way_leaves_the_scene_as_it_was(scene, result, monkeypatch):
    import BrainTumorSegLib.slicer_app.review.reviews as records

    def fail(*_):
        raise RuntimeError("no table")

    before = snapshot(scene)
    monkeypatch.setattr(records, "fillAgreementTable", fail)
    with pytest.raises(RuntimeError, match="no table"):
        writeReview(result.segmentationNode, "A", "approved")
    assert snapshot(scene) == before


def test_without_the_automatic_copy_a_review_is_still_possible(scene, result):
    scene.RemoveNode(result.automaticNode)
    review = writeReview(result.segmentationNode, "A", "approved")
    assert review.agreement is None
    assert reviewedCopy(result.segmentationNode, 1) is not None


def test_without_the_scan_a_review_is_still_possible(scene, result, reference):
    scene.RemoveNode(reference)
    assert writeReview(result.segmentationNode, "A", "approved").agreement.changedMl == 0


# Two readers


def test_the_second_reading_starts_from_the_automatic_result(scene, result, reference):
    node = result.segmentationNode
    correct(node, reference)
    writeReview(node, "A", "corrected")
    second = startSecondReading(node)
    assert np.array_equal(labels_of(second, reference), labels_of(result.automaticNode, reference))
    assert visible(second)
    assert not visible(node)
    assert not second.GetHideFromEditors()
    assert (positionOf(node), positionOf(second)) == (1, 2)
    assert firstReading(second) is node
    assert secondReading(node) is second


def test_the_second_reading_may_start_from_the_first_when_asked(scene, result, reference):
    node = result.segmentationNode
    with pytest.raises(InputError, match="first reader has not approved or corrected"):
        startSecondReading(node, "first")
    correct(node, reference)
    writeReview(node, "A", "corrected")
    correct(node, reference, Tissue.ENHANCING, 2)  # after the review: not what was reviewed
    second = startSecondReading(node, "first")
    assert np.array_equal(labels_of(second, reference), labels_of(reviewedCopy(node, 1), reference))
    assert suggestVerdict(second) == "approved"
    review = writeReview(second, "B", "approved")
    assert review.startedFrom == "first"
    assert review.agreement.changedMl > 0
    with pytest.raises(InputError, match="equals the first reading"):
        writeReview(second, "B", "corrected", replace=True)


def test_an_unknown_start_is_refused(result):
    with pytest.raises(InputError, match="Choose one of automatic, first"):
        startSecondReading(result.segmentationNode, "scratch")


def test_without_the_automatic_result_there_is_nothing_independent_to_start_from(scene, result):
    scene.RemoveNode(result.automaticNode)
    with pytest.raises(InputError, match="no longer in the scene"):
        startSecondReading(result.segmentationNode)


def test_two_readers_are_compared_with_each_other(scene, result, reference):
    node = result.segmentationNode
    first = correct(node, reference, Tissue.EDEMA, 1)
    writeReview(node, "A", "corrected")
    second = startSecondReading(node)
    more = correct(second, reference, Tissue.EDEMA, 4)
    writeReview(second, "B", "corrected")
    assert [review.position for review in readReviews(second)] == [1, 2]
    between = betweenReaders(node)
    assert between.volumeChangeMl["edema"] == pytest.approx(more - first)
    assert 0 < between.dice["edema"] < 1
    assert between.dice["TC"] == 1.0
    # The first reader's work is untouched by the second's.
    assert reviewAt(node, 1).agreement.changedMl == pytest.approx(first)


def test_both_readers_must_be_different_people(result, reference):
    node = result.segmentationNode
    writeReview(node, "Dr. Öz", "approved")
    second = startSecondReading(node)
    with pytest.raises(InputError, match="other reader of this segmentation already"):
        writeReview(second, "dr.  öz", "approved")


def test_reviewing_a_second_reading_that_was_not_started_is_refused(result):
    with pytest.raises(InputError, match="no second reading"):
        writeReview(result.segmentationNode, "B", "approved", position=2)


def test_a_second_reading_is_taken_up_again_unless_restarted(scene, result, reference):
    second = startSecondReading(result.segmentationNode)
    correct(second, reference)
    showReading(second, 1)
    assert not visible(second)
    count = scene.GetNumberOfNodes()
    assert startSecondReading(result.segmentationNode) is second
    assert visible(second)
    assert suggestVerdict(second) == "corrected"
    assert startSecondReading(result.segmentationNode, restart=True) is second
    assert suggestVerdict(second) == "approved"
    assert scene.GetNumberOfNodes() == count


def test_the_second_reading_is_a_result_of_its_own_for_the_panel(result):
    second = startSecondReading(result.segmentationNode)
    found = findResult(second)
    assert found.segmentationNode is second
    assert found.automaticNode is result.automaticNode
    assert found.disagreementNode is result.disagreementNode


def test_withdrawing_one_review_ends_the_comparison(result, reference):
    node = result.segmentationNode
    writeReview(node, "A", "approved")
    second = startSecondReading(node)
    writeReview(second, "B", "approved")
    assert betweenReaders(node).changedMl == 0
    withdrawReview(node, 1)
    assert betweenReaders(node) is None
    assert [review.reader for review in readReviews(second)] == ["B"]


def test_a_failed_start_of_the_second_reading_changes_nothing(scene, result, monkeypatch):
    import BrainTumorSegLib.slicer_app.review.second_reading as readings

    def fail(*_):
        raise RuntimeError("full")

    before = snapshot(scene)
    monkeypatch.setattr(readings, "showReading", fail)
    with pytest.raises(RuntimeError, match="full"):
        startSecondReading(result.segmentationNode)
    assert snapshot(scene) == before


def test_a_new_run_into_the_result_forgets_the_readings(scene, tmp_path):
    result, settings = add_result(scene, tmp_path / "run")
    node = result.segmentationNode
    writeReview(node, "A", "approved")
    second = startSecondReading(node)
    writeReview(second, "B", "approved")
    copy, table = reviewedCopy(node, 1), agreementTable(node)
    settings.outputSegmentation = node
    importResult(tmp_path / "run", settings)
    assert readReviews(node) == []
    assert [copy.GetScene(), table.GetScene()] == [None, None]
    assert secondReading(node) is None
    # What the second reader had done stands for itself now.
    assert (positionOf(second), firstReading(second)) == (1, second)


def test_below_a_parent_transform_nothing_is_different(scene, tmp_path):
    result, settings = add_result(scene, tmp_path / "run")
    node = result.segmentationNode
    turn = add_transform(scene, affine(rotation(0.3, -0.2, 0.5), (30, -12, 7)))
    put_under(settings.t1ce, turn)
    put_under(node, turn)
    correct(node, settings.t1ce)
    review = writeReview(node, "A", "corrected")
    assert review.agreement.dice["ET"] == 1.0
    assert np.array_equal(
        labels_of(reviewedCopy(node, 1), settings.t1ce), labels_of(node, settings.t1ce)
    )
    second = startSecondReading(node)
    assert suggestVerdict(second) == "approved"
    assert second.GetTransformNodeID() == turn.GetID()


# The table, the report, the saved scene


def test_the_table_shows_volumes_dice_and_changes(result, reference):
    node = result.segmentationNode
    correct(node, reference)
    writeReview(node, "A", "corrected")
    second = startSecondReading(node)
    writeReview(second, "B", "approved")
    table = agreementTable(node).GetTable()
    titles = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    assert titles == [
        "Structure",
        "automatic (mL)",
        "reader 1 (mL)",
        "Dice automatic / reader 1",
        "Change automatic → reader 1 (mL)",
        "Change automatic → reader 1 (%)",
        "reader 2 (mL)",
        "Dice automatic / reader 2",
        "Change automatic → reader 2 (mL)",
        "Change automatic → reader 2 (%)",
        "Dice reader 1 / reader 2",
        "Change reader 1 → reader 2 (mL)",
        "Change reader 1 → reader 2 (%)",
    ]
    assert table.GetNumberOfRows() == 7
    assert table.GetColumnByName("Structure").GetValue(1) == "Peritumoral edema"
    assert table.GetColumnByName("Dice automatic / reader 1").GetValue(3) == 1.0


def test_the_records_of_reviews_follow_the_schema_of_reports(result, reference):
    from BrainTumorSegLib.reporting.record import check_record

    node = result.segmentationNode
    correct(node, reference)
    writeReview(node, "Ä", "corrected", COMMENT)
    writeReview(startSecondReading(node), "B", "approved")
    records = reviewRecords(node)
    check_record({**result.report, "reviews": records}, "the report")
    assert [record["position"] for record in records] == [1, 2]
    assert [score["with"] for score in records[1]["agreement"]] == [
        "automatic result",
        "reader 1 (Ä)",
    ]


def test_reviews_survive_in_a_saved_scene(scene, result, reference, tmp_path):
    import slicer

    node = result.segmentationNode
    correct(node, reference)
    writeReview(node, "Dr. Йванова", "corrected", COMMENT)
    second = startSecondReading(node)
    correct(second, reference, Tissue.NECROSIS, 2)
    writeReview(second, "B: b;", "corrected", "x" * 20000)
    reviews, between = readReviews(node), betweenReaders(node)
    kept = labels_of(reviewedCopy(node, 2), reference)
    name = node.GetName()
    save_and_load(scene, tmp_path / "saved", into_used_scene=False)
    again = slicer.mrmlScene.GetFirstNodeByName(name)
    assert readReviews(again) == reviews
    assert betweenReaders(again) == between
    assert secondReading(again) is not None
    assert positionOf(secondReading(again)) == 2
    reference = again.GetNodeReference("BrainTumorSeg.Scan.t1ce")
    assert np.array_equal(labels_of(reviewedCopy(again, 2), reference), kept)
    assert reviewedCopy(again, 2).GetHideFromEditors()
    assert isCurrent(again, 2)
    assert agreementTable(again).GetTable().GetNumberOfRows() == 7
