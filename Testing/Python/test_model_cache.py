"""Converted networks on disk: whole or not at all, whoever else is at work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from BrainTumorSegLib.core.resources import CACHE_VARIABLE
from BrainTumorSegLib.inference.engines import model_cache
from BrainTumorSegLib.inference.engines.model_cache import (
    entry_key,
    find_entry,
    networks_folder,
    remove_entry,
    store_entry,
)

KEY = entry_key({"weights": "abc"})


def writes(content: bytes):
    def make(folder: Path) -> None:
        (folder / "network.bin").write_bytes(content)
        (folder / "network.xml").write_text("<net/>", encoding="utf-8")

    return make


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_stored_is_found(tmp_path):
    assert find_entry(tmp_path / "new", KEY) is None
    entry = store_entry(tmp_path / "new", KEY, writes(b"weights"))
    assert find_entry(tmp_path / "new", KEY) == entry
    assert (entry / "network.bin").read_bytes() == b"weights"
    assert names(tmp_path / "new") == [KEY]


@pytest.mark.parametrize(
    "change",
    [{"weights": "abd"}, {"weights": "abc", "openvino": "2027"}, {"Weights": "abc"}],
)
def test_other_weights_and_other_versions_have_another_entry(change):
    assert entry_key(change) != KEY


def test_the_order_of_the_parts_does_not_matter():
    assert entry_key({"a": 1, "b": 2}) == entry_key({"b": 2, "a": 1})


def flip_a_bit(entry: Path) -> None:
    path = entry / "network.bin"
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


DAMAGES = {
    "a bit flipped": flip_a_bit,
    "weights truncated": lambda entry: os.truncate(entry / "network.bin", 3),
    "weights missing": lambda entry: (entry / "network.bin").unlink(),
    "list missing": lambda entry: (entry / "entry.json").unlink(),
    "list truncated": lambda entry: os.truncate(entry / "entry.json", 10),
    "list of another kind": lambda entry: (entry / "entry.json").write_text("[1]"),
    "list empty": lambda entry: (entry / "entry.json").write_text('{"files": {}}'),
    "list binary": lambda entry: (entry / "entry.json").write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_removed_and_made_again(tmp_path, damage):
    damage(store_entry(tmp_path, KEY, writes(b"weights")))
    assert find_entry(tmp_path, KEY) is None
    assert names(tmp_path) == []
    entry = store_entry(tmp_path, KEY, writes(b"weights"))
    assert find_entry(tmp_path, KEY) == entry


def test_an_entry_whose_making_failed_leaves_nothing(tmp_path):
    def fails(folder: Path) -> None:
        writes(b"half")(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store_entry(tmp_path, KEY, fails)
    assert names(tmp_path) == []


def test_who_comes_second_takes_what_the_first_has_made(tmp_path):
    def overtaken(folder: Path) -> None:
        store_entry(tmp_path, KEY, writes(b"first"))
        writes(b"second")(folder)

    entry = store_entry(tmp_path, KEY, overtaken)
    assert (entry / "network.bin").read_bytes() == b"first"
    assert names(tmp_path) == [KEY]


def test_a_damaged_entry_of_another_process_is_not_taken(tmp_path):
    def overtaken(folder: Path) -> None:
        flip_a_bit(store_entry(tmp_path, KEY, writes(b"first")))
        writes(b"second")(folder)

    with pytest.raises(OSError):
        store_entry(tmp_path, KEY, overtaken)
    assert find_entry(tmp_path, KEY) is None


HAMMER = """
import sys
from pathlib import Path
from BrainTumorSegLib.inference.engines.model_cache import find_entry, remove_entry, store_entry

folder, key = Path(sys.argv[1]), "k"
def make(target):
    for name in ("network.bin", "network.xml"):
        (target / name).write_bytes(b"x" * 200_000)
for turn in range(150):
    entry = find_entry(folder, key)
    if entry is None:
        try: entry = store_entry(folder, key, make)
        except OSError: continue   # removed again by the other process at that very moment
    elif turn % 3 == 0:
        remove_entry(folder, key)
        continue
    try: assert (entry / "network.bin").read_bytes() == b"x" * 200_000
    except FileNotFoundError: pass
"""


def test_two_processes_that_make_and_remove_one_entry_never_see_half_of_it(tmp_path):
    command = [sys.executable, "-c", HAMMER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    runs = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
    assert [name for name in names(tmp_path) if name.startswith(".new-")] == []


def test_a_cache_that_is_only_for_reading_still_serves(tmp_path, monkeypatch):
    entry = store_entry(tmp_path, KEY, writes(b"weights"))

    def refused(*_args, **_kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(os, "utime", refused)
    assert find_entry(tmp_path, KEY) == entry


def test_a_cache_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        store_entry(tmp_path / "file" / "cache", KEY, writes(b"weights"))


def aged(path: Path, days: float) -> None:
    then = time.time() - days * 24 * 3600
    for each in (path / "entry.json", path):
        if each.exists():
            os.utime(each, (then, then))


def test_too_large_a_cache_loses_what_was_used_longest_ago(tmp_path, monkeypatch):
    for days, name in ((3, "a" * 40), (9, "b" * 40), (0.5, "c" * 40)):
        aged(store_entry(tmp_path, name, writes(b"x" * 1000)), days)
    monkeypatch.setattr(model_cache, "MAX_BYTES", 3700)
    store_entry(tmp_path, "d" * 40, writes(b"x" * 1000))
    assert names(tmp_path) == ["a" * 40, "c" * 40, "d" * 40]
    monkeypatch.setattr(model_cache, "MAX_BYTES", 0)
    store_entry(tmp_path, "e" * 40, writes(b"x"))
    assert names(tmp_path) == ["c" * 40, "d" * 40, "e" * 40], "used within a day"


def test_what_a_killed_run_left_is_cleared_away_after_a_day(tmp_path):
    for name in (".new-young", ".new-old", ".old-old"):
        (tmp_path / name).mkdir()
    aged(tmp_path / ".new-old", 2)
    aged(tmp_path / ".old-old", 2)
    store_entry(tmp_path, KEY, writes(b"weights"))
    assert names(tmp_path) == sorted([".new-young", KEY])


def test_removing_what_is_not_there_is_no_error(tmp_path):
    remove_entry(tmp_path, KEY)
    assert names(tmp_path) == []


def test_the_cache_lies_where_the_person_says(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert networks_folder() == tmp_path / "Networks"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="XDG is for Linux")
def test_the_cache_lies_where_xdg_says(tmp_path, monkeypatch):
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert networks_folder() == tmp_path / "BrainTumorSeg" / "Networks"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert networks_folder() == Path.home() / ".cache" / "BrainTumorSeg" / "Networks"
