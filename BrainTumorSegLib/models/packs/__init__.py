"""Model packs: folders of weights with a manifest and a model card.

``pack.json`` says what the networks are, what they were trained on, how they do
and what their files hash to; nothing is loaded that does not agree with it.

Packs can be found and listed on a bare Python, such as Slicer's before anything was
installed; what loads, makes or moves packs is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .library import (
    MODELS_VARIABLE,
    FoundPack,
    default_pack,
    find_packs,
    list_packs,
    load_pack,
    models_table,
    user_models_folder,
)
from .manifest import Member, ModelPack, read_pack

if TYPE_CHECKING:
    from .making import NewMember, check_fields, make_pack
    from .members import load_members, verify_pack
    from .transfer import export_pack, import_pack, remove_pack

__all__ = [
    "MODELS_VARIABLE",
    "FoundPack",
    "Member",
    "ModelPack",
    "NewMember",
    "check_fields",
    "default_pack",
    "export_pack",
    "find_packs",
    "import_pack",
    "list_packs",
    "load_members",
    "load_pack",
    "make_pack",
    "models_table",
    "read_pack",
    "remove_pack",
    "user_models_folder",
    "verify_pack",
]

#: Names whose modules need torch and safetensors.
_HEAVY = {
    "NewMember": "making",
    "check_fields": "making",
    "make_pack": "making",
    "load_members": "members",
    "verify_pack": "members",
    "export_pack": "transfer",
    "import_pack": "transfer",
    "remove_pack": "transfer",
}


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HEAVY[name]}"), name)
