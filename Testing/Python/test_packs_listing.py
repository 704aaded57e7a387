"""Packs on a Python without jsonschema: listed, with their faults, but never used or imported."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from BrainTumorSegLib.core.errors import DependencyError, PackError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.models.packs import (
    MODELS_VARIABLE,
    default_pack,
    find_packs,
    import_pack,
    list_packs,
    load_members,
    load_pack,
    models_table,
    read_pack,
    user_models_folder,
    verify_pack,
)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of packs that is searched first, on a Python without jsonschema."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(MODELS_VARIABLE, str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.setitem(sys.modules, "jsonschema.exceptions", None)
    return folder


def copy_of_the_bundled_pack(models, name="mine", **changes):
    folder = models / name
    shutil.copytree(resource_path("Models", "glioma-lite"), folder)
    manifest = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    manifest |= {"name": name, **changes}
    manifest = {key: value for key, value in manifest.items() if value is not None}
    (folder / "pack.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def test_everything_that_a_panel_shows_is_there(models):
    copy_of_the_bundled_pack(models, title="Mine", version="7.0.0")
    mine = next(pack for pack in list_packs() if pack.name == "mine")
    assert (mine.title, mine.version, mine.advised_views) == ("Mine", "7.0.0", "tta2")
    assert [member.name for member in mine.members] == [f"fold{i}" for i in range(5)]
    assert mine.sequences == tuple(Sequence)
    assert not mine.checked
    assert default_pack() == "glioma-sx50"
    assert {row["name"]: row["usable"] for row in models_table()} == {
        "mine": True,
        "glioma-sx50": True,
        "glioma-lite": True,
        "four-tumours": True,
    }


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("title", None, "KeyError: 'title'"),
        ("title", 5, "5 is no text"),
        ("members", [], "no members"),
        ("members", "fold0", "TypeError"),
        ("members", [{"name": "a"}], "KeyError: 'bytes'"),
        ("sequences", ["t1"], "TypeError"),
        ("sequences", {"used": ["t2"], "may_be_missing": []}, "ValueError"),
        ("classes", ["background", "lung"], "KeyError"),
        ("recipe", "salad", "Unknown input recipe"),
        ("recipe", ["mixture"], "TypeError"),
        ("network", {"architecture": "linknet", "colour": "red"}, "TypeError"),
        ("network", {"architecture": "linknet", "encoder_depth": "five"}, "TypeError"),
        ("grid", {"in_plane_mm": 1.0, "multiple": 33}, "contradicts itself"),
        ("schema", "brain-tumor-seg-pack/99", "newer"),
    ],
)
def test_a_manifest_that_is_wrong_is_listed_with_its_problem(models, field, value, reason):
    folder = copy_of_the_bundled_pack(models, **{field: value})
    (mine,) = [found for found in find_packs() if found.folder == folder]
    assert mine.pack is None and reason in mine.problem and str(folder) in mine.problem
    with pytest.raises(PackError):
        read_pack(folder)


def test_a_truncated_member_is_noticed(models):
    folder = copy_of_the_bundled_pack(models)
    (folder / "fold1.safetensors").write_bytes(b"short")
    (mine,) = [found for found in find_packs() if found.folder == folder]
    assert "5 bytes instead of" in mine.problem


def test_an_unchecked_pack_is_not_used(models):
    pack = load_pack("glioma-lite")
    for use in (load_members, verify_pack):
        with pytest.raises(DependencyError, match="jsonschema"):
            use(pack)


def test_an_unchecked_pack_is_not_imported(models, tmp_path):
    source = copy_of_the_bundled_pack(tmp_path, name="other")
    with pytest.raises(DependencyError, match="jsonschema"):
        import_pack(source)
    assert not user_models_folder().exists()


def test_with_jsonschema_a_pack_is_checked(models, monkeypatch):
    monkeypatch.undo()
    assert read_pack(resource_path("Models", "glioma-lite")).checked


def test_an_unknown_name_of_the_room_is_an_attribute_error():
    from BrainTumorSegLib.models import packs

    assert set(packs.__all__) <= {*dir(packs), *packs._HEAVY}
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = packs.nonesuch
    for name in packs.__all__:
        assert getattr(packs, name) is not None
