"""The only windows that pop up: an error, and a question that must be answered."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled

from ..worker.failures import Failure, describe


@contextmanager
def errorsShown() -> Iterator[None]:
    """While active, an error is shown in one dialog instead of being raised."""
    try:
        yield
    except Exception as error:
        showError(error)


def showError(error: BaseException, logTail: str = "") -> None:
    """One dialog: what is wrong, what to do, and behind *Details* the last lines of the log."""
    if isinstance(error, Cancelled):
        return
    details = logTail
    if not isinstance(error, BrainTumorSegError):
        details = "".join(traceback.format_exception(error)) + logTail
    showFailure(describe(error, details))


def showFailure(failure: Failure) -> None:
    """The dialog itself; only logged under ``--testing`` and without a main window."""
    import slicer

    text = f"{failure.text}\n\n{failure.remedy}" if failure.remedy else failure.text
    if failure.details:
        slicer.util.errorDisplay(text, windowTitle=failure.title, detailedText=failure.details)
    else:
        slicer.util.errorDisplay(text, windowTitle=failure.title)


def confirm(question: str, title: str) -> bool:
    """Ask; True for OK. Under ``--testing`` the answer is OK without a window."""
    import slicer

    return bool(slicer.util.confirmOkCancelDisplay(question, windowTitle=title))
