"""Outputs of every command: never over an input, checked early, written apart from each other."""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from report_cases import make_result

from BrainTumorSegLib.cli.application import build_parser, main
from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.evaluation import figures
from BrainTumorSegLib.io.tables import original_cell, safe_cell, write_table
from BrainTumorSegLib.reporting import outputs as reporting_outputs
from BrainTumorSegLib.reporting.outputs import (
    Outputs,
    check_outputs,
    mutual_information_path,
    write_outputs,
)
from BrainTumorSegLib.training.cohort import read_table

#: Options of all commands that name a file, or a folder that is replaced as a whole.
WRITING = {
    *("output", "labelmap", "probabilities", "dicom_seg", "dicom_sr", "picture", "report", "sheet"),
    *("destination",),
}


def commands(parser=None):
    """Every command and action, with its name."""
    for action in (parser or build_parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                inner = list(commands(command))
                yield from [(f"{name} {inside}", one) for inside, one in inner] or [(name, command)]


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_says_which_options_name_what_it_replaces(name, command):
    declared = set(command.get_default("writes") or ())
    for option in command._actions:
        # A folder of a run or of tables is not replaced.
        if option.dest in WRITING and option.type is Path and option.metavar != "FOLDER":
            assert option.dest in declared, f"{name} {option.option_strings}"
    assert declared <= {option.dest for option in command._actions}


@pytest.fixture
def given(tmp_path):
    """Files as inputs; nothing reads them before the outputs are looked at."""
    names = ("t1.nii.gz", "t1ce.nii.gz", "labels.nii.gz", "record.json", "brain.nii.gz")
    for name in names:
        (tmp_path / name).write_text(name)
    (tmp_path / "study" / "series").mkdir(parents=True)
    (tmp_path / "study" / "series" / "IM1").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "pack.json").write_text("{}")
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "t1ce.nii.gz")
    (tmp_path / "hard.nii.gz").hardlink_to(tmp_path / "t1ce.nii.gz")
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "cases.tsv").write_text("case\n")
    return tmp_path


SEGMENT = "segment --t1 t1.nii.gz --t1ce t1ce.nii.gz --brain brain.nii.gz --overwrite"
REPORT = "report --labels labels.nii.gz --record record.json --t1ce t1ce.nii.gz --overwrite"


@pytest.mark.parametrize(
    "line",
    [
        f"{SEGMENT} -o t1ce.nii.gz",
        f"{SEGMENT} -o link.nii.gz",
        f"{SEGMENT} -o hard.nii.gz",
        f"{SEGMENT} -o study/../t1.nii.gz",
        f"{SEGMENT} -o x.seg.nrrd --labelmap t1ce.nii.gz",
        f"{SEGMENT} -o x.seg.nrrd --probabilities brain.nii.gz",
        f"{SEGMENT} -o x.seg.nrrd --disagreement t1.nii.gz",
        f"{SEGMENT} -o x.seg.nrrd --dicom-seg t1.nii.gz",
        f"{SEGMENT} -o x.seg.nrrd --picture t1.nii.gz",
        f"{SEGMENT} -o x.seg.nrrd --report a.json --report t1.nii.gz",
        "segment --dicom study -o study/series/IM1 --overwrite",
        "segment --dicom study -o x.nii.gz --dicom-seg study/series/IM1 --overwrite",
        f"{REPORT} -o record.json",
        f"{REPORT} -o a.html -o labels.nii.gz",
        "dicom-seg --labels labels.nii.gz --reference study -o study/series/IM1 --overwrite",
        "dicom-seg --labels brain.nii.gz --reference study/series/IM1 -o study/series/IM1",
        "dicom-seg --labels labels.nii.gz --reference study -o labels.nii.gz --overwrite",
        "dicom-seg --labels labels.nii.gz --reference study -o x.dcm --dicom-sr study/series/IM1",
        "evaluate --data study -o out --picture study/series/IM1",
        "models export pack pack --overwrite",
        "models export run pack --notes pack/pack.json --overwrite",
        "train --recipe recipe.toml --data study -o run --start-from pack --pack pack --overwrite",
        "synthesise --recipe recipe.toml --sheet recipe.toml --overwrite",
        "synthesise --data . --out . --overwrite",
    ],
)
def test_no_command_replaces_an_input(given, monkeypatch, capsys, line):
    monkeypatch.chdir(given)
    before = {path: path.read_bytes() for path in given.rglob("*") if path.is_file()}
    assert main([*line.split()]) == 4
    err = capsys.readouterr().err
    assert "is an input" in err and "inputs are never replaced" in err
    assert {path: path.read_bytes() for path in given.rglob("*") if path.is_file()} == before
    assert (given / "link.nii.gz").is_symlink()


def test_a_scan_that_was_loaded_by_another_way_is_no_output_either(tmp_path):
    case, _ = make_result()
    scan = tmp_path / "t1ce.nii.gz"
    scan.write_text("scan")
    reference = replace(case.reference_scan, source=str(scan))
    case = replace(case, scans={**case.scans, case.reference: reference})
    with pytest.raises(OutputError, match="inputs are never replaced"):
        check_outputs(Outputs(segmentation=scan, overwrite=True), case)
    sliced = replace(reference, source="DICOM 4 T1", files=(scan,))
    case = replace(case, scans={**case.scans, case.reference: sliced})
    with pytest.raises(OutputError, match="inputs are never replaced"):
        check_outputs(Outputs(segmentation=scan, overwrite=True), case)


def test_endings_in_capital_letters_are_checked_and_written_alike(tmp_path):
    case, result = make_result()
    outputs = Outputs(
        segmentation=tmp_path / "R.SEG.NRRD",
        labelmap=tmp_path / "L.NII.GZ",
        disagreement=tmp_path / "E.Nrrd",
        picture=tmp_path / "P.PNG",
        reports=(tmp_path / "R.JSON", tmp_path / "R.HTML"),
    )
    check_outputs(outputs, case)
    write_outputs(outputs, case, result)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"R.SEG.NRRD", "L.NII.GZ", "E.Nrrd", "P.PNG", "R.JSON", "R.HTML"}
    assert json.loads((tmp_path / "R.JSON").read_text())["schema"]
    assert (tmp_path / "R.HTML").read_text(encoding="utf-8").startswith("<!")
    assert (tmp_path / "R.SEG.NRRD").read_bytes().startswith(b"NRRD")
    assert b"Segment0_ID" in (tmp_path / "R.SEG.NRRD").read_bytes()[:4000]
    plain = tmp_path / "plain.nii.gz"
    plain.write_bytes((tmp_path / "L.NII.GZ").read_bytes())
    assert sitk.ReadImage(str(plain)).GetSize() == result.labels.GetSize()


@pytest.mark.parametrize(
    ("map_", "information"),
    [("a.nii.gz", "a.mutual-information.nii.gz"), ("E.NRRD", "E.mutual-information.NRRD")],
)
def test_the_second_map_of_disagreement_is_named_after_the_first(map_, information):
    assert mutual_information_path(Path(map_)) == Path(information)
    outputs = Outputs(segmentation=Path("a.seg.nrrd"), disagreement=Path(map_))
    assert Path(information) in outputs.paths()


@pytest.mark.parametrize(
    "wrong",
    [
        # Each of these was let through once, and failed when everything was computed.
        {"labelmap": "x.seg.nrrd"},
        {"probabilities": "x.SEG.nrrd"},
        {"disagreement": "x.seg.nrrd"},
        {"segmentation": "x.txt"},
        {"picture": "x.jpg"},
        {"reports": ("x.xml",)},
    ],
)
def test_what_no_writer_takes_is_refused_before_the_work(tmp_path, wrong):
    given = {"segmentation": "s.nii.gz", **wrong}
    paths = {
        key: tuple(tmp_path / v for v in value) if isinstance(value, tuple) else tmp_path / value
        for key, value in given.items()
    }
    with pytest.raises(OutputError, match=r"has no known ending for a .* Use one of "):
        check_outputs(Outputs(**paths))


def test_pictures_of_other_commands_are_refused_before_the_work_too(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["synthesise", "--sheet", str(tmp_path / "sheet.xyz")]) == 4
    assert "no known ending for a contact sheet" in capsys.readouterr().err
    with pytest.raises(OutputError, match="no known ending for a picture"):
        figures.check_picture(tmp_path / "scores.xyz")
    figures.check_picture(tmp_path / "scores.PDF")


def test_one_output_that_fails_does_not_cost_the_others(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ValueError("no font was found")

    case, result = make_result()
    monkeypatch.setattr(reporting_outputs, "write_overview_png", fail)
    outputs = Outputs(
        segmentation=tmp_path / "s.seg.nrrd",
        picture=tmp_path / "p.png",
        reports=(tmp_path / "r.json",),
    )
    with pytest.raises(OutputError) as caught:
        write_outputs(outputs, case, result)
    assert {path.name for path in tmp_path.iterdir()} == {"s.seg.nrrd", "r.json"}
    assert "p.png was not written: ValueError: no font was found." in str(caught.value)
    assert "Written: s.seg.nrrd, r.json." in str(caught.value)


def test_names_that_are_no_utf8_are_written_and_do_not_fail_at_the_end(tmp_path):
    name = b"\xcd\xf1.nii.gz".decode("utf-8", "surrogateescape")
    case, result = make_result(warnings=(f"T1 ({name}) looks odd.",))
    result.record["case"]["inputs"][0]["source"] = name
    reports = (tmp_path / "r.json", tmp_path / "r.html")
    write_outputs(Outputs(segmentation=tmp_path / "s.nii.gz", reports=reports), case, result)
    record = json.loads(reports[0].read_text(encoding="utf-8"))
    assert record["case"]["inputs"][0]["source"] == r"\xcd\xf1.nii.gz"
    assert record["warnings"] == [r"T1 (\xcd\xf1.nii.gz) looks odd."]
    assert r"\xcd\xf1.nii.gz" in reports[1].read_text(encoding="utf-8")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_spreadsheet_takes_a_text_for_a_formula(tmp_path, begin):
    evil = f'{begin}HYPERLINK("http://somewhere","case")'
    write_table(tmp_path / "t.csv", ["case", evil], [[evil, "-0.25"]])
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        head, row = csv.reader(stream)
    assert head == ["case", f"'{evil}"]
    assert row == [f"'{evil}", "-0.25"]
    assert original_cell(row[0]) == evil


@pytest.mark.parametrize("number", ["-0.5", "+3", "-1e-05", "-inf", -2, 0.5, None, "", "a-b", "x="])
def test_numbers_and_plain_texts_stay_as_they_are(number):
    assert safe_cell(number) == number


def test_a_case_that_is_named_like_a_formula_is_found_again(tmp_path):
    write_table(tmp_path / "cases.tsv", ["case", "fold"], [["=A1", "0"], ["-b", "1"]], "\t")
    assert [row["case"] for row in read_table(tmp_path / "cases.tsv")] == ["=A1", "-b"]


def test_no_module_but_one_writes_csv():
    package = Path(reporting_outputs.__file__).parents[1]
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert path.name == "tables.py" or ("csv.writer" not in text and "DictWriter" not in text)
