"""Making a pack from trained networks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.atomic import write_all
from BrainTumorSegLib.models.networks import NetworkSpec
from BrainTumorSegLib.models.weights import Precision, save_weights

from .calibration import CALIBRATION, check_calibration
from .card import licence_text, model_card
from .files import new_folder
from .manifest import (
    LICENCE_FILE,
    MANIFEST,
    MODEL_CARD,
    SCHEMA,
    ModelPack,
    manifest_text,
    parse_manifest,
    read_pack,
)
from .members import verify_pack

#: Of the part of a model card that a calibration writes.
TRUST_HEADING = "## How far to trust it"


@dataclass(frozen=True)
class NewMember:
    """A trained network that is to become a member.

    Attributes:
        name: of the member; its file gets this name too.
        state: state dict; dead encoder stages may be in it and are left out.
        trained: ``fold`` left out, ``seed`` and other single values worth keeping.
        labels: see `Member`.
    """

    name: str
    state: Mapping[str, Tensor]
    trained: Mapping[str, Any] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()


#: Fields that have one usual value; what `make_pack` is given takes precedence.
DEFAULT_FIELDS: Mapping[str, Any] = {
    "normalisation": {"name": "percentile-zscore", "low": 0.5, "high": 99.5},
    "grid": {"in_plane_mm": 1.0, "multiple": 32},
    "classes": [tissue.key for tissue in Tissue],
    "advised_views": "tta1",
    "validation": [],
}


def make_pack(
    folder: Path,
    fields: Mapping[str, Any],
    members: Iterable[NewMember],
    precision: Precision = "int8",
    card_notes: str = "",
    overwrite: bool = False,
) -> ModelPack:
    """Write a pack, which appears whole or not at all.

    It has weights, a manifest with their hashes, a model card and a licence.

    Args:
        folder: the pack's folder; by custom it has the pack's name.
        fields: the manifest without ``schema`` and ``members``; what stands in
            `DEFAULT_FIELDS` may be left out. ``network`` may be a `NetworkSpec`.
        members: taken one after the other, so that a generator need never hold
            more than one.
        precision: of the stored weights.
        card_notes: Markdown that the model card ends with, such as tables of cases.
        overwrite: whether a pack that lies there may be replaced.

    Returns:
        The pack, read back and verified.

    Raises:
        PackError: when a field is wrong, or weights do not fit the network.
        OutputError: when the folder is taken or cannot be written.
    """
    folder = Path(folder)
    spec = _network(fields.get("network"), folder)
    manifest = {"schema": SCHEMA, **DEFAULT_FIELDS, **fields, "network": spec.as_dict()}
    with new_folder(folder, overwrite) as staging:
        manifest["members"] = [
            _write_member(member, staging, precision, spec) for member in members
        ]
        text = _text(manifest, folder)
        pack = parse_manifest(text.encode(), staging / MANIFEST)
        (staging / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
        (staging / MODEL_CARD).write_text(
            model_card(pack, card_notes), encoding="utf-8", newline="\n"
        )
        (staging / LICENCE_FILE).write_text(licence_text(pack), encoding="utf-8", newline="\n")
        verify_pack(pack)
    return read_pack(folder)


def add_calibration(pack: ModelPack, fields: Mapping[str, Any], section: str) -> ModelPack:
    """Put a calibration into a pack, or in the place of the one it has, altogether or not at all.

    Args:
        pack: that was measured.
        fields: content of ``calibration.json``.
        section: Markdown of the model card about it, under a heading of its own.

    Returns:
        The pack, read back.

    Raises:
        PackError: when the fields are wrong.
        OutputError: when the pack's folder cannot be written.
    """
    check_calibration(fields, str(pack.folder / CALIBRATION))
    text = _text(fields, pack.folder)
    named = {"sha256": sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}
    manifest = _text({**pack.manifest, "calibration": named}, pack.folder)
    parse_manifest(manifest.encode(), pack.folder / MANIFEST)
    card = pack.folder / MODEL_CARD
    before = card.read_text(encoding="utf-8").partition(f"\n{TRUST_HEADING}\n")
    # Whatever comes after the section stays.
    after = re.search(r"^## ", before[2], re.MULTILINE)
    rest = before[2][after.start() :] if after else ""
    whole = f"{before[0].rstrip()}\n\n{TRUST_HEADING}\n\n{section.strip()}\n\n{rest}"
    texts = {CALIBRATION: text, MANIFEST: manifest, MODEL_CARD: f"{whole.rstrip()}\n"}
    writers = {
        pack.folder / name: partial(_write_text, text=content) for name, content in texts.items()
    }
    write_all(writers, overwrite=True)
    return read_pack(pack.folder)


def check_fields(fields: Mapping[str, Any], source: Path) -> None:
    """Refuse fields that `make_pack` would refuse, without having trained a member.

    Args:
        source: the file they come from.

    Raises:
        PackError: naming the file and the field.
    """
    spec = _network(fields.get("network"), source)
    member = {"name": "m", "file": "m.safetensors", "sha256": 64 * "0", "bytes": 1}
    member |= {"precision": "fp32", "trained": {}}
    manifest = {"schema": SCHEMA, **DEFAULT_FIELDS, **fields, "network": spec.as_dict()}
    parse_manifest(_text(manifest | {"members": [member]}, source).encode(), source)


def _text(manifest: Mapping[str, Any], source: Path) -> str:
    try:
        return manifest_text(manifest)
    except (TypeError, ValueError) as error:
        raise PackError(
            f"The manifest of {source} cannot be written: {error}.", "Use plain JSON values."
        ) from error


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _network(given: Any, folder: Path) -> NetworkSpec:
    if isinstance(given, NetworkSpec):
        return given
    try:
        return NetworkSpec(**given)
    except TypeError as error:
        raise PackError(
            f"The network of pack {folder} is not described: {error}.", "Give a NetworkSpec."
        ) from error


def _write_member(
    member: NewMember, folder: Path, precision: Precision, spec: NetworkSpec
) -> dict[str, Any]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", member.name):
        raise PackError(
            f"{member.name!r} is no name for a member.", "Use letters, digits, dots and hyphens."
        )
    path = folder / f"{member.name}.safetensors"
    if path.exists():
        raise PackError(f"Two members are called {member.name!r}.", "Name each of them once.")
    saved = save_weights(member.state, path, precision, spec)
    return {
        "name": member.name,
        "file": saved.path.name,
        "sha256": saved.sha256,
        "bytes": saved.bytes,
        "precision": precision,
        **({"labels": sorted(member.labels)} if member.labels else {}),
        "trained": dict(member.trained),
    }
