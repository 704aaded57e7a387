"""Make a pack of random weights: its time is that of a trained pack, its labels mean nothing.

``python random_pack.py FOLDER [--members 5] [--encoder se_resnext50_32x4d]``
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from BrainTumorSegLib.models.networks import NetworkSpec, build_network
from BrainTumorSegLib.models.packs import NewMember, make_pack


def random_members(spec: NetworkSpec, count: int) -> Iterator[NewMember]:
    """Freshly initialised networks, the same ones every time."""
    for seed in range(count):
        torch.manual_seed(seed)
        yield NewMember(f"random{seed}", build_network(spec).state_dict(), {"seed": seed})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--architecture", default="linknet")
    parser.add_argument("--encoder", default="se_resnext50_32x4d")
    parser.add_argument("--depth", type=int, default=4)
    args = parser.parse_args()
    spec = NetworkSpec(args.architecture, args.encoder, args.depth, 3, 5)
    fields = {
        "name": args.folder.name,
        "version": "0.0.0",
        "title": "Random weights",
        "description": "Random weights, for timings only. Its labels mean nothing.",
        "recipe": "mixture",
        "network": spec,
        "sequences": {"used": ["t1", "t1ce", "flair"], "may_be_missing": []},
        "label_protocols": ["none"],
        "licence": "Apache-2.0",
        "intended_use": "Timing. Never for a patient.",
        "provenance": {
            "sources": [{"name": "random numbers", "licence": "CC0-1.0"}],
            "command": "random_pack.py",
            "date": "2026-01-01",
            "code_version": "0",
        },
    }
    make_pack(args.folder, fields, random_members(spec, args.members))


if __name__ == "__main__":
    main()
