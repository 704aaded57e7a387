"""What is measured: the arms, and which of them are held against each other."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, InputError

#: What can be asked for, in the order of the report.
PARTS = ("engines", "views", "members", "cascade", "size", "cases", "roofline")

#: Engines with their precisions, by name on the command line.
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
        options: fields of `core.options.Options` that are set, plain JSON types.
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
        """Name of the first arm."""
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
class Choices:
    """What the user chose.

    Attributes:
        base: fields of `Options` that hold for every arm (pack, registration, brain).
        engines: keys of `ENGINES`; the first is that of all other comparisons.
        views: names of TTA; the first is that of all other comparisons.
        members: numbers of members; the largest is that of all other comparisons.
        sizes: keys of `SIZES`.
        cases: how many cases one process does.
        parts: of `PARTS`.
        crop: the size on which engines, TTA and numbers of members are compared, engines
            and TTA with the fewest members; `WHOLE_CASE` compares all in full.
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
        meant = [key for key in ENGINES if name in (key, key.partition("-")[0])]
        if not meant:
            raise InputError(
                f"Unknown engine {name!r}.",
                f"Known: {', '.join(ENGINES)}; without a precision all of that engine's.",
            )
        found += meant
    return tuple(dict.fromkeys(found))


def available_engines(bf16: bool = False) -> tuple[tuple[str, ...], dict[str, str]]:
    """Engines that can be tried here, the one a run takes by itself first; why not the others.

    Args:
        bf16: whether the pack allows it, `ModelPack.allows_bf16`.
    """
    from BrainTumorSegLib.inference.engines.choosing import plan_engine

    there, absent = [], {}
    for name, requested in ENGINES.items():
        try:
            plan_engine(**requested)
        except BrainTumorSegError as error:
            absent[name] = error.message
        else:
            there.append(name)
    chosen = plan_engine(bf16=bf16)
    kind = chosen.device.partition(":")[0]
    usual = f"{chosen.name if kind == 'cpu' else kind}-{chosen.precision}"
    return tuple(sorted(there, key=lambda name: name != usual)), absent


def make_plan(choices: Choices) -> Plan:
    """The arms for the comparisons that were chosen; what is the same in two is run once.

    Arms of every comparison but that of the cascade run without cascade, so that the work
    that they do can be counted.
    """
    arms: dict[str, Arm] = {}
    engine, views, members = choices.engines[0], choices.views[0], max(choices.members)

    def run(case: str = WHOLE_CASE, cases: int = 1, engine: str = engine, **changed: Any) -> str:
        options = {**choices.base, **ENGINES[engine], "views": views, "members": members}
        options |= {"cascade": "off", **changed}
        plural = "s" if options["members"] > 1 else ""
        name = f"{engine}, {options['views']}, {options['members']} member{plural}"
        name += "" if options["cascade"] == "off" else f", cascade {options['cascade']}"
        name += f", {case}" if case != WHOLE_CASE else ""
        name += f", {cases} cases in one process" if cases > 1 else ""
        arms.setdefault(name, Arm(name, "segment", options, case, cases))
        return name

    base = run()
    few, which = members, ""
    if choices.crop != WHOLE_CASE:
        few = min(choices.members)
        which = f"; {few} member{'s' if few > 1 else ''}, {choices.crop}"
    # PyTorch in float32 is what every other figure can be compared with.
    engines = sorted(choices.engines, key=lambda name: name != "torch-fp32")
    whole_first = sorted(choices.sizes, key=lambda size: SIZES[size] != 1.0)
    compared = {
        "engines": (
            f"Engines and precisions{which}",
            lambda: {e: run(choices.crop, engine=e, members=few) for e in engines},
        ),
        "views": (
            f"Views (TTA){which}",
            lambda: {v: run(choices.crop, views=v, members=few) for v in sorted(choices.views)},
        ),
        "members": (
            f"Members of the ensemble{which and '; ' + choices.crop}",
            lambda: {str(m): run(choices.crop, members=m) for m in sorted(choices.members)},
        ),
        "cascade": (
            "Cascade: one member and view everywhere, all of them near tumour",
            lambda: {f"cascade {word}": run(cascade=word) for word in ("off", "on")},
        ),
        "size": (
            "Size of the volume (registered, with its brain mask)",
            lambda: {size: run(size) for size in whole_first},
        ),
        "cases": (
            "Cases, seconds a case",
            lambda: {
                "one process a case": base,
                f"{choices.cases} cases in one process": run(cases=choices.cases),
            },
        ),
    }
    comparisons = tuple(
        Comparison(part, title, make())
        for part, (title, make) in compared.items()
        if part in choices.parts
    )
    if "cases" in choices.parts:
        for empty in (False, True) if engine.startswith("openvino") else (False,):
            name = f"{engine}, {members} loaded, {'empty' if empty else 'filled'} cache"
            options = {**choices.base, **ENGINES[engine], "members": members}
            arms[name] = Arm(name, "open", options, empty_cache=empty)
    if "roofline" in choices.parts:
        seconds = {} if choices.peak_seconds is None else {"seconds": choices.peak_seconds}
        for device in sorted({ENGINES[name]["device"] for name in choices.engines}):
            name = f"peaks of {device}"
            arms[name] = Arm(name, "peaks", {"device": device, **seconds})
    return Plan(base, arms, comparisons)
