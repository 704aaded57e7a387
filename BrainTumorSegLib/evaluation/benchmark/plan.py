"""What is measured: the arms, and which of them are held against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

#: On what part of the case a quick benchmark compares, and how long it repeats each kernel.
_QUICK_CROP, _QUICK_SECONDS = "1/3 of the slices", 0.2


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


@dataclass
class Measured:
    """What was measured of one arm.

    Attributes:
        arm: which.
        runs: one a round, in their order.
        failure: ``message`` and ``remedy`` of the run that failed; none was tried after it.
    """

    arm: Arm
    runs: list[dict[str, Any]] = field(default_factory=list)
    failure: dict[str, Any] | None = None


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


def make_plan(
    base: Mapping[str, Any],
    engines: SequenceOf[str],
    ttas: SequenceOf[str],
    members: SequenceOf[int],
    cases: int = 3,
    parts: SequenceOf[str] = PARTS,
    quick: bool = False,
) -> Plan:
    """The arms for the comparisons that were chosen; what is the same in two is run once.

    Arms of every comparison but that of the cascade run without cascade, so that the work
    that they do can be counted.

    Args:
        base: fields of `Options` that hold for every arm (pack, registration, brain).
        engines: keys of `ENGINES`; the first is that of all other comparisons.
        ttas: names of TTA; the first is that of all other comparisons.
        members: numbers of members; the largest is that of all other comparisons.
        cases: how many cases one process does.
        parts: of `PARTS`.
        quick: compare engines, TTA and numbers of members on a crop, engines and TTA with the
            fewest members, and look for the peaks only for a moment.
    """
    arms: dict[str, Arm] = {}
    usual, whole, crop = engines[0], max(members), _QUICK_CROP if quick else WHOLE_CASE

    def run(
        case: str = WHOLE_CASE,
        cases: int = 1,
        engine: str = usual,
        views: str = ttas[0],
        members: int = whole,
        cascade: str = "off",
    ) -> str:
        options = {"views": views, "members": members, "cascade": cascade}
        name = f"{engine}, {views}, {members} member{'s' if members > 1 else ''}"
        name += "" if cascade == "off" else f", cascade {cascade}"
        name += f", {case}" if case != WHOLE_CASE else ""
        name += f", {cases} cases in one process" if cases > 1 else ""
        arm = Arm(name, "segment", {**base, **ENGINES[engine], **options}, case, cases)
        return arms.setdefault(name, arm).name

    first = run()
    few, which = (min(members), f"; {crop}") if quick else (whole, "")
    who = f"; {few} member{'s' if few > 1 else ''}, {crop}" if quick else ""
    # PyTorch in float32 is what every other figure can be compared with.
    ordered = sorted(engines, key=lambda name: name != "torch-fp32")
    sizes = sorted((crop, "all slices") if quick else SIZES, key=lambda size: SIZES[size] != 1.0)
    compared: Mapping[str, tuple[str, Callable[[], Mapping[str, str]]]] = {
        "engines": (
            f"Engines and precisions{who}",
            lambda: {name: run(crop, engine=name, members=few) for name in ordered},
        ),
        "views": (
            f"Views (TTA){who}",
            lambda: {name: run(crop, views=name, members=few) for name in sorted(ttas)},
        ),
        "members": (
            f"Members of the ensemble{which}",
            lambda: {str(count): run(crop, members=count) for count in sorted(members)},
        ),
        "cascade": (
            "Cascade: one member and view everywhere, all of them near tumour",
            lambda: {f"cascade {word}": run(cascade=word) for word in ("off", "on")},
        ),
        "size": (
            "Size of the volume (registered, with its brain mask)",
            lambda: {size: run(size) for size in sizes},
        ),
        "cases": (
            "Cases, seconds a case",
            lambda: {
                "one process a case": first,
                f"{cases} cases in one process": run(cases=cases),
            },
        ),
    }
    comparisons = tuple(
        Comparison(part, title, make()) for part, (title, make) in compared.items() if part in parts
    )
    if "cases" in parts:
        for empty in (False, True) if usual.startswith("openvino") else (False,):
            name = f"{usual}, {whole} loaded, {'empty' if empty else 'filled'} cache"
            options = {**base, **ENGINES[usual], "members": whole}
            arms[name] = Arm(name, "open", options, empty_cache=empty)
    if "roofline" in parts:
        seconds = {"seconds": _QUICK_SECONDS} if quick else {}
        for device in sorted({ENGINES[name]["device"] for name in engines}):
            name = f"peaks of {device}"
            arms[name] = Arm(name, "peaks", {"device": device, **seconds})
    return Plan(first, arms, comparisons)
