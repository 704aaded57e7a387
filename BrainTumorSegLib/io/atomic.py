"""Outputs that appear whole or not at all.

A result is written to a temporary name in the folder where it will live, so that
the last step is a rename, which a file system does in one stroke. Whatever goes
wrong before that, Ctrl-C included, leaves the folder as it was.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from BrainTumorSegLib.core.errors import OutputError

#: Endings made of two parts, by which readers recognise the format.
DOUBLE_SUFFIXES = (".seg.nrrd", ".nii.gz")

#: Below this many free bytes a failed write is put down to a full disk.
FULL_DISK_BYTES = 4 * 1024 * 1024

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_MEDIUM_ERRORS = _DISK_FULL | {errno.EFBIG, errno.EIO, errno.EROFS, errno.ENAMETOOLONG}


def full_suffix(path: Path) -> str:
    """The ending that tells the format, in lower case: ``.nii.gz``, ``.seg.nrrd``, ``.json``."""
    name = path.name.lower()
    for suffix in DOUBLE_SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return suffix
    return path.suffix.lower()


def check_writable(final: Path, overwrite: bool = False) -> None:
    """Check, before long work begins, that a result can be written there.

    Raises:
        OutputError: when the file exists and may not be replaced, its folder is
            missing or cannot be written to, the name is too long, or the disk is full.
    """
    final = Path(final)
    folder = final.parent
    try:
        final.lstat()
        folder.stat()
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise _no_folder(folder) from None
    except OSError as error:
        raise explain_write_failure(final, error) from error
    if not folder.is_dir():
        raise _no_folder(folder)
    if final.is_dir():
        raise OutputError(
            f"{final} is a folder, not a file.", "Give the name of a file for the result."
        )
    if final.exists():
        _check_replaceable(final, overwrite)
    _check_folder_takes_files(_link_target(final))


def check_folder(folder: Path) -> None:
    """Check, before long work begins, that a folder of results can be made or written to.

    Raises:
        OutputError: when a file lies in its place or on the way, or nothing can be written.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise _no_folder(there)
    _check_folder_takes_files(there / "results")


def make_folder(folder: Path) -> None:
    """Make a folder for results, and its parents, where there is none.

    Raises:
        OutputError: as in `check_folder`.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain_write_failure(folder, error) from error


@contextmanager
def atomic_path(final: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to; move it to ``final`` when all went well.

    The temporary file lies in the folder of ``final`` and has the same ending, so
    that writers which choose the format by name choose the same one.

    Args:
        final: where the result shall appear.
        overwrite: whether an existing file may be replaced.

    Yields:
        The path to write to; nothing exists there yet.

    Raises:
        OutputError: as in `check_writable`; when writing failed because of the
            disk; or when nothing was written.
    """
    with atomic_group([final], overwrite) as temporary:
        yield temporary[Path(final)]


@contextmanager
def atomic_group(finals: Sequence[Path], overwrite: bool = False) -> Iterator[Mapping[Path, Path]]:
    """Like `atomic_path` for several files: all of them appear, or none does.

    Yields:
        The temporary path of each final path.

    Raises:
        OutputError: as in `atomic_path`, also when two outputs share one name.
    """
    finals = [Path(final) for final in finals]
    if len({final.resolve() for final in finals}) < len(finals):
        raise OutputError(
            f"Two results would be written to the same file ({_names(finals)}).",
            "Give each result a name of its own.",
        )
    for final in finals:
        check_writable(final, overwrite)
    temporary = {final: _temporary_beside(_link_target(final)) for final in finals}
    try:
        yield temporary
        for final in finals:
            if not temporary[final].exists():
                raise OutputError(f"{final} was not written.", "Please report this as a bug.")
            check_writable(final, overwrite)
        _publish(temporary)
    except OutputError as error:
        raise _with_final_names(error, temporary) from error
    except OSError as error:
        culprit = next((f for f, t in temporary.items() if str(t) == str(error.filename)), None)
        if culprit or error.errno in _MEDIUM_ERRORS:
            raise explain_write_failure(culprit or finals[0], error) from error
        raise
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def explain_write_failure(final: Path, error: BaseException) -> OutputError:
    """Turn whatever a writer raised into an error that names the file and the remedy.

    ITK's writers raise ``RuntimeError`` with no error number, so the free space of
    the disk is looked at as well.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _DISK_FULL or (number is None and _free_bytes(final) < FULL_DISK_BYTES):
        return OutputError(
            f"{final} cannot be written: the disk is full.",
            "Free some space or choose another folder.",
        )
    if number == errno.ENAMETOOLONG:
        return OutputError(
            f"{str(final)[:80]}... cannot be written: the path is too long "
            f"({len(str(final))} characters).",
            "Choose a shorter name or a folder nearer to the root.",
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            f"{final} cannot be written: the folder is read-only for you.",
            "Choose another folder or ask for the right to write there.",
        )
    reason = os.strerror(number) if number else _last_line(error)
    return OutputError(
        f"{final} cannot be written: {reason}.", "Check the disk or choose another folder."
    )


def _no_folder(folder: Path) -> OutputError:
    if folder.exists():
        return OutputError(f"{folder} is a file, not a folder.", "Choose another output folder.")
    return OutputError(f"The output folder {folder} does not exist.", "Create it first.")


def _check_replaceable(final: Path, overwrite: bool) -> None:
    if not overwrite:
        raise OutputError(
            f"{final} exists already.",
            "Choose another name, or allow it to be replaced (--overwrite).",
        )
    if not os.access(final, os.W_OK):
        raise OutputError(
            f"{final} is write-protected.", "Choose another name or take off the protection."
        )


def _check_folder_takes_files(final: Path) -> None:
    """Create and remove a file: only the attempt tells (rights, mounts, quotas, name length)."""
    if _free_bytes(final) == 0:
        raise explain_write_failure(final, OSError(errno.ENOSPC, "full"))
    probe = _temporary_beside(final)
    try:
        probe.touch(exist_ok=False)
    except OSError as error:
        raise explain_write_failure(final, error) from error
    finally:
        probe.unlink(missing_ok=True)


def _link_target(final: Path) -> Path:
    """Write through a symbolic link instead of replacing the link itself."""
    return final.resolve() if final.is_symlink() else final


def _temporary_beside(final: Path) -> Path:
    return final.parent / f".{secrets.token_hex(4)}.part{full_suffix(final)}"


def _publish(temporary: Mapping[Path, Path]) -> None:
    """Rename all; when one rename fails, take the earlier ones back."""
    undo: list[tuple[Path, Path | None]] = []
    try:
        for final, written in temporary.items():
            target = _link_target(final)
            backup = _temporary_beside(target) if target.exists() else None
            undo.append((target, backup))
            if backup and len(temporary) > 1:
                target.replace(backup)
            written.replace(target)
    except BaseException:
        for target, backup in reversed(undo):
            _take_back(target, backup)
        raise
    for _, backup in undo:
        if backup:
            backup.unlink(missing_ok=True)


def _take_back(target: Path, backup: Path | None) -> None:
    if backup is None:
        target.unlink(missing_ok=True)
    elif backup.exists():
        backup.replace(target)


def _with_final_names(error: OutputError, temporary: Mapping[Path, Path]) -> OutputError:
    """A writer knows only the temporary name; people know the final one."""
    message = error.message
    for final, written in temporary.items():
        message = message.replace(str(written), str(final))
    return OutputError(message, error.remedy)


def _free_bytes(final: Path) -> int:
    try:
        return shutil.disk_usage(final.parent).free
    except OSError:
        return FULL_DISK_BYTES  # unknown: do not claim that the disk is full


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
