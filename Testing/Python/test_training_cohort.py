"""Any folder of labelled cases can be trained on, and what is unclear is said."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from toy_cases import write_toy_cohort

from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd
from BrainTumorSegLib.training.case_files import read_protocol
from BrainTumorSegLib.training.cohort import (
    CohortConfig,
    Preparation,
    make_folds,
    read_cohort,
    write_cohort,
)
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.dataset import prepare_cases
from BrainTumorSegLib.training.volumes import (
    LabeledVolume,
    load_volume,
    map_volume,
    prepare_volume,
    store_volume,
)

CORE1 = CohortConfig(label_protocol="core1_edema2_enhancing4")
TWO_FOLDS = replace(CORE1, folds=2)


def image_of(array):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((3.0, 3.0, 5.0))
    return image


def ball(seed=0, skull=False):
    """A noisy brain, and tissue labels in it."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:20, :48, :48]
    inside = ((z - 10) / 10) ** 2 + ((y - 24) / 20) ** 2 + ((x - 24) / 18) ** 2 < 1
    labels = np.zeros(inside.shape, np.uint8)
    lesion = (z - 10) ** 2 * 4 + (y - 20) ** 2 + (x - 20) ** 2
    for limit, value in ((120, 2), (60, 4), (20, 1)):
        labels[lesion < limit] = value
    scan = 100 + 10 * rng.normal(size=inside.shape) + 20 * labels
    return np.where(inside | skull, scan, 0).astype(np.float32), labels


def write_files(folder, names, label_name="labels.nii.gz", labels=None):
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        sitk.WriteImage(image_of(ball(number)[0]), str(folder / name))
    if label_name:
        truth = image_of(ball()[1] if labels is None else labels)
        if label_name.endswith(".seg.nrrd"):
            write_seg_nrrd(truth, folder / label_name, "T1CE")
        else:
            sitk.WriteImage(truth, str(folder / label_name))


THREE = ("t1.nii.gz", "t1ce.nii.gz", "flair.nii.gz")


def test_folders_without_a_table_are_cases_whatever_format_their_files_have(tmp_path):
    write_files(tmp_path / "anna", THREE)
    write_files(
        tmp_path / "site" / "berta", ("T1.nrrd", "T1_post_gad.nrrd", "FLAIR.nrrd"), "x.seg.nrrd"
    )
    write_files(tmp_path / "clara", ("ax_t1_native.nii", "ax_t1_km.nii", "t2_flair.nii"), "seg.nii")
    cases = read_cohort(tmp_path, CORE1)
    assert [case.name for case in cases] == ["anna", "clara", "site-berta"]
    assert all(set(case.scans) == set(Sequence) for case in cases)
    assert cases[2].scans[Sequence.T1CE].name == "T1_post_gad.nrrd"
    assert sorted(case.fold for case in cases) == [0, 1, 2]


def test_a_segmentation_says_itself_what_its_labels_mean(tmp_path):
    write_files(tmp_path / "a", THREE, "tumour.seg.nrrd")
    (case,) = read_cohort(tmp_path)
    assert case.protocol.name == "necrosis1_edema2_nonenhancing3_enhancing4"
    allowed = prepare_volume(case).allowed
    assert set(np.unique(allowed)) == {1 << int(t) for t in Tissue if t != Tissue.NON_ENHANCING}


def test_a_folder_without_a_table_or_cases_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"neither cases\.tsv"):
        read_cohort(tmp_path)


def test_labels_whose_meaning_nobody_tells_are_refused(tmp_path):
    write_files(tmp_path / "a", THREE)
    with pytest.raises(TrainingError, match="label_protocol"):
        read_cohort(tmp_path)


def test_a_case_may_lack_flair_which_is_then_zero_but_never_t1ce(tmp_path):
    write_files(tmp_path / "a", THREE[:2])
    (case,) = read_cohort(tmp_path, CORE1)
    volume = prepare_volume(case)
    filled = [bool(volume.scans[n].any()) for n in range(3)]
    assert filled == [s is not Sequence.FLAIR for s in Sequence]
    write_files(tmp_path / "b", ("t1.nii.gz", "flair.nii.gz"))
    with pytest.raises(TrainingError, match="contrast-enhanced"):
        read_cohort(tmp_path, CORE1)


def test_hidden_files_and_folders_are_neither_scans_nor_labels(tmp_path):
    write_files(tmp_path / "a", THREE)
    write_files(tmp_path / ".trash", THREE)
    for name in ("t1ce.nii.gz", "labels.nii.gz"):
        (tmp_path / "a" / f".half-{name}").write_bytes((tmp_path / "a" / name).read_bytes()[:500])
    (case,) = read_cohort(tmp_path, CORE1)
    assert case.labels.name == "labels.nii.gz"


def test_two_files_of_labels_are_not_guessed_between(tmp_path):
    write_files(tmp_path / "a", THREE)
    sitk.WriteImage(image_of(ball()[1]), str(tmp_path / "a" / "old_labels.nii.gz"))
    with pytest.raises(TrainingError, match=r"labels\.nii\.gz, old_labels\.nii\.gz"):
        read_cohort(tmp_path, CORE1)


def test_a_table_may_name_files_anywhere_and_is_understood_again_when_written(tmp_path):
    write_files(tmp_path / "data" / "somewhere", ("a.nrrd", "b.nrrd"), "c.nrrd")
    row = "case\tlooks_like\tfold\tlabel_protocol\tt1ce\tflair\tlabels\n"
    for name in ("one", "two"):
        row += f"{name}\tmeningioma\t1\t1=necrosis|non_enhancing 2=edema 4=enhancing\t"
        row += "somewhere/a.nrrd\tsomewhere/b.nrrd\tsomewhere/c.nrrd\n"
    (tmp_path / "data" / "cases.tsv").write_text(row)
    cases = read_cohort(tmp_path / "data", CohortConfig(brain="deepbet"))
    assert set(cases[0].scans) == {Sequence.T1CE, Sequence.FLAIR}
    assert cases[0].preparation == Preparation("none", "deepbet")
    (tmp_path / "run").mkdir()
    write_cohort(cases, tmp_path / "run")
    again = read_cohort(tmp_path / "run")
    for before, after in zip(cases, again, strict=True):
        assert (before.name, before.group, before.fold) == (after.name, after.group, after.fold)
        assert before.protocol.labels == after.protocol.labels
        assert before.preparation == after.preparation
        assert all(after.scans[s].samefile(path) for s, path in before.scans.items())
        assert after.labels.samefile(before.labels)


def test_scans_with_skull_are_refused_unless_the_brain_is_to_be_found(tmp_path):
    write_files(tmp_path / "a", ())
    for number, name in enumerate(THREE):
        sitk.WriteImage(image_of(ball(number, skull=True)[0]), str(tmp_path / "a" / name))
    (case,) = read_cohort(tmp_path, CORE1)
    with pytest.raises(TrainingError, match="skull"):
        prepare_volume(case)


def test_labels_that_lie_elsewhere_are_refused(tmp_path):
    write_files(tmp_path / "a", THREE, None)
    truth = image_of(ball()[1])
    truth.SetOrigin((500.0, 0.0, 0.0))
    sitk.WriteImage(truth, str(tmp_path / "a" / "labels.nii.gz"))
    (case,) = read_cohort(tmp_path, CORE1)
    with pytest.raises(TrainingError, match="space of the T1CE"):
        prepare_volume(case)


def test_scans_whose_brain_is_to_be_found_go_the_way_of_a_new_case(tmp_path):
    folder = tmp_path / "a"
    write_files(folder, ())
    sitk.WriteImage(image_of(ball()[1]), str(folder / "labels.nii.gz"))
    for number, name in enumerate(THREE):
        sitk.WriteImage(image_of(ball(number)[0]), str(folder / name))
    ready, raw = (
        read_cohort(tmp_path, CohortConfig(CORE1.label_protocol, brain=how))[0]
        for how in ("stripped", "auto")
    )
    assert not raw.preparation.nothing_to_do
    one, other = prepare_volume(ready), prepare_volume(raw)
    assert (other.allowed == 1 << 4).sum() == pytest.approx((one.allowed == 1 << 4).sum(), rel=0.02)
    inside = one.scans[1][one.allowed == 1 << 4].astype(float).mean()
    assert other.scans[1][other.allowed == 1 << 4].astype(float).mean() == pytest.approx(
        inside, 0.1
    )


# Tables as people and spreadsheets write them


@pytest.fixture
def cohort(tmp_path):
    write_toy_cohort(tmp_path, 3)
    return tmp_path


def put(cohort, text, encoding="utf-8"):
    (cohort / "cases.tsv").write_bytes(text.encode(encoding))


def test_what_a_spreadsheet_adds_to_a_table_does_no_harm(cohort):
    put(
        cohort,
        "\ufeffCase \tFold\tnotes\r\n toy0\t0 \tx\r\ntoy1\t1\r\n\t\t\r\n\r\ntoy2\t0\ta\tb\r\n",
    )
    cases = read_cohort(cohort, TWO_FOLDS)
    assert [(case.name, case.fold) for case in cases] == [("toy0", 0), ("toy1", 1), ("toy2", 0)]


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        ("case\tfolds\ntoy0\t1\n", "utf-8", "did you mean fold"),
        ("case,fold\ntoy0,1\n", "utf-8", "line 2 has no value in the column case"),
        ("case\tfold\n\n\t1\n", "utf-8", "line 3 has no value in the column case"),
        ("case\tfold\ntoy0\t0\ntoy1\t\n", "utf-8", "the fold of case toy1 is ''"),
        ("case\tfold\ntoy0\t0\ntoy1\t²\n", "utf-8", "the fold of case toy1 is '²'"),
        ("name,fold\nx,zero\n", "utf-8", "column case"),
        ("case\tt1ce\tlabels\na\tnone.nii\tnone.nii\n", "utf-8", r"none\.nii"),
        ("case\tt1ce\na\tx.nii\n", "utf-8", "column labels"),
        ("case\tlabel_protocol\ntoy0\tcore1_edema2_enhancing\n", "utf-8", "enhancing3"),
        ("case\nx\n", "utf-8", "brats.x of case x"),
        ("case\tfold\ntoy0\t0\n", "utf-16", "cannot be read"),
        ("case\nMüller\n", "latin-1", "cannot be read"),
        ("case\ntoy0\ntoy0\n", "utf-8", "lists toy0 twice"),
        ("case\n", "utf-8", "lists no case"),
        ("", "utf-8", "lists no case"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(cohort, text, encoding, words):
    put(cohort, text, encoding)
    with pytest.raises(TrainingError, match=words):
        read_cohort(cohort, TWO_FOLDS)


def test_a_scan_in_two_folds_would_be_scored_by_a_member_that_has_seen_it(cohort):
    files = "brats/toy0/toy0_t1ce.nii.gz\tbrats/toy0/toy0_seg.nii.gz"
    put(cohort, f"case\tfold\tt1ce\tlabels\na\t0\t{files}\nb\t1\t./{files}\n")
    with pytest.raises(TrainingError, match=r"case a \(fold 0\) and T1CE of case b \(fold 1\)"):
        read_cohort(cohort, TWO_FOLDS)
    put(cohort, f"case\tfold\tt1ce\tlabels\na\t0\t{files}\nb\t0\t./{files}\n")
    assert len(read_cohort(cohort, TWO_FOLDS)) == 2


def test_one_file_is_not_taken_for_two_sequences(cohort):
    scan = "brats/toy0/toy0_t1ce.nii.gz"
    put(cohort, f"case\tt1\tt1ce\tlabels\na\t{scan}\t{scan}\tbrats/toy0/toy0_seg.nii.gz\n")
    with pytest.raises(TrainingError, match="is T1 of case a"):
        read_cohort(cohort, TWO_FOLDS)


def test_folds_that_are_made_depend_on_seed_and_cases_alone(cohort):
    put(cohort, "case\ntoy0\ntoy1\ntoy2\n")
    first = [case.fold for case in read_cohort(cohort, TWO_FOLDS)]
    assert first == [case.fold for case in read_cohort(cohort, TWO_FOLDS)]
    assert sorted(set(first)) == [0, 1]


# Folds and protocols


def test_folds_spread_every_group_and_repeat_from_their_seed():
    groups = ["glioma"] * 11 + ["meningioma"] * 6 + ["neurinoma"] * 3
    folds = make_folds(groups, 5, seed=1)
    assert folds == make_folds(groups, 5, seed=1) != make_folds(groups, 5, seed=2)
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 1 and len(sizes) == 5
    for group in set(groups):
        own = np.bincount(
            [f for f, g in zip(folds, groups, strict=True) if g == group], minlength=5
        )
        assert own.max() - own.min() <= 1


def test_a_written_out_protocol_is_a_set_for_each_label():
    protocol = read_protocol("3=enhancing 1=non_enhancing|necrosis")
    assert protocol.labels == {
        0: frozenset({Tissue.BACKGROUND}),
        1: frozenset({Tissue.NECROSIS, Tissue.NON_ENHANCING}),
        3: frozenset({Tissue.ENHANCING}),
    }
    assert read_protocol(protocol.name).labels == protocol.labels


@pytest.mark.parametrize(
    ("text", "words"),
    [("1=necrossis", "Did you mean necrosis"), ("x=edema", "x=edema"), ("brats", "Known")],
)
def test_mistakes_in_a_protocol_are_named(text, words):
    with pytest.raises(TrainingError, match=words):
        read_protocol(text)


# Files on disk


def test_a_stored_volume_comes_back_mapped_and_equal(tmp_path):
    rng = np.random.default_rng(0)
    scans = rng.normal(size=(3, 4, 5, 6)).astype(np.float16)
    allowed = np.asfortranarray(rng.integers(0, 32, (4, 5, 6)).astype(np.uint8))
    path = tmp_path / "new" / "one.safetensors"
    store_volume(path, LabeledVolume("ünïcode", scans, allowed))
    assert [p.name for p in path.parent.iterdir()] == ["one.safetensors"]
    mapped = map_volume(path)
    assert mapped.name == "ünïcode"
    assert not mapped.scans.flags.writeable and not mapped.allowed.flags.writeable
    np.testing.assert_array_equal(mapped.scans, scans)
    np.testing.assert_array_equal(mapped.allowed, allowed)


@pytest.mark.skipif(sys.platform != "linux", reason="counts maps and open files in /proc")
def test_maps_hold_no_file_open(tmp_path):
    big = np.arange(1 << 24, dtype=np.uint8).reshape(256, 256, 256)
    path = tmp_path / "big.safetensors"
    store_volume(path, LabeledVolume("big", np.zeros((3, 1, 1, 1), np.float16), big))
    files = len(list(Path("/proc/self/fd").iterdir()))
    maps = [map_volume(path) for _ in range(30)]
    assert len(list(Path("/proc/self/fd").iterdir())) == files
    assert Path("/proc/self/maps").read_text().count("big.safetensors") == 30
    assert all(np.array_equal(volume.allowed[9], big[9]) for volume in maps)
    del maps
    assert "big.safetensors" not in Path("/proc/self/maps").read_text()


def test_a_file_that_changed_is_prepared_anew(tmp_path):
    write_files(tmp_path / "data" / "a", THREE)
    (case,) = read_cohort(tmp_path / "data", CORE1)
    first = np.array(load_volume(case, tmp_path / "cache").allowed)
    changed = ball()[1]
    changed[changed == 4] = 2
    sitk.WriteImage(image_of(changed), str(case.labels))
    assert not np.array_equal(load_volume(case, tmp_path / "cache").allowed, first)


def test_scans_that_are_given_another_name_are_prepared_anew(tmp_path):
    write_files(tmp_path / "x", ("one.nii.gz", "two.nii.gz"))
    shown = []
    for first, second in (("t1ce", "flair"), ("t1", "t1ce")):
        (tmp_path / "cases.tsv").write_text(
            f"case\t{first}\t{second}\tlabels\na\tx/one.nii.gz\tx/two.nii.gz\tx/labels.nii.gz\n"
        )
        (case,) = read_cohort(tmp_path, CORE1)
        shown.append([bool(scan.any()) for scan in load_volume(case, tmp_path / "cache").scans])
    assert shown == [[False, True, True], [True, True, False]]


# What would train without a word


def moved(folder, millimetres):
    path = folder / "labels.nii.gz"
    image = sitk.ReadImage(str(path))
    image.SetOrigin([place + millimetres for place in image.GetOrigin()])
    sitk.WriteImage(image, str(path))


def test_labels_whose_header_lies_elsewhere_than_that_of_their_scan_are_refused(tmp_path):
    write_files(tmp_path / "anna", THREE)
    moved(tmp_path / "anna", 30)
    (case,) = read_cohort(tmp_path, CORE1)
    with pytest.raises(TrainingError, match=r"of case anna .* its T1 but lie 30 mm away") as told:
        prepare_volume(case)
    assert "T1CE" in told.value.remedy


def test_labels_drawn_on_a_part_of_the_scan_that_lie_outside_the_brain_are_refused(tmp_path):
    write_files(tmp_path / "anna", THREE)
    path = tmp_path / "anna" / "labels.nii.gz"
    part = sitk.ReadImage(str(path))[5:40, 5:40, 2:18]
    sitk.WriteImage(part, str(path))
    prepare_volume(*read_cohort(tmp_path, CORE1))
    moved(tmp_path / "anna", 45)
    with pytest.raises(TrainingError, match=r"% of the labelled voxels of .* brain of case anna"):
        prepare_volume(*read_cohort(tmp_path, CORE1))


def test_labels_stored_in_another_order_of_axes_are_in_their_place(tmp_path):
    write_files(tmp_path / "anna", THREE)
    expected = prepare_volume(*read_cohort(tmp_path, CORE1)).allowed
    path = tmp_path / "anna" / "labels.nii.gz"
    sitk.WriteImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "RAS"), str(path))
    assert np.array_equal(prepare_volume(*read_cohort(tmp_path, CORE1)).allowed, expected)


def test_cases_without_labels_beside_labelled_ones_are_named(tmp_path):
    write_files(tmp_path / "anna", THREE)
    (tmp_path / "anna" / "derived").mkdir()
    shutil.copy(tmp_path / "anna" / "t1.nii.gz", tmp_path / "anna" / "derived" / "t1.nii.gz")
    (tmp_path / "notes.xlsx").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    assert len(read_cohort(tmp_path, CORE1)) == 1
    write_files(tmp_path / "site" / "berta", THREE, label_name=None)
    write_files(tmp_path / "clara", THREE, label_name=None)
    with pytest.raises(TrainingError, match=r"no labels in .*clara, site.berta") as told:
        read_cohort(tmp_path, CORE1)
    assert "cases.tsv" in told.value.remedy


def test_one_scan_given_as_two_sequences_is_refused_with_the_case(tmp_path):
    write_files(tmp_path / "anna", THREE)
    scan = sitk.ReadImage(str(tmp_path / "anna" / "t1.nii.gz"))
    sitk.WriteImage(scan * 2, str(tmp_path / "anna" / "t1ce.nii.gz"))
    with pytest.raises(InputError, match=r"Case anna: T1 .* and T1CE .* are the same scan"):
        prepare_volume(*read_cohort(tmp_path, CORE1))


def test_a_label_map_given_as_a_scan_is_refused_with_the_case(tmp_path):
    write_files(tmp_path / "anna", THREE)
    shutil.copy(tmp_path / "anna" / "labels.nii.gz", tmp_path / "anna" / "flair.nii.gz")
    with pytest.raises(InputError, match=r"Case anna: The FLAIR scan .* segmentation or a mask"):
        prepare_volume(*read_cohort(tmp_path, CORE1))


def test_what_is_doubtful_about_a_case_is_told_again_when_it_comes_from_the_cache(tmp_path):
    write_files(tmp_path / "data" / "anna", THREE)
    columns = ("case", "label_protocol", "t1", "t1ce", "flair", "labels")
    files = [f"anna/{name}.nii.gz" for name in ("t1", "flair", "t1ce", "labels")]
    row = ("anna", "core1_edema2_enhancing4", *files)
    (tmp_path / "data" / "cases.tsv").write_text("\t".join(columns) + "\n" + "\t".join(row))
    for _ in range(2):
        progress = Progress()
        cases = read_cohort(tmp_path / "data")
        prepare_cases(cases, TrainingConfig(), tmp_path / "cache", progress)
        told = [text for text in progress.warnings if " was given as " in text]
        assert len(told) == 2 and all(text.startswith("Case anna: ") for text in told)
