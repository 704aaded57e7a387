"""Write a pack's members as plain float32 weights for the loop of `peers/plain_loop.py`.

``python export_members.py PACK FOLDER --tta tta1 [--members N]``
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import save_file

from BrainTumorSegLib.inference.tta import tta_transforms
from BrainTumorSegLib.models.networks import network_entries
from BrainTumorSegLib.models.packs import load_members, load_pack
from BrainTumorSegLib.preprocessing.model_grid import recipe_by_name


def export_members(pack_name: str, folder: Path, views: str, count: int | None) -> None:
    """Write ``members.json`` and one file a member."""
    pack = load_pack(pack_name)
    if pack.network.architecture != "linknet" or pack.network.heads != "classes":
        raise SystemExit(
            f"Pack {pack.name} is no LinkNet of classes: the plain loop does not know it."
        )
    names = [member.name for member in pack.members][:count]
    live = network_entries(pack.network).live
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in load_members(pack, names).items():
        state = {key: v.contiguous() for key, v in network.state_dict().items() if key in live}
        save_file(state, folder / f"{name}.safetensors")
    sequences, offsets = recipe_by_name(pack.recipe)
    network = pack.network
    about = {
        "pack": pack.name,
        "network": {
            "arch": network.architecture,
            "encoder_name": network.encoder,
            "encoder_depth": network.encoder_depth,
            "in_channels": network.in_channels,
            "classes": network.classes,
        },
        "files": [f"{name}.safetensors" for name in names],
        "channels": [[s.value, offset] for offset in offsets for s in sequences],
        "percentiles": [pack.shown.low, pack.shown.high],
        "views": [{"turns": view.turns, "flip": view.flip} for view in tta_transforms(views)],
    }
    (folder / "members.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tta", default="tta1")
    parser.add_argument("--members", type=int)
    args = parser.parse_args()
    export_members(args.pack, args.folder, args.tta, args.members)


if __name__ == "__main__":
    main()
