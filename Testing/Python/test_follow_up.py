"""Comparing visits: volumes, lesions, registration, outputs and mix-ups."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import landmark_error, rigid
from report_cases import make_result
from visit_heads import ball_ml, grid, visit

from BrainTumorSegLib.cli import main
from BrainTumorSegLib.core.case import Scan
from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.mix_ups import check_one_patient
from BrainTumorSegLib.core.resources import schema_validator
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.follow_up import compare, outputs
from BrainTumorSegLib.follow_up.change import change_of, measurement_error_ml
from BrainTumorSegLib.follow_up.compare import GREW, SHRANK, Comparison, compare_visits
from BrainTumorSegLib.follow_up.folders import visit_from_result
from BrainTumorSegLib.follow_up.matching import lesions_of, match_lesions
from BrainTumorSegLib.follow_up.outputs import output_paths
from BrainTumorSegLib.follow_up.tracks import follow_lesions
from BrainTumorSegLib.follow_up.visits import Visit, ordered, read_day, warn_of_differences
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from BrainTumorSegLib.io.volumes import file_sha256, write_image
from BrainTumorSegLib.reporting.record import write_report_json

#: The head is turned by 12 degrees and lies elsewhere in the scanner.
MOVED = rigid((0.3, -0.5, 1.0), 12.0, (60.0, -110.0, 45.0))

#: Flipped and oblique axes, other voxels.
AXES = np.array(rigid((1, 1, 0), 20.0, (0, 0, 0)).GetMatrix()).reshape(3, 3) @ np.diag([-1, 1, -1])


@cache
def known_change() -> Comparison:
    first = visit("2024-01-10", {"large": 12.0, "second": 8.0}, grid())
    later = visit(
        "2024-03-10",
        {"large": 15.0, "third": 7.0},
        grid((1.5, 1.5, 3.0), MOVED, AXES),
        MOVED,
        seed=1,
    )
    return compare_visits([first, later], "simpleitk")


def volumes_of(change: dict) -> dict[str, dict]:
    return {row["key"]: row for row in change["volumes"]}


def test_volumes_of_a_known_change_are_right_within_two_percent_on_any_grid():
    (change,) = known_change().record["changes"]
    core, whole = volumes_of(change)["TC"], volumes_of(change)["WT"]
    assert core["before_ml"] == pytest.approx(ball_ml(12) + ball_ml(8), rel=0.02)
    assert core["after_ml"] == pytest.approx(ball_ml(15) + ball_ml(7), rel=0.02)
    assert whole["after_ml"] == pytest.approx(ball_ml(21) + ball_ml(7), rel=0.02)
    assert change["days"] == 60
    assert whole["certain"]
    assert whole["mm3_per_day"] == pytest.approx(1000 * whole["change_ml"] / 60, abs=0.01)


def test_each_lesion_is_named_rightly_as_grown_vanished_or_new():
    large, second, third = known_change().record["lesions"]
    assert [event["event"] for event in large["events"]] == ["first"]
    assert large["volumes_ml"] == pytest.approx([ball_ml(12), ball_ml(15)], rel=0.03)
    assert [event["event"] for event in second["events"]] == ["first", "vanished"]
    assert second["volumes_ml"][1] is None
    assert third["events"] == [{"visit": 2, "event": "new"}]
    assert third["volumes_ml"][0] is None


def test_a_head_that_was_turned_and_lies_elsewhere_is_found_from_the_brain_outside_the_tumor():
    comparison = known_change()
    (pair,) = comparison.pairs
    (record,) = comparison.record["registration"]
    assert record["region"] == "brain outside the tumour"
    assert record["rotation_deg"] == pytest.approx(12, abs=1)
    error = landmark_error(pair.after.scan.image, pair.transform, MOVED.GetInverse())
    assert error < 1.0


def test_the_map_shows_growth_on_the_later_scan_around_the_lesion_and_loss_where_one_was():
    (pair,) = known_change().pairs
    values = sitk.GetArrayFromImage(pair.maps["TC"])
    voxel_ml = np.prod(pair.maps["TC"].GetSpacing()) / 1000
    grown = ball_ml(15) - ball_ml(12) + ball_ml(8)
    assert (values == GREW).sum() * voxel_ml == pytest.approx(grown, rel=0.12)
    assert (values == SHRANK).sum() * voxel_ml == pytest.approx(ball_ml(8), rel=0.15)


def test_the_same_patient_sliced_anew_changes_less_than_the_measurement_error():
    radii = {"large": 12.0, "second": 8.0}
    again = visit("2024-05-01", radii, grid((2.2, 1.8, 2.6), MOVED, AXES), MOVED, seed=3)
    first = visit("2024-04-01", radii, grid())
    record = compare_visits([first, again], "simpleitk").record
    assert not any(row["certain"] for row in record["changes"][0]["volumes"])
    assert all(row["doubling_days"] is None for row in record["changes"][0]["volumes"])
    assert all(len(lesion["events"]) == 1 for lesion in record["lesions"])


def test_the_record_follows_its_schema():
    schema_validator("follow_up").validate(json.loads(json.dumps(known_change().record)))


def test_growth_rates_and_doubling_time_follow_their_formulas():
    change = change_of("ET", 4.0, 8.0, 30, error_ml=1.0)
    assert change.percent == 100
    assert change.mm3_per_day == pytest.approx(4000 / 30)
    assert change.percent_per_day == pytest.approx(100 * np.log(2) / 30)
    assert change.doubling_days == pytest.approx(30)
    assert change_of("ET", 8.0, 4.0, 30, 1.0).doubling_days == pytest.approx(-30)


def test_no_doubling_time_is_told_of_a_change_within_the_measurement_error():
    assert change_of("ET", 4.0, 4.5, 30, error_ml=0.6).doubling_days is None
    assert change_of("ET", 4.0, 4.5, 30, error_ml=0.4).doubling_days is not None


def test_rates_are_left_out_where_nothing_can_be_divided():
    same_day, from_nothing = change_of("ET", 1.0, 2.0, 0, 0.1), change_of("ET", 0.0, 2.0, 9, 0.1)
    assert (same_day.mm3_per_day, same_day.percent_per_day) == (None, None)
    assert (from_nothing.percent, from_nothing.percent_per_day) == (None, None)
    assert from_nothing.doubling_days is None


def test_the_measurement_error_grows_with_the_surface_and_never_falls_below_a_lesion():
    small, large = (measurement_error_ml("WT", ml, ml, False) for ml in (10.0, 80.0))
    assert large == pytest.approx(4 * small)
    assert measurement_error_ml("WT", 0.0, 0.0, False) == pytest.approx(0.1)
    assert measurement_error_ml("non_enhancing", 5.0, 5.0, False) > 0.1


def balls(*places: tuple[tuple[int, int, int], float], size=(40, 40, 40)) -> sitk.Image:
    index = np.indices(size)
    labels = np.zeros(size, np.uint8)
    for middle, radius in places:
        labels[((index - np.reshape(middle, (3, 1, 1, 1))) ** 2).sum(axis=0) < radius**2] = 4
    return sitk.GetImageFromArray(labels)


def linked(before: sitk.Image, after: sitk.Image, transform=None) -> list:
    transform = transform or sitk.Transform(3, sitk.sitkIdentity)
    return match_lesions(lesions_of(before), lesions_of(after), transform)


def test_a_lesion_that_splits_and_lesions_that_merge_are_named():
    whole = balls(((20, 20, 12), 8.0), ((20, 20, 20), 6.0), ((20, 20, 26), 7.0))
    parts = balls(((20, 20, 11), 6.0), ((20, 20, 28), 5.0))
    (split,), (merged,) = linked(whole, parts), linked(parts, whole)
    assert (split.status, split.before, split.after) == ("split", (1,), (1, 2))
    assert (merged.status, merged.pairs) == ("merged", ((1, 1),))


def test_splits_and_merges_are_followed_through_three_visits():
    whole = balls(((20, 20, 12), 8.0), ((20, 20, 20), 6.0), ((20, 20, 26), 7.0))
    parts = balls(((20, 20, 11), 6.0), ((20, 20, 28), 5.0))
    images = [whole, parts, whole]
    links = [linked(a, b) for a, b in pairwise(images)]
    first, second = follow_lesions([lesions_of(image) for image in images], links)
    assert [v is not None for v in first.volumes_ml] == [True, True, True]
    assert second.events == [
        {"visit": 2, "event": "split", "of": [1]},
        {"visit": 3, "event": "merged", "of": [1]},
    ]


def test_each_lesion_has_one_partner_only_by_largest_overlap():
    before = balls(((20, 20, 10), 6.0), ((20, 20, 30), 6.0))
    after = balls(((20, 21, 11), 6.0), ((20, 21, 31), 7.0))
    assert {link.pairs for link in linked(before, after)} == {((1, 2),), ((2, 1),)}


def test_a_small_lesion_that_moved_a_little_is_the_same_one_and_a_far_one_is_not():
    # They touch, but share no voxel.
    near = linked(balls(((20, 20, 10), 3.2)), balls(((20, 20, 17), 3.2)))
    far = linked(balls(((20, 20, 10), 3.2)), balls(((20, 20, 22), 3.2)))
    assert [link.status for link in near] == ["same"]
    assert sorted(link.status for link in far) == ["new", "vanished"]


def test_specks_are_not_new_but_a_lesion_keeps_its_name_when_it_shrinks_to_one():
    shrunk = linked(balls(((20, 20, 20), 6.0)), balls(((20, 20, 20), 1.5), ((5, 5, 5), 1.5)))
    assert [link.status for link in shrunk] == ["same"]


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "SAR", "PIL", "AIR", "ILA"])
def test_lesions_are_matched_whatever_the_order_and_direction_of_the_axes(orientation):
    turned = rigid((1, 2, 3), 17.0, (4.0, -3.0, 2.0), center=(20.0, 20.0, 20.0))
    before = balls(((14, 20, 10), 5.0), ((26, 12, 28), 4.0))
    # Thick slices: every fourth of them.
    grid_ = sitk.Image([50, 50, 14], sitk.sitkUInt8)
    grid_.SetSpacing((1.0, 1.0, 4.0))
    grid_.SetOrigin((-5.0, -5.0, -5.0))
    after = sitk.Resample(before, grid_, turned.GetInverse(), sitk.sitkNearestNeighbor)
    after = sitk.DICOMOrient(after, orientation)
    links = linked(before, after, turned.GetInverse())
    assert [link.pairs for link in links] == [((1, 1),), ((2, 2),)]


def plain(day: str, place=(20, 20, 20), **more) -> Visit:
    labels = balls((place, 6.0))
    scan = Scan(sitk.Cast(labels, sitk.sitkFloat32), f"{day}.nii.gz", f"{len(more)}" + day * 3)
    return replace(Visit(read_day(day), labels, scan, Sequence.T1CE, day), **more)


def test_visits_are_put_in_the_order_of_their_dates_and_it_is_said():
    said = []
    found = ordered([plain("2024-03-01"), plain("2024-01-01")], said.append)
    assert [visit_.day.month for visit_ in found] == [1, 3]
    assert "order of their dates" in said[0]


def test_visits_of_one_day_are_compared_and_it_is_said_that_there_is_no_rate():
    said = []
    ordered(
        [plain("2024-03-01", source="a"), plain("2024-03-01", source="b", files=())], said.append
    )
    assert "one day" in said[0]


def test_one_scan_given_for_two_visits_is_refused():
    with pytest.raises(InputError, match="same scan"):
        ordered([plain("2024-03-01"), plain("2024-03-01")], lambda _: None)


def test_scans_of_two_patients_are_refused_and_names_that_differ_are_warned_of():
    one, other = (
        plain(day, scan=Scan(sitk.Image(1, 1, 1, sitk.sitkFloat32), day, dicom={"PatientID": day}))
        for day in ("2024-01-01", "2024-02-01")
    )
    with pytest.raises(InputError, match="different patients"):
        ordered([one, other], lambda _: None)
    assert check_one_patient([("a", None, "Anna"), ("b", None, "Berta")])
    assert not check_one_patient([("a", None, "case-0123abcd"), ("b", None, "study-89ab0123")])


def test_a_date_that_is_none_or_to_come_is_refused():
    assert read_day("20240531") == read_day(" 2024-05-31 ") == date(2024, 5, 31)
    for text in ("31.05.2024", "2024-13-01", "9998-01-01", ""):
        with pytest.raises(InputError):
            read_day(text)


def test_packs_precisions_versions_and_sequences_that_differ_are_named():
    _, result = make_result()
    other = json.loads(json.dumps(result.record))
    other["pack"]["name"], other["engine"]["precision"] = "other", "bf16"
    other["version"], other["case"]["inputs"] = "9", other["case"]["inputs"][:2]
    said = []
    first = plain("2024-01-01", record=result.record)
    warn_of_differences([first, plain("2024-02-01", record=other)], said.append)
    for word in ("model pack", "precision", "program version", "sequences"):
        assert any(word in text for text in said)
    said.clear()
    warn_of_differences([first, plain("2024-02-01", record=result.record)], said.append)
    assert said == []


def write_result(folder: Path, identity: str) -> Path:
    """What `segment` writes, of a made-up run: record, segmentation, and the scan beside them."""
    case, result = make_result(spacing=(3.0, 3.0, 5.0), identity=identity)
    folder.mkdir()
    noise = len(identity)
    scan = folder / "t1ce.nii.gz"
    write_image(case.reference_scan.image + noise, scan)
    record = json.loads(json.dumps(result.record))
    (entry,) = (e for e in record["case"]["inputs"] if e["sequence"] == "t1ce")
    entry |= {"sha256": file_sha256(scan), "source": scan.name}
    record["volumes_ml"] = {key: round(ml, 3) for key, ml in volumes_ml(result.labels).items()}
    write_report_json(record, folder / "report.json")
    write_seg_nrrd(result.labels, folder / "segmentation.seg.nrrd", "x")
    return folder


@pytest.fixture
def results(tmp_path) -> list[Path]:
    return [write_result(tmp_path / name, name) for name in ("first", "second visit")]


def test_a_result_is_read_by_its_record_and_its_scan_told_by_its_hash(results):
    found = visit_from_result(results[0], "2024-01-01")
    assert {path.name for path in found.files} == {
        *("report.json", "segmentation.seg.nrrd", "t1ce.nii.gz")
    }
    elsewhere = results[0].parent / "scans"
    elsewhere.mkdir()
    (results[0] / "t1ce.nii.gz").rename(elsewhere / "renamed.nii.gz")
    moved = visit_from_result(results[0], "2024-01-01", [elsewhere])
    assert moved.scan.sha256 == found.scan.sha256


def test_what_a_killed_run_has_left_half_written_is_no_result(results):
    for name in ("report.json", "segmentation.seg.nrrd", "t1ce.nii.gz"):
        whole = results[0] / name
        (results[0] / f".{name}").write_bytes(whole.read_bytes())
    found = visit_from_result(results[0], "2024-01-01")
    assert not any(path.name.startswith(".") for path in found.files)


def test_a_scan_of_another_visit_is_refused_by_name(results):
    (results[1] / "t1ce.nii.gz").replace(results[0] / "t1ce.nii.gz")
    with pytest.raises(InputError, match=r"t1ce\.nii\.gz is not the scan"):
        visit_from_result(results[0], "2024-01-01")


def test_a_segmentation_that_was_changed_after_the_run_is_refused_by_name(results):
    path = results[0] / "segmentation.seg.nrrd"
    labels = sitk.DilateObjectMorphology(read_seg_nrrd(path), (1, 1, 1), objectValue=2)
    write_seg_nrrd(labels, path, "x", overwrite=True)
    with pytest.raises(InputError, match=r"segmentation\.seg\.nrrd has other volumes"):
        visit_from_result(results[0], "2024-01-01")


def test_a_folder_without_record_scan_or_date_is_refused(results):
    with pytest.raises(InputError, match="of which day"):
        visit_from_result(results[0])
    (results[0] / "t1ce.nii.gz").unlink()
    with pytest.raises(InputError, match="not found"):
        visit_from_result(results[0], "2024-01-01")
    (results[0] / "report.json").unlink()
    with pytest.raises(InputError, match="no report"):
        visit_from_result(results[0], "2024-01-01")


@pytest.fixture
def in_place(monkeypatch):
    """Visits that lie on each other: registration and brain extraction are tested above."""
    record = {
        **{"engine": "none", "score": 1.4, "rotation_deg": 0.0, "shift_mm": 0.0, "attempts": []},
        "matrix": np.eye(4).tolist(),
    }
    identity = sitk.Transform(3, sitk.sitkIdentity)
    monkeypatch.setattr(compare, "align_visits", lambda *_: (identity, dict(record)))
    monkeypatch.setattr(
        compare, "_brain", lambda visit, *_: sitk.Cast(visit.scan.image > 50, sitk.sitkUInt8)
    )


def follow_up(results: list[Path], *more: str) -> int:
    dates = ["--date", "2024-01-01", "2024-03-01"]
    words = ["follow-up", *map(str, results), *dates, "--progress", "none", *more]
    return main([*words, "-o", str(results[0].parent / "compared")])


def test_the_command_writes_everything_and_changes_no_input(results, in_place, capsys):
    before = {p: file_sha256(p) for folder in results for p in folder.iterdir()}
    assert follow_up(results, "--language", "en") == 0
    assert {p: file_sha256(p) for folder in results for p in folder.iterdir()} == before
    folder = results[0].parent / "compared"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in output_paths(folder, 2)
    )
    record = json.loads((folder / "follow_up.json").read_text(encoding="utf-8"))
    schema_validator("follow_up").validate(record)
    with (folder / "follow_up.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["key"] for row in rows][-3:] == ["WT", "TC", "ET"]
    assert all(float(row["change_ml"]) == 0 for row in rows)
    page = (folder / "follow_up.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    for word in ("RANO 2.0", "decided by the treating team", "<svg", "first”", "second visit"):
        assert word in page
    assert "mL" in capsys.readouterr().out
    assert follow_up(results) == OutputError.exit_code
    assert follow_up(results, "--overwrite", "--language", "ru") == 0
    assert 'lang="ru"' in (folder / "follow_up.html").read_text(encoding="utf-8")


def test_nothing_is_written_when_one_file_cannot_be(results, in_place, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "draw_registration", fail)
    assert follow_up(results) != 0
    folder = results[0].parent / "compared"
    assert not folder.exists() or not list(folder.iterdir())


def test_a_result_that_would_replace_an_input_is_refused(results, in_place):
    scan = results[0] / "change-TC-1-2.nii.gz"
    (results[0] / "t1ce.nii.gz").rename(scan)
    words = ["follow-up", *map(str, results), "--date", "2024-01-01", "2024-03-01"]
    assert main([*words, "--overwrite", "-o", str(results[0])]) == OutputError.exit_code


def test_one_visit_and_a_wrong_number_of_dates_are_refused(results, capsys):
    assert main(["follow-up", str(results[0]), "-o", "x"]) == InputError.exit_code
    words = ["follow-up", *map(str, results), "--date", "2024-01-01", "-o", "x"]
    assert main(words) == InputError.exit_code
    assert "once for each folder" in capsys.readouterr().err


def test_visits_of_other_origin_are_given_with_their_day(results, in_place):
    words = ["follow-up", "--progress", "none", "-o", str(results[0].parent / "compared")]
    for folder, day in zip(results, ("2024-01-01", "20240201"), strict=True):
        words += ["--visit", day, folder / "segmentation.seg.nrrd", folder / "t1ce.nii.gz"]
    assert main([*map(str, words)]) == 0
    written = json.loads((results[0].parent / "compared" / "follow_up.json").read_text())
    assert [one["date"] for one in written["visits"]] == ["2024-01-01", "2024-02-01"]
    assert written["measurement_error"]["of_other_pack"]
