"""Adds to a study again and again, each time killed at another write; see `test_study_adding`.

A program of its own, as a process in which ITK has worked must not be forked.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

from study_exports import people, write_visit

from BrainTumorSegLib.study.adding import add
from BrainTumorSegLib.study.deid.keys import make_key, open_key
from BrainTumorSegLib.study.opening import make_study, open_study
from BrainTumorSegLib.study.states import State

#: Kinds of events of Python at which something on the disk is about to change.
WRITES = ("os.rename", "os.mkdir", "os.remove", "os.link", "shutil.rmtree")


def run_add(folder: Path, kill_at: int | None) -> int:
    """Add in a process of its own; its exit code, or the negative number of its signal."""
    process = os.fork()
    if process == 0:
        count = 0

        def hook(event: str, arguments: tuple) -> None:
            nonlocal count
            opened = (
                event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_WRONLY
            )
            if event in WRITES or opened:
                count += 1
                if count == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            study = open_study(folder / "study")
            key = open_key(study.settings.id, study.folder, folder / "keys")
            sys.addaudithook(hook)
            add(study, key, [folder / "export"])
            # How many writes there were, for whoever wants to stop before each.
            (folder / "count").write_text(str(count))
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def whole(folder: Path) -> dict[str, str]:
    """The scans and DICOM files of a study with their contents."""
    study = folder / "study"
    return {
        path.relative_to(study).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in ("sourcedata", "sub-001", "sub-002")
        for path in (study / top).rglob("*")
        if path.is_file()
        and path.name.endswith((".nii.gz", ".json", ".dcm"))
        and not any(part.startswith(".") for part in path.relative_to(study).parts)
    }


def main(folder: Path, step: int) -> None:
    """Print how often it was killed, and nothing else when all was well."""
    for person in people(2):
        write_visit(folder / "export", person, 0)
    study = make_study(folder / "study", "Test")
    make_key(study.settings.id, study.folder, folder / "keys")
    pristine = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run_add(folder, None) == 0
    reference, writes = whole(folder), int((folder / "count").read_text())
    kills = 0
    for kill_at in range(1, writes + 1, step):
        for path in sorted(folder.rglob("*"), reverse=True):
            if path not in pristine and path.is_file():
                path.unlink()
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        for path, content in pristine.items():
            path.write_bytes(content)
        kills += run_add(folder, kill_at) == -signal.SIGKILL
        for status in open_study(folder / "study").states():
            names = [n for n in whole(folder) if status.case.folder.as_posix() in n]
            if status.state is State.ANONYMISED:
                assert len(names) == 15, (kill_at, names)
            for top in ("sourcedata", "sub-"):
                mine = [name for name in names if name.startswith(top)]
                assert len(mine) in (0, 9 if top == "sourcedata" else 6), (kill_at, mine)
        assert run_add(folder, None) == 0, kill_at
        states = open_study(folder / "study").states()
        assert [status.state for status in states] == [State.ANONYMISED] * 2, (kill_at, states)
        assert whole(folder) == reference, kill_at
        left = [
            p for p in (folder / "study").rglob(".*") if p.name not in (".bidsignore", ".leases")
        ]
        assert left == [], (kill_at, left)
        assert not (folder / "keys" / study.settings.id / "unpacked").exists()
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
