"""From the export of a PACS to a study without identities: nothing lost, nothing left, all told."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pydicom
import pytest
import SimpleITK as sitk
from study_exports import people, write_export, write_visit

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.study.adding import add
from BrainTumorSegLib.study.deid.audit import audit
from BrainTumorSegLib.study.deid.keys import make_key, open_key
from BrainTumorSegLib.study.inventory import Became
from BrainTumorSegLib.study.journal import Event, append
from BrainTumorSegLib.study.layout import CaseName
from BrainTumorSegLib.study.opening import make_study, open_study
from BrainTumorSegLib.study.states import State


def new(folder):
    study = make_study(folder / "study", "Test")
    return study, make_key(study.settings.id, study.folder, folder / "keys")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """30 patients in a study: its folder, key, the truth, what became of the files."""
    folder = tmp_path_factory.mktemp("study")
    persons = write_export(folder / "export", 30, 5)
    study, key = new(folder)
    files = sum(path.is_file() for path in (folder / "export").rglob("*"))
    added = add(study, key, [folder / "export"])
    return study, open_key(study.settings.id, study.folder, folder / "keys"), persons, added, files


def subject_of(key, person):
    (found,) = (
        s for s, p in key.patients.items() if any(person.identifier in i for i in p.identifiers)
    )
    return found


def headers(study):
    for path in sorted(study.layout.sourcedata.rglob("*.dcm")):
        yield path, pydicom.dcmread(path, stop_before_pixels=True)


def test_every_patient_and_visit_is_there(done):
    study = done[0]
    states = study.states()
    assert len(states) == 35 and {s.state for s in states} == {State.ANONYMISED}
    assert len({s.case.subject for s in states}) == 30
    assert all(len(study.layout.scans(s.case)) == 3 for s in states)


def test_no_identity_is_left(done):
    study, key, *_ = done
    found = audit(study.folder, key.identities())
    assert found.leaks == () and found.unread == ()
    assert found.looked_for > 30 * 5 and found.files > 35 * 15
    # The originals are full of them.
    kinds = {leak.of for leak in audit(study.folder.parent / "export", key.identities()).leaks}
    assert len(kinds) == 30


def test_sex_and_age_are_kept_and_the_age_is_that_at_the_visit(done):
    study, key, persons, _, _ = done
    rows = study.registry()
    for person in persons:
        subject = subject_of(key, person)
        for number, day in enumerate(person.visits, 1):
            row = rows[CaseName(subject, f"{number:02d}")]
            assert (row["sex"], row["age"]) == (person.sex, str(min(90, person.age(day))))
    for path, header in headers(study):
        case = CaseName.parse(f"{path.parts[-4]}_{path.parts[-3]}")
        assert (
            header.PatientAge == f"{int(rows[case]['age']):03d}Y"
            and header.PatientSex == rows[case]["sex"]
        )


def test_intervals_between_visits_are_kept_and_no_day_is(done):
    study, key, persons, _, _ = done
    rows = study.registry()
    for person in persons:
        subject = subject_of(key, person)
        mine = [rows[c] for c in rows if c.subject == subject]
        days = [date.fromisoformat(row["visit_date"]) for row in mine]
        assert [d - days[0] for d in days] == [d - person.visits[0] for d in person.visits]
        assert [int(row["days"]) for row in mine] == [
            (d - person.visits[0]).days for d in person.visits
        ]
        assert not set(days) & set(person.visits)
    assert len({key.shift_days(s) for s in key.patients}) > 25


def test_references_lead_to_images_that_are_there(done):
    study = done[0]
    there = {str(header.SOPInstanceUID) for _, header in headers(study)}
    seen = 0
    for path, header in headers(study):
        assert path.stem == header.SOPInstanceUID == header.file_meta.MediaStorageSOPInstanceUID
        for item in header.get("ReferencedImageSequence", []):
            source = header.DerivationImageSequence[0].SourceImageSequence[0]
            assert {item.ReferencedSOPInstanceUID, source.ReferencedSOPInstanceUID} <= there
            seen += 1
    assert seen == 35 * 3


def test_identifiers_are_new_and_of_one_kind(done):
    study = done[0]
    for _, header in headers(study):
        for name in (
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "SOPInstanceUID",
            "FrameOfReferenceUID",
        ):
            assert header[name].value.startswith("2.25.") and len(header[name].value) <= 44
        assert header.SOPClassUID == "1.2.840.10008.5.1.4.1.1.4"


def test_files_say_how_they_were_de_identified(done):
    codes = ["113100", "113105", "113107", "113108"]
    for path, header in headers(done[0]):
        assert header.PatientIdentityRemoved == "YES" and header.RecognizableVisualFeatures == "YES"
        assert [c.CodeValue for c in header.DeidentificationMethodCodeSequence] == codes
        assert header.LongitudinalTemporalInformationModified == "MODIFIED"
        assert header.SeriesDescription == path.parent.name and header.PatientID == path.parts[-4]
        assert not [element for element in header if element.tag.is_private]


def test_what_is_burned_in_lies_in_quarantine_outside_the_study(done):
    study, key, _, added, _ = done
    away = [item for item in added.items if item.became is Became.QUARANTINE]
    assert len(away) == 6 and {item.reason.split(",")[0] for item in away} == {
        "its header says that something is burned into the image",
        "it is a secondary capture",
    }
    kept = sorted(key.quarantine.rglob("*.dcm"))
    assert len(kept) == 6 and not key.quarantine.is_relative_to(study.folder)
    names = {path.name for path in study.folder.rglob("*.dcm")}
    assert not names & {path.name for path in kept}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*kept, key.path, key.inventory))


def test_every_file_is_in_the_inventory_with_what_became_of_it(done):
    study, key, _, added, _ = done
    with key.inventory.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    counts = Counter(row["became"] for row in rows)
    assert counts == {"taken": 35 * 9, "duplicate": 3, "quarantine": 6, "no DICOM": 2}
    assert len(added.items) == len(rows) and all(row["reason"] for row in rows)
    with study.layout.inventory.open(encoding="utf-8", newline="") as stream:
        public = list(csv.DictReader(stream, delimiter="\t"))
    assert len(public) == len(rows) and "name" not in public[0]


def test_scans_lie_where_the_dicom_files_have_them(done):
    study = done[0]
    case = CaseName("001", "01")
    for sequence, path in study.layout.scans(case).items():
        reader = sitk.ImageSeriesReader()
        files = reader.GetGDCMSeriesFileNames(str(study.layout.source(case) / sequence.name))
        reader.SetFileNames(files)
        image, scan = reader.Execute(), sitk.ReadImage(str(path))
        assert (sitk.GetArrayFromImage(image) == sitk.GetArrayFromImage(scan)).all()
        assert scan.GetOrigin() == pytest.approx(image.GetOrigin(), abs=1e-3)


def test_a_flair_after_the_contrast_agent_says_so(done):
    study = done[0]
    name = study.layout.scans(CaseName("001", "01"))[Sequence.FLAIR].name
    assert name == "sub-001_ses-01_ce-gadolinium_FLAIR.nii.gz"
    told = json.loads(
        (study.layout.anat(CaseName("001", "01")) / name.replace(".nii.gz", ".json")).read_text()
    )
    assert told["ContrastBolusIngredient"] == "GADOLINIUM" and told["InversionTime"] == 2.5
    assert told["MagneticFieldStrength"] == 1.5 and told["RepetitionTime"] == 9.0


def test_bids_validates_without_errors(done):
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    told = subprocess.run(
        [validator, str(done[0].folder), "--json"], capture_output=True, text=True
    )
    issues = json.loads(told.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == [], told.stderr


def test_adding_the_same_again_changes_nothing(tmp_path):
    (person,) = people(1)
    write_visit(tmp_path / "export", person, 0)
    study, key = new(tmp_path)
    add(study, key, [tmp_path / "export"])
    before = {
        p: p.stat().st_mtime_ns
        for p in study.folder.rglob("*")
        if "anat" in p.parts or p.suffix == ".dcm"
    }
    again = add(
        open_study(study.folder),
        open_key(study.settings.id, study.folder, tmp_path / "keys"),
        [tmp_path / "export"],
    )
    assert {item.became for item in again.items} == {Became.THERE}
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(study.states()) == 1


def test_a_dry_run_tells_the_same_and_writes_nothing(tmp_path):
    for person in people(2):
        write_visit(tmp_path / "export", person, 0)
    study, key = new(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    told = add(study, key, [tmp_path / "export"], dry_run=True)
    assert sorted(tmp_path.rglob("*")) == before and key.patients == {}
    done = add(study, key, [tmp_path / "export"])
    assert [(i.shown, i.became, i.case, i.reason) for i in told.items] == [
        (i.shown, i.became, i.case, i.reason) for i in done.items
    ]


def test_a_later_visit_of_a_patient_comes_to_the_same_patient(tmp_path):
    (person,) = people(1, twice=1)
    study, key = new(tmp_path)
    for visit in (0, 1):
        place = write_visit(tmp_path / f"export{visit}", person, visit)
        add(study, key, [place])
    assert [str(s.case) for s in study.states()] == ["sub-001_ses-01", "sub-001_ses-02"]
    assert [row["days"] for row in study.registry().values()] == ["0", "91"]


def test_what_people_typed_in_the_registry_stays(tmp_path):
    (person,) = people(1, twice=1)
    study, key = new(tmp_path)
    add(study, key, [write_visit(tmp_path / "a", person, 0)])
    study.update({CaseName("001", "01"): {"tumor_type": "meningioma", "histology": "менингиома"}})
    add(study, key, [write_visit(tmp_path / "b", person, 1)])
    rows = study.registry()
    assert [row["tumor_type"] for row in rows.values()] == ["meningioma"] * 2
    assert rows[CaseName("001", "01")]["histology"] == "менингиома"


def test_an_examination_that_nobody_can_tell_is_received_with_its_question(tmp_path):
    (person,) = people(1)
    place = write_visit(tmp_path / "export", person, 0)
    (kept,) = place.glob("*t1ce")
    shutil.rmtree(kept)
    study, key = new(tmp_path)
    added = add(study, key, [place])
    (status,) = study.states()
    assert status.state is State.RECEIVED and status.stuck and "--choose t1ce=N" in status.reason
    assert {item.became for item in added.items} == {Became.NOT_TAKEN}
    add(study, key, [place], choice={Sequence.T1CE: "1", Sequence.T1: "none"})
    (status,) = study.states()
    assert status.state is State.ANONYMISED
    assert study.layout.scans(status.case).keys() == {Sequence.T1CE, Sequence.FLAIR}


def test_a_series_is_chosen_in_one_examination_only_and_nothing_is_written_else(tmp_path):
    for person in people(2):
        write_visit(tmp_path / "export", person, 0)
    study, key = new(tmp_path)
    with pytest.raises(InputError, match="more than one examination"):
        add(study, key, [tmp_path / "export"], choice={Sequence.T1CE: "2"})
    assert study.states() == [] and key.patients == {}


def test_a_visit_that_was_read_is_not_changed_by_more_scans(tmp_path):
    (person,) = people(1)
    place = write_visit(tmp_path / "export", person, 0)
    (flair,) = place.glob("*flair")
    flair = flair.rename(tmp_path / "later")
    study, key = new(tmp_path)
    add(study, key, [place])
    case = CaseName("001", "01")
    assert Sequence.FLAIR not in study.layout.scans(case)
    both = [place, flair]
    path = study.layout.segmentation(case, "readerA")
    path.parent.mkdir(parents=True)
    path.touch()
    append(study.layout, Event.READ, case, reader="A")
    told = add(study, key, both)
    assert {item.became for item in told.items} == {Became.NOT_TAKEN}
    append(study.layout, Event.REOPENED, case, reader="A")
    path.unlink()
    add(study, key, both)
    assert Sequence.FLAIR in study.layout.scans(case)


@pytest.mark.parametrize("where", ["in the study", "open to others", "elsewhere"])
def test_a_key_that_is_not_safe_is_refused(tmp_path, where):
    study, key = new(tmp_path)
    if where == "open to others":
        key.path.chmod(0o640)
    folder = {"in the study": study.folder / "keys", "elsewhere": tmp_path / "none"}.get(
        where, tmp_path / "keys"
    )
    with pytest.raises(InputError, match="key"):
        open_key(study.settings.id, study.folder, folder)


def test_an_addition_that_is_killed_at_any_moment_loses_nothing_and_leaves_nothing_half(tmp_path):
    here = Path(__file__).parent
    paths = {"PYTHONPATH": os.pathsep.join((str(here.parents[1]), str(here)))}
    command = [sys.executable, "-W", "ignore", str(here / "study_kills.py"), str(tmp_path), "70"]
    told = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **paths})
    assert told.returncode == 0, told.stdout + told.stderr
    assert int(told.stdout) > 3
