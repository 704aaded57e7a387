"""From the members of a training run to a model pack, and what storing their weights costs.

Weights that lose more Dice by being stored in fewer bits than is allowed make no pack.
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
from torch import Tensor

from BrainTumorSegLib.core.errors import BrainTumorSegError, PackError, TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.models.packs import ModelPack, NewMember, check_fields, make_pack
from BrainTumorSegLib.models.packs.files import check_free
from BrainTumorSegLib.models.packs.manifest import label_key
from BrainTumorSegLib.models.weights import Precision, load_network, load_weights, save_weights
from BrainTumorSegLib.synthesis.config import held_out
from BrainTumorSegLib.synthesis.sources import Sources, find_sources

from .case_table import DIGEST, TABLE, read_table
from .checkpoint import TrainedMember, trained_member
from .cohort import LabeledCase
from .config import TrainingConfig
from .dataset import spread_slices
from .evaluated import Evaluation, evaluation_figures
from .losses import SMOOTH, region_dice
from .optimizers import MixedPrecision
from .trainer import mean_dice, predict_slices
from .volumes import LabeledVolume, load_volume, stored_samples, synthetic_volume

#: Synthetic samples for a member without a real case, and how many slices high they are.
SAMPLES, SLAB = 6, 48

#: Stage of progress.
STAGE = "check"

#: For the model card of members whose checkpoint was chosen where they are scored.
_OPTIMISTIC = (
    "The checkpoint of each member was chosen on slices of the fold left out of its training: "
    "figures on that fold are a little too good."
)


@dataclass(frozen=True)
class QuantizationCheck:
    """How weights are stored, on what members are compared then, and what is let through.

    Attributes:
        precision: of the stored weights; fp32 is what was trained, and not compared.
        cases: the cohort; a member is compared on those of the fold left out of it.
        on: ``auto`` takes synthesis for members whose fold has no case, ``cases`` refuses
            them, ``synthesis`` takes it for all.
        allowed_loss: of Dice (mean of WT, TC and ET over the cases); more refuses the pack.
        slices: of each case that are compared, evenly spread.
        sources: folder that may hold label maps for synthesis; heads are drawn without.
        cache: folder with prepared volumes; None prepares them in memory.
        device: torch device.
        command: that does this, for the manifest.
    """

    precision: Precision = "int8"
    cases: SequenceOf[LabeledCase] = ()
    on: Literal["auto", "cases", "synthesis"] = "auto"
    allowed_loss: float = 0.002
    slices: int = 32
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
        full, stored: by region, mean over the cases of the Dice (see `losses.region_dice`)
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


def pack_run(
    members: SequenceOf[Path],
    pack_fields: Mapping[str, Any],
    command: str,
    destination: Path,
    check: QuantizationCheck,
    evaluation: Evaluation,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ModelPack:
    """Write the pack of a training run, if its weights lose little by being stored.

    Args:
        members: folders of finished members, all of one network and input.
        pack_fields: the ``[pack]`` table of the run's file.
        command: that trained them, for the provenance.
        destination: folder of the pack.
        check: how weights are stored, and what they may lose.
        evaluation: figures for manifest and model card.
        overwrite: whether a pack that lies there may be replaced.
        progress: one stage, advanced once a case of each member.

    Raises:
        TrainingError: when members differ in network or input, or the pack's table names no
            sources.
        PackError: when a member loses more than ``check`` allows; see also `packs.make_pack`.
        OutputError: see `packs.make_pack`.
    """
    trained = [trained_member(folder) for folder in members]
    if not trained:
        raise TrainingError("There is no member to make a pack of.", "Train at least one fold.")
    config = trained[0].config
    for member in trained:
        other = member.config
        if (other.network, other.input_channels, other.shown) != (
            *(config.network, config.input_channels, config.shown),
        ):
            raise TrainingError(
                f"{member.folder} has another network or input than {members[0]}.",
                "Put members of one recipe into a pack.",
            )
    fields = _fields(pack_fields, config)
    # Comparing takes long, so a destination that is taken is refused first.
    check_free(destination, overwrite)
    progress, checks = progress or Progress(), []
    if check.precision != "fp32":
        progress.stage(STAGE, len(trained))
        for member in trained:
            name, state = member.folder.name, load_weights(member.weights)
            checks.append(check_member(name, state, member.config, check))
            progress.advance(1, name)
        require_small_loss(checks, check.allowed_loss)
    fields["provenance"] |= {
        "command": command,
        "date": max(member.record["finished"] for member in trained)[:10],
        "code_version": trained[0].record["version"],
    }
    fields["validation"] = [*evaluation_figures(evaluation), *check_figures(checks, check.command)]
    parts = [evaluation.notes, check_section(checks, check.command, check.allowed_loss)]
    if any(m.record.get("kept", {}).get("chosen_on") == "fold" for m in trained):
        parts.append(_OPTIMISTIC)
    if evaluation.command:
        parts.append(f"## Case by case, {evaluation.how}\n\n{evaluation.tables}")
    card = "\n\n".join(part for part in parts if part.strip())
    return make_pack(destination, fields, _new_members(trained), check.precision, card, overwrite)


def check_pack(pack_fields: Mapping[str, Any], config: TrainingConfig, file: Path) -> None:
    """Refuse, before anything is trained, what `pack_run` would refuse in the end.

    Raises:
        TrainingError: naming the file and the field of its ``[pack]`` that is missing or wrong.
    """
    try:
        fields = _fields(pack_fields, config)
        fields["provenance"] |= {"command": "-", "date": "2000-01-01", "code_version": "0.0.0"}
        check_fields(fields, file)
    except BrainTumorSegError as error:
        message = error.message.replace("is no valid manifest", "makes no pack")
        raise TrainingError(message, f"Correct the table [pack] of {file}.") from error


def _fields(pack_fields: Mapping[str, Any], config: TrainingConfig) -> dict[str, Any]:
    fields = dict(pack_fields)
    sources = fields.pop("sources", None)
    if not sources:
        raise TrainingError(
            "The recipe names no data sources.",
            "Add a [[pack.sources]] table with name and licence of the training data.",
        )
    shown = config.shown
    own = {
        "recipe": config.input_channels,
        "network": config.network.as_dict(),
        "normalisation": {"name": shown.normalization, "low": shown.low, "high": shown.high},
    }
    if shown.field_of_view != "brain":
        own["field_of_view"] = shown.field_of_view
    return fields | own | {"provenance": {"sources": sources}}


def _new_members(members: SequenceOf[TrainedMember]) -> Iterator[NewMember]:
    for member in members:
        config, record = member.config, member.record
        trained = {"fold": config.fold, "seed": config.seed, "steps": config.steps}
        kept = record.get("kept", {})
        if kept.get("chosen_on"):
            trained |= {"kept_step": kept["step"], "chosen_on": kept["chosen_on"]}
        if record.get("started_from"):
            trained["started_from"] = record["started_from"]["origin"]
        state = load_weights(member.weights)
        yield NewMember(member.folder.name, state, trained, _labels_of(member))


def _labels_of(member: TrainedMember) -> frozenset[str]:
    """Keys of the labels that a member was trained on, but of those that other cases share."""
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for row in read_table(member.folder.parent / TABLE):
        kinds[row["case"] in member.record["cases"]].add(label_key(row.get(DIGEST, "")))
    # Maps without tumor are often the same file.
    return frozenset(kinds[True] - kinds[False] - {""})


def check_member(
    name: str,
    state: Mapping[str, Tensor],
    config: TrainingConfig,
    check: QuantizationCheck,
) -> MemberCheck:
    """Compare a member's weights as they would be stored with those that were trained.

    Both are run over the same slices of cases that the member was not trained on.

    Raises:
        TrainingError: when there is no case to compare on.
        PackError: when the weights do not fit the network.
    """
    data, volumes = _comparison_data(name, config, check)
    networks = []
    with tempfile.TemporaryDirectory() as folder:
        # As they come back from a file, by the code that loads packs.
        for kept in ("fp32", check.precision):
            path = Path(folder, f"{kept}.safetensors")
            saved = save_weights(state, path, kept, config.network, overwrite=True)
            network = load_network(path, config.network, saved.sha256)
            networks.append(network.to(check.device, memory_format=torch.channels_last))
    full, stored = [], []
    slices, differing, worst, probability = 0, 0.0, "", 0.0
    mixed = MixedPrecision("fp32", check.device)
    for volume in volumes:
        images, allowed = spread_slices(volume, config.input_channels, check.slices)
        outputs = [
            predict_slices(network, images, check.device, mixed, config.network.heads)
            for network in networks
        ]
        labels = [decode_slices(output) for output in outputs]
        full.append(region_dice(labels[0], allowed))
        stored.append(region_dice(labels[1], allowed))
        brain = (images != 0).any(axis=1)
        share = float(((labels[0] != labels[1]) & brain).sum() / max(brain.sum(), 1))
        if share >= differing:
            differing, worst = share, volume.name
        probability = max(probability, float(np.abs(outputs[0] - outputs[1]).max()))
        slices += len(allowed)
    return MemberCheck(
        *(name, check.precision, data, mean_dice(full), mean_dice(stored)),
        *(len(full), slices, differing, worst, probability),
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
) -> tuple[str, Iterator[LabeledVolume]]:
    """What a member is compared on, in words and as volumes that are made when asked for."""
    left_out = [case for case in check.cases if case.fold == config.fold]
    if check.on != "synthesis" and left_out:
        return (
            "labelled cases of the fold left out",
            (load_volume(case, check.cache, None, config.shown) for case in left_out),
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
    stored = check.cache and stored_samples(check.cache, generator, sources, seed, config.shown)
    return (
        "synthetic samples of the held-out generator",
        (
            synthetic_volume(generator, sources, seed, number, stored, config.shown)
            for number in range(SAMPLES)
        ),
    )
