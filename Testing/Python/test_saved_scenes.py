"""Scenes that were saved by version 0.1 keep their choices."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="the module's file is loaded with PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from slicer_fakes import module_in_application

#: Members by their names in scenes, with the words that they mean; the first is the default.
MEMBERS = {
    "reference": {"T1CE": "t1ce", "T1": "t1", "FLAIR": "flair"},
    "registration": {"BRAINSFIT": "brainsfit", "SIMPLEITK": "simpleitk", "NONE": "none"},
    "views": {"ADVISED": "", "NONE": "none", "TTA1": "tta1", "TTA2": "tta2", "TTA3": "tta3"},
    "brain": {"AUTO": "auto", "STRIPPED": "stripped", "DEEPBET": "deepbet", "HDBET": "hdbet"},
    "shading": {"AUTO": "auto", "N4": "n4", "OFF": "off"},
}

#: A parameter node of version 0.1 where nothing is at its default.
SAVED = {
    **{name: list(members)[-1] for name, members in MEMBERS.items()},
    **{"pack": "four-tumours", "members": "3", "device": "cuda:1", "minLesion": "250.0"},
    **{"keepIslands": "True", "disagreementVolume": "True", "registeredCopies": "True"},
    **{"show3D": "True"},
}


@pytest.fixture
def module(scene, monkeypatch):
    with module_in_application(monkeypatch) as loaded:
        yield loaded


def saved(scene, values):
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    for name, text in values.items():
        node.SetParameter(name, text)
    return node


@pytest.mark.parametrize("name", MEMBERS)
def test_the_members_of_a_choice_are_those_of_saved_scenes(module, scene, name):
    fresh = module.BrainTumorSegParameterNode(saved(scene, {}))
    kind = type(getattr(fresh, name))
    assert {member.name: member.value for member in kind} == MEMBERS[name]
    assert getattr(fresh, name) is next(iter(kind))
    for member in MEMBERS[name]:
        loaded = module.BrainTumorSegParameterNode(saved(scene, {name: member}))
        assert getattr(loaded, name) is kind[member]


def test_the_choices_of_a_saved_scene_become_the_options_of_a_run(module, scene):
    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.core.sequences import Sequence
    from BrainTumorSegLib.slicer_app.run.settings import settingsFrom

    settings = settingsFrom(module.BrainTumorSegParameterNode(saved(scene, SAVED)))
    assert settings.options == Options(
        pack="four-tumours",
        members=3,
        tta="tta3",
        device="cuda:1",
        registration="none",
        brain="hdbet",
        bias_field="off",
        min_lesion_mm3=250,
        keep_distant_components=True,
    )
    assert settings.reference is Sequence.FLAIR
    assert settings.disagreementVolume and settings.registeredCopies
