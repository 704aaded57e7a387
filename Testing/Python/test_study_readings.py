"""Readings, their blindness, what they lead to, and adjudication: whole, or not begun."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from study_readers import case_name, changed, small_study

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.study import deciding, readings
from BrainTumorSegLib.study.disputes import EDITED
from BrainTumorSegLib.study.journal import Event, append, read_journal
from BrainTumorSegLib.study.layout import APPROVED, AUTO, SLICER
from BrainTumorSegLib.study.opening import open_study
from BrainTumorSegLib.study.readings import Verdict, finish_reading, labels_of, save_reading
from BrainTumorSegLib.study.states import State

CASE = case_name(1)

#: Two places in a corner, apart from the lesion and from each other.
ONE, OTHER = (slice(1, 3), slice(1, 3), slice(2, 5)), (4, 17, 17)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return small_study(tmp_path_factory.mktemp("template") / "study", cases=1).folder


@pytest.fixture
def study(template, tmp_path):
    shutil.copytree(template, tmp_path / "study")
    return open_study(tmp_path / "study")


@pytest.fixture
def auto(study):
    return labels_of(study, CASE, AUTO)


def assign(study, *letters):
    append(study.layout, Event.ASSIGNED, CASE, readers=list(letters))


def array(study, description):
    return sitk.GetArrayFromImage(labels_of(study, CASE, description))


def test_a_result_that_is_approved_without_a_change_is_counted_as_such(study, auto):
    found = finish_reading(study, CASE, "A", auto, minutes=2.5)
    assert (found.verdict, found.changed_voxels, found.minutes) == (Verdict.APPROVED, 0, 2.5)
    assert deciding.conclude(study, CASE) is State.APPROVED
    assert np.array_equal(array(study, APPROVED), array(study, AUTO))
    assert study.layout.segmentation(CASE, APPROVED, SLICER).is_file()


def test_a_changed_result_is_corrected_and_its_voxels_are_counted(study, auto):
    found = finish_reading(study, CASE, "A", changed(auto, ONE))
    assert (found.verdict, found.changed_voxels) == (Verdict.CORRECTED, 12)


def test_a_draft_is_no_reading_and_is_gone_on_with(study, auto):
    save_reading(study, CASE, "A", changed(auto, ONE), minutes=1)
    assert study.state(CASE).state is State.CORRECTED
    assert deciding.conclude(study, CASE) is State.CORRECTED
    again = sitk.GetArrayFromImage(readings.start_of(study, CASE, "A"))
    assert again[1, 1, 2] == Tissue.EDEMA


def test_a_second_reader_begins_with_the_automatic_result_and_sees_the_first_one_at_the_end(
    study, auto
):
    assign(study, "A", "B")
    finish_reading(study, CASE, "A", changed(auto, ONE))
    assert readings.may_see(study, CASE, "B") == (AUTO,)
    start = sitk.GetArrayFromImage(readings.start_of(study, CASE, "B"))
    assert np.array_equal(start, array(study, AUTO))
    save_reading(study, CASE, "B", auto)
    assert readings.may_see(study, CASE, "B") == (AUTO, "readerB")
    finish_reading(study, CASE, "B", auto)
    assert readings.may_see(study, CASE, "B") == (AUTO, "readerB", "readerA")


def test_a_finished_reading_is_changed_only_after_it_was_reopened_and_the_journal_says_so(
    study, auto
):
    finish_reading(study, CASE, "A", auto)
    deciding.conclude(study, CASE)
    with pytest.raises(InputError, match="has finished"):
        save_reading(study, CASE, "A", changed(auto, ONE))
    readings.reopen(study, CASE, "A", "edema was overlooked")
    finish_reading(study, CASE, "A", changed(auto, ONE))
    assert deciding.conclude(study, CASE) is State.APPROVED
    assert array(study, APPROVED)[1, 1, 2] == Tissue.EDEMA
    told = [e.more.get("reason") for e in read_journal(study.layout, CASE) if e.what == "reopened"]
    assert told == ["edema was overlooked"]


def test_readers_who_may_not_read_a_case_or_name_no_tissue_are_refused(study, auto):
    assign(study, "A")
    with pytest.raises(InputError, match="not by B"):
        finish_reading(study, CASE, "B", auto)
    with pytest.raises(InputError, match="no reader 'C'"):
        save_reading(study, CASE, "C", auto)
    with pytest.raises(InputError, match="no tissue"):
        save_reading(study, CASE, "A", changed(auto, ONE, tissue=7))
    with pytest.raises(InputError, match="no reason"):
        finish_reading(study, CASE, "A", auto, excluded="ugly")
    assert study.state(CASE).state is State.AUTOMATIC


def test_readings_that_agree_in_every_voxel_are_approved_and_others_wait_in_dispute(study, auto):
    assign(study, "A", "B")
    finish_reading(study, CASE, "A", changed(auto, ONE))
    assert deciding.conclude(study, CASE) is State.READ_A
    finish_reading(study, CASE, "B", changed(auto, ONE))
    assert deciding.conclude(study, CASE) is State.APPROVED
    assert [e.what for e in read_journal(study.layout, CASE)][-2:] == ["agreed", "approved"]
    readings.reopen(study, CASE, "B")
    finish_reading(study, CASE, "B", auto)
    assert deciding.conclude(study, CASE) is State.IN_DISPUTE
    (entry,) = [e for e in read_journal(study.layout, CASE) if e.what is Event.DISPUTED]
    assert (entry.more["regions"], entry.more["voxels"]) == (1, 12)


def test_a_case_that_all_readers_exclude_is_excluded_and_one_that_some_do_is_in_dispute(
    study, auto
):
    assign(study, "A", "B")
    finish_reading(study, CASE, "A", auto, excluded="after surgery")
    finish_reading(study, CASE, "B", changed(auto, ONE))
    assert deciding.conclude(study, CASE) is State.IN_DISPUTE
    open_ = deciding.open_adjudication(study, CASE)
    assert open_.excluded_by == ("A",) and not open_.undecided
    deciding.approve(study, open_)
    assert array(study, APPROVED)[1, 1, 2] == Tissue.EDEMA
    readings.reopen(study, CASE, "B")
    finish_reading(study, CASE, "B", auto, excluded="bad quality")
    assert deciding.conclude(study, CASE) is State.EXCLUDED
    assert study.state(CASE).reason == "after surgery"


@pytest.fixture
def disputed(study, auto):
    assign(study, "A", "B")
    finish_reading(study, CASE, "A", changed(auto, ONE))
    finish_reading(study, CASE, "B", changed(auto, OTHER, tissue=Tissue.ENHANCING))
    assert deciding.conclude(study, CASE) is State.IN_DISPUTE
    return study


def test_adjudication_touches_disputed_voxels_only_and_ends_in_approval(disputed):
    open_ = deciding.open_adjudication(disputed, CASE)
    assert [region.voxels for region in open_.disputes.regions] == [12, 1]
    open_ = deciding.decide(disputed, open_, {1: "B"})
    with pytest.raises(InputError, match="number 2"):
        deciding.approve(disputed, open_)
    open_ = deciding.decide(disputed, open_, {2: "B"})
    deciding.approve(disputed, open_)
    assert disputed.state(CASE).state is State.APPROVED
    assert np.array_equal(array(disputed, APPROVED), array(disputed, "readerB"))


def test_an_edited_region_is_kept_when_the_adjudication_is_opened_again(disputed):
    open_ = deciding.open_adjudication(disputed, CASE)
    edited = np.full_like(open_.labels, Tissue.NECROSIS)
    deciding.decide(disputed, open_, {1: EDITED}, edited)
    again = deciding.open_adjudication(disputed, CASE)
    assert again.choices == {1: EDITED} and again.undecided == [2]
    again = deciding.decide(disputed, again, {2: "A"})
    deciding.approve(disputed, again)
    approved, first = array(disputed, APPROVED), array(disputed, "readerA")
    assert (approved[ONE] == Tissue.NECROSIS).all()
    agreed = array(disputed, "readerA") == array(disputed, "readerB")
    assert np.array_equal(approved[agreed], first[agreed])


def test_choices_are_forgotten_when_a_reading_was_reopened_since(disputed, auto):
    deciding.decide(disputed, deciding.open_adjudication(disputed, CASE), {1: "A"})
    readings.reopen(disputed, CASE, "B")
    finish_reading(disputed, CASE, "B", changed(auto, OTHER, (0, 1, 1)))
    assert deciding.conclude(disputed, CASE) is State.IN_DISPUTE
    assert deciding.open_adjudication(disputed, CASE).choices == {}


def test_a_reading_that_was_changed_behind_the_journal_is_not_adjudicated(disputed, auto):
    readings.write_segmentation(disputed, CASE, "readerB", auto)
    with pytest.raises(InputError, match="not what reader B finished"):
        deciding.open_adjudication(disputed, CASE)


def _read(folder, letter, rounds):
    study = open_study(folder)
    labels = labels_of(study, CASE, AUTO)
    for number in range(rounds):
        save_reading(study, CASE, letter, changed(labels, (number % 6, 0, 0)))
    finish_reading(study, CASE, letter, changed(labels, (0, 0, ord(letter) - ord("A"))))
    deciding.conclude(study, CASE)


def test_two_processes_that_read_one_case_lose_nothing_of_each_other(study):
    assign(study, "A", "B")
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_read, args=(study.folder, x, 4)) for x in "AB"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert study.state(CASE).finished == ("A", "B")
    assert study.state(CASE).state is State.IN_DISPUTE
    entries = read_journal(study.layout, CASE)
    assert sum(entry.what is Event.SAVED for entry in entries) == 8
    for letter, column in (("A", 0), ("B", 1)):
        assert array(study, f"reader{letter}")[0, 0, column] == Tissue.EDEMA


_FOREVER = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
import numpy as np
from test_study_readings import CASE, changed
from BrainTumorSegLib.study import deciding, readings
from BrainTumorSegLib.study.opening import open_study
study = open_study(Path({folder!r}))
if {what!r} == "read":
    labels = readings.labels_of(study, CASE, "auto")
    print("begun", flush=True)
    while True:
        for tissue in (1, 4):
            whole = changed(labels, np.s_[:], tissue=tissue)
            readings.save_reading(study, CASE, "A", whole)
open_ = deciding.open_adjudication(study, CASE)
print("begun", flush=True)
while True:
    for choice in "AB":
        open_ = deciding.decide(study, open_, {{1: choice, 2: choice}})
"""


def _killed(folder: Path, what: str, seconds: float) -> None:
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    script = _FOREVER.format(paths=paths, folder=str(folder), what=what)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_who_is_killed_while_saving_a_reading_leaves_nothing_half(study, auto):
    _killed(study.folder, "read", 0.2)
    assert len(np.unique(array(study, "readerA"))) == 1
    # Nothing stays locked, and the next one that is saved is whole.
    save_reading(study, CASE, "A", auto)
    assert np.array_equal(array(study, "readerA"), array(study, AUTO))
    left = [path.name for path in study.layout.results(CASE).iterdir() if path.name[0] == "."]
    assert left == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_who_is_killed_while_adjudicating_leaves_the_last_decision_or_the_one_before(disputed):
    _killed(disputed.folder, "adjudicate", 0.1)
    open_ = deciding.open_adjudication(disputed, CASE)
    assert set(open_.choices.values()) in ({"A"}, {"B"})
    letter = open_.choices[1]
    assert np.array_equal(open_.labels, array(disputed, f"reader{letter}"))
    deciding.approve(disputed, deciding.decide(disputed, open_, {1: "B", 2: "A"}))
    assert disputed.state(CASE).state is State.APPROVED
