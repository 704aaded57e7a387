"""The key of a study: who its patients are. It lies outside the study, for its owner alone.

With the key everything is made in the same way again: pseudonyms, identifiers (HMAC-SHA-256),
and the number of days by which a patient's days are moved.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.resources import user_folder
from BrainTumorSegLib.io.atomic import explain_write_failure

from .identities import Identity, identities_of

#: Environment variable that names the folder with the keys of all studies.
VARIABLE = "BRAINTUMORSEG_KEYS"

SCHEMA = "brain-tumor-seg-study-key/1"

#: Days are moved back by one to ten years.
_LEAST_DAYS, _MOST_DAYS = 365, 3652


@dataclass
class Patient:
    """A patient as the key knows them.

    Attributes:
        identifiers: by which they are told: PatientID and issuer, or name and birth date.
        known: texts that name them, by kind; see `profile.IDENTIFYING`.
        visits: StudyInstanceUIDs by session.
    """

    identifiers: list[str] = field(default_factory=list)
    known: dict[str, list[str]] = field(default_factory=dict)
    visits: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Key:
    """The key of a study; see `open_key`.

    Attributes:
        folder: in which it lies, with the inventory and the quarantine.
        study: id of the study.
        secret: from which everything is made.
        patients: by pseudonym without ``sub-``.
        sites: number of a hospital by its name.
    """

    folder: Path
    study: str
    secret: bytes
    patients: dict[str, Patient] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "key.json"

    @property
    def inventory(self) -> Path:
        """Names of all files that were given to ``study add``."""
        return self.folder / "inventory.tsv"

    @property
    def quarantine(self) -> Path:
        """Images in which something may be burned in."""
        return self.folder / "quarantine"

    def uid(self, old: str) -> str:
        """A new identifier for an old one: ``2.25.`` and 128 bits (DICOM PS3.5, B.2)."""
        return f"2.25.{int.from_bytes(self._digest('uid', old)[:16], 'big')}"

    def file_id(self, content_sha256: str) -> str:
        """What a file is called in the study's inventory; without the key it tells nothing."""
        return self._digest("file", content_sha256).hex()[:16]

    def shift_days(self, subject: str) -> int:
        """By how many days the days of a patient are moved; the same for all visits."""
        number = int.from_bytes(self._digest("days", subject)[:8], "big")
        return -(_LEAST_DAYS + number % (_MOST_DAYS - _LEAST_DAYS + 1))

    def identities(self) -> list[Identity]:
        """Everything that names a patient of the study."""
        return [
            one
            for subject, patient in self.patients.items()
            for one in identities_of(f"sub-{subject}", patient.known)
        ]

    def save(self) -> None:
        """Write the key, whole or not at all, readable by its owner alone.

        Raises:
            OutputError: when it cannot be written.
        """
        patients = {subject: vars(patient) for subject, patient in self.patients.items()}
        record = {
            **{"schema": SCHEMA, "study": self.study, "secret": self.secret.hex()},
            **{"patients": patients, "sites": self.sites},
        }
        write_private(self.path, json.dumps(record, indent=1, ensure_ascii=False).encode())

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()


def key_folder(study: str, folder: Path | None = None) -> Path:
    """Where the key of a study lies.

    Args:
        study: id of the study.
        folder: with the keys of all studies; by default the one that `VARIABLE` names, else one of
            the user's own.
    """
    named = os.environ.get(VARIABLE, "").strip()
    usual = Path(named) if named else user_folder("data") / "keys"
    return (folder or usual).absolute() / study


def make_key(study: str, study_folder: Path, folder: Path | None = None) -> Key:
    """Make the key of a new study.

    Raises:
        InputError: when the key would lie in the study.
        OutputError: when it cannot be written.
    """
    place = _outside(key_folder(study, folder), study_folder)
    key = Key(place, study, secrets.token_bytes(32))
    try:
        place.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise explain_write_failure(place, error) from error
    key.save()
    return key


def open_key(study: str, study_folder: Path, folder: Path | None = None) -> Key:
    """Open the key of a study.

    Raises:
        InputError: when it is not there, can be read by others, or lies in the study.
    """
    place = _outside(key_folder(study, folder), study_folder)
    path = place / "key.json"
    try:
        record: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        secret = bytes.fromhex(record["secret"])
        patients = {subject: Patient(**found) for subject, found in record["patients"].items()}
        same = record["schema"] == SCHEMA and record["study"] == study and len(secret) == 32
    except FileNotFoundError:
        raise InputError(
            f"The key of the study is not here: {path}.",
            f"Whoever made the study has it. Name its folder with --keys or in {VARIABLE}.",
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Take a copy of the key.") from error
    if not same:
        raise InputError(f"{path} is no key of this study.", "Take a copy of the key.")
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        raise InputError(
            f"Others can read {path}, which says who the patients are.", f"chmod 600 {path}"
        )
    return Key(place, study, secret, patients, dict(record.get("sites", {})))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Raises:
        OutputError: when it cannot be written.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise explain_write_failure(path, error) from error


def _outside(place: Path, study_folder: Path) -> Path:
    if place.resolve().is_relative_to(study_folder.resolve()):
        raise InputError(
            f"The key would lie in the study ({place}).",
            "Keep it elsewhere: whoever gets the study must not get the key.",
        )
    return place
