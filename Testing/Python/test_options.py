"""The one definition of an option: what it checks, and what is made of it."""

from __future__ import annotations

import argparse
import copy
import json
import math
import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.option_fields import add_options, command_line, given_options, options_of
from BrainTumorSegLib.core.options import Options, ProcessOptions, Tta, options_table

#: Names of version 0.1, and today's.
OLD = {
    "views": ("tta", "tta1"),
    "cascade": ("slice_preselection", "on"),
    "shading": ("bias_field", "n4"),
    "keep_islands": ("keep_distant_components", True),
}

#: What the record of version 0.1 held.
RECORDED = {
    *("pack", "members", "views", "cascade", "device", "engine", "precision", "registration"),
    *("brain", "shading", "min_lesion_mm3", "keep_islands"),
}


def parsed(words: list[str]) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser, Options)
    return given_options(Options, parser.parse_args(words))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("min_lesion_mm3", value) for value in (math.nan, math.inf, -5, "-5", "much", True)),
        *(("batch", value) for value in (0, -1, 2.5, "2.5", math.inf, False)),
        *(("members", value) for value in (0, -1, "0", "", (), (1, 2), True, 1.5)),
        *(("tta", "tta9"), ("engine", "tensorrt"), ("precision", "int8"), ("bias_field", 4)),
        *(("registration", "elastix"), ("slice_preselection", "maybe"), ("brain", "no such file")),
        *(("keep_distant_components", "yes"), ("min_lesion_mm3", None), ("engine", None)),
    ],
)
def test_what_cannot_be_taken_is_refused_by_name_with_advice(name, value):
    with pytest.raises(InputError, match=f"^{name} cannot be") as caught:
        Options(**{name: value})
    assert caught.value.remedy


@pytest.mark.parametrize(("threads", "progress"), [(0, "bar"), (-1, "bar"), (1, "loud")])
def test_what_no_process_can_do_is_refused(threads, progress):
    with pytest.raises(InputError):
        ProcessOptions(threads, progress)


def test_words_are_taken_in_any_case_and_numbers_as_text(tmp_path):
    mask = tmp_path / "mask.nrrd"
    mask.touch()
    options = Options(tta="TTA2", members="a, b", batch="4", min_lesion_mm3="0", brain=str(mask))
    assert options.tta is Tta.TTA2
    assert (options.members, options.batch, options.min_lesion_mm3) == (("a", "b"), 4, 0.0)
    assert options.brain == mask
    assert Options(brain="HDBET").brain == "hdbet"


@pytest.mark.parametrize("old", OLD)
def test_names_of_version_0_1_still_work_with_a_warning(old):
    new, value = OLD[old]
    with pytest.warns(DeprecationWarning, match=f"{old} is now called {new}"):
        options = Options(**{old: value})
    assert options == Options(**{new: value})
    with pytest.warns(DeprecationWarning):
        assert getattr(options, old) == value
    with pytest.warns(DeprecationWarning):
        assert replace(Options(), **{old: value}) == options


def test_options_can_be_copied_and_have_no_other_names():
    options = Options(tta="tta1")
    assert copy.deepcopy(options) == options
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301
    with pytest.raises(AttributeError):
        options.color  # noqa: B018
    with pytest.raises(TypeError):
        Options(color="red")


def test_the_record_has_the_fields_of_version_0_1_beside_todays_names():
    record = Options(tta="tta3", members=("a",), keep_distant_components=True).as_record()
    assert json.loads(json.dumps(record)) == record
    assert record.keys() == RECORDED | {new for new, _ in OLD.values()}
    for old, (new, _) in OLD.items():
        assert record[old] == record[new]
    assert all(type(value) in (str, list, float, bool, type(None)) for value in record.values())


def test_the_record_says_that_a_mask_was_given(tmp_path):
    mask = tmp_path / "mask.nrrd"
    mask.touch()
    assert Options(brain=mask).as_record()["brain"] == "mask"
    assert Options(brain_mask=object()).as_record()["brain"] == "mask"


def test_defaults_are_left_out_of_a_command_line():
    assert command_line(Options()) == [] == command_line(ProcessOptions())
    assert parsed([]) == Options()


def choices_of(name: str) -> st.SearchStrategy:
    definition = options_of(Options)[name]
    if definition.choices:
        return st.sampled_from(definition.choices)
    names = st.sampled_from(["fold0", "seed-3", "-a", "a_b"])
    return {
        "pack": st.sampled_from(["glioma-lite", "-pack", "a folder/pack", "0"]),
        "members": st.integers(1, 9) | st.lists(names, min_size=1).map(tuple),
        "device": st.sampled_from(["auto", "cpu", "cuda:1", "mps"]),
        "batch": st.integers(1, 10**6),
        "brainsfit": st.just(Path("a b/BRAINSFit")),
        "brain": st.sampled_from(["auto", "stripped", "deepbet", "hdbet"]),
        "min_lesion_mm3": st.floats(0, 1e9),
        "keep_distant_components": st.booleans(),
    }[name]


@settings(deadline=None)  # a slow machine is no failure
@given(st.data())
def test_a_command_line_gives_back_the_options_it_was_made_from(data):
    on_the_command_line = [name for name, option in options_of(Options).items() if option.flags]
    chosen = data.draw(st.sets(st.sampled_from(on_the_command_line)))
    options = Options(**{name: data.draw(choices_of(name), label=name) for name in sorted(chosen)})
    assert parsed(command_line(options)) == options


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--shading", "off"], "bias_field", "off"),
        (["--bias-field", "off"], "bias_field", "off"),
        (["--cascade", "on"], "slice_preselection", "on"),
        (["--slice-preselection", "on"], "slice_preselection", "on"),
        (["--keep-islands"], "keep_distant_components", True),
        (["--keep-distant-components"], "keep_distant_components", True),
    ],
)
def test_flags_of_version_0_1_are_still_there(words, name, value):
    assert getattr(parsed(words), name) == value


def test_every_option_has_its_definition_and_a_line_in_the_documentation():
    assert list(options_of(Options)) == [field.name for field in fields(Options)]
    table = options_table()
    for name, definition in options_of(Options).items():
        assert f"| `{name}` |" in table and f" {definition.help} |" in table
        assert all(f"`{flag}`" in table for flag in definition.flags)
    assert {line.count("|") - line.count("\\|") for line in table.splitlines()} == {6}
