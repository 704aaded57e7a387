"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.io.atomic import (
    atomic_group,
    atomic_path,
    check_writable,
    explain_write_failure,
    full_suffix,
)

CHECKOUT = Path(__file__).resolve().parents[2]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("tumour.seg.nrrd", ".seg.nrrd"),
        ("t1.nii.gz", ".nii.gz"),
        ("T1.NII.GZ", ".nii.gz"),
        ("patient.2024.nrrd", ".nrrd"),
        ("report.json", ".json"),
        (".nii.gz", ".gz"),
        ("noending", ""),
    ],
)
def test_the_full_ending_of_a_name_is_kept(name, suffix):
    assert full_suffix(Path(name)) == suffix


@pytest.mark.parametrize("name", ["опухоль 1.seg.nrrd", "t1.nii.gz", "report.json"])
def test_a_result_appears_only_at_the_end(tmp_path, name):
    final = tmp_path / name
    with atomic_path(final) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(full_suffix(final))
        assert names(tmp_path) == []
        temporary.write_text("result")
        assert not final.exists()
    assert names(tmp_path) == [name]
    assert final.read_text() == "result"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_goes_wrong_nothing_is_left(tmp_path, error):
    with pytest.raises(error), atomic_path(tmp_path / "a.nrrd") as temporary:
        temporary.write_text("half")
        raise error
    assert names(tmp_path) == []


def test_a_failed_run_leaves_the_earlier_result_alone(tmp_path):
    final = tmp_path / "a.json"
    final.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_path(final, overwrite=True) as temporary:
        temporary.write_text("new")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["a.json"]
    assert final.read_text() == "old"


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(tmp_path):
    final = tmp_path / "a.json"
    final.write_text("old")
    with pytest.raises(OutputError, match=r"a\.json exists already\. Choose another name"):
        check_writable(final)
    with pytest.raises(OutputError, match="exists already"), atomic_path(final):
        pytest.fail("the block must not be entered")
    with atomic_path(final, overwrite=True) as temporary:
        temporary.write_text("new")
    assert final.read_text() == "new"
    assert names(tmp_path) == ["a.json"]


def test_a_file_that_appears_during_the_run_is_not_overwritten(tmp_path):
    final = tmp_path / "a.json"
    with pytest.raises(OutputError, match="exists already"), atomic_path(final) as temporary:
        temporary.write_text("ours")
        final.write_text("somebody else's")
    assert names(tmp_path) == ["a.json"]
    assert final.read_text() == "somebody else's"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(OutputError, match=r"a\.json was not written"),
        atomic_path(tmp_path / "a.json"),
    ):
        pass
    assert names(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"output folder .*nowhere does not exist\. Create it"):
        check_writable(tmp_path / "nowhere" / "a.json")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="file is a file, not a folder"):
        check_writable(tmp_path / "file" / "a.json")


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OutputError, match=r"a\.json is a folder"):
        check_writable(tmp_path / "a.json", overwrite=True)


def test_a_path_that_is_too_long_is_explained(tmp_path):
    with pytest.raises(OutputError, match=r"path is too long.* Choose a shorter name"):
        check_writable(tmp_path / ("x" * 300 + ".seg.nrrd"))


def test_a_read_only_folder_is_refused_for_real(tmp_path):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("the administrator may write everywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="read-only for you"):
            check_writable(tmp_path / "a.json")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_read_only_folder_is_refused_before_the_work(tmp_path, monkeypatch, number):
    def refuse(self, *_, **__):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputError, match=r"folder is read-only for you.*another folder"):
        check_writable(tmp_path / "a.json")
    assert names(tmp_path) == []


def test_a_write_protected_file_is_not_replaced(tmp_path, monkeypatch):
    final = tmp_path / "a.json"
    final.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match=r"a\.json is write-protected"):
        check_writable(final, overwrite=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_runs_full_is_reported_with_the_final_name(tmp_path, number):
    with pytest.raises(OutputError, match=r"a\.json cannot be written: the disk is full"):  # noqa: SIM117
        with atomic_path(tmp_path / "a.json") as temporary:
            temporary.write_text("half")
            raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_a_full_disk_is_seen_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(OutputError, match="the disk is full"):
        check_writable(tmp_path / "a.json")


def test_an_itk_error_on_a_full_disk_is_recognised_without_an_error_number(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    error = explain_write_failure(tmp_path / "a.nrrd", RuntimeError("ITK ERROR: Write failed"))
    assert "the disk is full" in str(error)


def test_an_itk_error_on_a_disk_with_room_keeps_its_reason(tmp_path):
    error = explain_write_failure(tmp_path / "a.nrrd", RuntimeError("first\nITK ERROR: no idea.\n"))
    assert "a.nrrd cannot be written: ITK ERROR: no idea." in str(error)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_device_is_reported(tmp_path):
    with pytest.raises(OutputError, match="the disk is full"):  # noqa: SIM117
        with atomic_path(tmp_path / "a.json") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("x" * 100_000)
    assert names(tmp_path) == []


def test_an_unrelated_input_error_passes_through_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.json"):
        (tmp_path / "input that is missing").read_text()


def test_a_denied_write_names_the_final_file(tmp_path):
    with pytest.raises(OutputError, match=r"a\.json cannot be written: the folder is read-only"):  # noqa: SIM117
        with atomic_path(tmp_path / "a.json") as temporary:
            raise PermissionError(errno.EACCES, "denied", str(temporary))


def test_a_symbolic_link_is_written_through(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_path(link, overwrite=True) as temporary:
        assert temporary.parent == target.parent
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_all_results_of_a_group_appear_together(tmp_path):
    finals = [tmp_path / "a.seg.nrrd", tmp_path / "b.json", tmp_path / "c.html"]
    with atomic_group(finals) as temporary:
        for final in finals:
            temporary[final].write_text(final.name)
            assert not any(f.exists() for f in finals)
    assert names(tmp_path) == ["a.seg.nrrd", "b.json", "c.html"]
    assert all(final.read_text() == final.name for final in finals)


def test_one_missing_result_keeps_the_whole_group_back(tmp_path):
    finals = [tmp_path / "a.json", tmp_path / "b.json"]
    with (
        pytest.raises(OutputError, match=r"b\.json was not written"),
        atomic_group(finals) as temporary,
    ):
        temporary[finals[0]].write_text("a")
    assert names(tmp_path) == []


def test_a_cancelled_group_leaves_nothing(tmp_path):
    finals = [tmp_path / "a.json", tmp_path / "b.json"]
    with pytest.raises(KeyboardInterrupt), atomic_group(finals) as temporary:
        temporary[finals[0]].write_text("a")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad sector"), KeyboardInterrupt()])
@pytest.mark.parametrize("failing", range(1, 6))
def test_a_group_that_fails_while_it_is_put_in_place_is_taken_back(
    tmp_path, monkeypatch, failing, error
):
    old, fresh, older = (tmp_path / name for name in ("old.json", "fresh.json", "older.json"))
    old.write_text("1")
    older.write_text("2")
    replace, calls = Path.replace, []

    def sometimes_fail(self, target):
        calls.append(target)
        if len(calls) == failing:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", sometimes_fail)
    with pytest.raises((OutputError, KeyboardInterrupt)):  # noqa: SIM117
        with atomic_group([old, fresh, older], overwrite=True) as temporary:
            for path in temporary.values():
                path.write_text("new")
    assert names(tmp_path) == ["old.json", "older.json"]
    assert (old.read_text(), older.read_text()) == ("1", "2")


def test_a_group_that_overwrites_leaves_no_backups(tmp_path):
    finals = [tmp_path / "a.json", tmp_path / "b.json"]
    for final in finals:
        final.write_text("old")
    with atomic_group(finals, overwrite=True) as temporary:
        for path in temporary.values():
            path.write_text("new")
    assert names(tmp_path) == ["a.json", "b.json"]
    assert [final.read_text() for final in finals] == ["new", "new"]


def test_two_results_under_one_name_are_refused(tmp_path):
    with pytest.raises(OutputError, match="same file"):  # noqa: SIM117
        with atomic_group([tmp_path / "a.json", tmp_path / "sub" / ".." / "a.json"]):
            pytest.fail("the block must not be entered")


def test_a_writer_that_is_atomic_itself_can_write_into_a_group(tmp_path):
    final = tmp_path / "a.json"
    with atomic_group([final]) as outer, atomic_path(outer[final]) as inner:
        inner.write_text("x")
    assert names(tmp_path) == ["a.json"]
    with (
        pytest.raises(OutputError) as caught,
        atomic_group([final], overwrite=True) as outer,
        atomic_path(outer[final]),
    ):
        raise OSError(errno.ENOSPC, "full")
    assert str(final) in str(caught.value)
    assert ".part" not in str(caught.value)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_process_that_is_told_to_stop_leaves_nothing(tmp_path, name):
    script = textwrap.dedent(
        """
        import signal, sys, time
        from pathlib import Path
        from BrainTumorSegLib.io.atomic import atomic_group
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        # A shell that starts tests in the background hands down an ignored SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        finals = [Path(sys.argv[1]) / n for n in ("a.seg.nrrd", "b.json")]
        with atomic_group(finals) as temporary:
            for path in temporary.values():
                path.write_text("half")
            print("writing", flush=True)
            time.sleep(60)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout.readline() == "writing\n"
        assert len(names(tmp_path)) == 2
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=30) != 0
    assert names(tmp_path) == []
