"""MONAI's SegResNet with the transforms and sliding window of its BraTS bundle.

The bundle ``brats_mri_segmentation`` of MONAI's model zoo takes four sequences; the case has
three. Weights are random. The bundle's mixed precision concerns GPUs: here it is float32.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import SegResNet
from monai.transforms import Compose, LoadImaged, NormalizeIntensityd, SaveImage
from stopwatch import NETWORK, Passes, Stopwatch

#: The window leaves no choice: it is meant for BraTS's grid of 240x240x155 at 1 mm.
WINDOW = (240, 240, 160)


def run(scans: Mapping[str, Path], args: Namespace, stopwatch: Stopwatch) -> Passes:
    """Segment the case and write the label map; see `start`."""
    if args.as_scanned:
        raise SystemExit("SegResNet's bundle wants scans at 1 mm, without skull: no --as-scanned.")
    with stopwatch.stage("load"):
        network = SegResNet(
            blocks_down=(1, 2, 2, 4),
            blocks_up=(1, 1, 1),
            init_filters=16,
            in_channels=3,
            out_channels=3,
            dropout_prob=0.2,
        ).eval()
        passes = Passes(network, args.passes)
        inferer = SlidingWindowInferer(roi_size=WINDOW, sw_batch_size=1, overlap=0.5)
    with stopwatch.stage("read"):
        prepare = Compose(
            [
                LoadImaged("image"),
                NormalizeIntensityd("image", nonzero=True, channel_wise=True),
            ]
        )
        image = prepare({"image": [str(scans[name]) for name in ("t1", "t1ce", "flair")]})["image"]
    with stopwatch.stage(NETWORK), torch.no_grad():
        logits = inferer(image[None], network)[0]
    with stopwatch.stage("write"):
        core, whole, enhancing = logits.sigmoid() >= 0.5
        nothing = torch.zeros((), dtype=torch.uint8)
        labels = torch.where(whole, nothing + 2, nothing)
        labels = torch.where(enhancing, nothing + 4, torch.where(core, nothing + 1, labels))[None]
        with TemporaryDirectory(dir=args.output.parent) as folder:
            save = SaveImage(
                folder, output_dtype="uint8", resample=False, separate_folder=False, print_log=False
            )
            save(labels, meta_data=image.meta)
            (written,) = Path(folder).glob("*.nii.gz")
            written.replace(args.output)
    return passes
