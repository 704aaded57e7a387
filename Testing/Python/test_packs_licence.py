"""The licence of the weights lies in every pack and goes where the pack goes."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.models.packs import (
    export_pack,
    import_pack,
    load_pack,
    read_pack,
    verify_pack,
)
from BrainTumorSegLib.models.packs.card import HOMEPAGE, licence_text

BUNDLED = sorted(path.parent for path in resource_path("Models").glob("*/pack.json"))
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """A copy of a small bundled pack under a name of its own, outside every searched folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    copy = export_pack(load_pack("four-tumours"), tmp_path / "packs" / "copy")
    manifest = copy / "pack.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"name": "four-tumours"', '"name": "copy"', 1))
    return read_pack(copy)


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda folder: folder.name)
def test_each_bundled_pack_has_its_licence(folder):
    pack = read_pack(folder)
    text = (folder / "LICENSE").read_text(encoding="utf-8")
    assert text == licence_text(pack), "make it anew with card.licence_text"
    assert pack.licence == "CC-BY-SA-4.0"
    assert "https://creativecommons.org/licenses/by-sa/4.0/legalcode" in text
    assert "Apache License 2.0" in text
    for source in pack.provenance["sources"]:
        assert f"* {source['name']}: {source['licence']}" in text
    for member in pack.members:
        assert member.file in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_attribution_names_the_projects_address():
    text = (CHECKOUT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.findall(r'EXTENSION_HOMEPAGE "(.*)"', text) == [HOMEPAGE]


def test_a_licence_that_we_know_nothing_of_is_named(pack):
    other = replace(pack, licence="CC-BY-NC-4.0")
    text = licence_text(other)
    assert "CC-BY-NC-4.0" in text and "https://spdx.org/licenses/" in text
    assert "even commercially" not in text


@pytest.mark.parametrize("destination", ["other", "other.zip"])
def test_a_licence_is_carried_along_as_it_stands(pack, tmp_path, destination):
    own = "Ours; ask us first.\n"
    (pack.folder / "LICENSE").write_text(own)
    exported = export_pack(pack, tmp_path / destination)
    if destination.endswith(".zip"):
        with zipfile.ZipFile(exported) as archive:
            assert archive.read("copy/LICENSE").decode() == own
    else:
        assert (exported / "LICENSE").read_text() == own
    assert (import_pack(exported).folder / "LICENSE").read_text() == own


def test_a_pack_without_a_licence_works_and_gets_one_on_its_way(pack, tmp_path):
    (pack.folder / "LICENSE").unlink()
    verify_pack(pack)
    for number, destination in enumerate(("folder", "file.zip")):
        exported = export_pack(pack, tmp_path / destination)
        imported = import_pack(exported, overwrite=bool(number))
        assert (imported.folder / "LICENSE").read_text() == licence_text(pack)
    direct = import_pack(pack.folder, overwrite=True)
    assert (direct.folder / "LICENSE").read_text() == licence_text(pack)


def test_a_licence_that_is_a_link_or_endless_is_refused(pack, tmp_path):
    path = pack.folder / "LICENSE"
    path.write_bytes(b"x" * (1024**2 + 1))
    with pytest.raises(PackError, match="far too long"):
        import_pack(pack.folder)
    path.unlink()
    (tmp_path / "secret.txt").write_text("secret")
    try:
        path.symlink_to(tmp_path / "secret.txt")
    except OSError:
        pytest.skip("this user may not make links")
    with pytest.raises(PackError, match="symbolic link"):
        import_pack(pack.folder)
