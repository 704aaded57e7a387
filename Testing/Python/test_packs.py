"""Model packs: made, found, loaded, verified, moved; and damaged in every way we know."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from BrainTumorSegLib.core.errors import OutputError, PackError
from BrainTumorSegLib.core.resources import resource_path, schema_validator
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.inference.tta import TTA_SETS
from BrainTumorSegLib.models.networks import ARCHITECTURES, NetworkSpec, build_network
from BrainTumorSegLib.models.packs import (
    MODELS_VARIABLE,
    ModelPack,
    NewMember,
    default_pack,
    export_pack,
    find_packs,
    import_pack,
    library,
    list_packs,
    load_members,
    load_pack,
    make_pack,
    models_table,
    remove_pack,
    user_models_folder,
    verify_pack,
)
from BrainTumorSegLib.models.packs.manifest import SCHEMA
from BrainTumorSegLib.models.weights import PRECISIONS
from BrainTumorSegLib.preprocessing.model_grid import RECIPES, NetworkInput

SPEC = NetworkSpec("linknet", "mobilenet_v2", 3, 3, 5)

FIELDS = {
    "name": "tiny-test",
    "version": "1.2.3",
    "title": "Tiny pack for tests",
    "description": "Random weights.",
    "recipe": "mixture",
    "sequences": {"used": ["t1", "t1ce", "flair"], "may_be_missing": ["t1", "flair"]},
    "network": SPEC,
    "label_protocols": ["core1_edema2_enhancing4"],
    "provenance": {
        "sources": [{"name": "Nothing", "licence": "CC0-1.0", "cases": 0, "use": "training"}],
        "command": "pytest",
        "date": "2024-01-31",
        "code_version": "0.1.0",
    },
    "validation": [
        {
            "measure": "Dice WT",
            "value": 0.125,
            "low": 0.1,
            "high": 0.2,
            "cases": 31,
            "data": "noise | more noise",
            "command": "brain-tumor-seg evaluate",
        }
    ],
    "licence": "CC-BY-SA-4.0",
    "intended_use": "Testing this program.",
}


#: What a check found.
BF16 = {
    **{"dice_change": 0.0, "case_change": 0.003},
    **{"cases": 31, "data": "real cases", "command": "check it"},
}


def random_state(seed: int, spec: NetworkSpec = SPEC) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return build_network(spec).state_dict()


def members(count: int = 2) -> list[NewMember]:
    return [NewMember(f"fold{n}", random_state(n), {"fold": n, "seed": n}) for n in range(count)]


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> ModelPack:
    """A pack that tests copy from and never change."""
    return make_pack(tmp_path_factory.mktemp("packs") / "tiny-test", FIELDS, members())


@pytest.fixture
def folder(made, tmp_path) -> Path:
    """A pack to damage."""
    return Path(shutil.copytree(made.folder, tmp_path / "mine" / "tiny-test"))


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch) -> dict[str, Path]:
    """Places for packs that belong to the test alone."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    original = library.resource_path
    monkeypatch.setattr(
        library,
        "resource_path",
        lambda *parts: bundled if parts == ("Models",) else original(*parts),
    )
    return {"bundled": bundled, "user": user_models_folder()}


def put(pack: ModelPack, parent: Path, **changes) -> Path:
    """A copy of a pack with changed fields, in a folder of its name."""
    target = parent / changes.get("name", pack.name)
    shutil.copytree(pack.folder, target)
    change(target, **changes)
    return target


def change(folder: Path, **changes) -> None:
    manifest = json.loads((folder / "pack.json").read_text())
    manifest.update(changes)
    (folder / "pack.json").write_text(json.dumps(manifest))


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "pack.json").read_text())


# Making and reading


def test_a_made_pack_says_what_it_was_told(made):
    assert made.name == "tiny-test"
    assert made.version == "1.2.3"
    assert made.sequences == (Sequence.T1, Sequence.T1CE, Sequence.FLAIR)
    assert made.may_be_missing == (Sequence.T1, Sequence.FLAIR)
    assert made.shown == NetworkInput("percentile-zscore", 0.5, 99.5, "brain")
    assert (made.in_plane_mm, made.multiple) == (1.0, 32)
    assert made.tissues == tuple(Tissue)
    assert made.network == SPEC
    assert made.advised_views == "tta1"
    assert [m.trained["fold"] for m in made.members] == [0, 1]
    assert {m.precision for m in made.members} == {"int8"}
    assert made.bytes == sum((made.folder / m.file).stat().st_size for m in made.members)
    assert made.manifest["schema"] == SCHEMA
    assert sorted(p.name for p in made.folder.iterdir()) == [
        "LICENSE",
        "MODEL_CARD.md",
        "fold0.safetensors",
        "fold1.safetensors",
        "pack.json",
    ]
    verify_pack(made)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_members_answer_like_the_networks_they_were_made_from(tmp_path, precision):
    pack = make_pack(tmp_path / "p", FIELDS, members(), precision)
    image = torch.randn(1, 3, 64, 32)
    loaded = load_members(pack)
    assert list(loaded) == ["fold0", "fold1"]
    for number, network in enumerate(loaded.values()):
        original = build_network(SPEC)
        original.load_state_dict(random_state(number))
        with torch.inference_mode():
            expected, found = original.eval()(image), network(image)
        error = float((found - expected).square().mean().sqrt() / expected.std())
        assert error <= {"fp32": 0, "fp16": 5e-3, "int8": 2e-2, "int6": 6e-2}[precision]


def test_members_are_loaded_by_name_in_the_order_asked_for(made):
    assert list(load_members(made, ["fold1", "fold0"])) == ["fold1", "fold0"]
    assert list(load_members(made, ["fold1"])) == ["fold1"]
    with pytest.raises(PackError, match="no member 'fold7'") as caught:
        load_members(made, ["fold0", "fold7"])
    assert "fold0, fold1" in caught.value.remedy
    with pytest.raises(PackError, match="named twice"):
        load_members(made, ["fold0", "fold0"])
    with pytest.raises(PackError, match="no member at all"):
        load_members(made, [])


def test_the_model_card_names_what_a_reader_must_know(made):
    card = (made.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (
        "Not a medical device",
        "Testing this program.",
        "CC-BY-SA-4.0",
        "CC0-1.0",
        "0.125 (0.1 to 0.2)",
        "brain-tumor-seg evaluate",
        "core1_edema2_enhancing4",
        made.members[0].sha256,
        "noise \\| more noise",
    ):
        assert text in card


def test_notes_end_the_model_card_and_an_unmeasured_pack_says_so(tmp_path):
    fields = {**FIELDS, "validation": []}
    pack = make_pack(tmp_path / "p", fields, members(1), card_notes="## By case\n\nnone")
    card = (pack.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Nothing was measured" in card
    assert card.endswith("## By case\n\nnone\n")


def test_the_schema_lists_the_same_words_as_the_code():
    properties = json.loads(resource_path("Schemas", "pack.schema.json").read_text())["properties"]
    assert properties["schema"]["const"] == SCHEMA
    assert properties["recipe"]["enum"] == list(RECIPES)
    assert properties["network"]["properties"]["architecture"]["enum"] == list(ARCHITECTURES)
    assert properties["advised_views"]["enum"] == list(TTA_SETS)
    assert properties["classes"]["const"] == [t.key for t in Tissue]
    validator = schema_validator("pack")
    validator.check_schema(validator.schema)


def test_a_pack_that_cannot_be_made_leaves_nothing_behind(tmp_path):
    broken = random_state(1)
    broken["decoder.blocks.0.block.0.0.weight"][:] = float("nan")
    cases = [
        ({**FIELDS, "recipe": "wide"}, members(1), "channels"),
        ({**FIELDS, "licence": ""}, members(1), "licence"),
        ({**FIELDS, "validation": [{"measure": "x", "value": float("nan")}]}, members(1), "JSON"),
        ({**FIELDS, "network": {"encoder": "resnet18", "colour": 1}}, members(1), "colour"),
        ({k: v for k, v in FIELDS.items() if k != "network"}, members(1), "network"),
        (FIELDS, [NewMember("a", random_state(0)), NewMember("b", broken)], "NaN"),
        (FIELDS, [NewMember("a", random_state(0)), NewMember("a", random_state(1))], "'a'"),
        (FIELDS, [NewMember("../a", random_state(0))], "'../a'"),
        (FIELDS, [NewMember("a", random_state(0, NetworkSpec("linknet", "resnet18", 3)))], "lacks"),
        (FIELDS, [], "members"),
    ]
    for fields, networks, message in cases:
        with pytest.raises(PackError, match=message):
            make_pack(tmp_path / "p", fields, networks)
        assert list(tmp_path.glob("*")) == [tmp_path / "bundled"], message


def test_an_interrupted_pack_leaves_the_old_one(folder, tmp_path):
    def stopped():
        yield NewMember("fold0", random_state(5))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pack(folder, FIELDS, stopped(), overwrite=True)
    verify_pack(load_pack(folder))
    assert [p.name for p in folder.parent.iterdir()] == ["tiny-test"]


def test_making_replaces_only_packs_and_only_when_told(folder, tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        make_pack(folder, FIELDS, members(1))
    assert len(make_pack(folder, FIELDS, members(1), overwrite=True).members) == 1
    other = tmp_path / "letters"
    other.mkdir()
    (other / "dear.txt").write_text("x")
    with pytest.raises(OutputError, match="something else"):
        make_pack(other, FIELDS, members(1), overwrite=True)
    assert (other / "dear.txt").exists()


# Damage


def test_a_folder_without_manifest_is_no_pack(tmp_path):
    with pytest.raises(PackError, match=r"has no pack\.json"):
        load_pack(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b'{"schema": "brain-tumor-seg-pack/1", "schema": "x"}',
        b'{"value": NaN}',
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_damaged_manifest_is_refused_by_name(folder, text):
    (folder / "pack.json").write_bytes(text)
    with pytest.raises(PackError, match=r"pack\.json is damaged") as caught:
        load_pack(folder)
    assert caught.value.remedy


def test_a_manifest_of_megabytes_is_not_even_parsed(folder):
    (folder / "pack.json").write_bytes(b" " * 2_000_000)
    with pytest.raises(PackError, match="far too long"):
        load_pack(folder)


def test_a_truncated_manifest_is_refused_wherever_it_ends(folder):
    text = (folder / "pack.json").read_bytes().rstrip()
    for length in np.linspace(0, len(text) - 1, 40).astype(int):
        (folder / "pack.json").write_bytes(text[:length])
        with pytest.raises(PackError, match=r"pack\.json is damaged"):
            load_pack(folder)


def test_a_newer_schema_asks_for_an_update(folder):
    change(folder, schema="brain-tumor-seg-pack/2", novelty=True)
    with pytest.raises(PackError, match="newer than this program") as caught:
        load_pack(folder)
    assert caught.value.remedy == "Update the extension."


@pytest.mark.parametrize("schema", ["other/1", "brain-tumor-seg-pack/x", "brain-tumor-seg-pack", 1])
def test_another_schema_is_refused(folder, schema):
    change(folder, schema=schema)
    with pytest.raises(PackError, match="does not name the schema"):
        load_pack(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "stew"}, "recipe: 'stew' is not one of"),
        ({"name": "Up/Down"}, "name: 'Up/Down'"),
        ({"name": ".."}, "name: '..'"),
        ({"name": "tiny\n"}, "name: 'tiny\\n'"),
        ({"version": "one"}, "version: 'one'"),
        ({"colour": "blue"}, "'colour' was unexpected"),
        ({"members": []}, "members"),
        ({"advised_views": "tta9"}, "advised_views: 'tta9'"),
        ({"bf16": True}, "bf16: True"),
        ({"bf16": {**BF16, "colour": "blue"}}, "'colour' was unexpected"),
        ({"bf16": {"dice_change": 0.0, "case_change": 0.0}}, "'cases' is a required"),
        ({"bf16": {**BF16, "dice_change": -0.1}}, "bf16.dice_change: -0.1"),
        ({"bf16": {**BF16, "cases": 0}}, "bf16.cases: 0"),
        ({"licence": "free, I think"}, "licence"),
        ({"classes": ["background", "edema"]}, "classes"),
        ({"network": {**SPEC.as_dict(), "architecture": "alexnet"}}, "'alexnet' is not one of"),
        ({"network": {**SPEC.as_dict(), "encoder_depth": 7}}, "encoder_depth: 7"),
        ({"grid": {"in_plane_mm": 0, "multiple": 32}}, "grid.in_plane_mm"),
        ({"validation": [{"measure": "Dice", "value": 1}]}, "validation.0: 'data' is a required"),
        ({"network": {**SPEC.as_dict(), "in_channels": 9}}, "makes 3 channels"),
        ({"network": {**SPEC.as_dict(), "classes": 4}}, "tells 4 apart"),
        ({"recipe": "wide"}, "makes 9 channels"),
        ({"recipe": "neighbours"}, "takes t1ce, but"),
        ({"grid": {"in_plane_mm": 1, "multiple": 12}}, "not divisible by 8"),
        (
            {"normalisation": {"name": "percentile-zscore", "low": 99, "high": 1}},
            "low 99 is not below",
        ),
        (
            {"sequences": {"used": ["t1", "t1ce", "flair"], "may_be_missing": ["t1ce"]}},
            "t1ce must not be missing",
        ),
    ],
)
def test_a_manifest_with_a_wrong_field_is_refused_by_that_field(folder, changes, message):
    change(folder, **changes)
    with pytest.raises(PackError) as caught:
        load_pack(folder)
    assert message in caught.value.message
    assert "pack.json" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_no_field_may_be_missing(folder, field):
    manifest = manifest_of(folder)
    del manifest[field]
    (folder / "pack.json").write_text(json.dumps(manifest))
    with pytest.raises(PackError, match=f"'{field}' is a required property"):
        load_pack(folder)


@pytest.mark.parametrize(
    "file",
    [
        "../tiny-test/fold0.safetensors",
        "/etc/passwd",
        "a/b.safetensors",
        "..\\x.safetensors",
        "C:x.safetensors",
        "fold0.pt",
        ".safetensors",
        "fold0.safetensors\n",
    ],
)
def test_a_member_file_outside_the_pack_is_refused(folder, file):
    manifest = manifest_of(folder)
    manifest["members"][0]["file"] = file
    (folder / "pack.json").write_text(json.dumps(manifest))
    with pytest.raises(PackError, match=r"members\.0\.file.*plain file name"):
        load_pack(folder)


def test_members_must_differ_in_name_and_file(folder):
    for key, value, message in (
        ("name", "fold0", "same name"),
        ("file", "fold0.safetensors", "share one file"),
        ("file", "FOLD0.safetensors", "share one file"),
    ):
        manifest = manifest_of(folder)
        kept = dict(manifest["members"][1])
        manifest["members"][1][key] = value
        change(folder, members=manifest["members"])
        with pytest.raises(PackError, match=message):
            load_pack(folder)
        change(folder, members=[manifest["members"][0], kept])


def test_a_missing_or_truncated_member_is_noticed_without_loading_it(folder):
    path = folder / "fold1.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(PackError, match=r"fold1\.safetensors has .* truncated"):
        load_pack(folder)
    path.unlink()
    with pytest.raises(PackError, match="Member 'fold1' is missing"):
        load_pack(folder)


def test_a_changed_member_is_not_loaded(folder):
    path = folder / "fold1.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    pack = load_pack(folder)
    assert load_members(pack, ["fold0"])
    for use in (load_members, verify_pack, lambda p: export_pack(p, folder.parent / "x.zip")):
        with pytest.raises(PackError, match=r"fold1\.safetensors.*SHA-256 differs"):
            use(pack)
    assert not (folder.parent / "x.zip").exists()


def test_a_member_swapped_after_the_pack_was_read_is_not_loaded(folder):
    pack = load_pack(folder)
    shutil.copy(folder / "fold0.safetensors", folder / "fold1.safetensors")
    with pytest.raises(PackError, match="SHA-256 differs"):
        load_members(pack)


def replace_member(folder: Path, path: Path) -> None:
    """Put other weights in, with a manifest that agrees with the file."""
    import hashlib

    target = folder / "fold0.safetensors"
    shutil.copy(path, target)
    manifest = manifest_of(folder)
    content = target.read_bytes()
    manifest["members"][0].update(
        sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), precision="fp32"
    )
    (folder / "pack.json").write_text(json.dumps(manifest))


HEADER = {"brain_tumor_seg_weights": '{"format": 1, "precision": "fp32"}'}


def test_weights_of_another_network_are_refused_even_with_a_true_hash(folder, tmp_path):
    wrong_shape = random_state(0, NetworkSpec("linknet", "mobilenet_v2", 3, 3, 4))
    for state, message in (
        (random_state(0, NetworkSpec("linknet", "resnet18", 3)), "lacks"),
        (wrong_shape, "has shape"),
    ):
        floats = {k: v for k, v in state.items() if v.is_floating_point()}
        safetensors.torch.save_file(floats, tmp_path / "x.safetensors", HEADER)
        replace_member(folder, tmp_path / "x.safetensors")
        with pytest.raises(PackError, match=message):
            load_members(load_pack(folder))


def test_a_pickle_with_a_true_hash_is_still_refused(folder, tmp_path):
    torch.save(random_state(0), tmp_path / "x.safetensors")
    replace_member(folder, tmp_path / "x.safetensors")
    with pytest.raises(PackError, match="is a pickle"):
        load_members(load_pack(folder))


def test_a_network_whose_output_is_not_finite_fails_verification(folder, tmp_path):
    state = {k: v for k, v in random_state(0).items() if v.is_floating_point()}
    name = next(n for n in state if n.endswith("running_var"))
    state[name] = torch.full_like(state[name], -1.0)
    safetensors.torch.save_file(state, tmp_path / "x.safetensors", HEADER)
    replace_member(folder, tmp_path / "x.safetensors")
    with pytest.raises(PackError, match="no usable output"):
        verify_pack(load_pack(folder))


def test_an_unknown_encoder_is_refused_by_name(folder):
    change(folder, network={**SPEC.as_dict(), "encoder": "resnet19"})
    with pytest.raises(PackError, match="resnet19"):
        load_members(load_pack(folder))


def test_verification_names_everything_that_is_wrong(folder):
    for name in ("fold0.safetensors", "fold1.safetensors"):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    (folder / "MODEL_CARD.md").unlink()
    with pytest.raises(PackError) as caught:
        verify_pack(load_pack(folder))
    for text in ("fold0.safetensors", "fold1.safetensors", "MODEL_CARD.md is missing"):
        assert text in caught.value.message


# Finding


def test_a_pack_is_found_by_name_folder_or_manifest(made, places):
    inside = put(made, places["user"])
    for way in ("tiny-test", inside, str(inside), str(inside) + os.sep, inside / "pack.json"):
        assert load_pack(way).folder == inside
    with pytest.raises(PackError, match=r"no model pack 'other'.*tiny-test") as caught:
        load_pack("other")
    assert "models import" in caught.value.remedy


def test_a_name_means_a_known_pack_before_a_folder_nearby(made, places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nearby = put(made, tmp_path)
    assert load_pack("tiny-test").folder.samefile(nearby)
    user = put(made, places["user"])
    assert load_pack("tiny-test").folder == user
    assert load_pack(f".{os.sep}tiny-test").folder.samefile(nearby)


def test_the_variable_goes_before_the_user_before_what_is_bundled(
    made, places, tmp_path, monkeypatch
):
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv(MODELS_VARIABLE, os.pathsep.join([str(first), "", str(second)]))
    order = [
        put(made, parent, version=f"1.0.{number}")
        for number, parent in enumerate([first, second, places["user"], places["bundled"]])
    ]
    found = find_packs()
    assert [f.folder for f in found] == order
    assert [f.place for f in found] == ["variable", "variable", "user", "bundled"]
    assert [f.shadowed_by for f in found] == [None, order[0], order[0], order[0]]
    assert [p.version for p in list_packs()] == ["1.0.0"]
    assert load_pack("tiny-test").version == "1.0.0"
    notes = [row["note"] for row in models_table()]
    assert notes[0] == ""
    assert all(f"shadowed by {order[0]}" in note for note in notes[1:])
    shutil.rmtree(first)
    first.mkdir()
    assert load_pack("tiny-test").version == "1.0.1"


def test_the_variable_may_name_a_pack_itself(folder, monkeypatch):
    monkeypatch.setenv(MODELS_VARIABLE, f"{folder}{os.pathsep}{folder.parent}")
    assert [f.folder for f in find_packs()] == [folder]


def test_a_folder_in_the_variable_that_is_not_there_is_reported(made, places, monkeypatch):
    put(made, places["bundled"])
    monkeypatch.setenv(MODELS_VARIABLE, "/no/such/models")
    rows = models_table()
    assert [row["usable"] for row in rows] == [False, True]
    assert "/no/such/models" in rows[0]["note"]


def test_a_damaged_pack_is_listed_with_its_problem_and_never_replaced(made, places):
    put(made, places["bundled"])
    damaged = put(made, places["user"], recipe="stew")
    rows = {row["place"]: row for row in models_table()}
    assert "'stew'" in rows["user"]["note"]
    assert not rows["user"]["usable"]
    assert not list_packs()
    with pytest.raises(PackError, match="stew"):
        load_pack("tiny-test")
    shutil.rmtree(damaged)
    assert load_pack("tiny-test").folder.parent == places["bundled"]


def test_the_table_is_plain_data_with_the_same_keys_in_every_row(made, places):
    put(made, places["bundled"])
    put(made, places["user"], name="second-pack")
    (places["bundled"] / "broken").mkdir()
    (places["bundled"] / "broken" / "pack.json").write_text("{")
    (places["bundled"] / "no-pack").mkdir()
    (places["bundled"] / ".hidden").mkdir()
    (places["bundled"] / ".hidden" / "pack.json").write_text("{")
    rows = models_table()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["name"] for row in rows] == ["second-pack", "broken", "tiny-test"]
    assert len({tuple(row) for row in rows}) == 1
    assert rows[2]["members"] == 2
    assert rows[2]["precision"] == "int8"
    assert rows[2]["network"] == "linknet mobilenet_v2"


def test_without_any_pack_the_error_says_how_to_get_one():
    assert find_packs() == ()
    assert models_table() == []
    for use in (default_pack, load_pack):
        with pytest.raises(PackError, match="No model pack was found") as caught:
            use()
        assert "models import" in caught.value.remedy


def test_the_default_pack_is_the_only_one_or_the_one_named(made, places):
    put(made, places["bundled"])
    assert default_pack() == "tiny-test"
    put(made, places["bundled"], name="another")
    with pytest.raises(PackError, match="None of the packs another, tiny-test is the default"):
        load_pack()
    (places["bundled"] / "default.txt").write_text("another\n")
    assert load_pack().name == "another"
    assert [row["name"] for row in models_table() if row["default"]] == ["another"]


def test_a_person_may_choose_another_default(made, places):
    put(made, places["bundled"])
    put(made, places["bundled"], name="another")
    (places["bundled"] / "default.txt").write_text("another")
    places["user"].mkdir(parents=True)
    (places["user"] / "default.txt").write_bytes(b"\xef\xbb\xbftiny-test\r\n")
    assert default_pack() == "tiny-test"
    (places["user"] / "default.txt").write_text("gone")
    with pytest.raises(PackError, match=r"default\.txt names the default pack 'gone'"):
        default_pack()


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "{tmp}/x"}, "{tmp}/x/BrainTumorSeg/Models"),
        ("linux", {"XDG_DATA_HOME": "rel"}, "{tmp}/home/.local/share/BrainTumorSeg/Models"),
        ("darwin", {}, "{tmp}/home/Library/Application Support/BrainTumorSeg/Models"),
        ("win32", {"LOCALAPPDATA": "{tmp}/l"}, "{tmp}/l/BrainTumorSeg/Models"),
        ("win32", {"LOCALAPPDATA": ""}, "{tmp}/home/AppData/Local/BrainTumorSeg/Models"),
    ],
)
def test_the_user_folder_is_where_the_platform_wants_it(
    tmp_path, monkeypatch, platform, variable, expected
):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variable.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    assert user_models_folder() == Path(expected.format(tmp=tmp_path))


# Moving


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_what_is_exported_can_be_imported(made, places, tmp_path, form):
    destination = tmp_path / ("out.zip" if form == "zip" else "out")
    assert export_pack(made, destination) == destination
    pack = import_pack(destination)
    assert pack.folder == places["user"] / "tiny-test"
    assert pack.members == made.members
    verify_pack(pack)
    for path in made.folder.iterdir():
        assert (pack.folder / path.name).read_bytes() == path.read_bytes()


def test_equal_packs_give_equal_zips(made, tmp_path):
    contents = [
        export_pack(load_pack(made.folder), tmp_path / name).read_bytes()
        for name in ("a.zip", "b.zip")
    ]
    assert contents[0] == contents[1]


def test_exporting_replaces_only_packs_and_only_when_told(made, tmp_path):
    for destination in (tmp_path / "out", tmp_path / "out.zip"):
        export_pack(made, destination)
        with pytest.raises(OutputError, match="exists already"):
            export_pack(made, destination)
        export_pack(made, destination, overwrite=True)
    other = tmp_path / "letters"
    other.mkdir()
    (other / "dear.txt").write_text("x")
    with pytest.raises(OutputError, match="something else"):
        export_pack(made, other, overwrite=True)
    assert (other / "dear.txt").exists()


def test_only_named_files_are_imported(folder, places):
    (folder / "virus.exe").write_bytes(b"MZ")
    pack = import_pack(folder)
    assert sorted(p.name for p in pack.folder.iterdir()) == [
        "LICENSE",
        "MODEL_CARD.md",
        "fold0.safetensors",
        "fold1.safetensors",
        "pack.json",
    ]


def test_an_import_replaces_only_when_told(folder):
    import_pack(folder)
    change(folder, version="2.0.0")
    with pytest.raises(OutputError, match="exists already"):
        import_pack(folder)
    assert load_pack("tiny-test").version == "1.2.3"
    assert import_pack(folder, overwrite=True).version == "2.0.0"
    assert load_pack("tiny-test").version == "2.0.0"


def test_an_import_does_not_hide_a_bundled_pack_unasked(made, folder, places):
    put(made, places["bundled"])
    with pytest.raises(PackError, match="ships with the program"):
        import_pack(folder)
    assert import_pack(folder, overwrite=True).folder.parent == places["user"]


def test_a_failed_import_leaves_nothing_and_keeps_the_old_pack(folder, places):
    import_pack(folder)
    path = folder / "fold1.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    change(folder, version="2.0.0")
    with pytest.raises(PackError, match="SHA-256 differs") as caught:
        import_pack(folder, overwrite=True)
    assert ".part" not in caught.value.message
    assert [p.name for p in places["user"].iterdir()] == ["tiny-test"]
    assert load_pack("tiny-test").version == "1.2.3"


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")
def test_symbolic_links_are_not_imported(folder, places, tmp_path):
    secret = tmp_path / "secret.safetensors"
    shutil.move(folder / "fold0.safetensors", secret)
    (folder / "fold0.safetensors").symlink_to(secret)
    with pytest.raises(PackError, match="symbolic link"):
        import_pack(folder)
    assert not list(places["user"].glob("*"))


def zip_of(folder: Path, path: Path, extra: dict[str, bytes] | None = None, root: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, root + file.name)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("root", ["", "anything/"])
def test_a_zip_may_hold_the_pack_at_its_top_or_in_one_folder(folder, tmp_path, root):
    path = zip_of(folder, tmp_path / "p.zip", {"__MACOSX/pack.json": b"x"}, root)
    assert import_pack(path).name == "tiny-test"


@pytest.mark.parametrize(
    "name",
    ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt", "\\x"],
)
def test_a_zip_that_climbs_out_is_refused(folder, places, tmp_path, name):
    path = zip_of(folder, tmp_path / "p.zip", {name: b"evil"})
    with pytest.raises(PackError, match="outside its folder"):
        import_pack(path)
    assert not list(places["user"].glob("*"))


def test_a_zip_with_a_link_is_refused(folder, tmp_path):
    path = zip_of(folder, tmp_path / "p.zip")
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(PackError, match="symbolic link"):
        import_pack(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_file_twice_or_two_packs_or_none_is_refused(folder, tmp_path):
    twice = zip_of(folder, tmp_path / "a.zip", {"fold0.safetensors": b"other"})
    with pytest.raises(PackError, match="twice"):
        import_pack(twice)
    two = zip_of(folder, tmp_path / "b.zip", {"b/pack.json": b"{}"}, root="a/")
    with pytest.raises(PackError, match="2 pack manifests"):
        import_pack(two)
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(PackError, match="no pack manifests"):
        import_pack(tmp_path / "c.zip")


def test_a_zip_bomb_is_cut_off_at_the_declared_length(folder, places, tmp_path):
    (folder / "fold0.safetensors").unlink()
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
        archive.writestr("fold0.safetensors", bytes(50_000_000))
    with pytest.raises(PackError, match=r"fold0\.safetensors has more than"):
        import_pack(path)
    assert not list(places["user"].glob("*"))


def test_a_pack_of_absurd_size_is_refused_before_copying(folder, monkeypatch):
    manifest = manifest_of(folder)
    manifest["members"][0]["bytes"] = 10**15
    change(folder, members=manifest["members"])
    with pytest.raises(PackError, match="claims to hold"):
        import_pack(folder)


def test_a_damaged_or_false_zip_is_refused_by_name(made, places, tmp_path):
    path = export_pack(made, tmp_path / "p.zip")
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (whole[:-100], whole[: len(whole) // 2], b"", b"no zip", bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(PackError) as caught:
            import_pack(path)
        assert caught.value.remedy
    assert not list(places["user"].glob("*"))
    with pytest.raises(PackError, match=r"none\.zip does not exist"):
        import_pack(tmp_path / "none.zip")


def test_an_encrypted_zip_is_refused(folder, tmp_path):
    path = zip_of(folder, tmp_path / "p.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(PackError, match="encrypted"):
        import_pack(path)


def test_a_pack_that_lacks_a_file_is_not_imported(folder, places, tmp_path):
    (folder / "MODEL_CARD.md").unlink()
    for source in (folder, zip_of(folder, tmp_path / "p.zip")):
        with pytest.raises(PackError, match=r"lacks the file MODEL_CARD\.md"):
            import_pack(source)
    assert not list(places["user"].glob("*"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_an_import_into_a_read_only_folder_says_so(folder, places):
    places["user"].mkdir(parents=True)
    places["user"].chmod(0o500)
    try:
        with pytest.raises(OutputError, match="read-only"):
            import_pack(folder)
    finally:
        places["user"].chmod(0o700)


def test_an_import_where_a_file_stands_in_the_way_says_so(folder, places):
    places["user"].parent.mkdir(parents=True)
    places["user"].write_text("a file")
    with pytest.raises(OutputError, match="cannot be written"):
        import_pack(folder)


def test_only_a_persons_own_packs_are_removed(made, places, tmp_path, monkeypatch):
    user = put(made, places["user"])
    bundled = put(made, places["bundled"])
    named = put(made, tmp_path / "named", name="named-pack")
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path / "named"))
    assert remove_pack("tiny-test") == user
    assert not user.exists()
    assert not list(places["user"].iterdir())
    for name, folder in (("tiny-test", bundled), ("named-pack", named)):
        with pytest.raises(PackError, match="is not removed from there"):
            remove_pack(name)
        assert folder.exists()
    for name in ("other", "../bundled/tiny-test", ""):
        with pytest.raises(PackError, match="There is no model pack"):
            remove_pack(name)


def test_a_damaged_pack_can_be_removed(made, places):
    user = put(made, places["user"])
    (user / "pack.json").write_text("{")
    remove_pack("tiny-test")
    assert not user.exists()


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_removing_a_linked_pack_leaves_what_it_leads_to(folder, places):
    places["user"].mkdir(parents=True)
    (places["user"] / "tiny-test").symlink_to(folder, target_is_directory=True)
    remove_pack("tiny-test")
    assert not (places["user"] / "tiny-test").is_symlink()
    verify_pack(load_pack(folder))
