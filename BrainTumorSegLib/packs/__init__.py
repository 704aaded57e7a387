"""Model packs: folders of weights with a manifest and a model card.

``pack.json`` says what the networks are, what they were trained on, how they do
and what their files hash to; nothing is loaded that does not agree with it.
"""

from BrainTumorSegLib.packs.library import (
    MODELS_VARIABLE,
    FoundPack,
    default_pack,
    find_packs,
    list_packs,
    load_pack,
    models_table,
    user_models_folder,
)
from BrainTumorSegLib.packs.making import NewMember, make_pack
from BrainTumorSegLib.packs.manifest import Member, ModelPack, read_pack
from BrainTumorSegLib.packs.members import load_members, verify_pack
from BrainTumorSegLib.packs.transfer import export_pack, import_pack, remove_pack

__all__ = [
    "MODELS_VARIABLE",
    "FoundPack",
    "Member",
    "ModelPack",
    "NewMember",
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
