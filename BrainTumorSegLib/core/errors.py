"""The one hierarchy of errors that this library raises on purpose.

Every message says what is wrong and with which file or node; ``remedy`` says
what the person can do about it. ``exit_code`` is what the command line returns.
"""

from __future__ import annotations

from .file_names import printable


class BrainTumorSegError(Exception):
    """Something went wrong in a way that we can explain."""

    exit_code = 1

    def __init__(self, message: str, remedy: str | None = None) -> None:
        message = printable(message)
        super().__init__(message)
        self.message = message
        self.remedy = None if remedy is None else printable(remedy)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class InputError(BrainTumorSegError):
    """A scan, mask or folder that was given cannot be used."""

    exit_code = 3


class OutputError(BrainTumorSegError):
    """A result cannot be written."""

    exit_code = 4


class RegistrationError(BrainTumorSegError):
    """The scans could not be brought into register."""

    exit_code = 5


class PackError(BrainTumorSegError):
    """A model pack is missing, damaged or does not fit."""

    exit_code = 6


class DependencyError(BrainTumorSegError):
    """A program or Python package that this task needs is not installed."""

    exit_code = 7


class DeviceError(BrainTumorSegError):
    """The chosen device is absent or out of memory."""

    exit_code = 8


class TrainingError(BrainTumorSegError):
    """Training data or a training configuration cannot be used."""

    exit_code = 9


class CohortError(BrainTumorSegError):
    """Some cases of a cohort could not be segmented; the others are done."""

    exit_code = 10


class Cancelled(BrainTumorSegError):
    """The person asked to stop. Nothing was written."""

    exit_code = 130

    def __init__(self, message: str = "Cancelled.", remedy: str | None = None) -> None:
        super().__init__(message, remedy)
