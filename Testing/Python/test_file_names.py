"""Names of files as texts for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from BrainTumorSegLib.core.file_names import home_folder, printable, without_folders


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("t1.nii.gz", "t1.nii.gz"),
        ("опухоль é 图像", "опухоль é 图像"),
        (b"\xcd\xb3\xcf\xf1.nii".decode("utf-8", "surrogateescape"), "ͳ" + r"\xcf\xf1.nii"),
        ("half \ud83d a pair", r"half \ud83d a pair"),
    ],
)
def test_every_name_can_be_written(name, shown):
    assert printable(name) == shown
    assert printable(Path(name)) == shown
    printable(name).encode()


def test_a_name_that_an_ascii_locale_has_taken_apart_is_whole_again():
    assert printable("é.nii".encode().decode("ascii", "surrogateescape")) == "é.nii"


def test_texts_keep_the_names_of_files_but_no_folders():
    known = ["/data/Doe John/2024/t1ce.nii.gz", "Roe_Jane/flair.nii"]
    record = {
        "source": "/data/Doe John/2024/t1ce.nii.gz",
        "warnings": [
            "T1CE (/data/Doe John/2024/t1ce.nii.gz) and FLAIR (Roe_Jane/flair.nii) disagree.",
            f"{Path('Roe_Jane/flair.nii').absolute()} was read.",
            "/data/Doe John/2024/other.nii, in 'C:\\Users\\Doe\\x.nii' or \\\\server\\share\\y.nii",
            "Cannot keep /home/somebody/.cache/Networks/abc: no space.",
        ],
        "size": (240, 240, 155),
    }
    assert without_folders(record, known) == {
        "source": "t1ce.nii.gz",
        "warnings": [
            "T1CE (t1ce.nii.gz) and FLAIR (flair.nii) disagree.",
            "flair.nii was read.",
            "other.nii, in 'x.nii' or y.nii",
            "Cannot keep abc: no space.",
        ],
        "size": [240, 240, 155],
    }


@pytest.mark.parametrize(
    "text",
    [
        "5 mL/min and 1/2",
        "BraTS 2013/2015: T1/T2, and/or FLAIR",
        "https://creativecommons.org/licenses/by/4.0/legalcode",
        "Roe_Jane_2/flair.nii",
        "1 mm / 2 mm",
        "",
    ],
)
def test_what_is_no_path_stays_as_it_is(text):
    assert without_folders(text, ["Roe_Jane/flair.nii", "Jane_2/x"]) == text


def test_a_name_that_is_no_utf8_leaves_valid_json():
    name = b"/d/\xff.nii".decode("utf-8", "surrogateescape")
    text = json.dumps(without_folders({"source": name}, [name]), ensure_ascii=False)
    assert json.loads(text.encode()) == {"source": r"\xff.nii"}


def test_a_user_without_a_home_lives_at_the_root(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert home_folder() == Path(Path.cwd().anchor)
