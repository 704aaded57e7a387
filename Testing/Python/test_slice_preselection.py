"""The whole ensemble looks near tumour only; nothing is lost by it."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pytest
import torch

from BrainTumorSegLib.cli.commands.segment import add_run_options, options_from
from BrainTumorSegLib.core.errors import Cancelled, InputError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines.torch_engine import TorchEngine
from BrainTumorSegLib.inference.ensemble import predict_volume
from BrainTumorSegLib.inference.slice_preselection import (
    SLICE_PRESELECTIONS,
    Preselection,
    choose_preselection,
    near_tumor,
)
from BrainTumorSegLib.inference.tta import TTA_SETS
from BrainTumorSegLib.models.packs import load_members, load_pack

CASCADE = Preselection()
DEPTH = 40
#: Where the two lesions of `two_lesions` lie.
LESIONS = (slice(4, 7), slice(31, 33))


class BrightIsTumour(torch.nn.Module):
    """Edema where FLAIR is bright; how sure it is depends on the member."""

    def __init__(self, sharpness: float, shift: float = 0.0) -> None:
        super().__init__()
        self.sharpness, self.shift = sharpness, shift
        self.shown = 0

    def forward(self, images):
        self.shown += len(images)
        logits = torch.zeros(len(images), 5, *images.shape[2:])
        logits[:, 0] = 4.0
        logits[:, 2] = 4.0 + self.sharpness * (images[:, 2] - 2.0 + self.shift)
        return logits


def members():
    return [BrightIsTumour(5.0), BrightIsTumour(3.0, 0.2), BrightIsTumour(4.0, -0.2)]


def two_lesions() -> dict[Sequence, np.ndarray]:
    rng = np.random.default_rng(0)
    volumes = {s: rng.normal(0, 0.1, (DEPTH, 32, 64)).astype(np.float32) for s in Sequence}
    flair = volumes[Sequence.FLAIR]
    flair[LESIONS[0], 4:20, 8:30] += 4.0
    flair[LESIONS[1], 25:28, 50:53] += 4.0
    return volumes


def predicted(volumes, networks, cascade, views="tta2", **more):
    return predict_volume(
        volumes, "mixture", TTA_SETS[views], TorchEngine(networks), preselection=cascade, **more
    )


@pytest.mark.parametrize("views", TTA_SETS)
def test_two_lesions_far_from_each_other_are_both_kept(views):
    whole, cheap = (predicted(two_lesions(), members(), c, views) for c in (None, CASCADE))
    labels = [seen.probabilities.argmax(axis=0) for seen in (whole, cheap)]
    assert np.array_equal(*labels)
    for where in LESIONS:
        assert (labels[1][where] == 2).any(axis=(1, 2)).all()
    assert (cheap.slices, cheap.near) == (DEPTH, 7 + 6)
    assert (whole.slices, whole.near) == (DEPTH, DEPTH)


def test_near_tumour_the_answer_is_the_same_and_elsewhere_it_is_the_first_look():
    networks = members()
    whole, cheap = (predicted(two_lesions(), networks, c) for c in (None, CASCADE))
    first = predicted(two_lesions(), networks[:1], None, "none")
    near = np.zeros(DEPTH, bool)
    near[2:9] = near[29:35] = True
    for name in ("probabilities", "entropy", "mutual_information"):
        seen, expected = getattr(cheap, name), getattr(whole, name)
        np.testing.assert_allclose(seen[..., near, :, :], expected[..., near, :, :], atol=1e-6)
    for name in ("probabilities", "entropy"):
        seen, expected = getattr(cheap, name), getattr(first, name)
        np.testing.assert_allclose(seen[..., ~near, :, :], expected[..., ~near, :, :], atol=1e-6)
    assert (cheap.mutual_information[~near] == 0).all()


def test_the_first_look_is_not_taken_twice_and_progress_reaches_its_end():
    networks, steps = members(), []
    progress = Progress(sinks=(lambda event: steps.append((event.step, event.total)),))
    predicted(two_lesions(), networks, CASCADE, progress=progress)
    near = 13
    assert [n.shown for n in networks] == [DEPTH + 3 * near, 4 * near, 4 * near]
    assert steps[-1] == (DEPTH * 12, DEPTH * 12)
    assert steps == sorted(steps)


def test_without_tumour_one_look_is_all():
    volumes = {s: np.full((6, 32, 32), 0.1, np.float32) for s in Sequence}
    networks = members()
    seen = predicted(volumes, networks, CASCADE)
    assert (seen.slices, seen.near) == (6, 0)
    assert [n.shown for n in networks] == [6, 0, 0]
    assert (seen.probabilities.argmax(axis=0) == 0).all()


def test_an_empty_volume_is_background():
    volumes = {s: np.zeros((4, 32, 32), np.float32) for s in Sequence}
    seen = predicted(volumes, members(), CASCADE)
    assert (seen.slices, seen.near) == (0, 0)
    assert (seen.probabilities[0] == 1).all()


def test_a_single_member_with_a_single_view_looks_as_ever():
    whole, cheap = (predicted(two_lesions(), members()[:1], c, "none") for c in (None, CASCADE))
    assert np.array_equal(whole.probabilities, cheap.probabilities)
    assert cheap.near == cheap.slices == DEPTH


def test_slices_up_to_two_away_are_near():
    highest = np.zeros(12)
    highest[[0, 6]] = 0.21, 1.0
    highest[3] = CASCADE.threshold  # not above it
    assert np.flatnonzero(near_tumor(highest, CASCADE)).tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert np.flatnonzero(near_tumor(highest[6:7], CASCADE)).tolist() == [0]


@pytest.mark.parametrize("room", [1, 3])
def test_running_out_of_memory_in_either_pass_changes_no_answer(room):
    class Small(TorchEngine):
        def predict(self, member, images):
            if len(images) > room:
                raise MemoryError("no room")
            return super().predict(member, images)

    volumes, views = two_lesions(), TTA_SETS["tta3"]
    expected = predict_volume(
        volumes, "mixture", views, TorchEngine(members()), preselection=CASCADE
    )
    seen = predict_volume(
        volumes, "mixture", views, Small(members()), batch=8, preselection=CASCADE
    )
    np.testing.assert_allclose(seen.probabilities, expected.probabilities, atol=1e-6)
    assert seen.batch <= room and seen.notes


def test_what_a_device_had_done_is_kept_when_the_run_moves_to_the_cpu():
    networks = members()

    class Failing(TorchEngine):
        calls = 0

        def predict(self, member, images):
            if member == 2:
                raise MemoryError("no room")
            return super().predict(member, images)

    failing = Failing(networks)

    def fallback():
        engine = TorchEngine(networks)
        engine.device = "cpu:0"  # another name for the same place
        return engine

    seen = predict_volume(
        two_lesions(), "mixture", TTA_SETS["tta1"], failing, fallback, batch=2, preselection=CASCADE
    )
    counted = [n.shown for n in networks]
    assert counted == [DEPTH + 13, 26, 26]
    assert "moved to the CPU" in seen.notes[-1]
    expected = predicted(two_lesions(), members(), CASCADE, "tta1")
    np.testing.assert_allclose(seen.probabilities, expected.probabilities, atol=1e-6)


def test_a_run_can_be_cancelled_in_the_second_pass():
    token = CancelToken()

    def stop(event):
        if event.step > DEPTH:
            token.cancel()

    with pytest.raises(Cancelled):
        progress = Progress(sinks=(stop,), cancel=token)
        predicted(two_lesions(), members(), CASCADE, progress=progress)


def test_auto_follows_the_pack_s_advice_and_a_wish_goes_before():
    assert choose_preselection("auto", advised=False) is None
    assert choose_preselection("auto", advised=True) == CASCADE
    assert choose_preselection("on", advised=False) == CASCADE
    assert choose_preselection("off", advised=True) is None
    with pytest.raises(InputError, match="perhaps"):
        choose_preselection("perhaps", advised=True)


def test_the_command_line_offers_the_cascade():
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    choices = {action.dest: action.choices for action in parser._actions}
    assert tuple(choices["slice_preselection"]) == SLICE_PRESELECTIONS
    assert options_from(parser.parse_args(["--cascade", "on"])).slice_preselection == "on"
    assert options_from(parser.parse_args([])).slice_preselection == "auto"


# Real slices


@pytest.fixture(scope="module")
def real_volume(real_data):
    from BrainTumorSegLib.training.cohort import read_cohort
    from BrainTumorSegLib.training.volumes import prepare_volume

    case = next(c for c in read_cohort(real_data) if c.name == "Brats15_2013_pat0001")
    return prepare_volume(case)


def test_a_small_second_lesion_far_from_a_real_one_is_kept(real_volume):
    """A piece of a real tumour, 16 x 16 mm in five slices, set into healthy brain far above it."""
    pack = load_pack()
    scans = np.array(real_volume.scans, np.float32)
    tumor = (real_volume.allowed & 1) == 0  # where background is not allowed
    source = int(tumor.sum(axis=(1, 2)).argmax())
    row, column = (int(v.mean()) for v in np.nonzero(tumor[source]))
    piece = scans[:, source - 2 : source + 3, row - 8 : row + 8, column - 8 : column + 8].copy()
    healthy = np.flatnonzero(tumor.any(axis=(1, 2)))
    inside = np.all(scans != 0, axis=0)
    free = [n for n in range(len(tumor)) if abs(n - healthy).min() > 6 and inside[n].sum() > 4000]
    target = free[-1] - 2
    rows, columns = np.nonzero(inside[target])
    row, column = int(np.median(rows)), int(np.median(columns)) + 20
    # Few slices of it, so that this is quick: the lesion, some healthy ones, the second lesion.
    scans[:, target - 2 : target + 3, row - 8 : row + 8, column - 8 : column + 8] = piece
    chosen = [*range(source - 2, source + 3), *free[:12], *range(target - 5, target + 4)]
    volumes = dict(zip(Sequence, np.ascontiguousarray(scans[:, chosen]), strict=True))
    networks = list(load_members(pack, [m.name for m in pack.members[:2]]).values())
    labels = {}
    for cascade in (None, CASCADE):
        seen = predicted(volumes, networks, cascade, "tta1")
        labels[cascade] = seen.probabilities.argmax(axis=0)
    assert seen.near < seen.slices
    second = (slice(-9, None), slice(row - 8, row + 8), slice(column - 8, column + 8))
    assert (labels[None][second] > 0).sum() > 300
    assert np.array_equal(labels[None][second], labels[CASCADE][second])
    differ = (labels[None] != labels[CASCADE]).sum()
    assert differ < 0.001 * (labels[None] > 0).sum()


def test_the_record_tells_where_the_whole_ensemble_looked(real_data):
    import json

    import jsonschema

    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.core.resources import resource_path
    from BrainTumorSegLib.inference.pipeline import segment
    from BrainTumorSegLib.io.cases import load_case
    from BrainTumorSegLib.reporting.html import report_page

    folder = real_data / "brats" / "Brats15_2013_pat0001"
    case = load_case({s: folder / f"{folder.name}_{s.value}.nii.gz" for s in Sequence})
    options = Options(members=1, tta="tta1", device="cpu", registration="none", brain="stripped")
    result = segment(case, replace(options, slice_preselection="on"))
    record = result.record
    told = record["cascade"]
    assert told["threshold"] == CASCADE.threshold and 0 < told["near_tumour"] < told["slices"]
    assert record["options"]["cascade"] == "on"
    schema = resource_path("Schemas", "report.schema.json").read_text(encoding="utf-8")
    jsonschema.validate(record, json.loads(schema))
    jsonschema.validate({**record, "cascade": None}, json.loads(schema))
    assert f"{told['near_tumour']} of {told['slices']} slices" in report_page(case, result)
