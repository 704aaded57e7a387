"""Putting finished files and folders in place: all or none, whatever ends the process.

Results are written to hidden places beside those where they shall appear. Several of them, or
a folder that replaces another, cannot be moved in one stroke. So a journal is written first, a
readable text beside them; then they are moved; removing the journal is the switch. Who finds
the journal of a process that is gone finishes its moves. What was there before is kept, hidden,
until the switch, so that a failure, or an interrupt, can take everything back.

A file that the process holds locked lies in every folder of a group. Whether hidden files
are leftovers is told by that lock alone, which a system takes from a process when it ends.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.core.file_names import printable

from .locks import is_old, lock, locked, unlock

#: Endings made of two parts, by which readers recognise the format.
DOUBLE_SUFFIXES = (".seg.nrrd", ".nii.gz")

_OURS = re.compile(
    r"(?:\.(?P<hidden>[0-9a-f]{16})\.(?:lock|\d+\.(?:part|old)(?:\..*)?)"
    r"|UNFINISHED-(?P<journal>[0-9a-f]{16})\.txt)",
    re.DOTALL,
)

#: Hidden names of release 0.1, which held no lock.
_FORMER = re.compile(r"\.[0-9a-f]{8}\.(?:part|old|removed)(?:\..*)?", re.DOTALL)

#: Groups of this process, which are no leftovers.
_at_work: set[str] = set()

#: Said of an error, or an interrupt, that came when everything was in place.
PUBLISHED_BEFORE = "All files had been written before."

#: From here on hidden files are journals in the making.
_JOURNAL_NUMBER = 10**6

_MARK = "--- for the program:"

_LOCK_TEXT = (
    "BrainTumorSeg writes results in this folder. If it is no longer running, files here whose "
    "names begin like this one's are leftovers: it removes them when it next writes here.\n"
)

_JOURNAL_TEXT = """\
BrainTumorSeg was stopped while it put these results in place:

{names}

Until this is finished, some of them may be of the new run and others of an earlier one.
Do not use them yet.

What to do: let BrainTumorSeg write any result into this folder. It finishes this first and
then removes this file. Without it: rename each file below from its hidden name, where there
still is one, to its name; then delete this file.

{moves}

{mark}
{fields}
"""


@dataclass(frozen=True)
class Move:
    """One result on its way, all three in one folder.

    Attributes:
        written: hidden, where it is written.
        final: where it shall appear.
        kept: hidden, where what was there before is kept until all is done.
    """

    written: Path
    final: Path
    kept: Path


@dataclass
class Group:
    """Results that appear together.

    Attributes:
        token: part of all its hidden names.
        moves: one a result.
        left_out: results that are not to appear after all.
        published: whether the switch was made.
    """

    token: str
    moves: list[Move]
    left_out: set[Path] = field(default_factory=set)
    published: bool = False

    @property
    def wanted(self) -> list[Move]:
        """The moves that are to be made."""
        return [move for move in self.moves if move.final not in self.left_out]

    @property
    def folders(self) -> list[Path]:
        """Every folder that results appear in; the journal of the first one counts."""
        return list(dict.fromkeys(move.final.parent for move in self.wanted))

    @property
    def journals(self) -> list[Path]:
        """The journal of each folder; the group is under way while the first one is there."""
        return [_journal(folder, self.token) for folder in self.folders]

    @property
    def under_way(self) -> bool:
        """Whether moves may have been made while others have not."""
        return any(map(os.path.lexists, self.journals[:1]))


def full_suffix(path: Path) -> str:
    """The ending that tells the format, in lower case: ``.nii.gz``, ``.seg.nrrd``, ``.json``."""
    name = path.name.lower()
    for suffix in DOUBLE_SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return suffix
    return path.suffix.lower()


@contextmanager
def staged(targets: Sequence[Path]) -> Iterator[Group]:
    """Hidden places beside the targets; whatever is left there in the end is removed.

    Args:
        targets: files or folders, without symbolic links; their folders exist.

    Raises:
        OSError: when nothing can be written there.
        OutputError: when what an earlier process left there cannot be finished.
    """
    token = secrets.token_hex(8)
    moves = []
    for number, target in enumerate(targets):
        hidden = f".{token}.{number}"
        written = target.with_name(f"{hidden}.part{full_suffix(target)}")
        moves.append(Move(written, target, target.with_name(f"{hidden}.old")))
    group = Group(token, moves)
    _at_work.add(token)
    try:
        with ExitStack() as locks:
            # The first journal counts as long as its lock is held, so that goes last.
            for folder in group.folders:
                tidy(folder)
                locks.enter_context(locked(_lock_file(folder, token), _LOCK_TEXT))
            try:
                yield group
            finally:
                # An unfinished group is finished by whoever comes next.
                if not group.under_way:
                    _clear(group)
    except BaseException as error:
        if group.published:
            error.add_note(PUBLISHED_BEFORE)
        elif group.under_way and not isinstance(error, OutputError):
            error.add_note(str(_unfinished(group, error)))
        raise
    finally:
        _at_work.discard(token)


def publish(group: Group) -> None:
    """Put results in place: all of them, or none.

    Raises:
        OSError: when one cannot be put in place; all was taken back.
        OutputError: when it could not be taken back; the journal is left.
    """
    for move in group.wanted:
        _sync_tree(move.written)
    (first, *others) = group.wanted
    try:
        if not others and not first.final.is_dir():
            first.written.replace(first.final)
            _sync(first.final.parent)
            return
        _write_journals(group)
        _put_in_place(group)
    except BaseException as error:
        if group.under_way:
            _take_back(group, error)
        raise
    finally:
        unmoved = any(os.path.lexists(move.written) for move in group.wanted)
        group.published = not unmoved and not group.under_way


def tidy(folder: Path) -> None:
    """Finish what processes that are gone had begun to put in place here; clear the rest away.

    Raises:
        OutputError: when it can neither be finished nor left, naming the journal.
    """
    try:
        paths = [*folder.iterdir()]
    except OSError:
        return
    found = (_OURS.fullmatch(path.name) for path in paths)
    for token in sorted({m["hidden"] or m["journal"] for m in found if m} - _at_work):
        # Of another user, or on a medium that is read-only now.
        with suppress(OSError):
            _tidy_group(folder, token)
    for path in paths:
        if _FORMER.fullmatch(path.name) and is_old(path):
            _remove(path)


def _tidy_group(folder: Path, token: str) -> None:
    known = _read_journal(folder, token)
    first = known.folders[0] if known else folder
    if not first.is_dir():
        return  # not to be reached at present, and only its journal knows how far it got
    held = lock(_lock_file(first, token), is_old)
    if held is None:
        return  # its process is at work
    try:
        # Read again: whoever had the lock before us may have finished it.
        group = _read_journal(first, token)
        if group is not None:
            try:
                _put_in_place(group)
            except OSError as error:
                raise _unfinished(group, error) from error
        elif os.path.lexists(_journal(first, token)):
            return  # what it says was changed, and is for people only
        for place in {folder, *(known.folders if known else ())}:
            _clear_folder(place, token)
    finally:
        unlock(held, _lock_file(first, token))


def _put_in_place(group: Group) -> None:
    """Make all moves that are still to be made, then the switch; may be repeated at any point."""
    for move in group.wanted:
        if not os.path.lexists(move.written):
            move.final.parent.stat()  # of a folder that is not there nothing is known
            continue
        if os.path.lexists(move.final) and not os.path.lexists(move.kept):
            try:
                os.link(move.final, move.kept)
            except OSError:  # a folder, or a file system without hard links
                move.final.rename(move.kept)
        move.written.replace(move.final)
    for folder in group.folders:
        _sync(folder)
    group.journals[0].unlink()
    _sync(group.folders[0])


def _take_back(group: Group, reason: BaseException) -> None:
    """Bring back what was there before; what was new goes to its hidden place again.

    That way the moves can still be finished, should this be interrupted, too.

    Raises:
        OutputError: when it cannot be done.
    """
    try:
        for move in reversed(group.wanted):
            if not os.path.lexists(move.written):
                move.final.rename(move.written)
            if os.path.lexists(move.kept) and not os.path.lexists(move.final):
                move.kept.replace(move.final)
        for folder in group.folders:
            _sync(folder)
        group.journals[0].unlink()
    except BaseException as error:
        if group.under_way:
            raise _unfinished(group, error) from reason


def _unfinished(group: Group, error: BaseException) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(
        f"Some results in {group.folders[0]} are of the new run and others of an earlier one: "
        f"putting them in place was stopped ({reason}).",
        f"{group.journals[0].name} beside them says what to do.",
    )


def _write_journals(group: Group) -> None:
    """A journal for every folder; that of the first one comes last, with it the work begins."""
    for number, folder in reversed([*enumerate(group.folders)]):
        fields = {
            "version": 1,
            "first": None if number == 0 else str(group.folders[0].absolute()),
            "moves": [
                [move.written.name, move.final.name]
                + ([] if move.final.parent == folder else [str(move.final.parent.absolute())])
                for move in group.wanted
            ],
        }
        shown = [
            move if move.final.parent != folder else Move(*map(_name_only, vars(move).values()))
            for move in group.wanted
        ]
        text = _JOURNAL_TEXT.format(
            names="\n".join(f"  {printable(move.final)}" for move in shown),
            moves="\n".join(
                f"  {printable(move.written)}  ->  {printable(move.final)}" for move in shown
            ),
            mark=_MARK,
            fields=json.dumps(fields),
        )
        hidden = folder / f".{group.token}.{_JOURNAL_NUMBER + number}.part"
        write_durably(hidden, text.encode())
        hidden.replace(_journal(folder, group.token))
        _sync(folder)


def _read_journal(folder: Path, token: str) -> Group | None:
    """What a journal says; None where there is none, or it is none of ours."""
    try:
        text = _journal(folder, token).read_text(encoding="utf-8")
        fields = json.loads(text.rpartition(_MARK)[2])
        moves = []
        for written, final, *elsewhere in fields["moves"]:
            place = Path(elsewhere[0]) if elsewhere else folder
            # Nobody shall make us move other files, or into other folders, than our own.
            hidden = re.match(rf"\.{token}\.\d+(?=\.part)", written)
            if hidden is None or any(Path(name).name != name for name in (written, final)):
                return None
            moves.append(Move(place / written, place / final, place / f"{hidden[0]}.old"))
        group = Group(token, moves)
        first = Path(fields["first"]) if fields["first"] else folder
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return group if moves and group.folders[0] == first else None


def _journal(folder: Path, token: str) -> Path:
    return folder / f"UNFINISHED-{token}.txt"


def _lock_file(folder: Path, token: str) -> Path:
    return folder / f".{token}.lock"


def _name_only(path: Path) -> Path:
    return Path(path.name)


def _clear(group: Group) -> None:
    """Remove what a group of ours has left besides its results, except its locks."""
    if len(group.moves) > 1:
        for folder in {move.final.parent for move in group.moves}:
            _clear_folder(folder, group.token, locks=False)
        return
    for path in (*group.journals, group.moves[0].written, group.moves[0].kept):
        _remove(path)


def _clear_folder(folder: Path, token: str, locks: bool = True) -> None:
    """Remove the hidden files and the journal of a group in a folder, its lock last."""
    with suppress(OSError):
        ours = [path for path in folder.iterdir() if _OURS.fullmatch(path.name)]
        for path in sorted(ours, key=lambda path: path.suffix == ".lock"):
            if token in path.name and (locks or path.suffix != ".lock"):
                _remove(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and have the disk keep it.

    Raises:
        OSError: when it cannot be written; some disks say so only then.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_tree(path: Path) -> None:
    """Have the disk keep a file, or a folder with all in it, before it gets its name."""
    if path.is_dir():
        for place, _, names in os.walk(path):
            for name in names:
                _sync(Path(place, name))
            _sync(Path(place))
    else:
        _sync(path)


def _sync(path: Path) -> None:
    folder = path.is_dir()
    if folder and sys.platform == "win32":
        return  # Windows has no such thing, and needs none after a rename
    try:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except PermissionError:
        return  # a file that its writer has made read-only
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems do not offer it.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(descriptor)
