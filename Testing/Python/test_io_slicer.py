"""Our segmentation files in the hands of Slicer's own storage nodes, and the other way round."""

from __future__ import annotations

from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_scene import make_scene

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.tissue import ANATOMY, CATEGORY, STYLES, TUMOR_TISSUES, Tissue
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from BrainTumorSegLib.io.terminology import REGION_CONTEXT, TERMINOLOGY_CONTEXT, terminology_entry
from BrainTumorSegLib.io.volumes import read_image

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed", exc_type=ImportError)
vtk = pytest.importorskip("vtk", exc_type=ImportError)
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

GENERAL = "Segmentation category and type - 3D Slicer General Anatomy list"
DEFAULT_ENTRY = f"{GENERAL}~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~{REGION_CONTEXT}~^^~^^"


@pytest.fixture(scope="module")
def application():
    """A scene with the module logics that segmentations need, as Slicer sets them up."""
    with make_scene() as scene:
        yield SimpleNamespace(scene=scene, terminologies=slicer.modules.terminologies.logic())


def slicer_reads(application, path):
    node = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = application.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node), storage.GetUserMessages().GetAllMessagesAsString()
    assert storage.GetUserMessages().GetNumberOfMessages() == 0
    return node


def slicer_writes(application, node, path, crop=False):
    storage = application.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    storage.SetCropToMinimumExtent(crop)
    assert storage.WriteData(node), storage.GetUserMessages().GetAllMessagesAsString()


def segments_of(node):
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]


def tag_of(segment, name="TerminologyEntry"):
    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)


def matrix_of(get):
    matrix = vtk.vtkMatrix4x4()
    get(matrix)
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def ijk_to_ras(image):
    """Voxel-to-world matrix in RAS, from SimpleITK's LPS geometry."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ matrix


def labels_in_slicer(node, shape):
    """All segments of a node as one label map ``[slice, row, column]`` on the reference grid."""
    merged = np.zeros(shape, np.uint8)
    segmentation = node.GetSegmentation()
    for tissue in TUMOR_TISSUES:
        part = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(tissue.key, part)
        x0, x1, y0, y1, z0, z1 = part.GetExtent()
        if x1 < x0:
            continue
        values = vtk_to_numpy(part.GetPointData().GetScalars())
        mask = values.reshape(z1 - z0 + 1, y1 - y0 + 1, x1 - x0 + 1) != 0
        merged[z0 : z1 + 1, y0 : y1 + 1, x0 : x1 + 1][mask] = tissue
    assert segmentation.GetNumberOfSegments() == 4
    return merged


def random_labels(seed, size=(30, 22, 13), tissues=TUMOR_TISSUES):
    """Lopsided blocks and single voxels, also at the borders: no symmetry hides a flip."""
    random = np.random.default_rng(seed)
    values = np.zeros(size[::-1], np.uint8)
    for tissue in tissues:
        low = [random.integers(0, n - 2) for n in values.shape]
        high = [random.integers(a + 1, n) for a, n in zip(low, values.shape, strict=True)]
        values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = tissue
    values[random.random(values.shape) < 0.01] = tissues[-1]
    values[0, 0, 0], values[-1, -1, -1] = tissues[0], tissues[-1]
    return sitk.GetImageFromArray(values)


def on_grid(image, spacing, origin, direction):
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(np.asarray(direction, dtype=float).ravel().tolist())
    return image


def oblique(*angles, flips=(1, 1, 1), order=(0, 1, 2)):
    rotation = sitk.Euler3DTransform()
    rotation.SetRotation(*angles)
    axes = np.eye(3)[:, order] @ np.diag(flips)
    return np.array(rotation.GetMatrix()).reshape(3, 3) @ axes


AXIS_ORIENTATIONS = [
    oblique(0, 0, 0, flips=flips, order=order)
    for order in permutations(range(3))
    for flips in product((1, -1), repeat=3)
]


@pytest.fixture
def clinical_labels(real_data):
    """Invented labels on the real tilted, thick-sliced grid of a clinical scan."""
    scan = read_image(real_data / "clinical" / "TCGA-FG-6692" / "T1_AX_POST_GAD.nii.gz")
    labels = random_labels(5, size=scan.GetSize())
    labels.CopyInformation(scan)
    return labels


def test_slicer_shows_four_named_coloured_and_coded_segments(application, tmp_path):
    path = tmp_path / "tumour.seg.nrrd"
    write_seg_nrrd(random_labels(0), path, "T1CE")
    node = slicer_reads(application, path)
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfLayers() == 1
    assert segmentation.GetSourceRepresentationName() == "Binary labelmap"
    for number, (segment, tissue) in enumerate(zip(segments_of(node), TUMOR_TISSUES, strict=True)):
        style = STYLES[tissue]
        assert segmentation.GetNthSegmentID(number) == tissue.key
        assert segment.GetName() == style.title
        assert segment.GetColor() == pytest.approx(np.array(style.color) / 255, abs=1e-5)
        assert not segment.GetNameAutoGenerated()
        assert not segment.GetColorAutoGenerated()
        assert segment.GetLabelValue() == int(tissue)
        assert tag_of(segment) == terminology_entry(tissue)


@pytest.mark.parametrize("direction", AXIS_ORIENTATIONS, ids=range(48))
def test_labels_lie_where_they_belong_in_all_axis_orientations(application, tmp_path, direction):
    labels = on_grid(random_labels(1), (0.9, 1.3, 5.5), (-71.25, 33.3, -108.7), direction)
    check_in_slicer(application, labels, tmp_path)


@pytest.mark.parametrize("seed", range(6))
def test_labels_lie_where_they_belong_on_oblique_grids(application, tmp_path, seed):
    random = np.random.default_rng(seed)
    direction = oblique(
        *random.uniform(-1.2, 1.2, 3),
        flips=random.choice([-1, 1], 3),
        order=random.permutation(3),
    )
    spacing = random.uniform(0.4, 6, 3).tolist()
    origin = random.uniform(-300, 300, 3).tolist()
    check_in_slicer(application, on_grid(random_labels(seed), spacing, origin, direction), tmp_path)


def test_labels_lie_where_they_belong_on_a_real_clinical_grid(
    application, tmp_path, clinical_labels
):
    check_in_slicer(application, clinical_labels, tmp_path)


def check_in_slicer(application, labels, folder):
    path = folder / "tumour.seg.nrrd"
    write_seg_nrrd(labels, path, "T1CE")
    node = slicer_reads(application, path)
    values = sitk.GetArrayFromImage(labels)
    assert np.array_equal(labels_in_slicer(node, values.shape), values)
    part = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(Tissue.EDEMA.key, part)
    np.testing.assert_allclose(
        matrix_of(part.GetImageToWorldMatrix), ijk_to_ras(labels), rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(reference_matrix(node), ijk_to_ras(labels), rtol=0, atol=1e-9)
    again = read_seg_nrrd(path)
    assert np.array_equal(sitk.GetArrayFromImage(again), values)
    assert_same_grid(again, labels)


def reference_matrix(node):
    """The reference geometry by which Slicer knows the grid even without segments."""
    grid = slicer.vtkOrientedImageData()
    text = node.GetSegmentation().GetConversionParameter("Reference image geometry")
    assert slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, grid, False)
    return matrix_of(grid.GetImageToWorldMatrix)


def assert_same_grid(a, b):
    assert a.GetSize() == b.GetSize()
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(a, get)(), getattr(b, get)(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("tissues", [(), (Tissue.ENHANCING,), (Tissue.NECROSIS, Tissue.EDEMA)])
def test_empty_segments_are_kept_with_the_reference_grid(application, tmp_path, tissues):
    image = random_labels(2, tissues=tissues) if tissues else sitk.Image(9, 8, 7, sitk.sitkUInt8)
    labels = on_grid(image, (1, 2, 3), (4, 5, 6), oblique(0.2, 0.1, -0.3))
    path = tmp_path / "sparse.seg.nrrd"
    write_seg_nrrd(labels, path, "T1CE")
    node = slicer_reads(application, path)
    values = sitk.GetArrayFromImage(labels)
    assert np.array_equal(labels_in_slicer(node, values.shape), values)
    np.testing.assert_allclose(reference_matrix(node), ijk_to_ras(labels), atol=1e-9)


@pytest.mark.parametrize("crop", [False, True])
def test_a_file_saved_again_by_slicer_comes_back_on_the_reference_grid(application, tmp_path, crop):
    inner = np.zeros((14, 20, 30), np.uint8)
    inner[4:9, 6:12, 7:19] = Tissue.EDEMA
    inner[5:8, 8:10, 9:14] = Tissue.ENHANCING
    labels = on_grid(
        sitk.GetImageFromArray(inner), (0.8, 1.1, 4.5), (-50, 60, -70), oblique(0.3, -0.2, 2.8)
    )
    ours, theirs = tmp_path / "ours.seg.nrrd", tmp_path / "theirs.seg.nrrd"
    write_seg_nrrd(labels, ours, "T1CE")
    slicer_writes(application, slicer_reads(application, ours), theirs, crop)
    stored = read_image(theirs)
    assert (stored.GetSize() != labels.GetSize()) == crop
    offset = "7 6 4" if crop else "0 0 0"
    assert stored.GetMetaData("Segmentation_ReferenceImageExtentOffset") == offset
    again = read_seg_nrrd(theirs)
    assert np.array_equal(sitk.GetArrayFromImage(again), inner)
    assert_same_grid(again, labels)


def scene_segmentation(application, parts, grid):
    """A segmentation made inside Slicer: ``parts`` are (name, terminology, mask) triples."""
    node = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    for name, entry, mask in parts:
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(*mask.shape[::-1])
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        values = vtk_to_numpy(image.GetPointData().GetScalars())
        values[:] = mask.ravel()
        matrix = vtk.vtkMatrix4x4()
        for index, number in enumerate(ijk_to_ras(grid).ravel()):
            matrix.SetElement(index // 4, index % 4, number)
        image.SetImageToWorldMatrix(matrix)
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetTag("TerminologyEntry", entry)
        segment.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(segment)
    return node


@pytest.fixture
def grid():
    image = sitk.Image(24, 18, 10, sitk.sitkUInt8)
    return on_grid(image, (1.1, 0.9, 3.0), (10, -20, 30), oblique(0.1, 0.2, 0.3, flips=(-1, 1, 1)))


def block(grid, *sides):
    mask = np.zeros(grid.GetSize()[::-1], np.uint8)
    mask[tuple(slice(*side) for side in sides)] = 1
    return mask


def test_segments_drawn_in_slicer_are_recognised_by_code_or_by_name(application, tmp_path, grid):
    edema = block(grid, (1, 9), (2, 16), (2, 20))
    enhancing, necrosis = block(grid, (3, 6), (5, 9), (5, 12)), block(grid, (3, 6), (9, 11), (5, 7))
    edema -= enhancing + necrosis
    node = scene_segmentation(
        application,
        [
            ("Раннее накопление", terminology_entry(Tissue.ENHANCING), enhancing),
            ("Peritumoral oedema", DEFAULT_ENTRY, edema),
            ("Necrotic core", "", necrosis),
            ("nothing here", DEFAULT_ENTRY, np.zeros_like(edema)),
        ],
        grid,
    )
    path = tmp_path / "drawn.seg.nrrd"
    slicer_writes(application, node, path)
    found = sitk.GetArrayFromImage(read_seg_nrrd(path, grid))
    expected = edema * Tissue.EDEMA + enhancing * Tissue.ENHANCING + necrosis * Tissue.NECROSIS
    assert np.array_equal(found, expected)


def test_overlapping_segments_of_one_tissue_on_two_layers_are_united(application, tmp_path, grid):
    first, second = block(grid, (2, 6), (2, 9), (2, 9)), block(grid, (4, 8), (5, 12), (5, 14))
    entry = terminology_entry(Tissue.ENHANCING)
    node = scene_segmentation(application, [("one", entry, first), ("two", entry, second)], grid)
    path = tmp_path / "layers.seg.nrrd"
    slicer_writes(application, node, path)
    assert sitk.ReadImage(str(path)).GetNumberOfComponentsPerPixel() == 2
    found = sitk.GetArrayFromImage(read_seg_nrrd(path, grid))
    assert np.array_equal(found, (first | second) * Tissue.ENHANCING)


def test_overlapping_segments_of_two_tissues_are_refused_by_name(application, tmp_path, grid):
    node = scene_segmentation(
        application,
        [
            ("Edema", "", block(grid, (1, 8), (2, 12), (2, 12))),
            ("Necrosis", "", block(grid, (3, 5), (4, 8), (4, 8))),
        ],
        grid,
    )
    path = tmp_path / "overlap.seg.nrrd"
    slicer_writes(application, node, path)
    with pytest.raises(InputError, match="'Edema' and 'Necrosis' overlap in 32 voxels"):
        read_seg_nrrd(path)


def test_a_segment_that_is_none_of_the_four_tissues_is_refused_by_name(application, tmp_path, grid):
    part = block(grid, (1, 8), (2, 12), (2, 12))
    node = scene_segmentation(application, [("Ventricle", DEFAULT_ENTRY, part)], grid)
    path = tmp_path / "other.seg.nrrd"
    slicer_writes(application, node, path)
    with pytest.raises(InputError, match=r"other.seg.nrrd: segment 'Ventricle' is none.*Necrosis"):
        read_seg_nrrd(path)


def test_a_segmentation_without_segments_is_refused(application, tmp_path, grid):
    path = tmp_path / "none.seg.nrrd"
    slicer_writes(application, scene_segmentation(application, [], grid), path)
    with pytest.raises(InputError, match=r"none\.seg\.nrrd holds no segments"):
        read_seg_nrrd(path)


def test_segments_outside_the_reference_are_refused(application, tmp_path, grid):
    part = block(grid, (0, 10), (2, 12), (2, 12))
    node = scene_segmentation(application, [("Edema", "", part)], grid)
    path = tmp_path / "beyond.seg.nrrd"
    slicer_writes(application, node, path)
    with pytest.raises(InputError, match=r"100 labelled voxels of .*beyond.seg.nrrd lie outside"):
        read_seg_nrrd(path, grid[:, :, 1:])


def test_slicer_loads_our_terminology_and_finds_every_tissue_in_it(application):
    logic = application.terminologies
    path = resource_path("Terminology", "BrainTumorSeg.term.json")
    assert logic.LoadTerminologyFromFile(str(path)) == TERMINOLOGY_CONTEXT
    assert logic.GetNumberOfCategoriesInTerminology(TERMINOLOGY_CONTEXT) == 1
    category = slicer.vtkSlicerTerminologyCategory()
    assert logic.GetNthCategoryInTerminology(TERMINOLOGY_CONTEXT, 0, category)
    assert category.GetCodeValue() == CATEGORY.value
    assert category.GetShowAnatomy()
    for number, tissue in enumerate(TUMOR_TISSUES):
        found = slicer.vtkSlicerTerminologyType()
        assert logic.GetNthTypeInTerminologyCategory(TERMINOLOGY_CONTEXT, category, number, found)
        code = STYLES[tissue].code
        assert found.GetCodingSchemeDesignator() == code.scheme
        assert found.GetCodeValue() == code.value
        assert found.GetCodeMeaning() == code.meaning
        assert tuple(found.GetRecommendedDisplayRGBValue()) == STYLES[tissue].color


@pytest.mark.parametrize("tissue", TUMOR_TISSUES)
def test_slicer_understands_every_terminology_entry(application, tissue):
    logic, entry = application.terminologies, slicer.vtkSlicerTerminologyEntry()
    text = terminology_entry(tissue)
    assert logic.DeserializeTerminologyEntry(text, entry)
    assert entry.GetTerminologyContextName() == TERMINOLOGY_CONTEXT
    assert entry.GetRegionContextName() == REGION_CONTEXT
    assert entry.GetCategoryObject().GetCodeMeaning() == CATEGORY.meaning
    assert entry.GetTypeObject().GetCodeValue() == STYLES[tissue].code.value
    assert entry.GetRegionObject().GetCodeMeaning() == ANATOMY.meaning
    assert not entry.GetTypeModifierObject().GetCodeValue()
    assert logic.SerializeTerminologyEntry(entry) == text


@pytest.mark.parametrize("name", ["BrainTumorSeg.ctbl", "BrainTumorSeg.labels.csv"])
def test_slicer_loads_our_colour_tables(application, name):
    node = application.scene.AddNewNodeByClass("vtkMRMLColorTableNode")
    storage = application.scene.AddNewNodeByClass("vtkMRMLColorTableStorageNode")
    storage.SetFileName(str(resource_path("Terminology", name)))
    assert storage.ReadData(node)
    for tissue in TUMOR_TISSUES:
        color = [0.0] * 4
        node.GetColor(int(tissue), color)
        assert node.GetColorName(int(tissue)) == STYLES[tissue].title
        assert color == pytest.approx([*(np.array(STYLES[tissue].color) / 255), 1])
        if name.endswith(".csv"):
            entry = node.GetTerminologyAsString(int(tissue)).split("~")
            ours = terminology_entry(tissue).split("~")
            assert (entry[1], entry[2], entry[5]) == (ours[1], ours[2], ours[5])
