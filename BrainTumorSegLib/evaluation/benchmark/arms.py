"""What is measured: the arms, and which of them are held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, fields
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, InputError
from BrainTumorSegLib.core.options import Options

#: What can be asked for, in the order of the report.
PARTS = ("engines", "views", "members", "cascade", "size", "cases", "roofline")

#: Engines with their precisions, by the name that a person gives.
ENGINES: Mapping[str, Mapping[str, str]] = {
    f"{name}-{precision}": {"engine": engine, "device": device, "precision": precision}
    for name, engine, device, precisions in (
        ("torch", "torch", "cpu", ("fp32", "bf16")),
        ("openvino", "openvino", "cpu", ("fp32", "bf16")),
        ("cuda", "torch", "cuda", ("fp32", "bf16", "fp16")),
        ("mps", "torch", "mps", ("fp32",)),
    )
    for precision in precisions
}

#: Sizes of the case: share of the brain's slices, or of the scan's extent when above one.
SIZES: Mapping[str, float] = {
    "1/3 of the slices": 1 / 3,
    "2/3 of the slices": 2 / 3,
    "all slices": 1.0,
    "1.5 times the border": 1.5,
}

#: The case as it was given; the sizes are cut from it.
WHOLE_CASE = "case"


@dataclass(frozen=True)
class Arm:
    """One way to run, each time in a process of its own.

    Attributes:
        name: says all of it; no two arms share one.
        kind: ``segment``, ``open`` (only load the networks) or ``peaks`` (only measure the
            machine).
        options: fields of `options.Options` that are set, plain JSON types.
        case: `WHOLE_CASE` or a key of `SIZES`.
        cases: how many cases the process segments one after the other.
        empty_cache: whether converted networks of earlier runs are out of reach.
    """

    name: str
    kind: str = "segment"
    options: Mapping[str, Any] = field(default_factory=dict)
    case: str = WHOLE_CASE
    cases: int = 1
    empty_cache: bool = False


@dataclass(frozen=True)
class Comparison:
    """Arms side by side; the first one is what the others are divided by.

    Attributes:
        part: of `PARTS`.
        title: for people.
        arms: name of the arm by the label that it has here.
    """

    part: str
    title: str
    arms: Mapping[str, str]

    @property
    def baseline(self) -> str:
        return next(iter(self.arms.values()))


@dataclass(frozen=True)
class Plan:
    """Everything that is going to be measured.

    Attributes:
        base: name of the arm whose stages are shown.
        arms: by name.
        comparisons: what is held against what.
    """

    base: str
    arms: Mapping[str, Arm]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Wishes:
    """What a person chose.

    Attributes:
        base: fields of `Options` that hold for every arm (pack, registration, brain).
        engines: keys of `ENGINES`; the first is that of all other comparisons.
        views: sets of views; the first is that of all other comparisons.
        members: numbers of members; the largest is that of all other comparisons.
        sizes: keys of `SIZES`.
        cases: how many cases one process does.
        parts: of `PARTS`.
        crop: the size on which engines, views and numbers of members are compared, engines
            and views with the fewest members; `WHOLE_CASE` compares all in full.
        peak_seconds: how long each kernel is repeated to find the machine's peaks; None for
            the usual time.
    """

    base: Mapping[str, Any]
    engines: tuple[str, ...]
    views: tuple[str, ...]
    members: tuple[int, ...]
    sizes: tuple[str, ...] = tuple(SIZES)
    cases: int = 3
    parts: tuple[str, ...] = PARTS
    crop: str = WHOLE_CASE
    peak_seconds: float | None = None


def engines_by_name(names: SequenceOf[str]) -> tuple[str, ...]:
    """Keys of `ENGINES` for names like ``openvino`` or ``torch-bf16``.

    Raises:
        InputError: for a name that stands for none.
    """
    found: list[str] = []
    for name in names:
        meant = [key for key in ENGINES if key == name or key.partition("-")[0] == name]
        if not meant:
            raise InputError(
                f"Unknown engine {name!r}.",
                f"Known: {', '.join(ENGINES)}; without a precision all of that engine's.",
            )
        found += [key for key in meant if key not in found]
    return tuple(found)


def available_engines(bf16: bool = False) -> tuple[tuple[str, ...], dict[str, str]]:
    """Engines that can be tried here, the one a run takes by itself first; why not the others.

    Args:
        bf16: whether the pack allows it, `ModelPack.allows_bf16`.
    """
    from BrainTumorSegLib.inference.engines.choosing import plan_engine

    there, absent = [], {}
    for name, wish in ENGINES.items():
        try:
            plan_engine(**wish)
        except BrainTumorSegError as error:
            absent[name] = error.message
        else:
            there.append(name)
    chosen = plan_engine(bf16=bf16)
    kind = chosen.device.partition(":")[0]
    usual = f"{chosen.name if kind == 'cpu' else kind}-{chosen.precision}"
    return tuple(sorted(there, key=lambda name: name != usual)), absent


def has_cascade() -> bool:
    """Whether the pipeline has a cascade that can be switched."""
    return "slice_preselection" in {option.name for option in fields(Options)}


def make_plan(wishes: Wishes) -> Plan:
    """The arms for the comparisons that were chosen; what is the same in two is run once.

    Arms of every comparison but that of the cascade run without cascade, so that the work
    that they do can be counted.
    """
    arms: dict[str, Arm] = {}
    engine, views, members = wishes.engines[0], wishes.views[0], max(wishes.members)

    def run(
        engine: str = engine,
        views: str = views,
        members: int = members,
        cascade: str | None = "off",
        case: str = WHOLE_CASE,
        cases: int = 1,
    ) -> str:
        name = f"{engine}, {views}, {members} member{'s' if members > 1 else ''}"
        options = {**wishes.base, **ENGINES[engine], "views": views, "members": members}
        if has_cascade():
            options["cascade"] = cascade
            name += "" if cascade == "off" else f", cascade {cascade}"
        name += f", {case}" if case != WHOLE_CASE else ""
        name += f", {cases} cases in one process" if cases > 1 else ""
        arms.setdefault(name, Arm(name, "segment", options, case, cases))
        return name

    def opened(empty: bool) -> str:
        name = f"{engine}, {members} loaded, {'empty' if empty else 'filled'} cache"
        options = {**wishes.base, **ENGINES[engine], "members": members}
        arms.setdefault(name, Arm(name, "open", options, empty_cache=empty))
        return name

    base = run()
    few, which = members, ""
    if wishes.crop != WHOLE_CASE:
        few = min(wishes.members)
        which = f"; {few} member{'s' if few > 1 else ''}, {wishes.crop}"
    comparisons = []
    for part in PARTS:
        if part not in wishes.parts:
            continue
        if part == "engines":
            # PyTorch in float32 is what every other figure can be compared with.
            order = sorted(wishes.engines, key=lambda name: name != "torch-fp32")
            compared = {name: run(engine=name, members=few, case=wishes.crop) for name in order}
            title = f"Engines and precisions{which}"
        elif part == "views":
            order = sorted(wishes.views)  # none, tta1, tta2, tta3
            compared = {name: run(views=name, members=few, case=wishes.crop) for name in order}
            title = f"Views (TTA){which}"
        elif part == "members":
            counts = sorted(wishes.members)
            compared = {str(count): run(members=count, case=wishes.crop) for count in counts}
            title = "Members of the ensemble" + (f"; {wishes.crop}" if which else "")
        elif part == "cascade" and has_cascade():
            compared = {f"cascade {word}": run(cascade=word) for word in ("off", "on")}
            title = "Cascade: one member and view everywhere, all of them near tumour"
        elif part == "size":
            compared = {size: run(case=size) for size in _whole_first(wishes.sizes)}
            title = "Size of the volume (registered, with its brain mask)"
        elif part == "cases":
            compared = {
                "one process a case": base,
                f"{wishes.cases} cases in one process": run(cases=wishes.cases),
            }
            opened(False)
            if engine.startswith("openvino"):
                opened(True)
            title = "Cases, seconds a case"
        else:
            continue
        comparisons.append(Comparison(part, title, compared))
    if "roofline" in wishes.parts:
        for device in sorted({ENGINES[name]["device"] for name in wishes.engines}):
            name = f"peaks of {device}"
            options = {"device": device}
            if wishes.peak_seconds is not None:
                options["seconds"] = wishes.peak_seconds
            arms[name] = Arm(name, "peaks", options)
    return Plan(base, arms, tuple(comparisons))


def _whole_first(sizes: SequenceOf[str]) -> list[str]:
    return sorted(sizes, key=lambda size: SIZES[size] != 1.0)
