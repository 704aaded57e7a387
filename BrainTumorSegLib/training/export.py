"""From the members of a training run to a model pack with its figures."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.models.packs import ModelPack, NewMember, check_fields, make_pack
from BrainTumorSegLib.models.packs.files import check_free
from BrainTumorSegLib.models.weights import Precision, load_weights

from .checkpoint import TrainedMember, trained_member
from .config import TrainingConfig
from .quantization_check import (
    STAGE,
    MemberCheck,
    QuantizationCheck,
    check_figures,
    check_member,
    check_section,
    require_small_loss,
)

#: Measures of `evaluation.summary.flat_summary` that go into the manifest, with their titles.
_FIGURES = {
    "WT": "Dice, whole tumour (WT)",
    "TC": "Dice, tumour core (TC)",
    "ET": "Dice, enhancing tumour (ET), cases that have it",
    "ET_all": "Dice, enhancing tumour (ET), all cases, empty against empty = 1",
    "edema": "Dice, edema",
}

#: For the model card of members whose checkpoint was chosen where they are scored.
_OPTIMISTIC = (
    "The checkpoint of each member was chosen on slices of the fold left out of its training: "
    "figures on that fold are a little too good."
)


@dataclass(frozen=True)
class Evaluation:
    """What ``brain-tumor-seg evaluate`` wrote into its folder.

    Attributes:
        summary: means by name of the TTA.
        tables: Markdown.
        command: the command that made them.
    """

    summary: Mapping[str, Mapping[str, float]]
    tables: str
    command: str

    @property
    def how(self) -> str:
        """By whom the cases were scored."""
        out_of_fold = "--ensemble" not in shlex.split(self.command)
        return "each by members that never saw it" if out_of_fold else "all by the whole ensemble"


def read_evaluation(folder: Path) -> Evaluation:
    """Read the results of an evaluation.

    Raises:
        TrainingError: when the folder holds none, or one of several packs, numbers of members or
            conditions.
    """
    try:
        content = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        tables = (folder / "tables.md").read_text(encoding="utf-8")
        command = content["command"]
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{folder} holds no finished evaluation ({error}).",
            "Make one: brain-tumor-seg evaluate --output FOLDER ...",
        ) from error
    if "views" not in content:
        raise TrainingError(
            f"The evaluation in {folder} compares more than views, so that it has no figures of "
            "one pack.",
            "Evaluate the pack alone, without --members and --conditions.",
        )
    return Evaluation(content["views"], tables, command)


def read_notes(path: Path | None) -> str:
    """Markdown for the end of a model card; nothing without a file.

    Raises:
        TrainingError: when the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"Cannot read the notes {path}: {error}.", "Give a text file in UTF-8."
        ) from error


def pack_run(
    members: SequenceOf[Path],
    pack_fields: Mapping[str, Any],
    command: str,
    destination: Path,
    check: QuantizationCheck,
    precision: Precision = "int8",
    evaluation: Evaluation | None = None,
    notes: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ModelPack:
    """Write the pack of a training run, if its weights lose little by being stored.

    Args:
        members: folders of finished members, all of one network and input.
        pack_fields: the ``[pack]`` table of the run's file.
        command: that trained them, for the provenance.
        destination: folder of the pack.
        check: on what members are compared with themselves in fp32, and what they may lose.
        precision: of the stored weights; fp32 is what was trained, and not compared.
        evaluation: figures for manifest and model card.
        notes: Markdown for the end of the model card.
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
        if (other.network, other.input_channels) != (config.network, config.input_channels):
            raise TrainingError(
                f"{member.folder} has another network or input than {members[0]}.",
                "Put members of one recipe into a pack.",
            )
    fields = _fields(pack_fields, config)
    # Comparing takes its time; a destination that is taken is told before.
    check_free(destination, overwrite)
    checks = [] if precision == "fp32" else _compare(trained, precision, check, progress)
    fields["provenance"] |= {
        "command": command,
        "date": max(member.record["finished"] for member in trained)[:10],
        "code_version": trained[0].record["version"],
    }
    fields["validation"] = [
        *(_figures(evaluation) if evaluation else []),
        *check_figures(checks, check.command),
    ]
    parts = [notes, check_section(checks, check.command, check.allowed_loss)]
    if any(m.record.get("kept", {}).get("chosen_on") == "fold" for m in trained):
        parts.append(_OPTIMISTIC)
    if evaluation:
        parts.append(f"## Case by case, {evaluation.how}\n\n{evaluation.tables}")
    card = "\n\n".join(part for part in parts if part.strip())
    return make_pack(destination, fields, _new_members(trained), precision, card, overwrite)


def check_pack(pack_fields: Mapping[str, Any], config: TrainingConfig, file: Path) -> None:
    """Refuse, before anything is trained, what `pack_run` would refuse in the end.

    Args:
        pack_fields: the ``[pack]`` table of ``file``.
        config: of the members.
        file: of the run.

    Raises:
        TrainingError: naming the file and the field of ``[pack]`` that is missing or wrong.
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
    own = {"recipe": config.input_channels, "network": asdict(config.network)}
    return fields | own | {"provenance": {"sources": sources}}


def _compare(
    members: SequenceOf[TrainedMember],
    precision: Precision,
    check: QuantizationCheck,
    progress: Progress | None,
) -> list[MemberCheck]:
    progress = progress or Progress()
    progress.stage(STAGE, len(members))
    checks = []
    for member in members:
        name, state = member.folder.name, load_weights(member.weights)
        checks.append(check_member(name, state, member.config, precision, check))
        progress.advance(1, name)
    require_small_loss(checks, check.allowed_loss)
    return checks


def _new_members(members: SequenceOf[TrainedMember]) -> Iterator[NewMember]:
    for member in members:
        config, record = member.config, member.record
        trained = {"fold": config.fold, "seed": config.seed, "steps": config.steps}
        kept = record.get("kept", {})
        if kept.get("chosen_on"):
            trained |= {"kept_step": kept["step"], "chosen_on": kept["chosen_on"]}
        if record.get("started_from"):
            trained["started_from"] = record["started_from"]["origin"]
        yield NewMember(member.folder.name, load_weights(member.weights), trained)


def _figures(evaluation: Evaluation) -> list[dict[str, Any]]:
    return [
        {
            "measure": f"{title}, views {views}",
            "value": summary[key],
            "cases": int(summary["cases_with_ET" if key == "ET" else "cases"]),
            "data": f"labelled cases, {evaluation.how}",
            "command": evaluation.command,
        }
        for views, summary in evaluation.summary.items()
        for key, title in _FIGURES.items()
        if key in summary
    ]
