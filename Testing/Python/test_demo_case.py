"""The demonstration case: real enough for brain extraction, registration and networks."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.core.volumes import dice
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.synthesis.demo_case import DemoCase, DemoScans, make_demo_case, simulate_demo


@pytest.fixture(scope="module")
def scans() -> DemoScans:
    return simulate_demo()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> DemoCase:
    return make_demo_case(tmp_path_factory.mktemp("demo") / "new" / "folder")


@pytest.fixture(scope="module")
def truth(scans) -> np.ndarray:
    return sitk.GetArrayFromImage(scans.reference_labels)


@pytest.fixture(scope="module")
def aligned(scans) -> dict[Sequence, np.ndarray]:
    """The scans on the grid of T1CE, brought there by the known poses."""
    return {s: on_t1ce(scans, s, scans.poses[s]) for s in Sequence}


def on_t1ce(scans: DemoScans, sequence: Sequence, transform: sitk.Transform) -> np.ndarray:
    image = sitk.Resample(
        scans.images[sequence],
        scans.reference_labels,
        transform,
        sitk.sitkLinear,
        0.0,
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(image)


def tilt_degrees(image: sitk.Image) -> float:
    """Angle between the slices' normal and the patient's axis nearest to it."""
    normal = np.array(image.GetDirection()).reshape(3, 3)[:, 2]
    return float(np.degrees(np.arccos(np.abs(normal).max())))


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_seed_gives_the_same_bytes_every_time(scans, files, tmp_path):
    for sequence, path in files.paths.items():
        again = tmp_path / path.name
        write_image(scans.images[sequence], again)
        assert digest(again) == digest(path), sequence
    again = tmp_path / files.reference_labels.name
    write_image(scans.reference_labels, again)
    assert digest(again) == digest(files.reference_labels)


def test_the_case_is_accepted_without_a_warning(files):
    case = load_case(files.paths, identity="demonstration")
    assert set(case.scans) == set(Sequence)
    assert case.warnings == ()


def test_the_scans_lie_on_three_grids_and_one_is_tilted(scans):
    t1, t1ce, flair = (scans.images[s] for s in Sequence)
    assert np.ptp(t1.GetSpacing()) < 0.3
    assert np.abs(t1.GetDirection()[2::3]).argmax() == 0  # sagittal
    assert 5 < tilt_degrees(t1ce) < 30
    assert flair.GetSpacing()[2] >= 5
    assert len({image.GetSize() for image in (t1, t1ce, flair)}) == 3
    assert len({image.GetDirection() for image in (t1, t1ce, flair)}) == 3


def test_the_truth_has_all_four_tissues_on_the_grid_of_t1ce(scans, truth):
    t1ce = scans.images[Sequence.T1CE]
    assert scans.reference_labels.GetPixelID() == sitk.sitkUInt8
    for get in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(scans.reference_labels, get)() == getattr(t1ce, get)()
    assert set(np.unique(truth)) == {int(t) for t in Tissue}
    voxel_ml = float(np.prod(t1ce.GetSpacing())) / 1000
    for tissue in TUMOR_TISSUES:
        assert np.count_nonzero(truth == int(tissue)) * voxel_ml > 4, tissue


def test_the_core_is_one_piece_inside_the_brain(scans, truth):
    core = np.isin(truth, [Tissue.NECROSIS, Tissue.ENHANCING])
    parts, count = ndimage.label(core, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    assert count >= 1 and sizes.max() > 0.98 * core.sum()
    brain = sitk.GetArrayFromImage(scans.brain) > 0
    assert (brain & (truth > 0)).sum() > 0.99 * (truth > 0).sum()


def test_each_tissue_looks_as_it_should_in_each_sequence(scans, truth, aligned):
    brain = ndimage.binary_erosion(sitk.GetArrayFromImage(scans.brain) > 0, iterations=3)
    normal = brain & ~ndimage.binary_dilation(truth > 0, iterations=3)

    def relative(sequence: Sequence, tissue: Tissue) -> float:
        where = ndimage.binary_erosion(truth == int(tissue))
        return float(np.median(aligned[sequence][where]) / np.median(aligned[sequence][normal]))

    assert relative(Sequence.T1CE, Tissue.ENHANCING) > 1.5
    assert relative(Sequence.T1, Tissue.ENHANCING) < 1.0
    assert relative(Sequence.T1CE, Tissue.NECROSIS) < 0.65
    assert relative(Sequence.T1CE, Tissue.NON_ENHANCING) < 0.85
    assert relative(Sequence.FLAIR, Tissue.NON_ENHANCING) > 1.25
    assert relative(Sequence.FLAIR, Tissue.EDEMA) > 1.4
    # White matter is the brightest third of the brain on T1.
    white = np.percentile(aligned[Sequence.T1][normal], 85)
    assert np.median(aligned[Sequence.T1][truth == int(Tissue.EDEMA)]) < 0.9 * white
    assert relative(Sequence.FLAIR, Tissue.EDEMA) > relative(Sequence.FLAIR, Tissue.NECROSIS)


def test_the_head_moved_before_flair_and_its_header_does_not_say_so(scans, truth, aligned):
    pose = scans.poses[Sequence.FLAIR]
    angle = np.degrees(np.arccos((np.trace(np.reshape(pose.GetMatrix(), (3, 3))) - 1) / 2))
    assert 3 < angle < 8
    lesion = truth > 0
    by_header = on_t1ce(scans, Sequence.FLAIR, sitk.Transform(3, sitk.sitkIdentity))
    assert aligned[Sequence.FLAIR][lesion].mean() > 1.05 * by_header[lesion].mean()


def test_there_is_air_around_the_head_and_noise_in_it(scans):
    for sequence, image in scans.images.items():
        array = sitk.GetArrayFromImage(image)
        corner = array[:, :12, :12]
        assert 0 < corner.mean() < 0.1 * np.percentile(array, 95), sequence
        assert corner.std() > 0


def test_brain_extraction_finds_the_brain_of_the_demonstration_case(scans, files):
    bet = pytest.importorskip("deepbet.bet")
    import nibabel

    found = bet.BrainExtraction(no_gpu=True).run(nibabel.load(files.paths[Sequence.T1]))[1]
    # nibabel arrays are [x, y, z], SimpleITK wants [z, y, x].
    mask = sitk.GetImageFromArray((np.asarray(found.dataobj) > 0.5).astype(np.uint8).T)
    mask.CopyInformation(scans.images[Sequence.T1])
    on_reference = sitk.Resample(
        mask, scans.reference_labels, scans.poses[Sequence.T1], sitk.sitkNearestNeighbor, 0
    )
    brain = sitk.GetArrayFromImage(scans.brain) > 0
    assert dice(sitk.GetArrayFromImage(on_reference) > 0, brain) > 0.95


def test_an_output_folder_that_is_a_file_is_named_in_the_error(tmp_path, monkeypatch):
    from BrainTumorSegLib.core.errors import OutputError
    from BrainTumorSegLib.synthesis import demo_case

    monkeypatch.setattr(demo_case, "simulate_demo", lambda seed: pytest.fail("computed in vain"))
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises(OutputError, match="blocked"):
        make_demo_case(blocked)
