"""One process a member: what is being trained is not trained a second time beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.atomic import make_folder

LOCK = "training.lock"


@contextmanager
def holding(members: Iterable[Path]) -> Iterator[None]:
    """Hold the folders of members, which are made, for this process alone.

    The system lets go of them however the process ends: a lock file that lies there
    afterwards holds nothing.

    Raises:
        TrainingError: when another process holds one of them.
        OutputError: when one cannot be written to.
    """
    # PyTorch brings filelock along.
    from filelock import FileLock, Timeout

    with ExitStack() as held:
        for member in members:
            make_folder(member)
            try:
                held.enter_context(FileLock(member / LOCK, timeout=0))
            except Timeout:
                raise TrainingError(
                    f"Another process is training {member}.",
                    "Wait until it has finished or end it, then give the command again; or choose "
                    "another folder.",
                ) from None
        yield
