"""Training for whole heads: regions, single outlined slices, and heads around stripped brains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from outlined_pictures import disk, write_slices
from PIL import Image
from toy_cases import BIT, CORE, PACK_TABLE, TINY, toy_volume, train, write_toy_cohort

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.models.packs import read_pack
from BrainTumorSegLib.preprocessing.model_grid import NetworkInput
from BrainTumorSegLib.training import head_donors
from BrainTumorSegLib.training.cohort import read_cohorts
from BrainTumorSegLib.training.config import FolderShare, check_config
from BrainTumorSegLib.training.dataset import SliceSampler, TrainingData
from BrainTumorSegLib.training.head_donors import RAYS, SIDE, Donors, edge_of, framed, load_donors
from BrainTumorSegLib.training.losses import BACKGROUND, region_loss
from BrainTumorSegLib.training.outlined_slices import (
    OUTLINES,
    prepare_slice_set,
    read_slice_sets,
    without_fold,
)

EDEMA = BIT[Tissue.EDEMA]
HEAD = NetworkInput("percentile-quartiles", field_of_view="head")
T1CE = list(Sequence).index(Sequence.T1CE)


# --- regions -------------------------------------------------------------------------------

#: Logits of whole tumour, core, enhancing tumour and necrosis that say each tissue.
SAYS = {
    Tissue.BACKGROUND: (-9, -9, -9, -9),
    Tissue.NECROSIS: (9, 9, -9, 9),
    Tissue.EDEMA: (9, -9, -9, -9),
    Tissue.NON_ENHANCING: (9, 9, -9, -9),
    Tissue.ENHANCING: (9, 9, 9, -9),
}


def saying(tissues: np.ndarray) -> torch.Tensor:
    table = torch.tensor([SAYS[tissue] for tissue in Tissue], dtype=torch.float32)
    return table[torch.from_numpy(tissues).long()].permute(0, 3, 1, 2)


def test_saying_what_is_allowed_costs_nothing_and_anything_else_does():
    tissues = np.random.default_rng(0).integers(0, 5, (2, 40, 40))
    bits = torch.from_numpy(1 << tissues)
    assert region_loss(saying(tissues), bits) < 0.01
    for tissue in Tissue:
        wrong = tissues.copy()
        wrong[tissues == tissue] = (tissue + 1) % 5
        assert region_loss(saying(wrong), bits) > 0.1, tissue


def test_where_the_reference_cannot_decide_about_a_region_nothing_is_asked():
    """Core that may be necrosis or not decides three regions; all it leaves open is necrosis."""
    allowed = torch.full((1, 20, 20), CORE, dtype=torch.uint8)
    logits = saying(np.full((1, 20, 20), int(Tissue.NECROSIS))).requires_grad_()
    region_loss(logits, allowed).backward()
    assert logits.grad[:, 3].abs().max() == 0
    assert (logits.grad[:, :3].abs().amax(dim=(0, 2, 3)) > 0).all()


# --- outlined slices -----------------------------------------------------------------------


ROWS = [
    *(("1", "meningioma", 0, 80), ("2", "meningioma", 0, 96), ("3", "meningioma", 1, 80)),
    *(("4", "glioma", 1, 80), ("5", "pituitary", 0, 80)),
]


def test_slices_of_a_type_and_fold_are_one_volume_and_a_fold_stays_out(tmp_path):
    write_slices(tmp_path, ROWS)
    sets = read_slice_sets(tmp_path)
    assert [(s.name, len(s.slices)) for s in sets] == [
        *(("glioma-fold1", 1), ("meningioma-fold0", 2)),
        *(("meningioma-fold1", 1), ("pituitary-fold0", 1)),
    ]
    assert {s.fold for s in without_fold(sets, 0)} == {1}
    volume = prepare_slice_set(sets[1], HEAD)
    assert volume.scans.shape == (3, 2, 96, 96)
    shown = volume.scans.any(axis=(1, 2, 3))
    assert list(shown) == [s is Sequence.T1CE for s in Sequence]
    assert not volume.scans[:, 0, 80:].any() and (volume.allowed[0, 80:] == BACKGROUND).all()


@pytest.mark.parametrize(("kind", "inside"), [(k, o.inside) for k, o in OUTLINES.items()])
def test_an_outline_says_what_its_type_of_tumour_means(tmp_path, kind, inside):
    """Nobody outlined edema, which may lie around it in the head; far away there is none."""
    write_slices(tmp_path, [("1", kind, 0, 200)])
    (one,) = read_slice_sets(tmp_path)
    bits = prepare_slice_set(one, HEAD).allowed[0]
    lesion, head = disk(6, (100, 200 / 3), 200), disk(86, (100, 100), 200)
    assert (bits[lesion] == inside).all()
    near = disk(25, (100, 200 / 3), 200) & ~lesion & head
    edema = OUTLINES[kind].edema_mm > 25
    assert (bits[near] == (BACKGROUND | EDEMA if edema else BACKGROUND)).all()
    assert (bits[~disk(50, (100, 200 / 3), 200)] == BACKGROUND).all()
    assert (bits[~disk(94, (100, 100), 200)] == BACKGROUND).all()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "slices.tsv").unlink(), "slices.tsv cannot be read"),
        (lambda f: (f / "fold0" / "1_mask.png").unlink(), "1_mask.png is missing"),
        (lambda f: (f / "fold0" / "1.png").unlink(), "1.webp is missing"),
        (lambda f: write_slices(f, [("1", "lipoma", 0, 80)]), "line 2: .*'lipoma'"),
    ],
)
def test_a_set_that_is_not_whole_is_refused_by_name(tmp_path, damage, message):
    write_slices(tmp_path, [("1", "glioma", 0, 80)])
    damage(tmp_path)
    with pytest.raises(TrainingError, match=message):
        read_slice_sets(tmp_path)


# --- heads ---------------------------------------------------------------------------------


def donor(brain_radius: float = 60.0) -> Donors:
    """A ring of scalp from 12 to 20 pixels beyond a round brain, other in each sequence."""
    ring = disk(brain_radius + 20) & ~disk(brain_radius + 12)
    image = np.stack([ring * float(n) for n in (1, 2, 3)]).astype(np.float16)
    middle, edge = edge_of(disk(brain_radius))
    return Donors(image[None], middle[None], edge[None], np.array([0.5]))


def brain_slice(radius: float = 45.0) -> np.ndarray:
    noise = np.random.default_rng(1).uniform(4, 5, (3, 160, 128)).astype(np.float16)
    y, x = np.ogrid[:160, :128]
    return noise * (np.hypot(y - 70, x - 60) < radius)


@pytest.mark.parametrize("seed", range(4))
def test_a_head_is_as_far_from_a_small_brain_as_from_the_donor_s(seed):
    image = brain_slice()
    result = donor().around(image, 0.5, np.random.default_rng(seed))
    inside = framed(image, 0.0)
    assert np.array_equal(result[inside != 0], inside[inside != 0])
    assert sorted(np.unique(result[T1CE][~inside.any(axis=0)].round(3)))[-1] == 2
    middle = np.array([70 + (SIDE - 160) / 2, 60 + (SIDE - 128) / 2])
    places = np.argwhere((result[0] == 1) & ~inside.any(axis=0))
    reach = np.linalg.norm(places - middle, axis=1) - 45
    assert reach.min() >= 11 and reach.max() <= 25
    # All around: a ring, no heap.
    turns = np.arctan2(*(places - middle).T)
    assert len(np.unique((turns * 10).round())) > 55


def test_a_sequence_that_is_missing_does_not_come_with_the_head():
    image = brain_slice()
    image[2] = 0
    result = donor().around(image, 0.5, np.random.default_rng(0))
    assert result[0].any() and not result[2].any()


def test_the_edge_of_a_brain_is_found_on_every_ray_whatever_its_place():
    middle, edge = edge_of(disk(50, (100, 140)))
    assert np.allclose(middle, (100, 140), atol=0.5)
    assert edge.shape == (RAYS,) and np.allclose(edge, 49.5, atol=1)


def sampler(share: float, **changes) -> SliceSampler:
    config = replace(
        TINY, shown=HEAD, batch=6, crop=(256, 256), heads=FolderShare("heads", share), **changes
    )
    stripped = replace(toy_volume("a", 0, (6, 96, 96)), stripped=True)
    return SliceSampler(TrainingData([stripped], donors=donor()), config)


def test_slices_in_heads_keep_their_labels_where_they_were(monkeypatch):
    monkeypatch.setattr(head_donors, "_LEAST_BRAIN", 100)
    images, allowed = sampler(1.0, tumor_share=1.0).batch(0)
    assert images.shape == (6, 3, 256, 256)
    for image, bits in zip(images, allowed, strict=True):
        tumor = bits.numpy() != BACKGROUND
        assert tumor.sum() == 15 * 18
        # The toy's lesion is brighter by three.
        assert image[:, tumor].mean() > 2


def test_processes_draw_the_same_heads_as_one_alone():
    whole, _ = sampler(0.5).batch(3)
    parts = [sampler(0.5).batch(3, rank, 2)[0] for rank in range(2)]
    assert torch.equal(torch.stack(parts, dim=1).flatten(0, 1), whole)


def test_as_many_slices_are_outlined_ones_as_the_recipe_says():
    config = replace(TINY, batch=200, crop=(32, 32), slices=FolderShare("slices", 0.3))
    cases, outlined = toy_volume("a", 0), toy_volume("o", 1)
    outlined.scans[:] = 7
    images, _ = SliceSampler(TrainingData([cases], slices=[outlined]), config).batch(0)
    share = (images == 7).flatten(1).all(dim=1).float().mean()
    assert 0.2 < share < 0.4


def test_heads_are_read_from_sheets_and_what_has_no_skull_is_left_out(tmp_path, monkeypatch):
    rows = ["case\tslices", "good\t12", "stripped\t12", "halved\t12"]
    (tmp_path / "cases.tsv").write_text("\n".join(rows))
    for name in ("good", "stripped", "halved"):
        for sequence in ("t1", "t1ce", "flair")[: 2 if name == "halved" else 3]:
            write_sheet(tmp_path / f"{name}_{sequence}.webp", skull=name != "stripped")
    monkeypatch.setattr(head_donors, "extract_brain", round_brain)
    progress = Progress()
    donors = load_donors(tmp_path, tmp_path / "cache", HEAD, progress)
    assert [text.split(" is not")[0] for text in progress.warnings] == ["Head stripped"]
    assert donors.images.shape[1:] == (3, SIDE, SIDE)
    assert np.allclose(donors.places[[0, -1]], (0, 1), atol=0.11)
    assert np.allclose(donors.edges, 60 * head_donors._SHEET_MM, atol=3)
    monkeypatch.setattr(head_donors, "extract_brain", None)  # the cache is read
    again = load_donors(tmp_path, tmp_path / "cache", HEAD)
    assert np.array_equal(again.images, donors.images)


def write_sheet(path: Path, skull: bool) -> None:
    rng = np.random.default_rng(0)
    sheet = np.zeros((512, 2048))
    for number in range(12):
        tile = np.where(disk(60), 120, 0) + np.where(disk(80) & ~disk(70), 220 * skull, 0)
        # Air is noise where a scanner saw it, and nothing where the skull was removed.
        tile = np.where(tile + skull, np.abs(tile + rng.normal(0, 8, tile.shape)), 0)
        top, left = (256 * n for n in divmod(number, 8))
        sheet[top : top + 256, left : left + 256] = tile
    Image.fromarray(sheet.clip(0, 255).astype(np.uint8)).save(path, lossless=True)


def round_brain(case, transforms, progress):
    import SimpleITK as sitk

    from BrainTumorSegLib.preprocessing.brain import BrainMask
    from BrainTumorSegLib.preprocessing.brain.extraction import _mask_of_stripped_case

    stripped = _mask_of_stripped_case(case, transforms, progress)
    if stripped is not None:
        return BrainMask(stripped, "stripped", True, 1000.0)
    image = case.reference_scan.image
    mask = np.broadcast_to(disk(60), image.GetSize()[::-1]).astype(np.uint8)
    brain = sitk.GetImageFromArray(mask)
    brain.CopyInformation(image)
    return BrainMask(brain, "given", False, 1500.0)


# --- recipes and runs ----------------------------------------------------------------------

RECIPE = f"""
[training]
steps = 2
batch = 2
crop = [64, 64]
warmup = 1

[training.shown]
normalization = "percentile-quartiles"
field_of_view = "head"

[training.network]
encoder = "mobilenet_v2"
encoder_depth = 3
heads = "regions"

[training.slices]
folder = "slices"

[training.augmentation]
t1ce_alone = 0.5

{PACK_TABLE}"""


def test_a_pack_of_such_a_run_says_what_its_networks_see_and_give(tmp_path):
    """From two folders of cases, with outlined slices; its weights are checked as any others."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    write_toy_cohort(tmp_path / "one")
    write_toy_cohort(tmp_path / "two")
    table = tmp_path / "two" / "cases.tsv"
    table.write_text(table.read_text().replace("toy", "more"))
    for place in sorted((tmp_path / "two").rglob("toy*"), reverse=True):
        place.rename(place.with_name(place.name.replace("toy", "more")))
    write_slices(tmp_path / "one" / "slices", ROWS)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    options = (str(tmp_path / "two"), "--folds", "0", "--allowed-loss", "1")
    assert train(tmp_path / "one", tmp_path / "run", recipe=recipe, data=options) == 0
    pack = read_pack(tmp_path / "run" / "toy")
    assert pack.shown == HEAD and pack.network.heads == "regions"
    assert "DATA DATA/../two" in pack.provenance["command"]
    assert len((tmp_path / "run" / "cases.tsv").read_text().splitlines()) == 9


def test_two_folders_with_a_case_of_one_name_are_refused(tmp_path):
    write_toy_cohort(tmp_path / "one")
    write_toy_cohort(tmp_path / "two")
    with pytest.raises(TrainingError, match="have a case toy0"):
        read_cohorts([tmp_path / "one", tmp_path / "two"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": FolderShare("heads")}, "heads puts heads around brains"),
        ({"shown": replace(HEAD, field_of_view="body")}, "field_of_view is 'body'"),
        ({"shown": replace(HEAD, low=99.5)}, "low 99.5 is not below high 99.5"),
        ({"slices": FolderShare("s", 1.5)}, "slices.share is 1.5"),
        (
            {
                "slices": FolderShare("s"),
                "input_channels": "wide",
                "network": replace(TINY.network, in_channels=9),
            },
            "slices are single",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(TrainingError, match=message):
        check_config(replace(TINY, **change))


def test_a_case_without_t1_is_taken_as_it_is(tmp_path):
    write_toy_cohort(tmp_path, 2)
    (tmp_path / "brats" / "toy1" / "toy1_t1.nii.gz").unlink()
    shown = [set(case.scans) for case in read_cohorts([tmp_path])]
    assert shown == [set(Sequence), {Sequence.T1CE, Sequence.FLAIR}]
    (tmp_path / "brats" / "toy1" / "toy1_t1ce.nii.gz").unlink()
    with pytest.raises(TrainingError, match=r"toy1_t1ce\.nii\.gz is missing"):
        read_cohorts([tmp_path])
