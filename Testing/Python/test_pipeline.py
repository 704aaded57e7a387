"""The whole way from scans to labels, with the bundled pack on real scans."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Scan, make_case
from BrainTumorSegLib.core.errors import Cancelled, DeviceError, InputError, PackError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.core.volumes import dice
from BrainTumorSegLib.evaluation.metrics import score_labels
from BrainTumorSegLib.inference import pipeline
from BrainTumorSegLib.inference.engines.choosing import plan_engine
from BrainTumorSegLib.inference.labels import decode_labels
from BrainTumorSegLib.inference.pipeline import STAGES, segment
from BrainTumorSegLib.inference.postprocessing import DistantComponents, remove_distant_components
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.models.packs import load_pack
from BrainTumorSegLib.models.packs.members import unseen_members
from BrainTumorSegLib.training.cohort import read_cohort

#: The pack whose networks are quickest: most of what is tested here is the same for all.
LIGHT = "glioma-lite"

QUICK = Options(
    pack=LIGHT, members=1, tta="none", device="cpu", registration="none", brain="stripped"
)


@pytest.fixture(scope="module")
def labeled(real_data):
    """A high-grade glioma that separates all four tissues."""
    return next(c for c in read_cohort(real_data) if c.name == "Brats15_2013_pat0001")


@pytest.fixture(scope="module")
def real_case(labeled):
    return load_case(labeled.scans, identity=labeled.name)


@pytest.fixture(scope="module")
def quick_result(real_case):
    return segment(real_case, QUICK)


def array(image):
    return sitk.GetArrayFromImage(image)


def test_a_real_tumour_is_found_by_the_member_that_never_saw_it(real_case, labeled):
    pack = load_pack()
    unseen = unseen_members(pack, labeled.fold)
    options = replace(QUICK, pack=None, members=unseen, tta="tta1")
    result = segment(real_case, options)
    values = array(sitk.ReadImage(str(labeled.labels))).astype(int)
    allowed = allowed_tissues(values, labeled.protocol)
    scores = score_labels(array(result.labels), allowed, (1.0, 1.0, 1.0))
    assert scores["WT"].dice > 0.85 and scores["TC"].dice > 0.85 and scores["ET"].dice > 0.75


def test_the_result_lies_on_the_grid_of_the_reference(real_case, quick_result):
    reference = real_case.reference_scan.image
    for image in (quick_result.labels, quick_result.brain, quick_result.disagreement):
        assert image.GetSize() == reference.GetSize()
        assert image.GetOrigin() == reference.GetOrigin()
        assert image.GetDirection() == reference.GetDirection()
        assert image.GetSpacing() == reference.GetSpacing()
    assert quick_result.labels.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(array(quick_result.labels))) <= set(map(int, Tissue))


def test_inputs_are_not_changed(labeled, real_case, quick_result):
    assert quick_result.labels is not None
    for sequence, path in labeled.scans.items():
        untouched = sitk.ReadImage(str(path))
        assert np.array_equal(array(untouched), array(real_case.scans[sequence].image))


def test_the_same_run_gives_the_same_labels(real_case, quick_result):
    again = segment(real_case, QUICK)
    assert np.array_equal(array(again.labels), array(quick_result.labels))


def test_the_record_follows_its_schema(quick_result):
    schema = resource_path("Schemas", "report.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(quick_result.record, json.loads(schema))


def test_the_record_says_how_it_was_made(quick_result):
    record = quick_result.record
    assert record["pack"]["members"] == [
        {"name": m.name, "sha256": m.sha256} for m in load_pack(LIGHT).members[:1]
    ]
    assert record["views"] == {"name": "none", "count": 1}
    planned = plan_engine(device="cpu", bf16=load_pack(LIGHT).allows_bf16)
    assert record["engine"]["device"] == "cpu"
    assert record["engine"]["precision"] == planned.precision
    volumes = record["volumes_ml"]
    tissues = ("necrosis", "edema", "non_enhancing", "enhancing")
    assert volumes["WT"] == pytest.approx(sum(volumes[t] for t in tissues), abs=0.01)
    labels = array(quick_result.labels)
    assert volumes["WT"] == pytest.approx((labels > 0).sum() / 1000, abs=0.01)
    assert all(len(entry["sha256"]) == 64 for entry in record["case"]["inputs"])
    assert {"register", "brain", "prepare", "segment", "restore"} <= set(record["timings_s"])


@pytest.mark.parametrize(
    ("order", "flips"),
    [((2, 0, 1), (True, False, True)), ((0, 2, 1), (False, True, False)), ((1, 0, 2), (True,) * 3)],
)
def test_the_orientation_in_which_a_scan_is_stored_does_not_matter(
    real_case, quick_result, order, flips
):
    def stored_otherwise(image):
        return sitk.Flip(sitk.PermuteAxes(image, order), flips)

    scans = {
        s: replace(scan, image=stored_otherwise(scan.image), sha256=None)
        for s, scan in real_case.scans.items()
    }
    turned = segment(make_case("turned", scans), QUICK)
    expected = stored_otherwise(quick_result.labels)
    assert turned.labels.GetSize() == expected.GetSize()
    assert dice(array(turned.labels) > 0, array(expected) > 0) > 0.995
    agreement = (array(turned.labels) == array(expected)).mean()
    assert agreement > 0.9995


def test_a_tilted_head_is_segmented_in_its_own_frame(real_case, quick_result):
    """The same voxels under a header that is turned by 20 degrees and moved away."""
    rotation = sitk.VersorRigid3DTransform((0.3, 0.9, 0.2), np.radians(20))
    matrix = np.array(rotation.GetMatrix()).reshape(3, 3)

    def moved(image):
        image = sitk.Image(image)
        image.SetOrigin((matrix @ np.array(image.GetOrigin()) + (40, -25, 310)).tolist())
        image.SetDirection((matrix @ np.array(image.GetDirection()).reshape(3, 3)).ravel().tolist())
        return image

    scans = {s: replace(scan, image=moved(scan.image)) for s, scan in real_case.scans.items()}
    tilted = segment(make_case("tilted", scans), QUICK)
    assert np.array_equal(array(tilted.labels), array(quick_result.labels))


def test_scans_on_other_grids_than_the_reference_are_brought_there(real_case, quick_result):
    flair = real_case.scans[Sequence.FLAIR]
    thick = sitk.Resample(
        flair.image,
        (120, 120, 155),
        sitk.Transform(),
        sitk.sitkLinear,
        flair.image.GetOrigin(),
        (2.0, 2.0, 1.0),
        flair.image.GetDirection(),
    )
    scans = {**real_case.scans, Sequence.FLAIR: Scan(thick, "thick FLAIR")}
    result = segment(make_case("mixed", scans), QUICK)
    assert result.labels.GetSize() == quick_result.labels.GetSize()
    assert dice(array(result.labels) > 0, array(quick_result.labels) > 0) > 0.9


@pytest.mark.parametrize("missing", [Sequence.T1, Sequence.FLAIR])
def test_a_missing_t1_or_flair_is_allowed_with_a_warning(real_case, quick_result, missing):
    scans = {s: scan for s, scan in real_case.scans.items() if s is not missing}
    result = segment(make_case("incomplete", scans), QUICK)
    assert any(missing.name in warning for warning in result.record["warnings"])
    assert dice(array(result.labels) > 0, array(quick_result.labels) > 0) > 0.6


def test_a_missing_t1ce_is_refused(real_case):
    scans = {s: scan for s, scan in real_case.scans.items() if s is not Sequence.T1CE}
    with pytest.raises(InputError, match="contrast"):
        make_case("incomplete", scans)


def test_exchanged_t1_and_t1ce_are_noticed(real_case):
    scans = dict(real_case.scans)
    scans[Sequence.T1], scans[Sequence.T1CE] = scans[Sequence.T1CE], scans[Sequence.T1]
    result = segment(make_case("swapped", scans), QUICK)
    assert any("exchanged" in warning for warning in result.record["warnings"])


def test_scans_in_the_right_order_are_not_called_exchanged(quick_result):
    assert not any("exchanged" in warning for warning in quick_result.record["warnings"])


def test_probabilities_sum_to_one_and_agree_with_the_labels(real_case, quick_result):
    result = segment(
        real_case,
        replace(QUICK, probabilities=True, min_lesion_mm3=0, keep_distant_components=True),
    )
    probabilities = array(result.probabilities)
    assert probabilities.shape[-1] == len(Tissue)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1.0, atol=1e-4)
    inside = array(result.brain) > 0
    labels = decode_labels(np.moveaxis(probabilities, -1, 0))
    assert np.array_equal(labels[inside], array(result.labels)[inside])


def test_islands_are_left_out_and_counted_unless_they_are_to_be_kept(real_case, quick_result):
    kept = segment(real_case, replace(QUICK, keep_distant_components=True))
    expected, islands = remove_distant_components(kept.labels)
    assert np.array_equal(array(quick_result.labels), array(expected))
    assert quick_result.record["islands"] == islands.as_record()
    assert kept.record["islands"] is None and kept.record["options"]["keep_islands"]


@pytest.mark.parametrize(("ml", "told"), [(0.4, False), (1.8, True)])
def test_a_person_is_told_at_once_of_large_islands_that_were_left_out(
    real_case, monkeypatch, ml, told
):
    monkeypatch.setattr(
        pipeline, "remove_distant_components", lambda labels: (labels, DistantComponents(2, ml))
    )
    warnings = segment(real_case, QUICK).record["warnings"]
    assert any("2 small part(s)" in warning for warning in warnings) == told


def test_members_disagree_somewhere_and_nowhere_outside_the_brain(real_case):
    result = segment(real_case, replace(QUICK, members=2))
    information = array(result.mutual_information)
    assert information.max() > 0.05 and information.min() >= 0
    assert (information[array(result.brain) == 0] == 0).all()
    entropy = array(result.disagreement)
    assert entropy.min() >= 0 and entropy.max() <= 1.0 + 1e-6


def test_a_single_member_has_no_mutual_information(quick_result):
    assert quick_result.mutual_information is None


def test_more_members_than_the_pack_has_are_refused(real_case):
    with pytest.raises(InputError, match="members"):
        segment(real_case, replace(QUICK, members=99))


def test_a_pack_that_is_not_there_fails_before_anything_is_computed(real_case):
    progress = Progress(STAGES)
    with pytest.raises(PackError, match="nonesuch"):
        segment(real_case, replace(QUICK, pack="nonesuch"), progress)
    assert not progress.timings


def test_a_device_that_is_not_there_fails_before_anything_is_computed(real_case):
    progress = Progress(STAGES)
    with pytest.raises(DeviceError):
        segment(real_case, replace(QUICK, device="cuda:99"), progress)
    assert not progress.timings


@pytest.mark.parametrize("stage", ["register", "brain", "prepare", "segment", "restore"])
def test_a_run_can_be_cancelled_at_every_stage(real_case, stage):
    token = CancelToken()

    def stop(event):
        if event.stage == stage:
            token.cancel()

    with pytest.raises(Cancelled):
        segment(real_case, QUICK, Progress(STAGES, (stop,), token))


def test_progress_never_goes_back_and_ends_before_writing(real_case):
    fractions = []
    segment(real_case, QUICK, Progress(STAGES, (lambda e: fractions.append(e.fraction),)))
    assert fractions == sorted(fractions) and 0.8 < fractions[-1] <= 1.0


def test_a_patient_without_tumour_gets_little_or_none(real_data):
    """Multiple sclerosis: bright FLAIR lesions that are no tumour."""
    folder = real_data / "ms_control" / "patient07"
    case = load_case({s: folder / f"patient07_{s.value}.nii.gz" for s in Sequence})
    result = segment(case, Options(tta="none", device="cpu", registration="none"))
    assert result.record["volumes_ml"]["ET"] < 1.0
    assert result.record["volumes_ml"]["TC"] < 2.0


def test_the_clinical_study_shows_its_lesion_in_the_right_frontal_lobe(real_data):
    """TCGA-FG-6692: skull on, thick slices, FLAIR 16 mm and 13.5 degrees off its header."""
    folder = real_data / "clinical" / "TCGA-FG-6692"
    case = load_case(
        {
            Sequence.T1: folder / "T1_AX.nii.gz",
            Sequence.T1CE: folder / "T1_AX_POST_GAD.nii.gz",
            Sequence.FLAIR: folder / "FLAIR_AX.nii.gz",
        }
    )
    result = segment(case, Options(members=2, tta="tta1", device="cpu", registration="simpleitk"))
    regions = sitk.RelabelComponent(sitk.ConnectedComponent(result.labels == 4, True))
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(regions)
    brain = sitk.LabelShapeStatisticsImageFilter()
    brain.Execute(result.brain)
    x, y, _ = np.subtract(statistics.GetCentroid(1), brain.GetCentroid(1))
    # Right is negative, anterior is negative in LPS.
    assert -50 < x < -15 and -60 < y < -15
    assert 3 < result.record["volumes_ml"]["ET"] < 20
    flair = next(r for r in result.record["registration"] if r["sequence"].lower() == "flair")
    assert 12 < flair["shift_mm"] < 20 and 11 < flair["rotation_deg"] < 16
