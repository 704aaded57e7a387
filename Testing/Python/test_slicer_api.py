"""Segmenting from the console: what may be given, and what comes back."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_nodes import add_volume, head
from mrml_scene import snapshot

from BrainTumorSegLib.cli.application import build_parser
from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, InputError
from BrainTumorSegLib.core.option_fields import options_of
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app import api
from BrainTumorSegLib.slicer_app.host.models import chosenPack, packChoices
from BrainTumorSegLib.slicer_app.run.inputs import whatIsMissing
from BrainTumorSegLib.slicer_app.run.segmentation_run import RunSettings
from BrainTumorSegLib.slicer_app.run.settings import scanFiles, workerArguments

QUICK = {"registration": "none", "tta": "none", "members": 1, "device": "cpu"}


@pytest.fixture
def scans(scene):
    return {
        name: add_volume(scene, title, head(seed=seed))
        for seed, (name, title) in enumerate({"t1": "A T1", "t1ce": "A T1CE"}.items())
    }


def missing(**chosen):
    packs = packChoices()
    return whatIsMissing(RunSettings(**chosen), chosenPack(packs, chosen.get("pack")))


# What is given


def test_a_volume_is_given_as_node_id_or_name(scans):
    node = scans["t1ce"]
    for given in (node, node.GetID(), "A T1CE"):
        assert api.runSettings(t1ce=given).t1ce is node


def test_a_name_that_two_volumes_have_is_refused(scene, scans):
    add_volume(scene, "A T1CE")
    with pytest.raises(InputError, match="2 nodes are called 'A T1CE'") as caught:
        api.runSettings(t1ce="A T1CE")
    assert "id" in caught.value.remedy


def test_a_name_that_no_volume_has_is_refused(scans):
    with pytest.raises(InputError, match="no volume 'B'"):
        api.runSettings(t1ce="B")


def test_a_node_of_another_kind_is_refused(scene, scans):
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "Volumes")
    with pytest.raises(InputError, match="Volumes is no volume"):
        api.runSettings(t1ce=table)
    with pytest.raises(InputError, match="no volume"):
        api.runSettings(t1ce=table.GetID())
    with pytest.raises(InputError, match="A T1 is no segmentation"):
        api.runSettings(t1ce=scans["t1ce"], outputSegmentation=scans["t1"])


def test_views_may_be_written_as_in_papers(scans):
    assert api.runSettings(t1ce=scans["t1ce"], tta="TTA2").options.tta == "tta2"


@pytest.mark.parametrize(
    ("option", "value"), [("tta", "tta9"), ("registration", "elastix"), ("reference", "t2")]
)
def test_an_unknown_word_is_refused_with_the_choices(scans, option, value):
    with pytest.raises(InputError, match=f"{option} cannot be '{value}'") as caught:
        api.runSettings(t1ce=scans["t1ce"], **{option: value})
    assert "Choose one of" in caught.value.remedy


@pytest.mark.parametrize(
    ("option", "value"),
    [
        (name, choice)
        for name, definition in options_of(Options).items()
        if definition.choices and definition.flags
        for choice in definition.choices
    ],
)
def test_every_choice_of_every_option_is_accepted_and_reaches_the_worker(scans, option, value):
    settings = api.runSettings(t1ce=scans["t1ce"], **{option: value})
    assert getattr(settings.options, option) == value
    registration = value if option == "registration" else "none"
    arguments = workerArguments(settings, scanFiles(settings), registration)
    parsed = build_parser().parse_args(arguments)
    assert getattr(parsed, option) == value


def test_the_reference_is_given_as_word_or_sequence(scans):
    assert api.runSettings(reference="t1").reference is Sequence.T1
    assert api.runSettings(reference=Sequence.FLAIR).reference is Sequence.FLAIR


# What is missing


def test_nothing_is_missing_with_one_contrast_enhanced_scan(scans):
    assert missing(t1ce=scans["t1ce"]) == []


def test_everything_that_is_missing_is_said(scene, scans):
    said = missing(t1=scans["t1"], t1ce=None, reference=Sequence.FLAIR)
    assert any("T1CE" in text for text in said)
    assert any("FLAIR" in text for text in said)
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing")
    assert any("Nothing holds no image" in text for text in missing(t1ce=empty))
    assert any("same volume" in text for text in missing(t1=scans["t1"], t1ce=scans["t1"]))


def test_a_model_that_needs_flair_says_so(scans):
    pack = replace(packChoices()[0], needed=(Sequence.FLAIR,))
    said = whatIsMissing(RunSettings(t1ce=scans["t1ce"]), pack)
    assert said == ["Choose the FLAIR scan."]


def test_without_a_model_nothing_can_work(scans):
    said = whatIsMissing(RunSettings(t1ce=scans["t1ce"]), None)
    assert len(said) == 1
    assert "model" in said[0]


def test_the_default_model_comes_first():
    packs = packChoices()
    assert packs[0].default
    assert chosenPack(packs, None) is packs[0]
    assert chosenPack(packs, packs[0].name) is packs[0]
    assert chosenPack(packs, "no such") is None


# Runs


def test_a_started_run_can_be_cancelled_and_leaves_the_scene(scene, scans):
    before, over = snapshot(scene), []
    run = api.start(api.runSettings(**scans, **QUICK), onFinished=over.append)
    for _ in range(10):
        run.poll()
        time.sleep(0.02)
    run.cancel()
    began = time.monotonic()
    while not run.poll():
        time.sleep(0.02)
    assert time.monotonic() - began < 2
    assert run.state == "cancelled"
    assert over == [run]
    assert snapshot(scene) == before


def test_waiting_for_a_cancelled_run_raises(scans, monkeypatch):
    runs, begin = [], api.SegmentationRun.start

    def start(run):
        runs.append(run)
        begin(run)

    monkeypatch.setattr(api.SegmentationRun, "start", start)
    with pytest.raises(Cancelled):
        api.segment(api.runSettings(**scans, **QUICK), onProgress=lambda _: runs[0].cancel())


def test_a_run_that_fails_raises_its_reason_and_leaves_the_scene(scene, scans):
    before = snapshot(scene)
    with pytest.raises(BrainTumorSegError) as caught:
        # Noise without a head in it, and a pack that is not there.
        api.segment(api.runSettings(**scans, **QUICK, pack="no-such-pack"))
    assert "no-such-pack" in caught.value.message
    assert caught.value.remedy
    assert snapshot(scene) == before
