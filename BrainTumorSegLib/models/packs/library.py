"""Where packs lie, which one a name means, and which one is the default.

Three places are searched, and the first pack of a name wins: the folders of
``BRAINTUMORSEG_MODELS`` in their order, the person's own folder, and what ships
with the program. Whoever sets a variable or imports a pack means it; a pack that
is thereby hidden is still listed, as shadowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.file_names import expanded
from BrainTumorSegLib.core.resources import resource_path, user_folder
from BrainTumorSegLib.io.publishing import tidy

from .manifest import DEFAULT_FILE, MANIFEST, ModelPack, read_pack

#: Environment variable with more folders of packs, separated like those of ``PATH``.
MODELS_VARIABLE = "BRAINTUMORSEG_MODELS"

BUNDLED, USER, VARIABLE = "bundled", "user", "variable"


@dataclass(frozen=True)
class FoundPack:
    """A pack that was found, usable or not.

    Attributes:
        name: of the pack, or of its folder when the manifest cannot be read.
        folder: where it lies.
        place: ``variable`` (from `MODELS_VARIABLE`), ``user`` or ``bundled``.
        pack: None when it cannot be used.
        problem: why it cannot be used.
        shadowed_by: the folder of the pack that is taken instead under this name.
    """

    name: str
    folder: Path
    place: str
    pack: ModelPack | None
    problem: str | None = None
    shadowed_by: Path | None = None


def load_pack(path_or_name: str | Path | None = None) -> ModelPack:
    """Read a pack's manifest; its members are checked when they are loaded.

    Args:
        path_or_name: a pack's folder or name; None for the default pack. A text
            without a slash is a name first.

    Raises:
        PackError: when there is no such pack or it is damaged. A damaged pack is
            never replaced by another one of its name.
    """
    if path_or_name is None:
        path_or_name = default_pack()
    if isinstance(path_or_name, Path) or _looks_like_path(path_or_name):
        folder = expanded(path_or_name)
        if folder.is_file() and folder.name == MANIFEST:
            folder = folder.parent
        return read_pack(folder)
    found = find_packs()
    for candidate in found:
        if candidate.name == path_or_name:
            return candidate.pack or read_pack(candidate.folder)
    if Path(path_or_name, MANIFEST).is_file():
        return read_pack(Path(path_or_name))
    names = ", ".join(dict.fromkeys(f.name for f in found if f.pack)) or "none"
    raise PackError(
        f"There is no model pack {path_or_name!r}. Packs found: {names}.",
        "Import it: brain-tumor-seg models import FILE",
    )


def list_packs() -> tuple[ModelPack, ...]:
    """Every usable pack that its name leads to. `find_packs` also tells the others."""
    return tuple(f.pack for f in find_packs() if f.pack and not f.shadowed_by)


def find_packs() -> tuple[FoundPack, ...]:
    """Every pack in every place in the order of search, damaged and shadowed ones included."""
    found: list[FoundPack] = []
    first: dict[str, Path] = {}
    for place, folder in _pack_folders():
        entry = _look_at(place, folder)
        if entry.name in first:
            entry = replace(entry, shadowed_by=first[entry.name])
        else:
            first[entry.name] = folder
        found.append(entry)
    return tuple(found)


def default_pack() -> str:
    """Name of the pack that is used when none is chosen.

    It stands in the first ``default.txt`` beside packs; without one, a single
    pack needs no choice.

    Raises:
        PackError: when there is no pack, or no choice among several.
    """
    for _, folder in _model_folders():
        path = folder / DEFAULT_FILE
        if path.is_dir():
            continue  # a pack of release 0.1 may be called so
        try:
            name = path.read_text(encoding="utf-8-sig").strip()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            raise PackError(
                f"Cannot read {path}: {error}.", "Write a pack's name into it."
            ) from error
        if not any(found.name == name for found in find_packs()):
            raise PackError(
                f"{path} names the default pack {name!r}, which was not found.",
                "Write the name of a pack into it; see brain-tumor-seg models list.",
            )
        return name
    names = [pack.name for pack in list_packs()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise PackError(
            "No model pack was found.", "Import one: brain-tumor-seg models import FILE"
        )
    raise PackError(
        f"None of the packs {', '.join(names)} is the default.",
        f"Name one, or write its name into {user_models_folder() / DEFAULT_FILE}.",
    )


def models_table() -> list[dict[str, Any]]:
    """One row a pack for people and programs; plain JSON types, the same keys in all rows."""
    try:
        default = default_pack()
    except PackError:
        default = ""  # the table is also for finding out why there is none
    return [_row(found, default) for found in find_packs()]


def user_models_folder() -> Path:
    """The user's own folder of packs; it may not exist yet."""
    return user_folder("data") / "Models"


def _model_folders() -> Iterator[tuple[str, Path]]:
    for part in os.environ.get(MODELS_VARIABLE, "").split(os.pathsep):
        if part.strip():
            yield VARIABLE, expanded(part.strip())
    # A process that was killed may have left a pack half replaced.
    tidy(user_models_folder())
    yield USER, user_models_folder()
    yield BUNDLED, resource_path("Models")


def _pack_folders() -> Iterator[tuple[str, Path]]:
    """Folders that hold a manifest; a folder named in the variable may itself be a pack.

    A named folder that is not there is given out too, so that the mistake is seen.
    """
    seen: set[Path] = set()
    for place, folder in _model_folders():
        if place == VARIABLE and (not folder.is_dir() or (folder / MANIFEST).is_file()):
            packs = [folder]
        elif folder.is_dir():
            packs = sorted(
                child
                for child in folder.iterdir()
                if not child.name.startswith(".") and (child / MANIFEST).is_file()
            )
        else:
            packs = []
        for pack in packs:
            if pack.resolve() not in seen:
                seen.add(pack.resolve())
                yield place, pack


def _look_at(place: str, folder: Path) -> FoundPack:
    if not folder.is_dir():
        problem = f"{MODELS_VARIABLE} names {folder}, which is no folder."
        return FoundPack(folder.name, folder, place, None, problem)
    try:
        pack = read_pack(folder)
    except PackError as error:
        return FoundPack(folder.name, folder, place, None, str(error))
    return FoundPack(pack.name, folder, place, pack)


def _row(found: FoundPack, default: str) -> dict[str, Any]:
    pack = found.pack
    note = found.problem or ""
    if found.shadowed_by:
        note = f"shadowed by {found.shadowed_by}. {note}".strip()
    return {
        "name": found.name,
        "version": pack.version if pack else "",
        "default": found.name == default and found.shadowed_by is None,
        "network": f"{pack.network.architecture} {pack.network.encoder}" if pack else "",
        "recipe": pack.recipe if pack else "",
        "members": len(pack.members) if pack else 0,
        "precision": "/".join(sorted({m.precision for m in pack.members})) if pack else "",
        "size_mb": round(pack.bytes / 1e6, 1) if pack else 0.0,
        "licence": pack.licence if pack else "",
        "place": found.place,
        "folder": str(found.folder),
        "usable": pack is not None and found.shadowed_by is None,
        "note": note,
    }


def _looks_like_path(text: str) -> bool:
    separators = {os.sep, os.altsep or os.sep, "/"}
    return text in (".", "..") or text.startswith("~") or any(s in text for s in separators)
