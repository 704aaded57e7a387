"""Reading dataclasses from tables of TOML or JSON, with errors that help."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import BrainTumorSegError, TrainingError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

#: What is raised: callers say by it whose table it is.
Kind = type[BrainTumorSegError]


def from_table(default: T, table: Any, where: str, kind: Kind = TrainingError) -> T:
    """A dataclass with the values of a table; what the table leaves out keeps its default.

    Args:
        default: an instance whose values are the defaults and tell the types; dataclasses
            in it are tables in the table.
        table: as parsed from TOML or JSON.
        where: its name, for messages.
        kind: class of the error.

    Raises:
        BrainTumorSegError: of that class, naming the key that is unknown, with the one that
            was probably meant, or whose value has the wrong type.
    """
    if not isinstance(table, Mapping):
        raise kind(f"{where} is {table!r}; a table was expected.")
    known = [field.name for field in fields(default)]
    check_known_keys(table, known, f"{where}.", kind)
    changes = {}
    for key, value in table.items():
        current, name = getattr(default, key), f"{where}.{key}"
        if is_dataclass(current) and not isinstance(current, type):
            changes[key] = from_table(current, value, name, kind)
        else:
            changes[key] = _converted(value, current, name, kind)
    return replace(default, **changes)


def check_known_keys(
    keys: Iterable[str], known: Iterable[str], prefix: str, kind: Kind = TrainingError
) -> None:
    """Refuse keys that nobody knows.

    Raises:
        BrainTumorSegError: of that kind, with the known key that is spelled most alike.
    """
    known = list(known)
    for key in keys:
        if key not in known:
            raise kind(f"Unknown key {prefix}{key}.", suggestion(key, known))


def check_choice(value: str, known: Iterable[str], name: str) -> None:
    """Refuse a word that is none of those known.

    Raises:
        TrainingError: with the known word that is spelled most alike.
    """
    known = list(known)
    if value not in known:
        raise TrainingError(f"{name} is {value!r}.", suggestion(value, known))


def suggestion(word: str, known: Iterable[str]) -> str:
    """*Did you mean …?*, or what there is to choose from."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    asked = f"Did you mean {near[0]}? " if near else ""
    return f"{asked}Known: {', '.join(known)}."


def _converted(value: Any, current: Any, name: str, kind: Kind) -> Any:
    """The value as the type of the current one."""
    if isinstance(current, tuple):
        if not isinstance(value, list | tuple) or len(value) != len(current):
            raise kind(f"{name} is {value!r}; {len(current)} numbers were expected.")
        return tuple(_converted(v, c, name, kind) for v, c in zip(value, current, strict=True))
    wanted = type(current)
    # TOML writes 1 where 1.0 is meant.
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise kind(f"{name} is {value!r}; {wanted.__name__} was expected.")
    return value
