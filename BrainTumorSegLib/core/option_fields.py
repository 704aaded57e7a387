"""Options as fields of a dataclass: given on a command line, checked, recorded, documented.

The metadata of a field (`Option`) says how the option is given, which values it takes and what it
means; everything else follows from there. Nothing but the standard library is imported.
"""

from __future__ import annotations

import argparse
import functools
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, TypeVar

from .errors import InputError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Option:
    """How a field of an options class is given, checked and documented.

    Attributes:
        help: one line for the command line and the documentation.
        flags: on the command line, the usual one first; empty for options of Python alone.
        kind: a `StrEnum`, ``int``, ``float``, ``bool``, or a function that converts the value
            and raises `ValueError` with advice; None takes any.
        default: the value where none is given.
        minimum: the smallest number that is taken; numbers must be finite.
        unit: of the number.
        metavar: what stands for the value in the help.
        parameter: name in Slicer's parameter node and in `slicer_app.api`.
        was: name of the field up to version 0.1, which is still accepted and recorded.
        recorded: whether it stands in the record of a result.
    """

    help: str
    flags: tuple[str, ...] = ()
    kind: Callable[[Any], Any] | None = None
    default: Any = None
    minimum: float | None = None
    unit: str = ""
    metavar: str | None = None
    parameter: str = ""
    was: str = ""
    recorded: bool = True

    @property
    def choices(self) -> list[str]:
        """The words of a closed list; empty where other values are taken as well."""
        if isinstance(self.kind, type) and issubclass(self.kind, StrEnum):
            return [member.value for member in self.kind]
        return []

    @property
    def values(self) -> str:
        """What can be given, for the documentation."""
        if self.kind is bool:
            return "yes or no"
        if self.kind in (int, float):
            return _range(self.kind, self.minimum) + (f", in {self.unit}" if self.unit else "")
        return ", ".join(self.choices) or (self.metavar or "text").replace("|", ", ")

    def parse(self, value: Any) -> Any:
        """Convert and check a value.

        Raises:
            ValueError: with advice, when it cannot be taken.
        """
        if self.kind is None or (value is None and self.default is None):
            return value
        if self.choices:
            word = str(value).lower()
            if word not in self.choices:
                raise ValueError(f"Choose one of {', '.join(self.choices)}.")
            return self.kind(word)
        if self.kind in (int, float):
            return _number(self.kind, self.minimum, value)
        if self.kind is bool and not isinstance(value, bool):
            raise ValueError("Give True or False.")
        return self.kind(value)


def number(kind: type[int] | type[float], minimum: float) -> Callable[[str], Any]:
    """The type of an argparse option that takes finite numbers from ``minimum`` up."""
    return _argument_type(functools.partial(_number, kind, minimum))


def add_options(
    parser: argparse._ActionsContainer, kind: type[Any], only: Iterable[str] | None = None
) -> None:
    """Add the options of a class to a parser or a group of one; the destination is the field.

    Args:
        kind: a dataclass whose fields were made by `option`.
        only: names of the fields that are meant; None for all.
    """
    for name in options_of(kind) if only is None else only:
        add_option(parser, kind, name)


def add_option(
    parser: argparse._ActionsContainer,
    kind: type[Any],
    name: str,
    flags: tuple[str, ...] = (),
    **changes: Any,
) -> None:
    """Add one option, with flags or arguments of ``add_argument`` that are to be others."""
    definition = options_of(kind)[name]
    if not definition.flags:
        return
    given: dict[str, Any] = {"dest": name, "help": definition.help, "default": definition.default}
    if definition.kind is bool:
        given["action"] = "store_true"
    elif definition.choices:
        given["choices"] = definition.choices
    else:
        given["metavar"] = definition.metavar
        # What is no number may need more than its text to be judged: `Options` does that.
        if definition.minimum is not None:
            given["type"] = _argument_type(definition.parse)
    parser.add_argument(*(flags or definition.flags), **{**given, **changes})


def given_options(kind: type[Any], arguments: argparse.Namespace, **more: Any) -> Any:
    """An options class filled from a parsed command line.

    Raises:
        InputError: for a value that cannot be taken.
    """
    names = [name for name, definition in options_of(kind).items() if definition.flags]
    given = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
    return kind(**{**given, **more})


def command_line(options: Any) -> list[str]:
    """The arguments that give these options to a command; what is at its default is left out."""
    words = []
    for name, definition in options_of(type(options)).items():
        value = getattr(options, name)
        if not definition.flags or value == definition.default:
            continue
        if definition.kind is bool:
            words.append(definition.flags[0])
            continue
        text = ",".join(value) if isinstance(value, tuple) else value
        # With an equals sign, since names may begin with a hyphen.
        words.append(f"{definition.flags[0]}={text}")
    return words


def options_of(kind: type[Any]) -> dict[str, Option]:
    """The options of a class by the names of their fields."""
    return {f.name: f.metadata["option"] for f in fields(kind) if "option" in f.metadata}


def option(help_: str, *flags: str, default: Any = None, **more: Any) -> Any:
    """A dataclass field with its `Option`."""
    definition = Option(help_, flags, default=default, **more)
    return field(default=default, metadata={"option": definition})


def check_options(options: Any) -> None:
    """Convert and check every field of an options class.

    Raises:
        InputError: naming the field.
    """
    for name, definition in options_of(type(options)).items():
        value = getattr(options, name)
        try:
            object.__setattr__(options, name, definition.parse(value))
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} cannot be {value!r}.", str(error)) from None


def _number(kind: Any, minimum: float | None, value: Any) -> Any:
    try:
        result = kind(value)
        taken = not isinstance(value, bool) and math.isfinite(result)
        taken = taken and (isinstance(value, str) or result == value)
    except (TypeError, ValueError, OverflowError):
        taken = False
    if not taken or (minimum is not None and result < minimum):
        raise ValueError(f"Give a {_range(kind, minimum)}.")
    return result


def _range(kind: Any, minimum: float | None) -> str:
    word = "whole number" if kind is int else "number"
    return word if minimum is None else f"{word} from {minimum:g} up"


def _argument_type(parse: Callable[[Any], Any]) -> Callable[[str], Any]:
    def argument(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"it cannot be {text!r}. {error}") from None

    return argument


def accept_old_names(kind: type[_T]) -> type[_T]:
    """Accept and answer to the names of version 0.1 as well, with a warning."""
    current = {d.was: name for name, d in options_of(kind).items() if d.was}
    make: Callable[..., None] = vars(kind)["__init__"]

    def renamed(old: str) -> str:
        message = f"{kind.__name__}.{old} is now called {current[old]}"
        warnings.warn(message, DeprecationWarning, stacklevel=3)
        return current[old]

    @functools.wraps(make)
    def init(self: Any, *args: Any, **given: Any) -> None:
        for old in current.keys() & given.keys():
            given[renamed(old)] = given.pop(old)
        make(self, *args, **given)

    def read(self: Any, name: str) -> Any:
        if name not in current:
            raise AttributeError(f"{kind.__name__} has no {name!r}")
        return getattr(self, renamed(name))

    kind.__init__, kind.__getattr__ = init, read  # type: ignore[method-assign, attr-defined]
    return kind
