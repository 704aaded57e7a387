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

from BrainTumorSegLib.core.errors import Cancelled, OutputError
from BrainTumorSegLib.io.atomic import (
    atomic_group,
    atomic_path,
    check_not_inputs,
    check_writable,
    explain_write_failure,
    full_suffix,
    write_all,
    write_text,
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
        assert all(name.startswith(".") for name in names(tmp_path))
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
    def refuse(path, *_, **__):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "open", refuse)
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


@pytest.fixture
def says_nothing_is_free(monkeypatch):
    """As network mounts do that do not know it."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))


def test_a_full_disk_is_seen_before_the_work(tmp_path, monkeypatch, says_nothing_is_free):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        check_writable(tmp_path / "a.json")
    error = explain_write_failure(tmp_path / "a.nrrd", RuntimeError("ITK ERROR: Write failed"))
    assert "the disk is full" in str(error)
    assert names(tmp_path) == []


def test_a_disk_that_does_not_know_how_much_is_free_is_written_to(tmp_path, says_nothing_is_free):
    with atomic_path(tmp_path / "a.json") as temporary:
        temporary.write_text("there was room")
    assert names(tmp_path) == ["a.json"]
    error = explain_write_failure(tmp_path / "a.nrrd", RuntimeError("ITK ERROR: no idea."))
    assert "a.nrrd cannot be written: ITK ERROR: no idea." in str(error)


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
@pytest.mark.parametrize("failing", range(1, 5))
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
        assert len([name for name in names(tmp_path) if ".part" in name]) == 2
        process.send_signal(getattr(signal, name))
        assert process.wait(timeout=30) != 0
    assert names(tmp_path) == []


def test_one_file_that_cannot_be_written_does_not_take_the_others_along(tmp_path):
    finals = [tmp_path / name for name in ("a.json", "b.json", "c.json", "d.json")]

    def fail(path):
        path.write_text("half")
        raise TypeError("a bug")

    def refuse(path):
        raise OutputError(f"{path} cannot be written: it is a test.", "Do without it.")

    def write(path):
        path.write_text("whole")

    with pytest.raises(OutputError) as caught:
        write_all(dict(zip(finals, (write, fail, refuse, write), strict=True)))
    assert names(tmp_path) == ["a.json", "d.json"]
    assert caught.value.message == (
        f"{finals[1]} was not written: TypeError: a bug. "
        f"{finals[2]} cannot be written: it is a test. Written: a.json, d.json."
    )
    assert caught.value.exit_code == 4


def test_a_file_that_somebody_else_has_written_meanwhile_is_the_only_one_left_out(tmp_path):
    finals = [tmp_path / "a.json", tmp_path / "b.json"]

    def write(path):
        path.write_text("ours")
        finals[0].write_text("somebody else's")

    with pytest.raises(OutputError, match=r"a\.json exists already\. Written: b\.json\."):
        write_all(dict.fromkeys(finals, write))
    assert [final.read_text() for final in finals] == ["somebody else's", "ours"]


def test_a_request_to_stop_keeps_every_file_back(tmp_path):
    def stop(path):
        raise Cancelled

    def write(path):
        path.write_text("x")

    with pytest.raises(Cancelled):
        write_all({tmp_path / "a.json": write, tmp_path / "b.json": stop})
    assert names(tmp_path) == []


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard", "other spelling", "linked folder"])
def test_a_result_in_the_place_of_an_input_is_refused(tmp_path, link):
    given = tmp_path / "t1ce.nii.gz"
    given.write_text("scan")
    output = tmp_path / "link.nii.gz"
    if link == "itself":
        output = given
    elif link == "symbolic":
        output.symlink_to(given)
    elif link == "hard":
        output.hardlink_to(given)
    elif link == "other spelling":
        (tmp_path / "sub").mkdir()
        output = tmp_path / "sub" / ".." / given.name
    else:
        (tmp_path / "sub").symlink_to(tmp_path)
        output = tmp_path / "sub" / given.name
    with pytest.raises(OutputError, match=r"is an input .*inputs are never replaced"):
        check_not_inputs([tmp_path / "new.nii.gz", output], [tmp_path / "other.nii", given])


def test_a_slice_of_a_study_is_an_input_but_an_earlier_result_beside_it_is_not(tmp_path):
    study = tmp_path / "study"
    (study / "series").mkdir(parents=True)
    (study / "series" / "back").symlink_to(study)
    slice_, dicom, result = study / "series" / "IM1", study / "x.json", study / "y.json"
    slice_.write_bytes(b"no preamble")
    dicom.write_bytes(bytes(128) + b"DICM")
    result.write_text("{}")
    for output in (slice_, dicom):
        with pytest.raises(OutputError, match="inputs are never replaced"):
            check_not_inputs([output], [study])
    check_not_inputs([result, study / "new.dcm"], [study, tmp_path / "nowhere"])


def test_a_folder_that_holds_an_input_is_not_replaced(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "notes.md").write_text("x")
    for given in (tmp_path / "pack", tmp_path / "pack" / "notes.md"):
        with pytest.raises(OutputError, match="inputs are never replaced"):
            check_not_inputs([tmp_path / "pack"], [given])
    check_not_inputs([tmp_path / "pack"], [tmp_path])


def test_a_text_with_a_name_that_is_no_utf8_is_written(tmp_path):
    name = b"\xff.nii".decode("utf-8", "surrogateescape")
    write_text(tmp_path / "a.json", f"{name}\n")
    assert (tmp_path / "a.json").read_bytes() == b"\\xff.nii\n"
