"""Synthetic cases of four tumor types and of none, made of drawn heads without any data."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import BrainTumorSegLib.synthesis as room
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.config import (
    NEGATIVES,
    FormShares,
    Kind,
    SynthesisConfig,
    config_from_table,
    held_out,
    read_synthesis_table,
)
from BrainTumorSegLib.synthesis.generator import Sample, synthesize
from BrainTumorSegLib.synthesis.scanner import AcquisitionConfig
from BrainTumorSegLib.synthesis.sources import Sources

#: A scanner without faults, so that intensities can be measured.
PLAIN = AcquisitionConfig(
    thick=0, thick_reference=0, bias=0, noise=(0, 0), motion=0, gamma=1, missing=0, skull=0
)
TYPICAL = replace(
    SynthesisConfig(acquisition=PLAIN),
    contrast=replace(SynthesisConfig().contrast, typical=1, ordered=0, free=0),
)
TUMORS = (Kind.GLIOBLASTOMA, Kind.ASTROCYTOMA, Kind.MENINGIOMA, Kind.NEURINOMA)


@pytest.fixture(scope="module", autouse=True)
def one_head():
    """Drawing a head takes seconds: all tests share one."""
    from BrainTumorSegLib.synthesis import sources

    patch = pytest.MonkeyPatch()
    patch.setattr(sources, "_DRAWN", 1)
    yield
    patch.undo()


@lru_cache(maxsize=40)
def sample(kind: Kind, seed: int, config: SynthesisConfig = TYPICAL) -> Sample:
    return synthesize(config.only(kind), Sources(), seed)


def median(case: Sample, sequence: Sequence, where: np.ndarray) -> float:
    return float(np.median(case.scans[sequence][where]))


def relative(case: Sample, sequence: Sequence, where: np.ndarray) -> float:
    """Signal relative to the healthy brain of the same scan."""
    return median(case, sequence, where) / median(case, sequence, case.brain & (case.labels == 0))


def of(case: Sample, tissue: Tissue) -> np.ndarray:
    return case.labels == int(tissue)


# One sample


@pytest.mark.parametrize("kind", TUMORS, ids=lambda k: k.value)
def test_the_same_seed_gives_the_same_voxels(kind):
    first, again = sample(kind, 1), synthesize(TYPICAL.only(kind), Sources(), 1)
    assert first.record == again.record
    np.testing.assert_array_equal(first.labels, again.labels)
    np.testing.assert_array_equal(first.brain, again.brain)
    for sequence in Sequence:
        np.testing.assert_array_equal(first.scans[sequence], again.scans[sequence])


def test_another_seed_gives_another_case():
    first, other = sample(Kind.GLIOBLASTOMA, 1), sample(Kind.GLIOBLASTOMA, 2)
    assert first.labels.shape != other.labels.shape or (first.labels != other.labels).any()


@pytest.mark.parametrize("kind", [*TUMORS, *NEGATIVES], ids=lambda k: k.value)
def test_all_arrays_of_a_sample_share_one_grid_and_have_plain_types(kind):
    case = sample(kind, 1)
    assert set(case.scans) == set(Sequence)
    for scan in case.scans.values():
        assert scan.shape == case.labels.shape == case.brain.shape == case.allowed.shape
        assert scan.dtype == np.float32 and np.isfinite(scan).all() and scan.min() >= 0
        assert (scan[~case.brain] == 0).all()
    assert case.labels.dtype == case.allowed.dtype == np.uint8 and case.brain.dtype == bool
    assert 700 < case.brain.sum() * np.prod(case.spacing) / 1000 < 2500  # mL
    image = case.image(case.labels)
    assert image.GetSpacing() == tuple(reversed(case.spacing))
    json.dumps(dict(case.record))


@pytest.mark.parametrize("kind", TUMORS, ids=lambda k: k.value)
def test_the_tissue_bits_are_those_of_the_labels(kind):
    case = sample(kind, 1)
    inside = case.brain | (case.labels == 0)
    np.testing.assert_array_equal(case.allowed[inside], 1 << case.labels[inside].astype(int))


@pytest.mark.parametrize("kind", NEGATIVES, ids=lambda k: k.value)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_negative_case_has_no_tumor(kind, seed):
    case = sample(kind, seed)
    assert not case.labels.any()
    assert (case.allowed == 1).all()


def test_multiple_sclerosis_shows_bright_spots_on_flair_without_a_label():
    case, healthy = sample(Kind.MULTIPLE_SCLEROSIS, 1), sample(Kind.HEALTHY, 1)
    shares = []
    for one in (case, healthy):
        flair = one.scans[Sequence.FLAIR] / median(one, Sequence.FLAIR, one.brain)
        shares.append((flair[one.brain] > 1.35).sum())
    assert shares[0] > shares[1] + 300


# What each type is made of


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_glioblastoma_has_an_enhancing_rim_about_necrosis(seed):
    case = sample(Kind.GLIOBLASTOMA, seed)
    assert of(case, Tissue.ENHANCING).sum() > 300
    assert of(case, Tissue.EDEMA).any()
    dead = of(case, Tissue.NECROSIS)
    around = case.labels[np.roll(dead, 2, axis=2) & ~dead]
    assert dead.sum() == 0 or (around == Tissue.BACKGROUND).mean() < 0.1


def test_all_four_tissues_occur_in_glioblastomas():
    seen = {int(v) for seed in (1, 2, 3) for v in np.unique(sample(Kind.GLIOBLASTOMA, seed).labels)}
    assert seen == {int(t) for t in Tissue}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_most_of_an_astrocytoma_does_not_enhance(seed):
    case = sample(Kind.ASTROCYTOMA, seed)
    mass = of(case, Tissue.NON_ENHANCING)
    assert mass.sum() > 1000
    assert of(case, Tissue.ENHANCING).sum() < 0.5 * mass.sum()
    # With the mismatch sign FLAIR is suppressed inside.
    assert relative(case, Sequence.FLAIR, mass) > 1.1 or case.record["lesion"]["mismatch"]
    assert relative(case, Sequence.T1, mass) < 1.0


@pytest.mark.parametrize("kind", [Kind.MENINGIOMA, Kind.NEURINOMA], ids=lambda k: k.value)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_extra_axial_tumor_enhances_as_a_whole(kind, seed):
    case = sample(kind, seed)
    solid = of(case, Tissue.ENHANCING)
    assert solid.any()
    assert solid.sum() > 2 * (of(case, Tissue.NECROSIS) | of(case, Tissue.NON_ENHANCING)).sum()
    if solid.sum() > 300:
        assert relative(case, Sequence.T1CE, solid) > 1.15


@pytest.mark.parametrize("kind", [Kind.GLIOBLASTOMA, Kind.MENINGIOMA, Kind.NEURINOMA])
def test_enhancing_tumor_is_brighter_after_contrast_agent_than_before(kind):
    for seed in (1, 2, 3):
        case = sample(kind, seed)
        solid = of(case, Tissue.ENHANCING)
        before, after = (relative(case, s, solid) for s in (Sequence.T1, Sequence.T1CE))
        assert after > before + 0.15


def test_edema_is_bright_on_flair_and_takes_up_nothing():
    for seed in (1, 2, 3):
        case = sample(Kind.GLIOBLASTOMA, seed)
        wet = of(case, Tissue.EDEMA)
        assert relative(case, Sequence.FLAIR, wet) > 1.1
        gained = relative(case, Sequence.T1CE, wet) - relative(case, Sequence.T1, wet)
        assert abs(gained) < 0.15


def test_a_neurinoma_lies_low_and_beside_the_midline():
    for seed in (1, 2, 3):
        case = sample(Kind.NEURINOMA, seed)
        z, _, x = (c.mean() for c in np.nonzero(of(case, Tissue.ENHANCING)))
        slices, columns = (np.nonzero(case.brain)[axis] for axis in (0, 2))
        height = (z - slices.min()) / (slices.max() - slices.min())
        beside = abs(x - columns.mean())
        assert 0.1 < height < 0.45
        assert 8 < beside < 40


def test_a_meningioma_touches_the_edge_of_the_cavity_or_a_fold():
    for seed in range(1, 4):
        case = sample(Kind.MENINGIOMA, seed)
        if case.record["lesion"]["site"] in ("falx", "tentorium"):
            continue
        solid = of(case, Tissue.ENHANCING)
        rim = case.brain & ~np.all(
            [np.roll(case.brain, s, axis) for axis in range(3) for s in (-4, 4)], axis=0
        )
        assert (solid & rim).any()


# Settings


def test_a_slab_has_as_many_slices_as_asked_for_and_shows_tumor():
    case = sample(Kind.GLIOBLASTOMA, 4, replace(TYPICAL, slab=16))
    assert case.labels.shape[0] == 16
    assert case.labels.any()


def test_thick_reference_slices_set_the_grid_and_keep_the_tumor_volume():
    thick = replace(PLAIN, thick_reference=1.0, thickness=(4.0, 4.0), axial=1.0)
    fine, coarse = (
        sample(Kind.MENINGIOMA, 1),
        sample(Kind.MENINGIOMA, 1, replace(TYPICAL, acquisition=thick)),
    )
    assert coarse.spacing == (4.0, 1.0, 1.0)
    assert coarse.labels.shape[0] == pytest.approx(fine.labels.shape[0] / 4, abs=1.5)
    assert (coarse.labels > 0).any()


def test_a_missing_sequence_is_absent_and_t1ce_never_is():
    config = replace(TYPICAL, slab=8, acquisition=replace(PLAIN, missing=1.0))
    for seed in range(3):
        case = sample(Kind.HEALTHY, seed, config)
        assert len(case.scans) == 2 and Sequence.T1CE in case.scans
        assert case.record["missing"] in ("t1", "flair")


def test_with_the_skull_on_there_is_signal_outside_the_brain():
    config = replace(TYPICAL, slab=8, acquisition=replace(PLAIN, skull=1.0))
    case = sample(Kind.HEALTHY, 1, config)
    assert (case.scans[Sequence.T1][~case.brain] > 0).mean() > 0.2


def test_the_scanner_is_drawn_after_the_lesion_and_does_not_change_it():
    noisy = replace(PLAIN, noise=(0.04, 0.05), bias=0.2)
    plain = sample(Kind.NEURINOMA, 1)
    rough = sample(Kind.NEURINOMA, 1, replace(TYPICAL, acquisition=noisy))
    # Anatomy and lesion are drawn before the scanner.
    assert rough.record["lesion"] == plain.record["lesion"]
    assert rough.record["acquisition"]["t1"]["noise"] >= 0.04


def test_held_out_samples_are_made_differently():
    config = held_out(SynthesisConfig())
    assert config.part == "held_out" and config.texture == "cells"
    assert config.forms.lobed == 0 and config.real_share == 0
    case = synthesize(replace(config.only(Kind.ASTROCYTOMA), slab=16), Sources(), 1)
    assert case.record["lesion"]["form"] == "grown"


def test_held_out_heads_and_shapes_are_never_those_of_training():
    from BrainTumorSegLib.synthesis.sources import _of_part

    paths = tuple(Path(f"{n}.nii.gz") for n in range(20))
    training, held = (set(_of_part(paths, part)) for part in ("training", "held_out"))
    assert training and held and not training & held
    assert training | held == set(paths)


def test_a_table_changes_what_it_names_and_keeps_the_rest():
    config = config_from_table(
        {"slab": 32, "kinds": {"neurinoma": 1}, "acquisition": {"noise": [0.01, 0.02]}}
    )
    assert config.slab == 32 and config.kinds.neurinoma == 1.0
    assert config.acquisition.noise == (0.01, 0.02)
    assert config.glioma == SynthesisConfig().glioma


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"slabs": 3}, "synthesis.slabs"),
        ({"kinds": {"lymphoma": 1.0}}, "synthesis.kinds.lymphoma"),
        ({"slab": "many"}, "int was expected"),
        ({"slab": True}, "int was expected"),
        ({"acquisition": {"noise": 0.1}}, "2 numbers"),
        ({"glioma": 3}, "a table was expected"),
        ({"texture": "marble"}, "marble"),
        ({"part": "test"}, "test"),
        ({"slab": 2}, "slab"),
    ],
)
def test_a_wrong_table_is_refused_by_name(table, words):
    with pytest.raises(InputError, match=words):
        config_from_table(table)


def test_settings_are_read_from_the_table_of_a_toml_file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("[training]\nsteps = 3\n[synthesis]\nslab = 24\n", encoding="utf-8")
    assert read_synthesis_table(path).slab == 24
    path.write_text("[synthesis]\nslub = 24\n", encoding="utf-8")
    with pytest.raises(InputError, match="slub"):
        read_synthesis_table(path)


def test_carved_samples_without_real_cases_are_refused():
    with pytest.raises(InputError, match="no real cases"):
        synthesize(SynthesisConfig().only(Kind.CARVEMIX), Sources(), 1)


def test_forms_that_grow_have_the_volume_asked_for():
    config = replace(TYPICAL, forms=FormShares(lobed=0, grown=1, real=0))
    case = sample(Kind.ASTROCYTOMA, 5, config)
    assert case.record["lesion"]["form"] == "grown"
    ball = 4 / 3 * np.pi * case.record["lesion"]["radius_mm"] ** 3
    core = (case.labels == 1) | (case.labels >= 3)
    assert 0.4 * ball < core.sum() < 1.4 * ball


# The room


def test_nothing_heavy_is_imported_with_the_generator():
    code = (
        "import sys; import BrainTumorSegLib.synthesis.generator; "
        "print([m for m in ('torch', 'matplotlib', 'monai', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_source_of_chance_is_the_generator_that_was_given():
    for path in Path(room.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np.random":
                assert node.attr in ("Generator", "default_rng"), path.name
