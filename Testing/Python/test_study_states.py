"""A study's folder: settings, registry, journal, leases, and the states that follow from them."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.study.journal import Event, append, author, read_journal
from BrainTumorSegLib.study.layout import SLICER, CaseName
from BrainTumorSegLib.study.leases import hold
from BrainTumorSegLib.study.opening import make_study, open_study
from BrainTumorSegLib.study.registry import update_registry
from BrainTumorSegLib.study.states import State

CASE = CaseName("001", "01")


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study", "Tumors of the brain")


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_new_study_opens_with_what_it_was_made_with(study):
    again = open_study(study.folder)
    assert again.settings == study.settings
    assert again.states() == [] and again.registry() == {}
    assert [entry.what for entry in read_journal(again.layout)] == [Event.CREATED]


def test_a_study_is_not_made_where_something_lies(tmp_path):
    touch(tmp_path / "scan.nii")
    with pytest.raises(OutputError, match="not empty"):
        make_study(tmp_path, "Title")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("titel = 'x'", "Did you mean title"),
        ("readers = ['A']", "cannot be"),
        ("profile = 'none'", "profile is 'none'"),
        ("id = 'x'", "no usable id"),
        ("=", "cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_the_key(study, line, told):
    path = study.layout.settings
    kept = [t for t in path.read_text().splitlines() if "=" in t and t[:3] != line[:3]]
    path.write_text("\n".join([line, *kept]) + "\n")
    with pytest.raises(InputError, match=told):
        open_study(study.folder)


def test_states_follow_from_files_and_journal_alone(study):
    layout = study.layout
    seen = []

    def now():
        (status,) = study.states()
        seen.append(status.state)
        return status

    append(layout, Event.RECEIVED, CASE, reason="T1CE may be series 5 or 7.")
    assert now().stuck and "series 5" in now().reason
    for sequence in Sequence:
        touch(layout.raw(CASE, sequence))
    assert now().state is State.RECEIVED  # its journal does not say that all of it is there
    append(layout, Event.ANONYMISED, CASE)
    assert not now().stuck
    for sequence in (Sequence.T1, Sequence.FLAIR):
        touch(layout.registered(CASE, sequence))
    append(layout, Event.REGISTERED, CASE)
    now()
    touch(layout.segmentation(CASE, "auto"))
    append(layout, Event.SEGMENTED, CASE, doubtful_share=0.2)
    assert now().more == {"doubtful_share": 0.2}
    touch(layout.segmentation(CASE, "readerA", SLICER))
    append(layout, Event.SAVED, CASE, reader="A")
    assert now().begun == ("A",)
    append(layout, Event.READ, CASE, reader="A")
    now()
    touch(layout.segmentation(CASE, "readerB"))
    append(layout, Event.READ, CASE, reader="B")
    assert now().finished == ("A", "B")
    append(layout, Event.DISPUTED, CASE)
    now()
    touch(layout.segmentation(CASE, "approved"))
    append(layout, Event.ADJUDICATED, CASE)
    now()
    append(layout, Event.APPROVED, CASE)
    now()
    append(layout, Event.EXCLUDED, CASE, reason="pseudotumor")
    assert now().reason == "pseudotumor"
    assert list(dict.fromkeys(seen)) == list(State)
    append(layout, Event.INCLUDED, CASE)
    assert now().state is State.APPROVED
    append(layout, Event.REOPENED, CASE, reader="B")
    assert now().state is State.READ_A and now().begun == ("B",)
    layout.segmentation(CASE, "readerA", SLICER).unlink()
    assert now().finished == ()


def test_a_line_that_was_cut_off_is_passed_over_and_the_next_one_is_whole(study):
    append(study.layout, Event.RECEIVED, CASE)
    path = study.layout.journal / f"{author()}.jsonl"
    with path.open("ab") as file:
        file.write(b'{"time": "2024-01-01T00:00:00", "what": "excl')
    append(study.layout, Event.ANONYMISED, CASE)
    found = [entry.what for entry in read_journal(study.layout, CASE)]
    assert found == [Event.RECEIVED, Event.ANONYMISED]


def test_the_journal_keeps_the_sha256_of_what_was_touched(study):
    entry = append(study.layout, Event.RECEIVED, CASE, files=[study.layout.settings])
    (again,) = read_journal(study.layout, CASE)
    assert again == entry and list(again.files) == ["study.toml"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tumor_type": "glioma"}, "'glioma' as tumor_type"),
        ({"age": "old"}, "Write a number"),
        ({"sex": "M"}, "They are one patient"),
    ],
)
def test_a_registry_refuses_what_a_column_does_not_allow(study, change, told):
    study.update({CASE: {"sex": "F", "age": "61", "tumor_type": "meningioma"}})
    before = study.layout.registry.read_bytes()
    with pytest.raises(InputError, match=told):
        study.update({CaseName("001", "02"): {"sex": "F", "tumor_type": "meningioma", **change}})
    assert study.layout.registry.read_bytes() == before


def test_columns_that_nobody_knows_stay_in_the_registry(study):
    study.update({CASE: {"Карнофский": "90", "histology": "Менингиома, =1+1"}})
    study.update({CASE: {"sex": "F"}})
    assert study.registry()[CASE]["Карнофский"] == "90"
    assert study.registry()[CASE]["histology"] == "Менингиома, =1+1"


def _add_ten(folder: Path, first: int) -> None:
    opened = open_study(folder)
    for number in range(first, first + 10):
        update_registry(opened.layout, opened.settings, {CaseName(f"{number:03d}", "01"): {}})
        append(opened.layout, Event.RECEIVED, CaseName(f"{number:03d}", "01"))


def test_two_processes_that_write_at_the_same_time_lose_nothing(study):
    context = multiprocessing.get_context("fork")
    works = [context.Process(target=_add_ten, args=(study.folder, f)) for f in (1, 11)]
    for work in works:
        work.start()
    for work in works:
        work.join()
    assert len(study.registry()) == 20 == len(study.states())


def test_what_somebody_holds_is_not_given_to_another(study):
    with (
        hold(study.layout, "sub-001_ses-01"),
        pytest.raises(OutputError, match="Somebody else works"),
        hold(study.layout, "sub-001_ses-01", patience_s=0),
    ):
        pass
    with hold(study.layout, "sub-001_ses-01", patience_s=0):
        pass


def test_a_study_opens_with_nothing_but_what_slicer_ships(study):
    blocked = ("psutil", "nibabel", "openpyxl", "pydicom", "torch", "scipy", "jinja2", "PIL")
    code = (
        f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from BrainTumorSegLib.study.opening import open_study\n"
        "from BrainTumorSegLib.study.leases import hold\n"
        f"study = open_study(Path({str(study.folder)!r}))\n"
        "with hold(study.layout, 'x'): print(len(study.states()), study.settings.title)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "0 Tumors of the brain", done.stderr
