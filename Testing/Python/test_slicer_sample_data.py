"""Sample data: made here or checked by hash, and recognised once it is loaded."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("slicer", reason="slicer-core has the MRML nodes")

from mrml_scene import snapshot

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, InputError
from BrainTumorSegLib.core.sequences import Sequence, recognize
from BrainTumorSegLib.slicer_app import sample_data
from BrainTumorSegLib.slicer_app.sample_data import (
    CATEGORY,
    NODE_NAMES,
    PUBLIC_CASES,
    demonstrationFiles,
    loadDemonstration,
    registerSampleData,
)
from BrainTumorSegLib.slicer_app.scene.volumes import imageFromNode

CHECKOUT = Path(__file__).resolve().parents[2]
ICONS = CHECKOUT / "BrainTumorSeg" / "Resources" / "Icons"


@pytest.fixture
def registered(monkeypatch):
    """What is registered, with the arguments that Slicer's function knows."""
    sources = []

    class Logic:
        @staticmethod
        def registerCustomSampleDataSource(  # noqa: N802
            category="Custom",
            sampleName=None,
            uris=None,
            fileNames=None,
            nodeNames=None,
            customDownloader=None,
            thumbnailFileName=None,
            loadFileTypes=None,
            loadFiles=None,
            loadFileProperties=None,
            checksums=None,
        ):
            lists = [uris, fileNames, nodeNames, checksums or uris]
            assert len({len(each) for each in lists}) == 1, "Slicer wants lists of one length"
            sources.append(SimpleNamespace(**locals()))

    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=Logic))
    registerSampleData(ICONS)
    return {source.sampleName: source for source in sources}


def test_every_case_stands_in_our_section_with_a_picture(registered):
    assert {source.category for source in registered.values()} == {CATEGORY}
    assert len(registered) == 1 + len(PUBLIC_CASES)
    for source in registered.values():
        assert Path(source.thumbnailFileName).is_file()


def test_newer_slicers_are_told_the_sections_title(monkeypatch):
    titles = {}
    logic = SimpleNamespace(
        registerCustomSampleDataCategory=lambda category, title: titles.update({category: title}),
        registerCustomSampleDataSource=lambda **arguments: None,
    )
    monkeypatch.setitem(sys.modules, "SampleData", SimpleNamespace(SampleDataLogic=logic))
    registerSampleData(str(ICONS))
    assert titles == {CATEGORY: "Brain tumour segmentation"}


def test_public_scans_are_checked_by_hash(registered):
    for case in PUBLIC_CASES:
        source = registered[case.name]
        assert source.customDownloader is None
        assert len(set(source.checksums)) == len(source.checksums) == len(Sequence)
        for uri, name, checksum in zip(
            source.uris, source.fileNames, source.checksums, strict=True
        ):
            assert uri.startswith("https://")
            assert uri.endswith(f"/{name}")
            assert re.fullmatch("SHA256:[0-9a-f]{64}", checksum)


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        *((name, sequence) for sequence, name in NODE_NAMES.items()),
        *(
            (name.removesuffix(".nii.gz"), sequence)
            for case in PUBLIC_CASES
            for sequence, (name, _) in case.files.items()
        ),
    ],
)
def test_the_nodes_names_say_which_sequence_they_are(name, sequence):
    assert recognize(name).sequence is sequence


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The demonstration case as the worker makes it."""
    folder = tmp_path_factory.mktemp("Zwischenspeicher 脳")
    waits = []
    paths = demonstrationFiles(folder, lambda: waits.append(time.monotonic()) or True)
    return SimpleNamespace(folder=folder, paths=paths, waits=waits)


def test_the_worker_makes_the_case_while_the_application_stays_alive(made):
    assert all(path.is_file() for path in made.paths.values())
    gaps = np.diff(made.waits)
    assert np.percentile(gaps, 95) < 0.2


def test_the_scans_are_loaded_as_they_were_made(made, scene):
    nodes = loadDemonstration(folder=made.folder)
    assert {sequence: node.GetName() for sequence, node in nodes.items()} == NODE_NAMES
    for sequence, node in nodes.items():
        image = sitk.ReadImage(str(made.paths[sequence]))
        assert node.GetDisplayNode() is not None
        # The cache is no place that a person saves to.
        assert node.GetStorageNode() is None
        # Voxel by voxel at its place; the order of slices may be another.
        loaded = sitk.Resample(
            imageFromNode(node), image, sitk.Transform(), sitk.sitkNearestNeighbor
        )
        assert np.array_equal(sitk.GetArrayViewFromImage(loaded), sitk.GetArrayViewFromImage(image))


def test_a_second_copy_gets_other_names(made, scene):
    first = loadDemonstration(folder=made.folder)
    second = loadDemonstration(folder=made.folder)
    names = [node.GetName() for nodes in (first, second) for node in nodes.values()]
    assert len(set(names)) == 6


def test_the_case_is_made_once(made, scene, monkeypatch):
    monkeypatch.setattr(sample_data, "_make", lambda *_: pytest.fail("made again"))
    assert set(loadDemonstration(folder=made.folder)) == set(Sequence)


def test_a_damaged_file_leaves_the_scene_as_it_was(made, scene, tmp_path):
    for path in made.paths.values():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "demo_flair.nii.gz").write_bytes(b"damaged")
    before = snapshot(scene)
    with pytest.raises(InputError, match="demo_flair"):
        loadDemonstration(folder=tmp_path)
    assert snapshot(scene) == before


def test_stopping_leaves_neither_files_nor_nodes(scene, tmp_path):
    before = snapshot(scene)
    with pytest.raises(Cancelled):
        loadDemonstration(onWait=lambda: False, folder=tmp_path / "demo")
    assert snapshot(scene) == before
    assert list(tmp_path.rglob("*.nii.gz")) == []


def test_a_worker_that_fails_says_why(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(tmp_path / "absent"))
    with pytest.raises(BrainTumorSegError, match="absent"):
        loadDemonstration(folder=tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs a folder that cannot be written to")
def test_a_folder_that_cannot_be_made_is_an_error(scene, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BrainTumorSegError):
        loadDemonstration(folder=tmp_path / "file" / "demo")


def test_the_case_is_kept_by_version(monkeypatch):
    monkeypatch.setattr(sample_data, "__version__", "9.9")
    assert sample_data.cacheFolder().name == "BrainTumorSeg-demonstration-9.9"


def test_the_button_loads_the_case_and_shows_t1ce(made, scene, monkeypatch):
    import slicer

    shown = {}
    monkeypatch.setattr(sample_data, "cacheFolder", lambda: made.folder)
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda **layers: shown.update(layers))
    nodes = sample_data._onDemonstrationWanted(None)
    assert len(nodes) == 3
    assert shown["background"].GetName() == NODE_NAMES[Sequence.T1CE]


def test_without_packages_the_button_asks_and_takes_no_for_an_answer(scene, tmp_path, monkeypatch):
    import slicer.util

    from BrainTumorSegLib.core.requirements import Requirement
    from BrainTumorSegLib.slicer_app.install import dependencies

    asked = []

    def install(confirm):
        asked.append(confirm)
        raise Cancelled

    monkeypatch.setattr(Requirement, "installed", property(lambda _: None))
    monkeypatch.setattr(dependencies, "install", install)
    monkeypatch.setattr(sample_data, "cacheFolder", lambda: tmp_path / "cache")
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: None)
    assert sample_data._onDemonstrationWanted(None) == []
    assert asked == [True]
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
