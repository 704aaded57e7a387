"""Harder conditions: what they do to scans and truth, and how arms under them are compared."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation import runs
from BrainTumorSegLib.evaluation.conditions import (
    CONDITIONS,
    perturb_case,
    read_conditions,
    thick_slices,
)
from BrainTumorSegLib.evaluation.figures import draw_conditions
from BrainTumorSegLib.evaluation.report import markdown_tables
from BrainTumorSegLib.evaluation.runs import Subject, make_arms, score_subjects, with_conditions
from BrainTumorSegLib.evaluation.statistics import comparisons
from BrainTumorSegLib.preprocessing.brain.stripped import mask_of_stripped_scan
from BrainTumorSegLib.synthesis.config import Kind
from BrainTumorSegLib.synthesis.sources import Sources

SPACING, ORIGIN = (1.0, 1.5, 1.0), (-40.0, 25.0, 10.0)


def ball(shape=(60, 50, 70), radius=0.4):
    axes = np.ogrid[tuple(slice(-0.5, 0.5, n * 1j) for n in shape)]
    return sum(a**2 for a in axes) < radius**2


def image(array, direction=None):
    made = sitk.GetImageFromArray(array)
    made.SetSpacing(SPACING)
    made.SetOrigin(ORIGIN)
    if direction is not None:
        made.SetDirection(direction)
    return made


def stripped(name="c", seed=0):
    rng = np.random.default_rng(seed)
    brain = ball()
    scans = {}
    for number, sequence in enumerate(Sequence):
        array = np.where(brain, 100 + 20 * number + 5 * rng.normal(size=brain.shape), 0)
        scans[sequence] = Scan(image(array.astype(np.float32)), f"{sequence.value}.nii.gz")
    truth = np.where(ball(radius=0.15), 1 << 4, 1).astype(np.uint8)
    return Case(name, scans), image(truth)


def arrays(case):
    return {s: sitk.GetArrayFromImage(scan.image) for s, scan in case.scans.items()}


def perturb(key, name="c", seed=0):
    case, truth = stripped(name)
    return perturb_case(CONDITIONS[key], case, truth, seed)


@pytest.mark.parametrize("key", [k for k in CONDITIONS if k != "skull"])
def test_what_was_given_stays_as_it_was_and_chance_is_seeded(key):
    case, truth = stripped()
    before = arrays(case), [scan.image.GetOrigin() for scan in case.scans.values()]
    first, again = (perturb_case(CONDITIONS[key], case, truth, 3) for _ in range(2))
    assert [scan.image.GetOrigin() for scan in case.scans.values()] == before[1]
    for sequence, array in before[0].items():
        np.testing.assert_array_equal(sitk.GetArrayFromImage(case.scans[sequence].image), array)
    for sequence, scan in first.case.scans.items():
        other = again.case.scans[sequence].image
        assert scan.image.GetOrigin() == other.GetOrigin()
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (scan.image, other)))


def test_other_cases_and_other_seeds_meet_other_chance():
    first = perturb("noise").case
    for other in (perturb("noise", seed=1), perturb("noise", name="d")):
        assert not np.array_equal(arrays(first)[Sequence.T1], arrays(other.case)[Sequence.T1])


@pytest.mark.parametrize("turned", [False, True])
def test_thick_slices_lie_where_they_average(turned):
    axes = (0, 0, 1, 1, 0, 0, 0, 1, 0) if turned else (1, 0, 0, 0, 1, 0, 0, 0, 1)
    made = image(np.zeros((40, 50, 60), np.float32), axes)
    grid = np.stack(np.meshgrid(*map(np.arange, made.GetSize()), indexing="ij"), -1)
    matrix = np.array(axes).reshape(3, 3)
    height = (grid * SPACING) @ matrix[2] + ORIGIN[2]
    made = image(height.transpose(2, 1, 0).astype(np.float32), axes)
    thick = thick_slices(made)
    along = int(np.abs(matrix[2]).argmax())
    assert thick.GetSpacing()[along] == 5.0
    for index in (2, 5):
        place = [n // 2 for n in thick.GetSize()]
        place[along] = index
        assert thick[place] == pytest.approx(thick.TransformIndexToPhysicalPoint(place)[2], abs=0.1)
    assert thick_slices(thick) is thick


def test_the_truth_of_thick_slices_lies_on_their_grid_and_keeps_its_values():
    perturbed = perturb("thick-slices")
    reference = perturbed.case.reference_scan.image
    assert perturbed.reference_labels.GetSize() == reference.GetSize()
    assert perturbed.reference_labels.GetOrigin() == reference.GetOrigin()
    assert perturbed.reference_labels.GetSpacing() == reference.GetSpacing()
    assert set(np.unique(sitk.GetArrayFromImage(perturbed.reference_labels))) == {1, 16}


def test_misregistration_turns_by_three_degrees_and_shifts_by_two_millimetres():
    case, _ = stripped()
    moved = perturb("misregistered").case
    kept = case.scans[Sequence.T1CE].image
    assert moved.scans[Sequence.T1CE].image.GetOrigin() == kept.GetOrigin()
    middle = [(n - 1) / 2 for n in kept.GetSize()]
    ways = []
    for sequence in (Sequence.T1, Sequence.FLAIR):
        was, now = case.scans[sequence].image, moved.scans[sequence].image
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (was, now)))
        centers = (i.TransformContinuousIndexToPhysicalPoint(middle) for i in (was, now))
        ways.append(np.subtract(*centers))
        assert np.linalg.norm(ways[-1]) == pytest.approx(2.0)
        turn = np.array(now.GetDirection()).reshape(3, 3)
        assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) == pytest.approx(3.0)
        assert np.linalg.det(turn) == pytest.approx(1.0)
    assert not np.allclose(*ways)


def test_with_and_without_registration_the_same_scans_are_met():
    off, on = perturb("misregistered").case, perturb("misregistered-registered").case
    for sequence in Sequence:
        assert off.scans[sequence].image.GetOrigin() == on.scans[sequence].image.GetOrigin()
    assert CONDITIONS["misregistered"].registration == "none"
    assert CONDITIONS["misregistered-registered"].registration == "auto"


def test_a_missing_sequence_is_gone_and_no_other():
    assert set(perturb("without-t1").case.scans) == {Sequence.T1CE, Sequence.FLAIR}
    assert set(perturb("without-flair").case.scans) == {Sequence.T1, Sequence.T1CE}


def test_bias_is_slow_and_noise_is_not_and_both_leave_the_air_alone():
    case, _ = stripped()
    was = arrays(case)[Sequence.T1CE]
    brain = was != 0
    for key, smooth in (("bias-field", True), ("noise", False)):
        now = arrays(perturb(key).case)[Sequence.T1CE]
        assert not now[~brain].any()
        ratio = np.log(now[brain] / was[brain])
        assert 0.03 < ratio.std() < 0.5
        whole = np.zeros(was.shape)
        whole[brain] = ratio
        both = brain[:, :, 1:] & brain[:, :, :-1]
        steps = np.diff(whole, axis=2)[both]
        assert (steps.std() < 0.2 * ratio.std()) == smooth


def test_a_painted_head_keeps_the_brain_and_is_no_stripped_scan(tmp_path):
    axes = np.ogrid[-75:75:75j, -90:90:90j, -75:75:75j]
    brain = sum((a / r) ** 2 for a, r in zip(axes, (60, 78, 62), strict=True)) < 1
    rng = np.random.default_rng(0)
    scans = {}
    for sequence in Sequence:
        values = np.where(brain, 100 + 5 * rng.normal(size=brain.shape), 0)
        made = sitk.GetImageFromArray(values.astype(np.float32))
        made.SetSpacing((2.0, 2.0, 2.0))
        scans[sequence] = Scan(made, sequence.value)
    case = Case("c", scans)
    truth = sitk.GetImageFromArray(np.where(brain, 1, 1).astype(np.uint8))
    truth.CopyInformation(scans[Sequence.T1CE].image)
    assert mask_of_stripped_scan(scans[Sequence.T1].image) is not None
    painted = perturb_case(CONDITIONS["skull"], case, truth).case
    for sequence, array in arrays(painted).items():
        was = sitk.GetArrayFromImage(scans[sequence].image)
        assert np.abs(array[brain] - was[brain]).max() < 15
        assert mask_of_stripped_scan(painted.scans[sequence].image) is None
    array = arrays(painted)[Sequence.T1]
    # Along a row through the middle: brain, dark bone, bright fat of the scalp.
    row = array[45, 45, : int(np.argmax(brain[45, 45]))]
    assert row.max() > 120 and row[-5:].min() < 60
    draw_conditions(
        case, truth, read_conditions(["noise", "without-t1"]), tmp_path / "conditions.png"
    )
    with Image.open(tmp_path / "conditions.png") as picture:
        assert np.asarray(picture.convert("L"), float).std() > 20


def test_a_head_is_only_painted_round_a_stripped_brain():
    case, truth = stripped()
    whole = {s: Scan(scan.image + 1, scan.source) for s, scan in case.scans.items()}
    with pytest.raises(InputError, match="No head can be painted"):
        perturb_case(CONDITIONS["skull"], Case("c", whole), truth)


def test_the_same_scans_are_drawn_once(tmp_path):
    case, truth = stripped()
    sizes = []
    for keys in (["noise"], ["noise", "as-is-corrected", "as-is-islands"]):
        draw_conditions(case, truth, read_conditions(keys), tmp_path / "conditions.png")
        with Image.open(tmp_path / "conditions.png") as picture:
            sizes.append(picture.size)
    assert sizes[0] == sizes[1]


def test_the_help_names_every_condition(capsys):
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "--help"])
    told = "".join(capsys.readouterr().out.split())
    assert all(f"{key}," in told for key in CONDITIONS if key != "as-is")


def test_conditions_are_named_and_the_scans_as_they_are_come_first():
    assert [c.key for c in read_conditions(["noise"])] == ["as-is", "noise"]
    assert [c.key for c in read_conditions(["all"])] == list(CONDITIONS)
    assert [c.key for c in read_conditions([])] == ["as-is"]
    with pytest.raises(InputError, match="nosie"):
        read_conditions(["nosie"])


def pack(name, missing=()):
    return SimpleNamespace(
        name=name,
        folder=name,
        sequences=tuple(Sequence),
        may_be_missing=missing,
        members=(SimpleNamespace(name="m0", trained={"fold": 0}),),
    )


def segmented(labels):
    """What a run makes of a case: these labels, and nothing to warn of."""
    return SimpleNamespace(labels=labels, record={"warnings": []})


def test_each_arm_is_compared_with_itself_on_the_untouched_scans(monkeypatch):
    arms = with_conditions(
        make_arms([pack("a"), pack("b")], ["none"]), read_conditions(["noise", "misregistered"])
    )
    seen = []

    def labels(case, arm, members, device, options, progress):
        seen.append((arm.name, options.registration))
        found = ball(radius={"as-is": 0.15, "noise": 0.12}.get(arm.condition.key, 0.1))
        return segmented(image(np.where(found, 4, 0).astype(np.uint8)))

    monkeypatch.setattr(runs, "segment_in_arm", labels)
    subjects = [
        Subject(name, "toy", 0, lambda name=name: stripped(name), "brainsfit") for name in "cde"
    ]
    scores = score_subjects(subjects, arms)
    assert dict(seen)["a, as is"] == "brainsfit" and dict(seen)["a, misregistered"] == "none"
    found = {(first, arm): c for first, arm, group, _, c in comparisons(scores, ["dice"])}
    assert set(found) == {
        (f"{name}, as is", f"{name}, {title}")
        for name in "ab"
        for title in ("noise", "misregistered")
    }
    assert all(c.difference.value < -0.1 and c.difference.cases == 3 for c in found.values())
    tables = markdown_tables(scores)
    assert "(`misregistered`): T1 and FLAIR turned by 3 degrees" in tables
    assert "| a, noise | a, as is | WT |" in tables


def test_islands_are_kept_in_their_condition_and_in_no_other(monkeypatch):
    kept = {}

    def labels(case, arm, members, device, options, progress):
        kept[arm.condition.key] = options.keep_distant_components
        return segmented(image(np.where(ball(), 4, 0).astype(np.uint8)))

    monkeypatch.setattr(runs, "segment_in_arm", labels)
    arms = with_conditions(make_arms([pack("a")], ["none"]), read_conditions(["as-is-islands"]))
    score_subjects([Subject("c", "toy", 0, stripped)], arms)
    assert kept == {"as-is": False, "as-is-islands": True}


def test_a_pack_that_needs_a_sequence_is_not_tried_without_it():
    conditions = read_conditions(["without-flair"])
    with pytest.raises(TrainingError, match="cannot do without FLAIR"):
        with_conditions(make_arms([pack("a")], ["none"]), conditions)
    free = make_arms([pack("a", (Sequence.FLAIR,))], ["none"])
    assert [arm.name for arm in with_conditions(free, conditions)] == ["as is", "without FLAIR"]


def test_synthetic_subjects_are_held_out_and_of_every_kind(monkeypatch):
    asked = []

    def make(config, sources, seed):
        asked.append((config, seed))
        random = np.random.default_rng(seed)
        scans = {s: random.uniform(5, 200, (50, 60, 60)) for s in Sequence}
        brain, allowed = ball((50, 60, 60)), np.ones((50, 60, 60), np.uint8)
        return SimpleNamespace(
            scans=scans, brain=brain, allowed=allowed, record={"kind": "x"}, image=image
        )

    monkeypatch.setattr(runs, "synthesize", make)
    subjects = runs.synthetic_subjects(2, Sources(), seed=5)
    assert len({one.name for one in subjects}) == 2 * len(runs.KINDS)
    assert {one.group for one in subjects} >= {k.value for k in Kind if k.has_tumor} - {"carved"}
    assert {one.fold for one in subjects} == {None}
    for one in subjects:
        case, truth = one.load()
        assert case.reference_scan.image.GetSize() == truth.GetSize()
    assert len({str(seed) for _, seed in asked}) == len(subjects)
    assert {config.part for config, _ in asked} == {"held_out"}
    assert all(config.acquisition.missing == config.acquisition.skull == 0 for config, _ in asked)


def test_the_command_writes_conditions_and_synthesis_each_with_their_tables(
    tmp_path, monkeypatch, capsys
):
    data = tmp_path / "data"
    rows = ["case\tlooks_like\tfold\tlabel_protocol"]
    for number in range(2):
        place = data / f"c{number}"
        place.mkdir(parents=True)
        case, truth = stripped(f"c{number}", number)
        for sequence, scan in case.scans.items():
            sitk.WriteImage(scan.image, str(place / f"c{number}_{sequence.value}.nii.gz"))
        labels = sitk.Cast(truth == 16, sitk.sitkUInt8) * 4
        sitk.WriteImage(labels, str(place / f"c{number}_seg.nii.gz"))
        rows.append(f"c{number}\ttoy\t{number}\tcore1_edema2_enhancing4")
    (data / "cases.tsv").write_text("\n".join(rows) + "\n")
    met = []

    def labels(case, arm, members, device, options, progress):
        met.append((arm.condition.key, len(members)))
        found = sitk.Image(case.reference_scan.image.GetSize(), sitk.sitkUInt8)
        found.CopyInformation(case.reference_scan.image)
        return segmented(found)

    def make(config, sources, seed):
        case, truth = stripped("s")
        kind = next(name for name, share in vars(config.kinds).items() if share)
        allowed = sitk.GetArrayFromImage(truth)
        return SimpleNamespace(
            scans=arrays(case),
            brain=ball(),
            allowed=allowed if Kind(kind).has_tumor else np.ones_like(allowed),
            record={"kind": kind},
            image=image,
        )

    monkeypatch.setattr(runs, "segment_in_arm", labels)
    monkeypatch.setattr(runs, "synthesize", make)
    out = tmp_path / "out"
    command = ["evaluate", "--data", str(data), "--pack", "glioma-lite", "--tta", "none"]
    command += ["--measures", "dice", "--progress", "none"]
    conditions = ["--conditions", "noise", "thick-slices", "--synthetic", "1"]
    assert cli.main([*command, *conditions, "-o", str(out)]) == 0
    assert met.count(("noise", 1)) == met.count(("thick-slices", 1)) == 2
    assert met.count(("as-is", 5)) == len(runs.KINDS)
    assert "| noise | as is | WT |" in (out / "tables.md").read_text(encoding="utf-8")
    told = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert told["command"].endswith("--measures dice --synthetic 1")
    assert {c["against"] for c in told["comparisons"]} == {"as is"}
    made = (out / "synthetic" / "tables.md").read_text(encoding="utf-8")
    assert "| neurinoma | none | 1 |" in made and "2 of 2" in made
    for name in ("conditions.png", "scores.png", "synthetic/scores.png"):
        assert (out / name).is_file()
    assert cli.main([*command, "--cases", "none", "-o", str(out)]) == TrainingError.exit_code
    assert "--synthetic" in capsys.readouterr().err
