"""Where the files that ship beside the code lie: models, terminology, set-up, pictures.

Three layouts occur:

* **checkout** (also an editable installation): ``Resources/`` is the package's sibling;
* **wheel**: the build puts ``Resources/`` inside the package;
* **Slicer**: the extension installs the package to ``qt-scripted-modules/BrainTumorSegLib``
  and ``Resources/`` inside it, as in the wheel. ``qt-scripted-modules/Resources`` belongs
  to the icons and panels of every scripted module and is never searched.
"""

from __future__ import annotations

import json
import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .errors import DependencyError
from .file_names import expanded, home_folder

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

#: Environment variable that names another folder for what can always be made again.
CACHE_VARIABLE = "BRAINTUMORSEG_CACHE"

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_path(*parts: str) -> Path:
    """Path of a file or folder under ``Resources/``, for example ``("Models", "glioma-lite")``.

    Whether that file exists is the caller's to check: some folders are filled later.

    Raises:
        DependencyError: when there is no ``Resources/`` folder in any known layout.
        ValueError: when the parts lead out of ``Resources/``.
    """
    root = _resources_folder(_PACKAGE)
    path = root.joinpath(*parts)
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{'/'.join(parts)} lies outside {root}.")
    return path


def _resources_folder(package: Path) -> Path:
    inside, beside = package / "Resources", package.parent / "Resources"
    if inside.is_dir():
        return inside
    # Only in a checkout is the sibling ours; pyproject.toml tells it from other people's folders.
    if beside.is_dir() and (package.parent / "pyproject.toml").is_file():
        return beside
    raise DependencyError(
        f"The Resources folder of BrainTumorSeg was found neither at {inside} nor at {beside}.",
        "Install BrainTumorSeg again; the installation is incomplete.",
    )


@lru_cache
def schema_validator(name: str) -> Validator:
    """The validator of a JSON schema in ``Resources/Schemas``, for example ``report``."""
    from jsonschema import Draft202012Validator

    schema = resource_path("Schemas", f"{name}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(schema))


def cache_folder(name: str) -> Path:
    """A folder of what can always be made again; it may not exist yet."""
    named = os.environ.get(CACHE_VARIABLE, "").strip()
    return (expanded(named) if named else user_folder("cache")) / name


def user_folder(kind: Literal["cache", "data"]) -> Path:
    """The user's own folder for what this program keeps; it may not exist yet."""
    cache = kind == "cache"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = (Path(local) if local else home_folder() / "AppData" / "Local") / "BrainTumorSeg"
        return base / "Cache" if cache else base
    if sys.platform == "darwin":
        base = home_folder() / "Library" / ("Caches" if cache else "Application Support")
    else:
        # XDG Base Directory Specification: relative paths are to be ignored.
        named = Path(os.environ.get("XDG_CACHE_HOME" if cache else "XDG_DATA_HOME", ""))
        usual = home_folder() / (".cache" if cache else ".local/share")
        base = named if named.is_absolute() else usual
    return base / "BrainTumorSeg"
