"""Synthetic cases as files, contact sheets, training volumes, and what real data adds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from BrainTumorSegLib.cli.application import main
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.config import Kind, SynthesisConfig
from BrainTumorSegLib.synthesis.export import CohortWriter, contact_sheet, telling_slice
from BrainTumorSegLib.synthesis.generator import synthesize
from BrainTumorSegLib.synthesis.real_scans import (
    RealCase,
    anatomy_from_scans,
    carvemix,
    healthy_half,
    mirrored_healthy,
    read_real,
)
from BrainTumorSegLib.synthesis.scanner import AcquisitionConfig
from BrainTumorSegLib.synthesis.sources import Sources, find_sources, read_shape
from BrainTumorSegLib.training.case_files import read_protocol
from BrainTumorSegLib.training.cohort import read_cohort
from BrainTumorSegLib.training.dataset import real_cases
from BrainTumorSegLib.training.volumes import (
    LabeledVolume,
    map_volume,
    prepare_sample,
    prepare_volume,
    store_volume,
    stored_samples,
    synthetic_volume,
)

SMALL = SynthesisConfig(slab=16, acquisition=AcquisitionConfig(thick_reference=0, missing=0))


@pytest.fixture(scope="module", autouse=True)
def one_head():
    """Drawing a head takes seconds: all tests share one."""
    from BrainTumorSegLib.synthesis import sources

    patch = pytest.MonkeyPatch()
    patch.setattr(sources, "_DRAWN", 1)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def glioblastoma():
    return synthesize(SMALL.only(Kind.GLIOBLASTOMA), Sources(), 4)


def blob(shape, center, radius):
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, center, radius, strict=True)) < 1


@pytest.fixture(scope="module")
def ball_brain():
    """Stripped scans of a ball-shaped brain with a lesion on the patient's left."""
    shape = (60, 90, 80)
    brain = blob(shape, (30, 45, 40), (26, 40, 34))
    white = blob(shape, (30, 45, 40), (20, 33, 27))
    fluid = blob(shape, (30, 45, 40), (13, 20, 10))
    t1 = np.where(white, 100, 78) * brain * 1.0
    t1[fluid] = 30
    t1 += brain * np.random.default_rng(1).normal(0, 1, shape)
    lesion = blob(shape, (30, 45, 58), (7, 8, 7))
    arrays = {Sequence.T1: t1, Sequence.T1CE: t1 + 60 * lesion, Sequence.FLAIR: t1 + 90 * lesion}
    allowed = np.where(lesion, 16, 1).astype(np.uint8)
    scans = {s: a.astype(np.float32) for s, a in arrays.items()}
    return anatomy_from_scans("ball", scans, allowed)


# Training


def test_a_sample_becomes_a_training_volume_like_a_real_case(glioblastoma):
    volume = prepare_sample(glioblastoma, "one")
    assert volume.scans.dtype == np.float16 and volume.allowed.dtype == np.uint8
    assert volume.scans.shape == (3, *volume.allowed.shape)
    assert volume.allowed.shape[1] % 32 == 0 and volume.allowed.shape[2] % 32 == 0
    assert (volume.allowed > 0).all()
    inside = volume.scans[1] != 0
    assert abs(float(volume.scans[1][inside].astype(float).mean())) < 0.05
    for tissue in (1, 2, 3, 4):
        wanted = (glioblastoma.allowed == 1 << tissue).sum()
        assert (volume.allowed == 1 << tissue).sum() == wanted


def test_a_sequence_that_was_not_taken_is_zero_in_a_training_volume():
    config = replace(SMALL, acquisition=replace(SMALL.acquisition, missing=1.0))
    sample = synthesize(config.only(Kind.HEALTHY), Sources(), 2)
    volume = prepare_sample(sample, "one")
    empty = [s for n, s in enumerate(Sequence) if not volume.scans[n].any()]
    assert empty == [s for s in Sequence if s not in sample.scans] and len(empty) == 1


def test_cached_volumes_are_those_that_were_made(tmp_path):
    config = SMALL.only(Kind.NEURINOMA)
    fresh = synthetic_volume(config, Sources(), 3, 1)
    place = stored_samples(tmp_path, config, Sources(), 3)
    for _ in range(2):
        stored = synthetic_volume(config, Sources(), 3, 1, place)
        assert stored.name == fresh.name
        np.testing.assert_array_equal(stored.scans, fresh.scans)
        np.testing.assert_array_equal(stored.allowed, fresh.allowed)
    assert len(list(tmp_path.iterdir())) == 1
    synthetic_volume(config, Sources(), 3, 2, place)
    assert len(list(tmp_path.iterdir())) == 2


def test_samples_are_made_anew_when_the_labels_that_they_are_painted_by_were_corrected(tmp_path):
    labels = tmp_path / "labels.nii.gz"
    labels.write_bytes(b"first")
    case = RealCase("a", (), labels, read_protocol("core1_edema2_enhancing4"))
    config, sources = SMALL.only(Kind.HEALTHY), Sources(cases=(case,))
    made = []
    for _ in range(2):
        place = stored_samples(tmp_path / "cache", config, sources, 3)
        synthetic_volume(config, sources, 3, 1, place)
        made.append(len(list((tmp_path / "cache").iterdir())))
        labels.write_bytes(b"corrected")
    assert made == [1, 2]


# Files and sheets


def test_several_runs_may_fill_one_cache_at_the_same_time(tmp_path):
    path = tmp_path / "cache" / "case.safetensors"
    values = np.arange(200_000, dtype=np.float32).reshape(2, -1)
    volume = LabeledVolume("one", values, values.astype(np.uint8))

    def fill(_: int) -> None:
        store_volume(path, volume)
        assert np.array_equal(map_volume(path).scans, values)

    with ThreadPoolExecutor(4) as runs:
        list(runs.map(fill, range(40)))
    assert [p.name for p in path.parent.iterdir()] == ["case.safetensors"]


def test_written_samples_are_a_cohort_that_training_reads(tmp_path):
    # As high as a scan must be that can show a head.
    config = replace(SMALL, slab=48)
    glioblastoma = synthesize(config.only(Kind.GLIOBLASTOMA), Sources(), 4)
    writer = CohortWriter(tmp_path / "cohort")
    writer.add("glioblastoma-1", 2, glioblastoma)
    writer.finish()
    (case,) = read_cohort(tmp_path / "cohort")
    assert (case.name, case.fold, case.group) == ("glioblastoma-1", 2, "glioblastoma")
    volume = prepare_volume(case)
    for tissue in (1, 2, 3, 4):
        assert (volume.allowed == 1 << tissue).sum() == (glioblastoma.labels == tissue).sum()


def test_a_truth_that_merges_tissues_is_not_written_as_labels(tmp_path, glioblastoma):
    merged = replace(glioblastoma, allowed=np.full_like(glioblastoma.allowed, 0b1010))
    with pytest.raises(InputError, match="merge tissues"):
        CohortWriter(tmp_path).add("merged", 0, merged)


def test_a_contact_sheet_shows_every_sample(glioblastoma):
    sheet = contact_sheet([glioblastoma] * 3, columns=2)
    width, height = sheet.size
    cell = np.asarray(sheet)[: height // 2, : width // 2]
    last = np.asarray(sheet)[height // 2 :, width // 2 :]
    assert cell.std() > 20
    assert last.std() < 5
    assert glioblastoma.labels[telling_slice(glioblastoma)].any()


def test_the_command_writes_a_sheet_and_a_cohort(tmp_path, capsys):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[synthesis]\nslab = 12\n", encoding="utf-8")
    sheet, out = tmp_path / "sheet.png", tmp_path / "cases"
    command = ["synthesise", "--kind", "meningioma", "--count", "2", "--seed", "3", "--recipe"]
    command += [str(recipe), "--sheet", str(sheet), "--out", str(out), "--progress", "none"]
    assert main(command) == 0
    assert str(sheet) in capsys.readouterr().out
    with Image.open(sheet) as picture:
        assert picture.width > 1000
    assert len(read_cohort(out)) == 2
    assert main(command) == 4  # nothing is replaced without --overwrite


def test_the_command_refuses_to_write_nothing(capsys):
    assert main(["synthesise", "--count", "1", "--progress", "none"]) == 3
    assert "--sheet" in capsys.readouterr().err


# Real scans, imitated


def test_real_scans_are_parted_into_fluid_grey_and_white_matter(ball_brain):
    from BrainTumorSegLib.synthesis.classes import A

    z, y, x = (n // 2 for n in ball_brain.classes.shape)
    assert ball_brain.classes[z, y, x] in (A.CSF, A.VENTRICLE)
    assert ball_brain.classes[z, y, x - 15] == A.WHITE
    assert ball_brain.classes[z, y, x - 31] == A.CORTEX
    assert ball_brain.classes[z, y, 0] == A.AIR
    assert ball_brain.midline == pytest.approx((ball_brain.classes.shape[2] - 1) / 2, abs=1)
    assert healthy_half(ball_brain) == -1


def test_the_healthy_half_on_both_sides_has_no_lesion(ball_brain):
    healthy = mirrored_healthy(ball_brain)
    assert healthy.allowed is None
    brightest = max(int(i.max()) for i in healthy.images.values())
    assert brightest < 0.8 * max(int(i.max()) for i in ball_brain.images.values())
    assert (healthy.classes > 0).sum() == pytest.approx((ball_brain.classes > 0).sum(), rel=0.03)


def test_carving_moves_lesion_and_truth_together(ball_brain):
    healthy = mirrored_healthy(ball_brain)
    for seed in range(4):
        mixed = carvemix(np.random.default_rng(seed), healthy, ball_brain)
        lesion = mixed.allowed == 16
        assert lesion.any()
        flair = mixed.images[Sequence.FLAIR].astype(float)
        assert flair[lesion].mean() > 1.4 * flair[(mixed.classes > 0) & ~lesion].mean()


def test_a_scan_without_lesion_cannot_be_carved_from(ball_brain):
    healthy = mirrored_healthy(ball_brain)
    with pytest.raises(InputError, match="no lesion"):
        carvemix(np.random.default_rng(0), ball_brain, healthy)
    with pytest.raises(InputError, match="No half"):
        mirrored_healthy(healthy)


# Real data


@pytest.fixture(scope="module")
def real_sources(real_data):
    cases = [c for c in read_cohort(real_data) if c.name in ("BraTS2021_01485", "BraTS2021_01480")]
    return find_sources(real_data, real_cases(cases))


def test_real_label_maps_of_heads_give_cases_of_all_types(real_sources):
    sources = replace(real_sources, heads=real_sources.heads[:1], cases=())
    for kind in (Kind.GLIOBLASTOMA, Kind.MENINGIOMA, Kind.NEURINOMA):
        case = synthesize(replace(SMALL.only(kind), part="all"), sources, 1)
        assert case.labels.any()
        assert case.record["anatomy"].startswith("training_seg")


def test_real_shapes_know_their_place_and_size(real_sources):
    shapes = [s for s in map(read_shape, real_sources.shapes[:4]) if s is not None]
    assert shapes
    for shape in shapes:
        assert 0 < shape.place[0] < 1 and 0 < shape.place[1] < 1 and abs(shape.place[2]) < 1
        assert (shape.core < 0).sum() / 1000 == pytest.approx(shape.core_ml, rel=0.15)
        assert shape.whole_ml >= shape.core_ml > 0


def test_a_lesion_painted_on_a_real_scan_may_stand_beside_the_real_tumour(real_sources):
    config = replace(SMALL.only(Kind.MENINGIOMA), real_share=1.0, keep_tumour=1.0, slab=0)
    case = synthesize(config, real_sources, 1)
    assert case.record["contrast"] == "real"
    assert (case.allowed == 1 << 4).any()
    anatomy = read_real(real_sources.cases[0])
    assert anatomy.levels[Sequence.T1].fluid < anatomy.levels[Sequence.T1].gray < 1


def test_carved_real_cases_keep_their_sets_of_tissues(real_sources):
    case = synthesize(replace(SMALL.only(Kind.CARVEMIX), slab=0), real_sources, 2)
    assert "carved into" in case.record["anatomy"]
    assert set(np.unique(case.allowed)) & {0b1010, 0b1011}


def test_a_file_in_the_place_of_the_cases_is_told_before_any_is_made(tmp_path, capsys):
    (tmp_path / "cases").write_text("notes")
    assert main(["synthesise", "--count", "1", "--out", str(tmp_path / "cases")]) == 4
    assert "cases is a file, not a folder" in capsys.readouterr().err
