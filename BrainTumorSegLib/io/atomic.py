"""Outputs that appear whole or not at all, and never in the place of an input.

A result is written to a hidden name in the folder where it will live, and put in place when
it is complete, see `publishing`. Whatever goes wrong before that, Ctrl-C included, leaves the
folder as it was.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, OutputError
from BrainTumorSegLib.core.file_names import printable

from .publishing import full_suffix, publish, staged, tidy, write_durably

__all__ = [
    "atomic_group",
    "atomic_path",
    "check_folder",
    "check_not_inputs",
    "check_suffix",
    "check_writable",
    "explain_write_failure",
    "full_suffix",
    "make_folder",
    "write_all",
    "write_text",
]

#: Below this many free bytes a failed write is put down to a full disk.
FULL_DISK_BYTES = 4 * 1024 * 1024

#: Endings of what this program writes.
RESULT_SUFFIXES = (
    *(".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".mha"),
    *(".json", ".html", ".png", ".csv", ".md"),
)

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_MEDIUM_ERRORS = _DISK_FULL | {errno.EFBIG, errno.EIO, errno.EROFS, errno.ENAMETOOLONG}


def check_writable(final: Path, overwrite: bool = False) -> None:
    """Check, before long work begins, that a result can be written there.

    What an earlier process, now gone, has left unfinished in the folder is finished first.

    Raises:
        OutputError: when the file exists and may not be replaced, its folder is
            missing or cannot be written to, the name is too long, or the disk is full.
    """
    final = Path(final)
    _check_name(final, overwrite)
    _check_folder_takes_files(_link_target(final))


def check_not_inputs(outputs: Iterable[Path], inputs: Iterable[str | Path]) -> None:
    """Refuse results that would replace what they are made from, by whatever name or link.

    Args:
        outputs: files, or folders that would be replaced as a whole.
        inputs: files and folders that are read; what does not exist is passed over. Of a folder
            every file counts but those that look like results.

    Raises:
        OutputError: naming the file and the remedy.
    """
    there = [output for output in outputs if _exists(output)]
    if not there:
        return
    for given in filter(_exists, map(Path, inputs)):
        for output in there:
            if _is_part(output, given):
                raise OutputError(
                    f"{output} is an input ({given}), and inputs are never replaced.",
                    "Give the result another name.",
                )


def check_suffix(path: Path, suffixes: tuple[str, ...], what: str) -> None:
    """Check that a file has one of these endings, in any case of letters.

    Raises:
        OutputError: naming the file and the endings.
    """
    if full_suffix(path) not in suffixes:
        raise OutputError(
            f"{path} has no known ending for a {what}.", f"Use one of {', '.join(suffixes)}."
        )


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


def write_text(final: Path, text: str, overwrite: bool = False) -> None:
    """Write a text as UTF-8, whatever names of files stand in it; whole or not at all.

    Raises:
        OutputError: as in `atomic_path`.
    """
    with atomic_path(final, overwrite) as temporary:
        temporary.write_text(printable(text), encoding="utf-8", newline="\n")


@contextmanager
def atomic_group(
    finals: Sequence[Path],
    overwrite: bool = False,
    failed: MutableMapping[Path, BrainTumorSegError] | None = None,
) -> Iterator[Mapping[Path, Path]]:
    """Like `atomic_path` for several files: all of them appear, or none does.

    Args:
        finals: where the results shall appear.
        overwrite: whether existing files may be replaced.
        failed: results that are not to appear, and why; may be filled in the block. Those that
            can no longer be put in place are added instead of raising.

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
        _check_name(final, overwrite)
    for final in {_link_target(final).parent: final for final in finals}.values():
        _check_folder_takes_files(_link_target(final))
    temporary: dict[Path, Path] = {}
    try:
        with staged([_link_target(final) for final in finals]) as group:
            temporary = {f: m.written for f, m in zip(finals, group.moves, strict=True)}
            yield temporary
            for final in finals:
                _check_written(final, temporary[final], overwrite, failed)
            group.left_out = {_link_target(final) for final in failed or ()}
            if group.wanted:
                publish(group)
    except OutputError as error:
        raise _with_final_names(error, temporary) from error
    except OSError as error:
        culprit = next((f for f, t in temporary.items() if str(t) == str(error.filename)), None)
        if culprit or error.errno in _MEDIUM_ERRORS:
            raise explain_write_failure(culprit or finals[0], error) from error
        raise


def write_all(writers: Mapping[Path, Callable[[Path], None]], overwrite: bool = False) -> None:
    """Write several files; one that fails does not take the others along.

    Those that could be written appear together. Nothing does after a request to stop.

    Args:
        writers: by final path, what writes to the temporary path that it is given.
        overwrite: whether existing files may be replaced.

    Raises:
        OutputError: naming every file that could not be written, and why; the others are there.
    """
    failed: dict[Path, BrainTumorSegError] = {}
    with atomic_group(list(writers), overwrite, failed) as temporary:
        for final, write in writers.items():
            try:
                write(temporary[final])
            except Cancelled:
                raise
            except Exception as error:  # whatever it is, the others shall not be lost
                failed[final] = _with_final_names(_explained(final, error), temporary)
    if not failed:
        return
    written = [final for final in writers if final not in failed]
    others = f" Written: {_names(written)}." if written else " No other was asked for or written."
    raise OutputError(
        " ".join(error.message for error in failed.values()) + others,
        next(error.remedy for error in failed.values()),
    )


def _explained(final: Path, error: Exception) -> BrainTumorSegError:
    if isinstance(error, BrainTumorSegError):
        return error
    if isinstance(error, OSError):
        return explain_write_failure(final, error)
    return OutputError(
        f"{final} was not written: {type(error).__name__}: {_last_line(error)}.",
        "Please report this as a bug.",
    )


def explain_write_failure(final: Path, error: BaseException) -> OutputError:
    """Turn whatever a writer raised into an error that names the file and the remedy.

    ITK's writers raise ``RuntimeError`` with no error number, so the free space of
    the disk is looked at as well.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _DISK_FULL or (number is None and _is_full(final)):
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


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a text that no file can be called
        return False


def _is_part(output: Path, given: Path) -> bool:
    if output.samefile(given):
        return True
    if output.is_dir():
        return given.resolve().is_relative_to(output.resolve())
    if not given.is_dir():
        return False
    own, seen = output.stat(), set()
    for place, folders, names in os.walk(given, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # links that lead in circles
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in names:
            file = Path(place, name)
            same = _exists(file) and os.path.samestat(file.stat(), own)
            if same and not _is_result(file):
                return True
    return False


def _is_result(file: Path) -> bool:
    """Whether a file in a folder of inputs may be a result of an earlier run."""
    if full_suffix(file) not in RESULT_SUFFIXES:
        return False
    with file.open("rb") as stream:
        return stream.read(132)[128:] != b"DICM"


def _check_name(final: Path, overwrite: bool) -> None:
    """Like `check_writable`, but for whether its folder takes files."""
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
    # What an earlier run has left unfinished may be this very file.
    tidy(_link_target(final).parent)
    if final.is_dir():
        raise OutputError(
            f"{final} is a folder, not a file.", "Give the name of a file for the result."
        )
    if not final.exists():
        return
    if not overwrite:
        raise OutputError(
            f"{final} exists already.",
            "Choose another name, or allow it to be replaced (--overwrite).",
        )
    if not os.access(final, os.W_OK):
        raise OutputError(
            f"{final} is write-protected.", "Choose another name or take off the protection."
        )


def _check_written(
    final: Path,
    temporary: Path,
    overwrite: bool,
    failed: MutableMapping[Path, BrainTumorSegError] | None,
) -> None:
    if failed and final in failed:
        return
    try:
        if not temporary.exists():
            raise OutputError(f"{final} was not written.", "Please report this as a bug.")
        # Somebody else may have written a file of this name in the meantime.
        _check_name(final, overwrite)
    except OutputError as error:
        if failed is None:
            raise
        failed[final] = error


def _check_folder_takes_files(final: Path) -> None:
    """Create and remove a file: only the attempt tells (rights, mounts, quotas, name length)."""
    try:
        with staged([final]) as group:
            # 0 is what network mounts say that do not know how much is free.
            content = b"" if _free_bytes(final) else bytes(FULL_DISK_BYTES)
            write_durably(group.moves[0].written, content)
    except OSError as error:
        raise explain_write_failure(final, error) from error


def _link_target(final: Path) -> Path:
    """Write through a symbolic link instead of replacing the link itself."""
    return final.resolve() if final.is_symlink() else final


def _with_final_names(error: BrainTumorSegError, temporary: Mapping[Path, Path]) -> OutputError:
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


def _is_full(final: Path) -> bool:
    free = _free_bytes(final)
    if free:
        return free < FULL_DISK_BYTES
    try:
        with staged([final]) as group:
            write_durably(group.moves[0].written, bytes(FULL_DISK_BYTES))
    except OSError as error:
        return error.errno in _DISK_FULL
    return False


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else type(error).__name__


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)
