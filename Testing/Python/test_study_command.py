"""The command ``study``: all the way from an export to a counted, segmented data set."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import cohort_cases
import pytest
import SimpleITK as sitk
from dicom_factory import Examination, write_series

from BrainTumorSegLib.cli import main
from BrainTumorSegLib.core.resources import schema_validator
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.study.journal import Event, append, read_journal
from BrainTumorSegLib.study.layout import SLICER, CaseName
from BrainTumorSegLib.study.opening import make_study, open_study
from BrainTumorSegLib.study.settings import EXCLUSIONS, TUMOR_TYPES
from BrainTumorSegLib.study.states import State
from BrainTumorSegLib.study.status import as_json, as_lines, as_text, study_status

STATES = [State.RECEIVED, State.ANONYMISED, State.AUTOMATIC, State.APPROVED, State.EXCLUDED]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """A pack, and an export of two patients whose heads segment in a second."""
    folder = tmp_path_factory.mktemp("tools")
    for number in range(2):
        examination = Examination(patient=f"PAT-471{number}", name=f"Muster^Eva{number}")
        for index, (sequence, image) in enumerate(cohort_cases.scan_images(number).items(), 1):
            image = sitk.Cast(image, sitk.sitkInt16)
            place = folder / "export" / f"p{number}" / sequence.value
            write_series(place, image, index, sequence.value, examination)
    return folder, cohort_cases.write_pack(folder)


def run(*words: object) -> int:
    return main(["study", *map(str, words)])


def test_an_export_goes_all_the_way(tools, tmp_path, capsys):
    folder, pack = tools
    study, keys = tmp_path / "study", ("--keys", tmp_path / "keys")
    assert run("init", study, "--title", "Опухоли", *keys) == 0
    assert run("add", study, folder / "export", "--dry-run", *keys) == 0
    assert "18 files" not in capsys.readouterr().out and open_study(study).states() == []
    assert run("add", study, folder / "export", *keys) == 0
    assert run("register", study, "--registration", "none") == 0
    opened = open_study(study)
    assert [s.state for s in opened.states()] == [State.REGISTERED] * 2
    case = CaseName("001", "01")
    grid = sitk.ReadImage(str(opened.layout.raw(case, Sequence.T1CE)))
    for sequence in (Sequence.T1, Sequence.FLAIR):
        placed = sitk.ReadImage(str(opened.layout.registered(case, sequence)))
        assert placed.GetSize() == grid.GetSize() and placed.GetOrigin() == pytest.approx(
            grid.GetOrigin()
        )
    quick = (*cohort_cases.QUICK, "--pack", pack, "--workers", 1, "--progress", "none")
    quick = (*quick, "--only", case)
    assert run("segment", study, *quick) == 0
    assert [s.state for s in opened.states()] == [State.AUTOMATIC, State.REGISTERED]
    assert opened.layout.has_segmentation(case, "auto")
    assert opened.layout.segmentation(case, "auto", SLICER).is_file()
    (told,) = [e for e in read_journal(opened.layout, case) if e.what is Event.SEGMENTED]
    assert told.more["pack"] == "tiny 1.0.0" and told.more["doubtful_share"] is not None
    count = len(read_journal(opened.layout))
    assert run("segment", study, *quick) == 0 and run("register", study) == 0
    assert len(read_journal(opened.layout)) == count
    assert run("registry", study, "--export", tmp_path / "a.xlsx") == 0
    assert run("status", study, "--html", tmp_path / "a.html") == 0
    page = (tmp_path / "a.html").read_text()
    assert page.count("<article") == 2 and page.count("data:image/jpeg") == 1 and "Опухоли" in page
    assert run("audit", study, *keys) == 0
    (study / "notes.txt").write_text("Frau Muster")
    assert run("audit", study, *keys) == 3
    assert "notes.txt: name of sub-001" in capsys.readouterr().out


def test_a_study_is_an_input_of_the_command_cohort(tools, tmp_path):
    from BrainTumorSegLib.cohort.finding import find_cases

    folder, _ = tools
    study, keys = tmp_path / "study", ("--keys", tmp_path / "keys")
    assert (
        run("init", study, "--title", "T", *keys)
        == run("add", study, folder / "export", *keys)
        == 0
    )
    (first, second) = find_cases(study)
    assert first.name == "sub-001_ses-01" and len(second.scans) == 3
    assert first.stem == "sub-001_ses-01_ce-gadolinium_desc-auto"


def test_a_case_that_cannot_be_registered_keeps_no_other_from_it(tools, tmp_path, capsys):
    folder, _ = tools
    study, keys = tmp_path / "study", ("--keys", tmp_path / "keys")
    run("init", study, "--title", "T", *keys)
    run("add", study, folder / "export", *keys)
    layout = open_study(study).layout
    broken = layout.raw(CaseName("001", "01"), Sequence.T1)
    kept = broken.read_bytes()
    broken.write_bytes(kept[:200])
    assert run("register", study, "--registration", "none") == 10
    first, second = open_study(study).states()
    assert first.stuck and first.state is State.ANONYMISED and second.state is State.REGISTERED
    broken.write_bytes(kept)
    assert run("register", study, "--registration", "none") == 0
    assert open_study(study).states()[0].state is State.ANONYMISED
    assert run("register", study, "--registration", "none", "--retry-failed") == 0
    assert open_study(study).states()[0].state is State.REGISTERED


def test_excluding_takes_a_reason_of_the_study_and_can_be_undone(tmp_path, capsys):
    study = make_study(tmp_path / "s", "T")
    study.update({CaseName("001", "01"): {}})
    assert run("exclude", study.folder, "sub-001_ses-01", "--reason", "pseudotumour") == 3
    assert "Did you mean pseudotumor" in capsys.readouterr().err
    assert run("exclude", study.folder, "sub-002_ses-01", "--reason", "pseudotumor") == 3
    assert run("exclude", study.folder, "sub-001_ses-01", "--reason", "pseudotumor") == 0
    assert study.states()[0].state is State.EXCLUDED
    assert run("exclude", study.folder, "sub-001_ses-01", "--undo") == 0
    assert study.states()[0].state is State.RECEIVED


@pytest.mark.parametrize(
    "words",
    [
        ("add", "{s}", "{s}", "--choose", "t2=4"),
        ("add", "{s}", "{s}", "--choose", "t1ce"),
        ("add", "{s}", "nowhere"),
        ("status", "{s}", "--by", "hospital"),
        ("status", "nowhere"),
        ("init", "new", "--title", "T", "--keys", "new/keys"),
        ("segment", "{s}"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_written(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINTUMORSEG_KEYS", str(tmp_path / "keys"))
    assert run("init", "s", "--title", "T") == 0
    before = [p for p in sorted(tmp_path.rglob("*")) if ".leases" not in p.parts]
    assert run(*(word.format(s=tmp_path / "s") for word in words)) == 3
    assert [p for p in sorted(tmp_path.rglob("*")) if ".leases" not in p.parts] == before


# The table


@pytest.fixture
def counted(tmp_path):
    """40 cases of the four tumor types in five states, and the truth."""
    study = make_study(tmp_path / "study", "Tumors")
    layout, rows, truth = study.layout, {}, Counter()
    for number in range(40):
        case, tumor, state = (
            CaseName(f"{number:03d}", "01"),
            TUMOR_TYPES[number % 4],
            STATES[number % 5],
        )
        rows[case] = {
            **{"tumor_type": tumor, "sex": "FM"[number % 3 == 0], "age": str(20 + number)},
            **{"site": f"site-{number % 2}"},
        }
        truth[tumor, state] += 1
        if state is State.RECEIVED:
            append(layout, Event.RECEIVED, case, reason="T1CE may be series 5 or 7")
            continue
        for path in [layout.raw(case, s) for s in Sequence]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        append(layout, Event.ANONYMISED, case)
        layout.results(case).mkdir(parents=True)
        if state is not State.ANONYMISED:
            layout.segmentation(case, "auto").touch()
        if state is State.APPROVED:
            layout.segmentation(case, "approved").touch()
            append(layout, Event.APPROVED, case)
        if state is State.EXCLUDED:
            append(layout, Event.EXCLUDED, case, reason=EXCLUSIONS[0])
    study.update(rows)
    return study, truth


def test_the_table_equals_the_truth(counted):
    study, truth = counted
    status = study_status(study)
    assert list(status.rows) == list(TUMOR_TYPES)
    for tumor in TUMOR_TYPES:
        assert dict(status.rows[tumor]) == {s: truth[tumor, s] for s in STATES if truth[tumor, s]}
    assert len(status.stuck) == 8 and status.excluded == {EXCLUSIONS[0]: 8}
    head, first = as_lines(status, "\t")[:2]
    assert head.split("\t") == ["tumor_type", *STATES, "total"]
    assert first.split("\t") == [
        "astrocytoma",
        *(str(truth["astrocytoma", s]) for s in STATES),
        "10",
    ]


def test_patients_are_described_as_the_method_does(counted):
    study, _ = counted
    # Astrocytomas are cases 0, 4, ..., 36, without the excluded 4 and 24: ages 20 to 56.
    line = study_status(study).people[0]
    assert line == "astrocytoma: n = 8, 38 % male, median age 38 (IQR 31-49)"


def test_rows_can_be_told_apart_by_more(counted):
    study, _ = counted
    status = study_status(study, ["sex", "age"])
    assert list(status.rows)[:2] == ["female, 20-29", "female, 30-39"]
    assert sum(sum(row.values()) for row in status.rows.values()) == 40


def test_what_has_been_reached_counts_too(counted):
    study, truth = counted
    row = study_status(study, reached=True).rows["astrocytoma"]
    here = [s for s in STATES if s is not State.EXCLUDED]
    assert row[State.RECEIVED] == sum(truth["astrocytoma", s] for s in here)
    assert (
        row[State.AUTOMATIC]
        == truth["astrocytoma", State.AUTOMATIC] + truth["astrocytoma", State.APPROVED]
    )


def test_small_numbers_can_be_hidden_and_do_not_follow_from_others(tmp_path):
    study = make_study(tmp_path / "study", "Tumors")
    rows = {}
    for number in range(12):
        case = CaseName(f"{number:03d}", "01")
        rows[case] = {"tumor_type": "meningioma", "sex": "F" if number < 10 else "M", "age": "50"}
        if number >= 9:
            append(study.layout, Event.EXCLUDED, case, reason="bad quality")
    study.update(rows)
    open_ = study_status(study)
    assert dict(open_.rows["meningioma"]) == {State.RECEIVED: 9, State.EXCLUDED: 3}
    status = study_status(study, suppress=True)
    assert dict(status.rows["meningioma"]) == {State.RECEIVED: "hidden", State.EXCLUDED: "<5"}
    assert status.stuck == () and status.excluded == {"bad quality": "<5"}
    assert "3" not in as_text(status).replace("Stuck", "") and "12" not in as_text(status)


def test_the_status_for_programs_keeps_to_its_schema(counted):
    record = json.loads(as_json(study_status(counted[0])))
    schema_validator("study_status").validate(record)
    assert record["rows"][0]["group"] == "astrocytoma"


def test_the_clinical_study_goes_all_the_way(real_data, tmp_path):
    names = {"t1": "T1_AX", "t1ce": "T1_AX_POST_GAD", "flair": "FLAIR_AX"}
    examination = Examination(patient="TCGA-FG-6692", name="Doe^Jane")
    for number, (kind, name) in enumerate(names.items(), 1):
        image = sitk.ReadImage(str(real_data / "clinical" / "TCGA-FG-6692" / f"{name}.nii.gz"))
        image = sitk.Cast(image, sitk.sitkInt16)
        write_series(tmp_path / "export" / name, image, number, kind, examination)
    study, keys = tmp_path / "study", ("--keys", tmp_path / "keys")
    assert run("init", study, "--title", "Clinical", *keys) == 0
    assert run("add", study, tmp_path / "export", *keys) == 0
    shutil.rmtree(tmp_path / "export")
    assert run("register", study, "--registration", "simpleitk", "--progress", "none") == 0
    (status,) = open_study(study).states()
    assert status.state is State.REGISTERED and run("audit", study, *keys) == 0
