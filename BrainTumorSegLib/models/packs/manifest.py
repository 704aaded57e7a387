"""The manifest of a model pack: reading, checking, and what it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import DependencyError, InputError, PackError
from BrainTumorSegLib.core.resources import schema_validator
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.models.network_spec import NetworkSpec
from BrainTumorSegLib.preprocessing.model_grid import NetworkInput, recipe_by_name, recipe_channels

if TYPE_CHECKING:
    pass

MANIFEST = "pack.json"
MODEL_CARD = "MODEL_CARD.md"
#: Packs of version 0.1 have none.
LICENCE_FILE = "LICENSE"

#: A text file beside packs that names the default one. The first file found counts,
#: in the order in which packs are searched, so that a hospital can choose its own.
DEFAULT_FILE = "default.txt"

#: Name and version of the manifest's layout.
SCHEMA_NAME, SCHEMA_VERSION = "brain-tumor-seg-pack", 1
SCHEMA = f"{SCHEMA_NAME}/{SCHEMA_VERSION}"

#: How much a mean Dice may change in bf16 for a run to take it by itself.
BF16_LIMIT = 0.001

#: A manifest is a few kilobytes; anything much larger is something else.
MAX_TEXT_BYTES = 1024**2


@dataclass(frozen=True)
class Member:
    """One network of the ensemble.

    Attributes:
        name: for people and for ``--members``.
        file: name of its weights file in the pack's folder.
        sha256: of that file, hexadecimal.
        bytes: length of that file.
        precision: ``fp32``, ``fp16``, ``int8`` or ``int6``.
        trained: ``fold`` left out, ``seed`` and whatever else the training recorded.
        labels: of each label file that it was trained on the `label_key`; empty where the pack
            does not say.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    precision: str
    trained: Mapping[str, Any]
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ModelPack:
    """What a checked manifest says.

    Attributes:
        folder: where the pack lies.
        name, version, title, description: for people and for choosing it.
        recipe: a key of `slices.RECIPES`.
        sequences: those that the recipe takes.
        may_be_missing: those among them that the networks can do without.
        shown: how the networks see a scan.
        in_plane_mm: pixel size of the model grid in mm.
        multiple: rows and columns of the model grid are divisible by it.
        tissues: the networks' outputs in order.
        network: what every member is.
        members: the ensemble.
        label_protocols: what the labels of the training data distinguish.
        advised_views: ``none``, ``tta1``, ``tta2`` or ``tta3``.
        advised_cascade: whether to have the whole ensemble look near tumour only, see
            `cascade`: proven for this pack on real cases.
        bf16: what computing in bf16 changes: ``dice_change``, the largest change of a mean
            Dice (WT, TC, ET) against fp32, and ``case_change``, that of a Dice in one case,
            with ``cases``, ``data`` and ``command`` (Testing/Benchmark/bf16.py); None when it
            was not measured.
        provenance: data sources with licences, command, date, version of the code.
        validation: one mapping a figure, each with the command that made it.
        licence: SPDX expression.
        intended_use: and what it is not meant for.
        manifest: all of it, as it stands in the file.
        checked: whether it was held against the schema, which takes jsonschema. Without
            that a pack can be listed, not used.
    """

    folder: Path
    name: str
    version: str
    title: str
    description: str
    recipe: str
    sequences: tuple[Sequence, ...]
    may_be_missing: tuple[Sequence, ...]
    shown: NetworkInput
    in_plane_mm: float
    multiple: int
    tissues: tuple[Tissue, ...]
    network: NetworkSpec
    members: tuple[Member, ...]
    label_protocols: tuple[str, ...]
    advised_views: str
    provenance: Mapping[str, Any]
    validation: tuple[Mapping[str, Any], ...]
    licence: str
    intended_use: str
    manifest: Mapping[str, Any]
    advised_cascade: bool = False
    bf16: Mapping[str, Any] | None = None
    checked: bool = True

    @property
    def bytes(self) -> int:
        """Length of all members' files together."""
        return sum(member.bytes for member in self.members)

    def require_sequences(self, given: Collection[Sequence], case: str) -> None:
        """Check that a case has the sequences that the networks cannot do without.

        Raises:
            InputError: naming the sequence and the case.
        """
        for sequence in self.sequences:
            if sequence not in given and sequence not in self.may_be_missing:
                raise InputError(
                    f"Model pack {self.name!r} needs {sequence.name}, which case {case!r} does "
                    "not have.",
                    "Give that scan, or choose a pack that can do without it.",
                )

    @property
    def allows_bf16(self) -> bool:
        """Whether a run may take bf16 by itself where that is faster."""
        if not self.checked or self.bf16 is None:
            return False
        return bool(self.bf16["dice_change"] <= BF16_LIMIT)

    def member_path(self, member: Member) -> Path:
        """The file of its weights."""
        return self.folder / member.file


def label_key(sha256: str) -> str:
    """What a manifest keeps of the SHA-256 of a label file."""
    return sha256[:16]


def read_pack(folder: Path) -> ModelPack:
    """Read a pack's manifest and check that its members are there in full length.

    Hashes are checked when a member is loaded, see `load_members` and `verify_pack`.

    Raises:
        PackError: naming the file and the remedy.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise PackError(
            f"{folder} is no model pack: it has no {MANIFEST}.",
            "Give the folder that holds it; a .zip is imported first: "
            "brain-tumor-seg models import FILE",
        )
    try:
        with path.open("rb") as file:
            text = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise PackError(
            f"Cannot read {path}: {error.strerror or error}.", "Check the rights of the file."
        ) from error
    pack = parse_manifest(text, path)
    for member in pack.members:
        _check_length(pack.member_path(member), member)
    return pack


def parse_manifest(text: bytes, path: Path) -> ModelPack:
    """Check the content of a manifest; ``path`` says where it lies or came from.

    Raises:
        PackError: when it is damaged, of another schema, or contradicts itself.
    """
    manifest = _parse_json(text, path)
    if not _check_schema(manifest, path):
        return _as_unchecked_pack(manifest, path)
    pack = _as_pack(manifest, path)
    _check_consistency(pack, path)
    return pack


def require_checked(pack: ModelPack) -> None:
    """Refuse a pack whose manifest could be listed but not held against its schema.

    Raises:
        DependencyError: naming what is missing.
    """
    if not pack.checked:
        raise DependencyError(
            f"The manifest of pack {pack.name!r} cannot be checked: the Python package "
            "jsonschema is missing.",
            "Install it with: pip install jsonschema",
        )


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as it is written to a file."""
    return json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _parse_json(text: bytes, path: Path) -> Any:
    if len(text) > MAX_TEXT_BYTES:
        raise PackError(f"{path} is far too long for a manifest.", "Get the pack again.")
    try:
        return json.loads(
            text.decode("utf-8-sig"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_check_not_constant,
        )
    except (ValueError, RecursionError) as error:
        raise PackError(f"{path} is damaged: {error}.", "Get the pack again.") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"field {twice!r} occurs twice")
    return fields


def _check_not_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _check_schema(manifest: Any, path: Path) -> bool:
    """Whether the manifest could be held against its schema; what is wrong is raised."""
    _check_version(manifest, path)
    try:
        from jsonschema.exceptions import best_match
    except ImportError:
        return False
    error = best_match(schema_validator("pack").iter_errors(manifest))
    if error is None:
        return True
    where = ".".join(str(part) for part in error.absolute_path)
    reason = error.message if len(error.message) <= 300 else error.message[:297] + "..."
    meaning = error.schema.get("description") if isinstance(error.schema, dict) else None
    raise PackError(
        f"{path} is no valid manifest: {where + ': ' if where else ''}{reason}"
        + (f" (expected: {meaning})." if meaning and where else "."),
        "Correct the manifest, or get the pack again.",
    )


def _check_version(manifest: Any, path: Path) -> None:
    named = manifest.get("schema") if isinstance(manifest, dict) else None
    kind, _, number = named.partition("/") if isinstance(named, str) else ("", "", "")
    if kind != SCHEMA_NAME or not (number.isascii() and number.isdigit()):
        raise PackError(
            f"{path} is no manifest of a model pack: it does not name the schema {SCHEMA!r}.",
            "Give a model pack made by this program.",
        )
    if int(number) > SCHEMA_VERSION:
        raise PackError(
            f"{path} follows schema {named!r}, newer than this program knows ({SCHEMA!r}).",
            "Update the extension.",
        )


def _as_pack(manifest: Mapping[str, Any], path: Path) -> ModelPack:
    fields = manifest
    # JSON Schema takes 3.0 for an integer; torch does not.
    network: dict[str, Any] = {
        key: int(value) if isinstance(value, float) else value
        for key, value in fields["network"].items()
    }
    return ModelPack(
        folder=path.parent,
        name=fields["name"],
        version=fields["version"],
        title=fields["title"],
        description=fields["description"],
        recipe=fields["recipe"],
        sequences=tuple(Sequence(s) for s in fields["sequences"]["used"]),
        may_be_missing=tuple(Sequence(s) for s in fields["sequences"]["may_be_missing"]),
        shown=NetworkInput(
            normalization=fields["normalisation"]["name"],
            low=float(fields["normalisation"]["low"]),
            high=float(fields["normalisation"]["high"]),
            field_of_view=fields.get("field_of_view", "brain"),
        ),
        in_plane_mm=float(fields["grid"]["in_plane_mm"]),
        multiple=int(fields["grid"]["multiple"]),
        tissues=tuple(Tissue[key.upper()] for key in fields["classes"]),
        network=NetworkSpec(**network),
        members=tuple(_as_member(fields) for fields in fields["members"]),
        label_protocols=tuple(fields["label_protocols"]),
        advised_views=fields["advised_views"],
        provenance=fields["provenance"],
        validation=tuple(fields["validation"]),
        licence=fields["licence"],
        intended_use=fields["intended_use"],
        manifest=manifest,
        advised_cascade=fields.get("advised_cascade", False),
        bf16=fields.get("bf16"),
    )


def _as_member(fields: Mapping[str, Any]) -> Member:
    known = {"labels": (), **fields}
    return Member(**{**known, "bytes": int(known["bytes"]), "labels": frozenset(known["labels"])})


def _as_unchecked_pack(manifest: Mapping[str, Any], path: Path) -> ModelPack:
    """What is needed for a list of packs, of a manifest that no schema has vouched for."""
    try:
        pack = replace(_as_pack(manifest, path), checked=False)
        texts = (pack.name, pack.version, pack.title, pack.advised_views, pack.licence)
        for text in (*texts, *(word for m in pack.members for word in (m.name, m.file))):
            if not isinstance(text, str):
                raise TypeError(f"{text!r} is no text")
        if not pack.members:
            raise ValueError("it has no members")
        _check_consistency(pack, path)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}"
    except InputError as error:
        reason = error.message
    else:
        return pack
    raise PackError(
        f"{path} is no valid manifest: {reason.removesuffix('.')}.",
        "Correct the manifest, or get the pack again.",
    )


def _check_consistency(pack: ModelPack, path: Path) -> None:
    """What a schema cannot say: fields that must agree with each other."""
    network = pack.network
    needed, _ = recipe_by_name(pack.recipe)
    low, high = pack.shown.low, pack.shown.high
    complaints = {
        f"recipe {pack.recipe!r} takes {_names(needed)}, "
        f"but sequences.used says {_names(pack.sequences)}": set(pack.sequences) != set(needed),
        "sequences.may_be_missing names a sequence that is not used": not set(pack.may_be_missing)
        <= set(pack.sequences),
        "t1ce must not be missing": Sequence.T1CE in pack.may_be_missing,
        f"recipe {pack.recipe!r} makes {recipe_channels(pack.recipe)} channels, "
        f"but the network takes {network.in_channels}": recipe_channels(pack.recipe)
        != network.in_channels,
        f"there are {len(pack.tissues)} classes, but the network tells {network.classes} "
        "apart": len(pack.tissues) != network.classes,
        f"normalisation.low {low:g} is not below normalisation.high {high:g}": low >= high,
        f"grid.multiple {pack.multiple} is not divisible by {network.stride}, "
        "as the network needs": pack.multiple % network.stride != 0,
        f"no pack can be called {DEFAULT_FILE}, the file that names the default one": pack.name
        == DEFAULT_FILE,
        "two members have the same name": _repeated(m.name for m in pack.members),
        # Some file systems do not tell upper from lower case.
        "two members share one file": _repeated(m.file.lower() for m in pack.members),
    }
    for complaint, applies in complaints.items():
        if applies:
            raise PackError(f"{path} contradicts itself: {complaint}.", "Correct the manifest.")


def _names(sequences: tuple[Sequence, ...]) -> str:
    return ", ".join(s.value for s in sequences)


def _repeated(names: Any) -> bool:
    return max(Counter(names).values()) > 1


def _check_length(path: Path, member: Member) -> None:
    try:
        length = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise PackError(
            f"Cannot look at {path}: {error.strerror or error}.", "Check the rights of the folder."
        ) from error
    if length is None:
        raise PackError(
            f"Member {member.name!r} is missing: there is no file {path}.", "Import the pack again."
        )
    if length != member.bytes:
        raise PackError(
            f"{path} has {length} bytes instead of {member.bytes}: truncated or another file.",
            "Import the pack again.",
        )
