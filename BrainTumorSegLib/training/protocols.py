"""Label protocols by name, or written out as sets of allowed tissues."""

from __future__ import annotations

import re

from BrainTumorSegLib.core.config_tables import suggestion
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.tissue import PROTOCOLS, LabelProtocol, Tissue

_TISSUES = {tissue.key: tissue for tissue in Tissue}
_REMEDY = (
    "Give one of the known names, or write the labels out: "
    "'1=necrosis|non_enhancing 2=edema 4=enhancing'."
)


def read_protocol(text: str) -> LabelProtocol:
    """A protocol from its name, or from what each label may be.

    Args:
        text: a key of `tissue.PROTOCOLS`, or pairs like ``1=necrosis|non_enhancing 2=edema``;
            what is left out of 0 is background.

    Raises:
        TrainingError: when it is neither.
    """
    text = text.strip()
    if text in PROTOCOLS:
        return PROTOCOLS[text]
    if "=" not in text:
        raise TrainingError(
            f"Unknown label protocol {text!r}.", f"{suggestion(text, PROTOCOLS)} {_REMEDY}"
        )
    labels = {0: frozenset({Tissue.BACKGROUND})}
    for pair in re.split(r"[\s,;]+", text):
        number, _, names = pair.partition("=")
        if not number.isdecimal() or not 0 <= int(number) <= 255:
            raise TrainingError(f"Label protocol {text!r}: {pair!r} cannot be read.", _REMEDY)
        unknown = [name for name in names.split("|") if name not in _TISSUES]
        if unknown:
            raise TrainingError(
                f"Label protocol {text!r}: there is no tissue {unknown[0]!r}.",
                suggestion(unknown[0], _TISSUES),
            )
        labels[int(number)] = frozenset(_TISSUES[name] for name in names.split("|"))
    return LabelProtocol(written_out(labels), labels)


def written_out(labels: dict[int, frozenset[Tissue]]) -> str:
    """The text that `read_protocol` reads, in one order whatever the order of its source."""
    return " ".join(
        f"{number}={'|'.join(tissue.key for tissue in sorted(allowed))}"
        for number, allowed in sorted(labels.items())
    )
