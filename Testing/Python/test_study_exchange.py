"""The registry in spreadsheets: to and fro without a loss."""

from __future__ import annotations

from datetime import date, datetime

import openpyxl
import pytest

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.study.exchange import export_registry, import_registry
from BrainTumorSegLib.study.layout import CaseName
from BrainTumorSegLib.study.opening import make_study

FIRST, SECOND, OTHER = CaseName("001", "01"), CaseName("001", "02"), CaseName("002", "01")


@pytest.fixture
def study(tmp_path):
    made = make_study(tmp_path / "study", "Test")
    made.update(
        {
            FIRST: {"sex": "F", "age": "61", "histology": "Менингиома, атипичная", "days": "0"},
            SECOND: {"sex": "F", "age": "62", "visit_date": "2011-02-03", "days": "91"},
            OTHER: {"sex": "M", "age": "44", "operation": "=1+1", "Карнофский": "90"},
        }
    )
    return made


@pytest.mark.parametrize("ending", [".xlsx", ".csv", ".tsv"])
def test_what_was_exported_is_imported_without_a_change(study, tmp_path, ending):
    before = study.registry()
    export_registry(study, tmp_path / f"table{ending}")
    done = import_registry(study, tmp_path / f"table{ending}")
    assert done.rows == 3 and done.changed == 0 and study.registry() == before
    with pytest.raises(OutputError, match="exists already"):
        export_registry(study, tmp_path / f"table{ending}")


def test_a_spreadsheet_has_numbers_days_and_no_formula(study, tmp_path):
    export_registry(study, tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["registry"]
    names, *rows = [list(row) for row in sheet.values]
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    assert cells[0]["age"] == 61 and cells[1]["days"] == 91
    assert cells[1]["visit_date"] == datetime(2011, 2, 3)
    assert cells[2]["operation"] == "'=1+1"


def test_what_a_clinic_typed_into_its_own_spreadsheet_is_taken(study, tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["participant_id", "session_id", "who_grade", "Дата операции", "tumor_type"])
    sheet.append(["sub-001", "ses-02", 2.0, date(2019, 5, 17), None])
    sheet.append(["002", None, "4", "не было", "glioblastoma"])
    sheet.append([None, None, None, None, None])
    book.save(tmp_path / "clinic.xlsx")
    done = import_registry(study, tmp_path / "clinic.xlsx")
    rows = study.registry()
    assert rows[SECOND]["who_grade"] == "2" and rows[SECOND]["Дата операции"] == "2019-05-17"
    assert rows[OTHER]["tumor_type"] == "glioblastoma" and rows[FIRST]["who_grade"] == ""
    assert done.added == ("Дата операции",)


def test_csv_of_a_russian_spreadsheet_is_read(study, tmp_path):
    row = "sub-001;Глиобластома, IDH-дикий тип;glioblastoma"
    text = f"participant_id;histology;tumor_type\r\n{row}\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode("cp1251"))
    import_registry(study, tmp_path / "a.csv")
    rows = study.registry()
    # Without a column of visits a row counts for all of them.
    assert {rows[c]["histology"] for c in (FIRST, SECOND)} == {"Глиобластома, IDH-дикий тип"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("participant_id,sex\nsub-009,F\n", "row 2: the study has no visit sub-009"),
        ("patient_id,sex\nsub-001,F\n", "Did you mean patient_id"),
        ("participant_id,tumor_type\nsub-001,glioma\n", "'glioma' as tumor_type"),
        ("participant_id,session_id,sex\nsub-001,ses-01,M\n", "They are one patient"),
        ("", "is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_nothing_is_changed(study, tmp_path, text, told):
    (tmp_path / "a.csv").write_text(text)
    before = study.layout.registry.read_bytes()
    with pytest.raises(InputError, match=told):
        import_registry(study, tmp_path / "a.csv")
    assert study.layout.registry.read_bytes() == before


def test_another_ending_is_refused(study, tmp_path):
    (tmp_path / "a.ods").touch()
    with pytest.raises(InputError, match="no known table"):
        import_registry(study, tmp_path / "a.ods")
