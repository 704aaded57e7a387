"""``study.toml``: what a study is called, how it is segmented, and who reads."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from BrainTumorSegLib.core.config_tables import check_known_keys, suggestion
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import protocol_by_name
from BrainTumorSegLib.io.atomic import write_text

from .layout import SETTINGS, Layout

#: The four tumor types of the method, and why its authors left examinations out.
TUMOR_TYPES = ("astrocytoma", "glioblastoma", "meningioma", "neurinoma")
EXCLUSIONS = (
    "pseudotumor",
    "other tumor type",
    "after surgery",
    "bad quality",
    "sequence missing",
    "no tumor",
    "consent withdrawn",
)

#: How scans are de-identified; see `deid`.
PROFILES = ("basic",)

_LETTER = re.compile(r"[A-Z]")


@dataclass(frozen=True)
class Settings:
    """What ``study.toml`` says.

    Attributes:
        title: for people.
        id: which study it is; its key is found by it.
        profile: one of `PROFILES`.
        protocol: name of the label protocol.
        tumor_types: values that the registry may have, in the order of tables.
        exclusions: reasons to leave a case out.
        readers: who reads, by letter, for example ``{"A": "Dr. Petrova"}``.
    """

    title: str
    id: str
    profile: str = PROFILES[0]
    protocol: str = "necrosis1_edema2_nonenhancing3_enhancing4"
    tumor_types: tuple[str, ...] = TUMOR_TYPES
    exclusions: tuple[str, ...] = EXCLUSIONS
    readers: Mapping[str, str] = field(default_factory=dict)


def new_settings(title: str) -> Settings:
    """Settings of a new study."""
    return Settings(title, secrets.token_hex(8))


def read_settings(folder: Path) -> Settings:
    """Read ``study.toml``.

    Raises:
        InputError: when there is none, or it says what it must not.
    """
    path = Layout(folder).settings
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} is no study: it holds no {SETTINGS}.",
            "Give the folder of a study, or make one: brain-tumor-seg study init FOLDER.",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Mend the file.") from error
    usual = Settings("", "")
    check_known_keys(table, vars(usual), f"{path}: ", InputError)
    for key, value in table.items():
        wanted = list if isinstance(vars(usual)[key], tuple) else type(vars(usual)[key])
        inside = value.values() if isinstance(value, dict) else value
        if not isinstance(value, wanted) or not all(isinstance(one, str) for one in inside):
            raise InputError(f"{path}: {key} cannot be {value!r}.", "Write it like in the manual.")
        table[key] = tuple(value) if wanted is list else value
    settings = Settings(**{"title": "", "id": "", **table})
    _check(settings, path)
    return settings


def write_settings(folder: Path, settings: Settings) -> None:
    """Write ``study.toml``, whole or not at all.

    Raises:
        InputError: as `read_settings`.
        OutputError: when it cannot be written.
    """
    path = Layout(folder).settings
    _check(settings, path)
    values = {key: value for key, value in vars(settings).items() if key != "readers"}
    # A text or list of texts is written in TOML as in JSON.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    lines += ["", "# Who reads, by the letter under which readings are kept.", "[readers]"]
    lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in settings.readers.items()]
    write_text(path, "\n".join((*lines, "")), overwrite=True)


def _check(settings: Settings, path: Path) -> None:
    if not re.fullmatch(r"[0-9a-f]{8,64}", settings.id):
        raise InputError(
            f"{path} has no usable id of the study.",
            "Write the id back that study init gave it: the key is found by it.",
        )
    if settings.profile not in PROFILES:
        raise InputError(
            f"{path}: profile is {settings.profile!r}.", suggestion(settings.profile, PROFILES)
        )
    protocol_by_name(settings.protocol)
    for letter in settings.readers:
        if not _LETTER.fullmatch(letter):
            raise InputError(
                f"{path}: a reader has the letter {letter!r}.", "Use one letter from A to Z."
            )
