"""Texts beside the weights: the model card and the licence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any

from .manifest import MANIFEST, MODEL_CARD, ModelPack

#: What an attribution refers to.
HOMEPAGE = "https://github.com/BrainTumorSeg/SlicerBrainTumorSeg"

#: By SPDX name: name, canonical address and terms of licences that need a word of explanation.
_LICENCES = {
    "CC-BY-SA-4.0": (
        "Creative Commons Attribution-ShareAlike 4.0 International (CC-BY-SA-4.0)",
        "https://creativecommons.org/licenses/by-sa/4.0/legalcode",
        "You may share and adapt them for any purpose, even commercially, if you say where they "
        "come from and what you changed, and pass on what you derive from them under the same "
        "licence. This summary does not replace the licence itself.",
    ),
}


def model_card(pack: ModelPack, notes: str = "") -> str:
    """Markdown text made from the manifest, with ``notes`` at the end."""
    network = pack.network
    parts = [
        f"# {pack.title}",
        pack.description,
        "**Research use only. Not a medical device.** "
        "A person who can read brain MRI must look at every result.",
        "## Intended use\n\n" + pack.intended_use,
        "## At a glance\n\n" + _table(("", ""), _facts(pack)),
        "## Members\n\n"
        f"{len(pack.members)} × {network.architecture} with encoder {network.encoder} "
        f"(depth {network.encoder_depth}).\n\n"
        + _table(("member", "trained", "precision", "MB", "SHA-256"), _member_rows(pack)),
        "## Trained on\n\n"
        + _table(("data", "cases", "use", "licence", "from"), _source_rows(pack))
        + "\n\n"
        + f"Label protocols: {', '.join(f'`{p}`' for p in pack.label_protocols)}. "
        f"Made on {pack.provenance['date']} with version {pack.provenance['code_version']}:\n\n"
        f"```\n{pack.provenance['command']}\n```",
    ]
    if pack.provenance.get("notes"):
        parts.append(pack.provenance["notes"])
    parts.append("## Measured\n\n" + _measured(pack))
    parts.append(f"## Licence\n\nWeights: {pack.licence}.")
    if notes.strip():
        parts.append(notes.strip())
    return "\n\n".join(part.strip() for part in parts) + "\n"


def licence_text(pack: ModelPack) -> str:
    """Plain text for a pack's ``LICENSE``: terms, attribution, and the data that were used."""
    plain = (pack.licence, "https://spdx.org/licenses/", "")
    name, address, terms = _LICENCES.get(pack.licence, plain)
    files = ", ".join((*(member.file for member in pack.members), MANIFEST, MODEL_CARD))
    sources = "\n".join(
        f"* {source['name']}: {source['licence']}"
        + (f" <{source['url']}>" if source.get("url") else "")
        for source in pack.provenance["sources"]
    )
    parts = [
        f"{pack.name} {pack.version}: licence of the weights",
        fill(
            f"The weights in this folder and what describes them ({files}) are licensed under", 88
        ),
        f"    {name}\n    {address}",
        fill(terms, 88),
        "The program that runs them has a licence of its own, the Apache License 2.0.",
        f"Attribution: {pack.name} {pack.version}, a model pack of BrainTumorSeg\n({HOMEPAGE}).",
        f"The weights were made from these data, whose makers are to be named too:\n\n{sources}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_SCALED = {
    "percentile-zscore": "z-score",
    "percentile-quartiles": "centered and scaled by median and quartiles of the brain",
}


def _facts(pack: ModelPack) -> list[tuple[str, str]]:
    shown = pack.shown
    missing = ", ".join(s.name for s in pack.may_be_missing) or "none"
    return [
        ("name and version", f"`{pack.name}` {pack.version}"),
        ("sequences", ", ".join(s.name for s in pack.sequences)),
        ("may be missing", missing),
        ("input recipe", f"`{pack.recipe}`, {pack.network.in_channels} channels"),
        ("slices", f"axial, {pack.in_plane_mm:g} mm in plane, around the {shown.field_of_view}"),
        (
            "intensities",
            f"clipped to the {shown.low:g}-{shown.high:g} percentile inside the "
            f"{shown.field_of_view}, {_SCALED[shown.normalization]}, zero outside",
        ),
        ("classes", ", ".join(t.key.replace("_", "-") for t in pack.tissues)),
        ("advised views", f"`{pack.advised_views}`"),
        *([("cascade", "the whole ensemble looks near tumour")] if pack.advised_cascade else []),
        *([("bf16", _bf16(pack.bf16))] if pack.bf16 else []),
    ]


def _bf16(check: Mapping[str, Any]) -> str:
    return (
        f"changes mean Dice (WT, TC, ET) by at most {check['dice_change']:g}, Dice of a case by "
        f"{check['case_change']:g} ({check['cases']} {check['data']}; `{check['command']}`)"
    )


def _member_rows(pack: ModelPack) -> Iterable[tuple[Any, ...]]:
    for member in pack.members:
        trained = ", ".join(f"{key} {value}" for key, value in member.trained.items())
        size = f"{member.bytes / 1e6:.2f}"
        yield member.name, trained, member.precision, size, f"`{member.sha256}`"


def _source_rows(pack: ModelPack) -> Iterable[tuple[Any, ...]]:
    for source in pack.provenance["sources"]:
        yield tuple(source.get(key, "") for key in ("name", "cases", "use", "licence", "url"))


def _measured(pack: ModelPack) -> str:
    if not pack.validation:
        return "Nothing was measured. Measure on your own cases before relying on this pack."
    rows = []
    for figure in pack.validation:
        value = f"{figure['value']:g} {figure.get('unit', '')}".strip()
        if "low" in figure and "high" in figure:
            value += f" ({figure['low']:g} to {figure['high']:g})"
        rows.append(
            (
                figure["measure"],
                value,
                figure.get("cases", ""),
                figure["data"],
                f"`{figure['command']}`",
                figure.get("note", ""),
            )
        )
    return _table(("measure", "value", "cases", "data", "command", "note"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
