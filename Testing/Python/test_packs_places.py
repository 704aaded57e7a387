"""Folders of packs with odd things in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.models.packs import (
    MODELS_VARIABLE,
    default_pack,
    export_pack,
    import_pack,
    load_pack,
    read_pack,
    user_models_folder,
)

BUNDLED = resource_path("Models", "glioma-lite")


@pytest.fixture
def user(tmp_path, monkeypatch) -> Path:
    """A person's own folder of packs."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv(MODELS_VARIABLE, raising=False)
    user_models_folder().mkdir(parents=True)
    return user_models_folder()


def test_no_pack_is_called_like_the_file_that_names_the_default_one(user, tmp_path):
    pack = shutil.copytree(BUNDLED, tmp_path / "default.txt")
    manifest = json.loads((pack / "pack.json").read_text(encoding="utf-8"))
    (pack / "pack.json").write_text(json.dumps(manifest | {"name": "default.txt"}))
    with pytest.raises(PackError, match=r"no pack can be called default\.txt"):
        import_pack(pack)
    assert list(user.iterdir()) == []


def test_a_folder_in_the_place_of_that_file_is_passed_over(user):
    (user / "default.txt").mkdir()
    assert default_pack() == "glioma-sx50"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked and killed")
def test_a_pack_that_was_being_replaced_when_the_computer_stopped_is_there_again(user):
    final = user / "mine"
    export_pack(read_pack(BUNDLED), final)
    child = os.fork()
    if child == 0:
        rename = os.rename

        def kill_after(*args, **kwargs):
            rename(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        os.rename = kill_after
        try:
            export_pack(read_pack(BUNDLED), final, overwrite=True)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    assert not final.exists()
    (journal,) = user.glob("UNFINISHED-*.txt")
    assert "  mine\n" in journal.read_text(encoding="utf-8")
    assert load_pack("glioma-lite").folder == final
    assert [path.name for path in user.iterdir()] == ["mine"]
