"""nnU-Net v2, 3D full resolution, as it is planned for BraTS, through its own predictor.

Patches of 128x128x128, six stages with 32 to 320 features, step 0.5, Gaussian weights,
mirroring on three axes; its own preprocessing and export. Weights are random: the time
does not depend on them. Three input channels, as the case has, rather than BraTS's four.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from stopwatch import NETWORK, Passes, Stopwatch

CONFIGURATION = "3d_fullres"
STAGES = 6

_RESAMPLING = {"order_z": 0, "force_separate_z": None}

DATASET: dict[str, Any] = {
    "channel_names": {"0": "T1", "1": "T1CE", "2": "FLAIR"},
    "labels": {"background": 0, "core": 1, "edema": 2, "enhancing": 3},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}

#: What the default planner writes for BraTS (1 mm, median 140x171x136 after cropping).
PLANS: dict[str, Any] = {
    "dataset_name": "Dataset000_BraTS",
    "plans_name": "nnUNetPlans",
    "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
    "original_median_shape_after_transp": [140, 171, 136],
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "experiment_planner_used": "ExperimentPlanner",
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {
        str(channel): {
            **{"max": 1.0, "mean": 0.0, "median": 0.0, "min": 0.0},
            **{"percentile_00_5": 0.0, "percentile_99_5": 1.0, "std": 1.0},
        }
        for channel in range(3)
    },
    "configurations": {
        CONFIGURATION: {
            "data_identifier": "nnUNetPlans_3d_fullres",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "patch_size": [128, 128, 128],
            "median_image_size_in_voxels": [140.0, 171.0, 136.0],
            "spacing": [1.0, 1.0, 1.0],
            "normalization_schemes": ["ZScoreNormalization"] * 3,
            "use_mask_for_norm": [True] * 3,
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, **_RESAMPLING},
            "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, **_RESAMPLING},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, **_RESAMPLING},
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet."
                "PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": STAGES,
                    "features_per_stage": [32, 64, 128, 256, 320, 320],
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "kernel_sizes": [[3, 3, 3]] * STAGES,
                    "strides": [[1, 1, 1]] + [[2, 2, 2]] * (STAGES - 1),
                    "n_conv_per_stage": [2] * STAGES,
                    "n_conv_per_stage_decoder": [2] * (STAGES - 1),
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
            "batch_dice": False,
        }
    },
}


def run(scans: Mapping[str, Path], args: Namespace, stopwatch: Stopwatch) -> Passes:
    """Segment the case and write the label map; see `start`."""
    with stopwatch.stage("load"):
        predictor = _Predictor(stopwatch, args.folds)
        passes = Passes(predictor.network, args.passes)
    with TemporaryDirectory(dir=args.output.parent) as folder, stopwatch.stage("predictor"):
        predictor.predict_from_files_sequential(
            [[str(scans[name]) for name in ("t1", "t1ce", "flair")]], [str(Path(folder) / "case")]
        )
        (Path(folder) / "case.nii.gz").replace(args.output)
    return passes


class _Predictor(nnUNetPredictor):
    """nnU-Net's predictor with random weights and a stopwatch around its sliding window."""

    def __init__(self, stopwatch: Stopwatch, folds: int) -> None:
        super().__init__(
            tile_step_size=0.5,
            use_gaussian=True,
            use_mirroring=True,
            device=torch.device("cpu"),
            allow_tqdm=False,
        )
        self._stopwatch = stopwatch
        plans = PlansManager(PLANS)
        configuration = plans.get_configuration(CONFIGURATION)
        heads = plans.get_label_manager(DATASET).num_segmentation_heads
        networks = [
            nnUNetTrainer.build_network_architecture(
                plans, configuration, len(DATASET["channel_names"]), heads, False
            )
            for _ in range(folds)
        ]
        self.manual_initialization(
            networks[0],
            plans,
            configuration,
            [network.state_dict() for network in networks],
            DATASET,
            "nnUNetTrainer",
            (0, 1, 2),
        )

    def predict_logits_from_preprocessed_data(self, data: torch.Tensor) -> torch.Tensor:
        with self._stopwatch.stage(NETWORK):
            return super().predict_logits_from_preprocessed_data(data)
