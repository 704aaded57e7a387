"""Whatever ends a process while it puts results in place: all of them are new, or all old."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.io import locks, publishing
from BrainTumorSegLib.io.atomic import atomic_group, atomic_path, check_writable
from BrainTumorSegLib.io.publishing import publish, staged, tidy

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked and killed")

#: What changes a folder or tells the disk to keep it.
CALLS = ("open", "write", "fsync", "close", "link", "replace", "rename", "unlink", "rmdir", "mkdir")

NEW, OLD = "new", "old"

#: Name of a file whose writer fails; it stays as it was.
FAILS = "fails.json"


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """A killed process leaves to the system what it has written: only the order counts here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def files(folder, *names, old=()):
    for name in old:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(OLD)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return [folder / name for name in names]


def linked(folder):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "real.json").write_text(OLD)
    (folder / "link.json").symlink_to(folder / "elsewhere" / "real.json")
    return files(folder, "link.json", "b.json")


def folders(folder, *names, old=()):
    for name in old:
        (folder / name).mkdir(parents=True)
        (folder / name / "content").write_text(OLD)
        (folder / name / "more").write_text(OLD)
    return [folder / name for name in names]


SHAPES = {
    "one file, replaced": lambda f: files(f, "a.json", old=["a.json"]),
    "files, new and replaced": lambda f: files(f, "a.json", "b.json", "c.json", old=["b.json"]),
    "files in three folders": lambda f: files(f, *["x/a", "y/b", "z/c"], old=["x/a", "z/c"]),
    "a file behind a link": linked,
    "files but one that failed": lambda f: files(f, f"x/{FAILS}", "y/a", "y/b", old=["y/b"]),
    "a folder, replaced": lambda f: folders(f, "pack", old=["pack"]),
    "folders": lambda f: folders(f, "pack", "other", old=["pack", "other"]),
}


def write(finals, hook=lambda: None):
    """Put new results in the place of all; the hook is called when publishing begins."""
    if finals[0].name in ("pack", "other"):
        with staged(finals) as group:
            for move in group.moves:
                move.written.mkdir()
                (move.written / "content").write_text(NEW)
            hook()
            publish(group)
        return
    failed = {}
    with atomic_group(finals, overwrite=True, failed=failed) as temporary:
        for final, path in temporary.items():
            path.write_text(NEW)
            if final.name == FAILS:
                failed[final] = OutputError("It is a test.")
        hook()


def states(finals):
    """What lies in each place: new, old or nothing."""
    found = []
    for final in finals:
        path = final / "content" if final.name in ("pack", "other") else final
        found.append(path.read_text() if path.exists() else None)
    return found


def hidden(folder):
    return [p for p in folder.rglob("*") if p.name.startswith((".", "UNFINISHED"))]


@contextmanager
def stopped_at(number, stop, after, every=False):
    """Call ``stop`` before or after one system call, or all from it on."""
    count = 0
    originals = {name: getattr(os, name) for name in CALLS}

    def wrapped(name):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            due = count == number or (every and count > number)
            if due and not after:
                stop()
            try:
                return originals[name](*args, **kwargs)
            finally:
                if due and after:
                    stop()

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name))
    try:
        yield lambda: count
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def in_child(finals, log, number, stop, after, every=False):
    """Publish in a child process that is stopped at a system call.

    Returns:
        Whether it was stopped, and what it raised.
    """
    child = os.fork()
    if child == 0:
        code = 3
        try:
            said = {"error": None, "text": "", "notes": []}
            manager = stopped_at(number, stop, after, every)
            try:
                write(finals, lambda: manager.__enter__())
                code = 0
            except BaseException as error:
                code = 1
                said = {
                    "error": type(error).__name__,
                    "text": str(error),
                    "notes": getattr(error, "__notes__", []),
                }
            finally:
                try:
                    manager.__exit__(None, None, None)
                except BaseException:
                    code = 4
            log.write_text(json.dumps(said))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True, None
    assert os.WEXITSTATUS(status) in (0, 1), "the child did not understand its task"
    return os.WEXITSTATUS(status) == 1, json.loads(log.read_text())


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt():
    raise KeyboardInterrupt


def every_stop(tmp_path, shape, stop, every=False):
    """One attempt for each system call: killed before it, interrupted after it."""
    stopped, number = True, 0
    while stopped:
        number += 1
        place = tmp_path / str(number)
        place.mkdir()
        finals = SHAPES[shape](place)
        before = states(finals)
        after = stop is interrupt
        stopped, said = in_child(finals, tmp_path / "said", number, stop, after, every)
        if stopped:
            yield place, finals, before, said


def all_new(finals):
    return [None if final.name == FAILS else NEW for final in finals]


def assert_whole(finals, before):
    assert states(finals) in (before, all_new(finals))


def assert_journal_where_mixed(place, finals, before):
    """Until all are new or all old a readable journal lies beside every one that changed."""
    if states(finals) in (before, all_new(finals)):
        return False
    for final in (final for final in finals if final.name != FAILS):
        real = final.resolve()
        (journal,) = real.parent.glob("UNFINISHED-*.txt")
        text = journal.read_text(encoding="utf-8")
        assert "was stopped while it put these results in place" in text
        assert "What to do: let BrainTumorSeg write any result into this folder." in text
        assert f"  {real.name}\n" in text
    return True


def test_two_hundred_kills_at_every_system_call_leave_all_new_or_all_old(tmp_path):
    kills = mixed = 0
    for shape in SHAPES:
        for place, finals, before, _ in every_stop(shape_folder(tmp_path, shape), shape, kill):
            kills += 1
            mixed += assert_journal_where_mixed(place, finals, before)
            # The next start of the program writes into one of the folders.
            last = finals[-1].resolve().parent
            check_writable(last / "next.json")
            assert_whole(finals, before)
            for final in finals:
                check_writable(final.resolve().parent / "next.json")
            assert hidden(place) == []
    assert kills >= 200
    # Else the journal would not have been tried.
    assert mixed >= 10


def shape_folder(tmp_path, shape):
    folder = tmp_path / shape.replace(" ", "-")
    folder.mkdir()
    return folder


@pytest.mark.parametrize("shape", ["files, new and replaced", "folders"])
def test_who_finishes_an_unfinished_group_may_be_killed_too(tmp_path, shape):
    """Killed where the first moves are made; then again at every call of the one who finishes."""
    kills = 0
    for number in range(1, 200):
        place = tmp_path / str(number)
        place.mkdir()
        finals = SHAPES[shape](place)
        before = states(finals)
        assert in_child(finals, tmp_path / "said", unfinished_at(tmp_path, shape), kill, False)[0]
        assert hidden(place)
        child = os.fork()
        if child == 0:
            with stopped_at(number, kill, False):
                tidy(place)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        kills += 1
        assert_journal_where_mixed(place, finals, before)
        check_writable(place / "next.json")
        assert states(finals) == all_new(finals)
        assert hidden(place) == []
    assert kills > 5


def unfinished_at(tmp_path, shape, _known={}):  # noqa: B006
    """The number of the first call before which some are new and others are not."""
    if shape not in _known:
        folder = tmp_path / "looking"
        folder.mkdir()
        for place, finals, before, _said in every_stop(folder, shape, kill):
            if states(finals) not in (before, all_new(finals)):
                _known[shape] = int(place.name)
                break
    return _known[shape]


def test_an_interrupt_at_every_system_call_is_told_as_it_was(tmp_path):
    interrupts = finished = 0
    for shape in ("one file, replaced", "files in three folders", "folders"):
        stops = every_stop(shape_folder(tmp_path, shape), shape, interrupt)
        for place, finals, before, said in stops:
            interrupts += 1
            assert_whole(finals, before)
            assert not list(place.rglob("UNFINISHED*")) or states(finals) == all_new(finals)
            assert said["error"] == "KeyboardInterrupt"
            if states(finals) == all_new(finals):
                finished += 1
                assert said["notes"] == [publishing.PUBLISHED_BEFORE]
            else:
                assert said["notes"] == []
            for final in finals:
                tidy(final.resolve().parent)
            assert hidden(place) == []
    assert interrupts > 60
    assert finished > 10


def test_who_does_not_stop_interrupting_is_told_of_what_is_half_done(tmp_path):
    half = 0
    for shape in ("files, new and replaced", "folders"):
        stops = every_stop(shape_folder(tmp_path, shape), shape, interrupt, every=True)
        for place, finals, before, said in stops:
            if assert_journal_where_mixed(place, finals, before):
                half += 1
                assert said["error"] in ("OutputError", "KeyboardInterrupt")
                told = " ".join([said["text"], *said["notes"]])
                assert "are of the new run and others of an earlier one" in told
                assert "UNFINISHED-" in told
            for final in finals:
                tidy(final.resolve().parent)
            assert_whole(finals, before)
            assert hidden(place) == []
    assert half > 5


def test_every_result_and_every_folder_is_kept_by_the_disk_before_the_switch(tmp_path, monkeypatch):
    finals = SHAPES["files in three folders"](tmp_path)
    happened = []
    unlink = os.unlink

    def note_sync(descriptor):
        happened.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def note_unlink(path, *args, **kwargs):
        happened.append(("unlink", str(path)))
        unlink(path, *args, **kwargs)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "unlink", note_unlink)
    write(finals, happened.clear)
    switch = next(
        n for n, (what, path) in enumerate(happened) if "UNFINISHED" in path and what == "unlink"
    )
    synced = [path for what, path in happened[:switch] if what == "sync"]
    assert sum(".part" in path for path in synced) >= 6  # three results and three journals
    for final in finals:
        assert str(final.parent) in synced[-3:]


def test_what_a_running_process_writes_is_no_leftover(tmp_path):
    with atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        child = os.fork()
        if child == 0:
            publishing._at_work.clear()  # as in a process that was started anew
            tidy(tmp_path)
            os._exit(0)
        os.waitpid(child, 0)
        assert temporary.read_text() == "half"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_without_locks_is_cleared_of_leftovers_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_hold", lambda descriptor: None)
    left = [tmp_path / f".{'ab' * 8}.{end}" for end in ("lock", "0.part.json")]
    for path in left:
        path.write_text("x")
    tidy(tmp_path)
    assert all(path.exists() for path in left)
    for path in left:
        os.utime(path, (0, 0))
    tidy(tmp_path)
    assert hidden(tmp_path) == []
    with atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("works")
    assert (tmp_path / "a.json").read_text() == "works"


def test_leftovers_of_former_releases_are_cleared_away_after_a_day(tmp_path):
    fresh, old, folder = (tmp_path / f".0000000{n}.part.json" for n in range(3))
    fresh.write_text("x")
    old.write_text("x")
    folder.mkdir()
    mine = tmp_path / ".hidden.part.json"
    mine.write_text("x")
    for path in (old, folder, mine):
        os.utime(path, (0, 0))
    tidy(tmp_path)
    assert set(tmp_path.iterdir()) == {fresh, mine}


def test_a_journal_moves_no_files_but_those_of_its_own_group(tmp_path):
    """Whoever may write into a shared folder must not make us replace other files."""
    token, precious = "ab" * 8, tmp_path / "home" / "precious"
    precious.parent.mkdir()
    precious.write_text("mine")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / f".{token}.0.part").write_text("evil")
    for written, final, *where in (
        (f".{token}.0.part", "../home/precious"),
        ("../shared/x", "precious", str(precious.parent)),
        ("other", "precious"),
    ):
        fields = {"version": 1, "first": None, "moves": [[written, final, *where]]}
        (shared / f"UNFINISHED-{token}.txt").write_text(f"{publishing._MARK}\n{json.dumps(fields)}")
        tidy(shared)
        assert precious.read_text() == "mine"
        assert (shared / f".{token}.0.part").exists()


def test_what_cannot_be_finished_is_left_with_its_journal(tmp_path):
    finals = SHAPES["files in three folders"](tmp_path)
    number = unfinished_at(tmp_path, "files in three folders")
    in_child(finals, tmp_path / "said", number, kill, False)
    (tmp_path / "z").rename(tmp_path / "away")
    with pytest.raises(OutputError, match=r"of the new run and others of an earlier.*UNFINISHED-"):
        check_writable(tmp_path / "x" / "next.json")
    (tmp_path / "away").rename(tmp_path / "z")
    check_writable(tmp_path / "x" / "next.json")
    assert states(finals) == all_new(finals)


if sys.platform == "win32":  # what the tests above look at cannot be tried there
    del test_every_result_and_every_folder_is_kept_by_the_disk_before_the_switch
