"""Run one peer on one case: ``python start.py PEER --t1 A --t1ce B --flair C -o OUT ...``."""

from __future__ import annotations

import argparse
import tempfile
from importlib import import_module, metadata
from pathlib import Path

from stopwatch import Stopwatch, write_notes

#: Peer to module, each with ``run(scans, args, stopwatch) -> Passes``.
PEERS = {"plain": "plain_loop", "nnunet": "nnunet_fullres", "segresnet": "segresnet"}

PACKAGES = (
    *("torch", "numpy", "SimpleITK", "segmentation-models-pytorch", "nnunetv2"),
    *("dynamic-network-architectures", "monai", "deepbet"),
)


def main() -> None:
    args = _parser().parse_args()
    stopwatch = Stopwatch()
    with stopwatch.stage("import"):
        import SimpleITK as sitk
        import torch

        peer = import_module(PEERS[args.peer])
    torch.set_num_threads(args.threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(args.threads)
    torch.manual_seed(0)
    scans = {"t1": args.t1, "t1ce": args.t1ce, "flair": args.flair}
    with tempfile.TemporaryDirectory() as folder:
        if args.as_scanned:
            from preparation import prepare

            scans = prepare(scans, Path(folder), stopwatch)
        passes = peer.run(scans, args, stopwatch)
    write_notes(
        args.notes,
        stopwatch,
        passes=passes.as_record(),
        versions={name: version for name in PACKAGES if (version := _version(name))},
        torch_threads=torch.get_num_threads(),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    for name in ("t1", "t1ce", "flair"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="label map, .nii.gz")
    parser.add_argument("--notes", type=Path, required=True, help="what was timed, .json")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--passes", type=int, help="stop computing after so many network calls")
    parser.add_argument("--as-scanned", action="store_true", help="register, extract the brain")
    parser.add_argument("--members", type=Path, help="plain: folder that export_members.py wrote")
    parser.add_argument("--batch", type=int, default=8, help="plain: slices at once")
    parser.add_argument("--folds", type=int, default=1, help="nnunet: networks to average")
    return parser


if __name__ == "__main__":
    main()
