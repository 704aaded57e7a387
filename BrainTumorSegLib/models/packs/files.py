"""Pack folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from BrainTumorSegLib.core.errors import BrainTumorSegError, OutputError, PackError
from BrainTumorSegLib.io.atomic import explain_write_failure
from BrainTumorSegLib.io.publishing import publish, staged, tidy

from .manifest import MANIFEST

_CHUNK = 1024**2


@contextmanager
def new_folder(
    final: Path,
    overwrite: bool = False,
    check: Callable[[Path, bool], None] | None = None,
) -> Iterator[Path]:
    """Give an empty folder to fill; move it to ``final`` when all went well.

    Args:
        final: where the folder shall appear; missing parents are made.
        overwrite: whether a pack that is there may be replaced. Any other folder
            with content is never replaced.
        check: refuses folders that are taken, given ``final`` and ``overwrite``; `check_free`
            unless given, for packs.

    Yields:
        A hidden folder beside ``final``.

    Raises:
        OutputError: when ``final`` is taken or cannot be written. Errors raised
            while filling name ``final`` instead of the hidden folder.
    """
    tidy(final.parent)
    check = check or check_free
    check(final, overwrite)
    staging = final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with staged([final.resolve() if final.is_symlink() else final]) as group:
            staging = group.moves[0].written
            staging.mkdir()
            yield staging
            check(final, overwrite)
            publish(group)
    except BrainTumorSegError as error:
        raise type(error)(error.message.replace(str(staging), str(final)), error.remedy) from error
    except OSError as error:
        raise explain_write_failure(final, error) from error


def check_free(final: Path, overwrite: bool) -> None:
    """Refuse a folder that `new_folder` would not fill in the end.

    Raises:
        OutputError: naming the folder and the remedy.
    """
    if not final.exists() and not final.is_symlink():
        return
    if not final.is_dir():
        raise OutputError(f"{final} is a file, not a folder.", "Choose another name.")
    if not any(final.iterdir()):
        return
    if not (final / MANIFEST).is_file():
        raise OutputError(
            f"{final} holds something else than a model pack.", "Choose a new folder."
        )
    if not overwrite:
        raise OutputError(
            f"{final} exists already.",
            "Choose another name, or allow it to be replaced (--overwrite).",
        )


def remove_folder(folder: Path) -> None:
    """Delete a folder; it is gone under its name at once, even if deleting is interrupted.

    Raises:
        OutputError: when it cannot be removed.
    """
    try:
        if folder.is_symlink():
            folder.unlink()
            return
        with staged([folder]) as group:
            doomed = group.moves[0].kept
            folder.rename(doomed)
            shutil.rmtree(doomed)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be removed: {error.strerror or error}.",
            "Close programs that use it and check your rights to the folder.",
        ) from error


def copy_exactly(source: IO[bytes], target: Path, length: int, name: str) -> None:
    """Copy a stream that must hold ``length`` bytes.

    Raises:
        PackError: when it holds more or fewer; reading stops there.
    """
    copied = 0
    with target.open("xb") as file:
        while chunk := source.read(min(_CHUNK, length - copied + 1)):
            copied += len(chunk)
            if copied > length:
                break
            file.write(chunk)
    if copied != length:
        raise PackError(
            f"{name} has {'more' if copied > length else 'fewer'} than the {length} bytes "
            "its manifest names.",
            "Get the pack again.",
        )
