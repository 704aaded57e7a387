"""What storing weights in fewer bits costs, measured before they are put into a pack.

Each member is run twice over the same slices of cases that it was not trained on: with its
weights as trained, and as they read back from the file that would ship.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.errors import PackError, TrainingError
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.inference.labels import label_slices
from BrainTumorSegLib.models.weights import Precision, load_network, save_weights
from BrainTumorSegLib.synthesis.tumours.settings import held_out
from BrainTumorSegLib.synthesis.tumours.sources import Sources, find_sources

from .cohort import LabelledCase
from .config import TrainingConfig
from .dataset import spread_slices
from .losses import SMOOTH, region_counts, smoothed_dice
from .volumes import LabelledVolume, load_volume, stored_samples, synthetic_volume

#: Loss of Dice (mean of WT, TC and ET over the cases) above which a pack is refused.
ALLOWED_LOSS = 0.002

#: Slices of each case that are compared, evenly spread.
SLICES = 32

#: Synthetic samples for a member without a real case, and how many slices high they are.
SAMPLES, SLAB = 6, 48

#: Stage of progress.
STAGE = "check"

CheckOn = Literal["auto", "cases", "synthesis"]


@dataclass(frozen=True)
class QuantizationCheck:
    """On what members are compared, and what is let through.

    Attributes:
        cases: the cohort; a member is compared on those of the fold left out of it.
        on: ``auto`` takes synthesis for members whose fold has no case, ``cases`` refuses
            them, ``synthesis`` takes it for all.
        allowed_loss: see `ALLOWED_LOSS`.
        slices: of each case.
        sources: folder that may hold label maps for synthesis; heads are drawn without.
        cache: folder with prepared volumes; None prepares them in memory.
        device: torch device.
        command: that does this, for the manifest.
    """

    cases: SequenceOf[LabelledCase] = ()
    on: CheckOn = "auto"
    allowed_loss: float = ALLOWED_LOSS
    slices: int = SLICES
    sources: Path | None = None
    cache: Path | None = None
    device: str = "cpu"
    command: str = "brain-tumor-seg models export RUN PACK"


@dataclass(frozen=True)
class MemberCheck:
    """A member with stored weights beside itself with weights as trained.

    Attributes:
        member: its name.
        precision: of the stored weights.
        data: what it was compared on.
        full, stored: by region, mean over the cases of the Dice (see `losses.smoothed_dice`)
            over the slices compared.
        cases: how many.
        slices: of all cases together.
        differing: largest share of a case's brain voxels that get another label.
        worst: that case.
        probability: largest change of a class probability in any voxel.
    """

    member: str
    precision: Precision
    data: str
    full: Mapping[str, float]
    stored: Mapping[str, float]
    cases: int
    slices: int
    differing: float
    worst: str
    probability: float

    @property
    def means(self) -> tuple[float, float]:
        """Mean of the regions' Dice as trained, and as stored."""
        full, stored = (float(np.mean(list(d.values()))) for d in (self.full, self.stored))
        return full, stored

    @property
    def loss(self) -> float:
        """By how much the mean Dice falls; negative when it rises."""
        full, stored = self.means
        return full - stored


def check_member(
    name: str,
    state: Mapping[str, Tensor],
    config: TrainingConfig,
    precision: Precision,
    check: QuantizationCheck,
) -> MemberCheck:
    """Compare a member's weights as they would be stored with those that were trained.

    Raises:
        TrainingError: when there is no case to compare on.
        PackError: when the weights do not fit the network.
    """
    data, volumes = _comparison_data(name, config, check)
    networks = []
    with tempfile.TemporaryDirectory() as folder:
        # As they come back from a file, by the code that loads packs.
        for stored in ("fp32", precision):
            path = Path(folder, f"{stored}.safetensors")
            saved = save_weights(state, path, stored, config.network, overwrite=True)
            network = load_network(path, config.network, saved.sha256)
            networks.append(network.to(check.device, memory_format=torch.channels_last))
    cases = [_compare(networks, volume, config.input_channels, check) for volume in volumes]
    full, stored = (
        {r.name: float(np.mean([case.dice[n][r.name] for case in cases])) for r in Region}
        for n in range(2)
    )
    # Of several equal ones the last.
    worst = max(reversed(cases), key=lambda case: case.differing)
    return MemberCheck(
        name,
        precision,
        data,
        full,
        stored,
        len(cases),
        sum(case.slices for case in cases),
        worst.differing,
        worst.name,
        max(case.probability for case in cases),
    )


def require_small_loss(checks: Iterable[MemberCheck], allowed: float) -> None:
    """Refuse a pack that lost more than is allowed in any member.

    Raises:
        PackError: with the figures of every such member.
    """
    refused = [check for check in checks if check.loss > allowed]
    if not refused:
        return
    figures = "; ".join(
        f"{c.member} from {c.means[0]:.4f} to {c.means[1]:.4f}, a loss of {c.loss:.4f}, "
        f"on {c.cases} {c.data}"
        for c in refused
    )
    precision = refused[0].precision
    better = {"int6": "int8", "int8": "fp16"}.get(precision, "fp32")
    raise PackError(
        f"Weights in {precision} lose more than {allowed:g} in Dice (mean of WT, TC, ET): "
        f"{figures}.",
        f"Store them finer (--precision {better}), or allow the loss (--allowed-loss).",
    )


def check_figures(checks: Iterable[MemberCheck], command: str) -> list[dict[str, Any]]:
    """Figures for the manifest: of each member, what storing changed."""
    return [
        {
            "measure": f"Dice lost by {c.precision} against fp32, mean of WT, TC, ET, {c.member}",
            # Adding zero makes of minus zero, which looks odd, plain zero.
            "value": round(c.loss, 5) + 0.0,
            "cases": c.cases,
            "data": f"{c.data}, {c.slices} slices in all",
            "command": command,
            "note": f"from {c.means[0]:.4f} to {c.means[1]:.4f}; at most {100 * c.differing:.3f} % "
            f"of a case's brain voxels get another label ({c.worst})",
        }
        for c in checks
    ]


def check_section(checks: SequenceOf[MemberCheck], command: str, allowed: float) -> str:
    """Markdown for the model card; nothing when nothing was compared."""
    if not checks:
        return ""
    precision = checks[0].precision
    rows = [
        (
            *("member", "compared on", "slices"),
            *(f"{region}, fp32 / {precision}" for region in checks[0].full),
            *("loss of the mean", "labels that differ, most in a case", "largest change of p"),
        ),
        ("---",) * (6 + len(checks[0].full)),
    ]
    rows += [
        (
            *(c.member, f"{c.cases} {c.data}", str(c.slices)),
            *(f"{c.full[r]:.4f} / {c.stored[r]:.4f}" for r in c.full),
            f"{c.loss + 0.0:+.5f}",
            f"{100 * c.differing:.3f} % ({c.worst})",
            f"{c.probability:.3f}",
        )
        for c in checks
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        f"## Stored in {precision}, against fp32\n\n"
        f"The same slices with the weights as trained and as stored here: Dice smoothed by "
        f"{SMOOTH:g} voxels, mean over the cases, one view, without cleaning up. Packs that lose "
        f"more than {allowed:g} in the mean of the three are not made. Labels that differ: share "
        "of a case's brain voxels. p: probability of a class in a voxel.\n\n"
        f"{table}\n\n```\n{command}\n```"
    )


def _comparison_data(
    name: str, config: TrainingConfig, check: QuantizationCheck
) -> tuple[str, Iterator[LabelledVolume]]:
    """What a member is compared on, in words and as volumes that are made when asked for."""
    left_out = [case for case in check.cases if case.fold == config.fold]
    if check.on != "synthesis" and left_out:
        return (
            "labelled cases of the fold left out",
            (load_volume(case, check.cache) for case in left_out),
        )
    if check.on == "cases":
        raise TrainingError(
            f"No case was left out of the training of {name} (fold {config.fold}).",
            "Name the cohort (--data), or compare on synthetic samples (--check-on synthesis).",
        )
    mix = config.synthesis.generator
    generator = held_out(replace(mix, slab=mix.slab or SLAB))
    sources = find_sources(check.sources) if check.sources else Sources()
    seed = config.validation.seed
    stored = check.cache and stored_samples(check.cache, generator, sources, seed)
    return (
        "synthetic samples of the held-out generator",
        (synthetic_volume(generator, sources, seed, number, stored) for number in range(SAMPLES)),
    )


@dataclass(frozen=True)
class _CaseCheck:
    """One case: Dice by region as trained and as stored, and the rest as in `MemberCheck`."""

    name: str
    dice: tuple[dict[str, float], ...]
    slices: int
    differing: float
    probability: float


def _compare(
    networks: SequenceOf[nn.Module],
    volume: LabelledVolume,
    input_channels: str,
    check: QuantizationCheck,
) -> _CaseCheck:
    counts = [{region.name: np.zeros(3) for region in Region} for _ in networks]
    inside = differing = slices = 0
    probability = 0.0
    for images, allowed in spread_slices(volume, input_channels, check.slices):
        brain = (images != 0).any(dim=1).numpy()
        images = images.to(check.device, memory_format=torch.channels_last)
        with torch.inference_mode():
            outputs = [network(images).float().softmax(dim=1).cpu() for network in networks]
        labels = [label_slices(output.numpy()) for output in outputs]
        for own, found in zip(counts, labels, strict=True):
            for region in Region:
                own[region.name] += region_counts(found, allowed, region)
        inside += int(brain.sum())
        differing += int(((labels[0] != labels[1]) & brain).sum())
        probability = max(probability, float((outputs[0] - outputs[1]).abs().max()))
        slices += len(allowed)
    dice = tuple({name: smoothed_dice(c) for name, c in own.items()} for own in counts)
    return _CaseCheck(volume.name, dice, slices, differing / max(inside, 1), probability)
