"""The command line: what it writes, how it fails, and that it leaves nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import BrainTumorSegError
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd

CASE = "Brats18_2013_3_1"
QUICK = [
    *("--members", "1", "--tta", "none", "--device", "cpu"),
    *("--registration", "none", "--brain", "stripped"),
]


@pytest.fixture
def scans(real_data):
    folder = real_data / "brats" / CASE
    return [
        argument
        for sequence in ("t1", "t1ce", "flair")
        for argument in (f"--{sequence}", str(folder / f"{CASE}_{sequence}.nii.gz"))
    ]


@pytest.fixture(scope="module")
def sparse(real_data, tmp_path_factory):
    """Every fifth slice, where any scan does."""
    folder, words = tmp_path_factory.mktemp("sparse"), []
    for sequence in ("t1", "t1ce", "flair"):
        name = f"{CASE}_{sequence}.nii.gz"
        image = sitk.ReadImage(str(real_data / "brats" / CASE / name))
        sitk.WriteImage(image[:, :, ::5], str(folder / name))
        words += [f"--{sequence}", str(folder / name)]
    return words


def run(*arguments, capsys):
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "BrainTumorSegLib", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        # A shell that starts tests in the background hands down an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_help_names_every_command_and_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert leaving.value.code == 0
    commands = ("segment", "report", "dicom-seg", "demo", "doctor", "models", "train", "evaluate")
    for command in commands:
        assert command in text
    for kind in _error_kinds():
        assert str(kind.exit_code) in text


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from BrainTumorSegLib.cli.application import build_parser\n"
        "build_parser()\n"
        "print([m for m in ('torch', 'SimpleITK', 'numpy', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_every_kind_of_error_has_an_exit_code_of_its_own():
    codes = [kind.exit_code for kind in _error_kinds()]
    assert len(set(codes)) == len(codes) and not {0, 2} & set(codes)


def _error_kinds():
    return [
        kind
        for kind in BrainTumorSegError.__subclasses__()
        if kind.__module__ == "BrainTumorSegLib.core.errors"
    ]


def test_one_run_writes_every_output_that_was_asked_for(scans, tmp_path, capsys):
    wanted = {
        "-o": "result.seg.nrrd",
        "--labelmap": "labels.nii.gz",
        "--probabilities": "probabilities.nrrd",
        "--disagreement": "entropy.nii.gz",
        "--picture": "picture.png",
    }
    arguments = [a for flag, name in wanted.items() for a in (flag, tmp_path / name)]
    reports = [tmp_path / "report.json", tmp_path / "report.html"]
    for report in reports:
        arguments += ["--report", report]
    code, out, err = run("segment", *scans, *QUICK, "--members", "2", *arguments, capsys=capsys)
    assert code == 0, err
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *wanted.values(),
        "report.json",
        "report.html",
        "entropy.mutual-information.nii.gz",
    }
    assert "Enhancing tumour" in out and str(tmp_path / "result.seg.nrrd") in out

    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "labels.nii.gz")))
    segments = sitk.GetArrayFromImage(read_seg_nrrd(tmp_path / "result.seg.nrrd"))
    assert labels.any() and np.array_equal(labels, segments)
    record = json.loads(reports[0].read_text(encoding="utf-8"))
    assert record["volumes_ml"]["WT"] == pytest.approx((labels > 0).sum() / 1000, abs=0.01)
    assert len(record["pack"]["members"]) == 2
    # Names of patients stand in folders.
    assert record["case"]["inputs"][0]["source"] == Path(scans[1]).name
    for report in reports:
        text = report.read_text(encoding="utf-8")
        assert not any(str(Path(scan).parent) in text for scan in scans[1::2])
        assert str(Path.home()) not in text
    probabilities = sitk.ReadImage(str(tmp_path / "probabilities.nrrd"))
    assert probabilities.GetNumberOfComponentsPerPixel() == 5


def test_a_label_map_can_be_the_only_output(sparse, tmp_path, capsys):
    code, _, err = run("segment", *sparse, *QUICK, "-o", tmp_path / "a.nii.gz", capsys=capsys)
    assert code == 0, err
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_programs_get_progress_and_result_as_json_lines(sparse, tmp_path, capsys):
    code, out, _ = run(
        *("segment", *sparse, *QUICK, "-o", tmp_path / "a.nrrd", "--progress", "json"),
        capsys=capsys,
    )
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and lines[-1]["kind"] == "result"
    assert lines[-1]["outputs"] == [str(tmp_path / "a.nrrd")]
    stages = [line["stage"] for line in lines if line["kind"] == "progress"]
    assert list(dict.fromkeys(stages)) == [
        *("read", "register", "brain", "prepare", "segment", "restore", "write", "done")
    ]


def test_programs_get_errors_as_json_lines_too(tmp_path, capsys):
    code, out, err = run(
        *("segment", "--t1ce", tmp_path / "none.nii.gz", "-o", tmp_path / "a.nrrd"),
        *("--progress", "json"),
        capsys=capsys,
    )
    last = json.loads(out.splitlines()[-1])
    assert code == last["exit_code"] == 3 and last["kind"] == "error"
    assert "none.nii.gz" in last["message"] and "none.nii.gz" in err


def test_the_first_sign_of_life_comes_before_anything_slow_is_loaded(tmp_path):
    """Where torch cannot be imported at all, the first line is there all the same."""
    code = (
        "import sys\nfor name in ('torch', 'numpy', 'SimpleITK'): sys.modules[name] = None\n"
        "from BrainTumorSegLib.cli.application import main\nsys.exit(main(sys.argv[1:]))"
    )
    words = ["segment", "--t1ce", "a.nrrd", "-o", str(tmp_path / "b.nrrd"), "--progress", "json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    first, last = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["kind"], first["stage"], first["fraction"]) == ("progress", "read", 0)
    # The missing package is explained, not reported as a fault of the program.
    assert last["kind"] == "error" and done.returncode == last["exit_code"] == 7
    assert "not installed" in last["message"] and "doctor" in last["remedy"]
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for child processes")
@pytest.mark.parametrize("seconds", [0.0, 0.6, 1.2])
def test_a_signal_while_packages_load_ends_the_program_at_once(tmp_path, seconds):
    process = start("segment", "--t1ce", tmp_path / "no.nrrd", "-o", tmp_path / "a.nrrd",
                    "--progress", "json")  # fmt: skip
    process.stdout.readline()
    time.sleep(seconds)
    if process.poll() is not None:
        pytest.skip("this machine had loaded everything by then")
    process.terminate()
    began = time.monotonic()
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - began < 10
    # By the signal itself while loading; 143 or 3 where loading had just ended.
    assert process.returncode in (-signal.SIGTERM, 143, 3)
    assert "Traceback" not in err and "Fatal" not in err


def test_an_existing_result_is_kept_unless_overwriting_is_asked_for(sparse, tmp_path, capsys):
    result = tmp_path / "a.nrrd"
    result.write_text("precious")
    code, _, err = run("segment", *sparse, *QUICK, "-o", result, capsys=capsys)
    assert code == 4 and "overwrite" in err
    assert result.read_text() == "precious"
    code, _, err = run("segment", *sparse, *QUICK, "-o", result, "--overwrite", capsys=capsys)
    assert code == 0, err
    assert sitk.ReadImage(str(result)).GetSize() == (240, 240, 31)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-o", "{tmp}/a.xyz"], 4, "ending"),
        (["-o", "{tmp}/missing/a.nrrd"], 4, "missing"),
        (["-o", "{tmp}/a.nrrd", "--labelmap", "{tmp}/a.nrrd"], 4, "same name"),
        (["-o", "{tmp}/a.nrrd", "--report", "{tmp}/a.pdf"], 4, "ending"),
        (["-o", "{tmp}/a.nrrd", "--pack", "nonesuch"], 6, "nonesuch"),
        (["-o", "{tmp}/a.nrrd", "--device", "cuda:99"], 8, "cpu"),
        (["-o", "{tmp}/a.nrrd", "--members", "77"], 3, "members"),
        (["-o", "{tmp}/a.nrrd", "--brain", "{tmp}/no-mask.nii.gz"], 3, "no-mask"),
        (["-o", "{tmp}/a.nrrd", "--series", "flair=3"], 3, "--dicom"),
        (["-o", "{tmp}/a.nrrd", "--dicom", "{tmp}"], 3, "one or the other"),
        (["-o", "{tmp}/a.dcm.nrrd", "--dicom-seg", "{tmp}/a.dcm"], 4, "DICOM"),
        (["-o", "{tmp}/a.nrrd", "--registration", "brainsfit", "--brainsfit", "{tmp}/x"], 7, "x"),
    ],
)
def test_mistakes_are_named_with_their_own_exit_code_and_write_nothing(
    scans, tmp_path, capsys, arguments, code, words
):
    # What a mistake does not concern is quick; what it concerns comes last and wins.
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    got, _, err = run("segment", *scans, *QUICK, *filled, capsys=capsys)
    assert got == code, err
    assert words in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        *(f"segment -o o --min-lesion={value}" for value in ("nan", "inf", "-5", "much")),
        *(f"segment -o o --{option}" for option in ("batch=0", "batch=-1", "batch=2.5")),
        *(f"segment -o o --{option}" for option in ("threads=0", "members=0", "members=-1")),
        "demo --batch=0",
        "train --recipe r --data d -o o --seeds 0 -1",
        *(f"train --recipe r --data d -o o --{o}=-1" for o in ("workers", "allowed-loss", "folds")),
        "train --recipe r --data d -o o --allowed-loss=nan",
        *(f"evaluate --data d -o o --{o}=-1" for o in ("seed", "synthetic", "folds", "members")),
        *(f"evaluate --data d -o o --{option}" for option in ("threads=0", "members=few")),
        "experiment --config c --workers=-1",
        *(f"benchmark --{option}" for option in ("runs=0", "cases=1", "threads=0", "members=0")),
        "models export run pack --check-slices=0",
        *(f"synthesise --out o --{option}" for option in ("seed=-1", "count=0", "columns=0")),
    ],
)
def test_a_number_that_makes_no_sense_is_wrong_usage(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(command.split())
    assert stop.value.code == 2
    assert "cannot be" in capsys.readouterr().err


def test_american_spelling_names_the_same_command():
    british, american = (
        cli.build_parser().parse_args([name, "--out", "o"]).run
        for name in ("synthesise", "synthesize")
    )
    assert british is american


def test_wrong_usage_exits_with_two(capsys):
    with pytest.raises(SystemExit) as leaving:
        cli.main(["segment"])
    assert leaving.value.code == 2
    assert "-o" in capsys.readouterr().err


def test_an_unexpected_error_is_shown_whole_and_asks_for_a_report(monkeypatch, capsys):
    from BrainTumorSegLib.cli.commands import doctor

    def explode(_args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(doctor, "run", explode)
    code, _, err = run("doctor", capsys=capsys)
    assert code == 1 and "Traceback" in err and "report" in err


def test_running_out_of_memory_is_no_traceback(monkeypatch, capsys):
    from BrainTumorSegLib.cli.commands import doctor

    def greedy(_args):
        raise MemoryError

    monkeypatch.setattr(doctor, "run", greedy)
    code, _, err = run("doctor", capsys=capsys)
    assert code == 8 and "memory" in err and "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals for child processes")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_leaves_no_file_and_its_own_exit_code(scans, tmp_path, number, code):
    process = start(
        *("segment", *scans, *QUICK, "--tta", "tta3", "-o", tmp_path / "a.seg.nrrd"),
        *("--report", tmp_path / "a.html", "--progress", "json"),
    )
    for line in process.stdout:
        if json.loads(line)["stage"] == "segment":
            break
    process.send_signal(number)
    started = time.monotonic()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert time.monotonic() - started < 20
    assert json.loads(out.splitlines()[-1])["exit_code"] == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("stop", "code", "words"),
    [(KeyboardInterrupt(), 130, "Cancelled. "), (cli._Terminated(), 143, "Terminated. ")],
)
def test_an_interrupt_is_told_as_it_was(monkeypatch, capsys, stop, code, words):
    def interrupted(_args):
        raise stop

    monkeypatch.setattr("BrainTumorSegLib.cli.commands.doctor.run", interrupted)
    assert cli.main(["doctor"]) == code
    assert f"{words}No file was left half written." in capsys.readouterr().err
    stop.add_note("All files had been written before.")
    assert cli.main(["doctor"]) == code
    assert f"{words}All files had been written before.\n" in capsys.readouterr().err


def test_without_a_folder_for_temporary_files_there_is_advice_and_no_traceback(monkeypatch, capsys):
    def without(_args):
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("BrainTumorSegLib.cli.commands.doctor.run", without)
    assert cli.main(["doctor"]) == 4
    err = capsys.readouterr().err
    assert "temporary files (TMPDIR) cannot be written" in err and "Traceback" not in err


def test_no_folder_of_torch_is_left_in_the_folder_for_temporary_files(tmp_path):
    code = (
        "import sys; from BrainTumorSegLib.cli.application import main\n"
        "main(['models', 'list']); import torch._dynamo"
    )
    folder = Path(__file__).resolve().parents[2]
    variables = {**os.environ, "TMPDIR": str(tmp_path), "BRAINTUMORSEG_CACHE": str(tmp_path / "c")}
    variables.pop("TORCHINDUCTOR_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", code], env=variables, cwd=folder, check=False)
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_models_can_be_listed_and_verified(capsys):
    code, out, _ = run("models", "list", capsys=capsys)
    assert code == 0 and "glioma-lite" in out
    code, out, err = run("models", "verify", "glioma-lite", capsys=capsys)
    assert code == 0 and "all hashes agree" in out, err


def test_a_pack_goes_out_and_in_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    archive = tmp_path / "pack.zip"
    code, _, err = run("models", "export", "glioma-lite", archive, capsys=capsys)
    assert code == 0 and archive.stat().st_size > 1e6, err
    code, out, err = run("models", "import", archive, "--overwrite", capsys=capsys)
    assert code == 0 and "glioma-lite" in out, err
    code, out, _ = run("models", "list", "--json", capsys=capsys)
    assert code == 0 and any("home" in str(row) for row in json.loads(out))
    code, _, err = run("models", "remove", "glioma-lite", capsys=capsys)
    assert code == 0, err
    code, _, err = run("models", "remove", "glioma-lite", capsys=capsys)
    assert code == 6 and "glioma-lite" in err


def test_the_doctor_speaks_to_people_and_programs(capsys):
    code, out, _ = run("doctor", "--json", capsys=capsys)
    findings = json.loads(out)["findings"]
    assert code in (0, 1) and len(findings) > 5
    code_again, text, _ = run("doctor", capsys=capsys)
    assert code_again == code and "torch" in text


@pytest.mark.parametrize(
    ("chosen", "count"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_waiting_threads_give_their_core_back_unless_the_person_chose_otherwise(chosen, count):
    """Asked of a process of its own: libgomp reads the environment when torch is imported."""
    code = (
        "import os, sys\nfrom BrainTumorSegLib import cli\n"
        "try:\n    cli.main(['--version'])\nexcept SystemExit:\n    pass\n"
        "print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)"
    )
    kept = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**kept, **chosen}, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == f"{count} False", done.stderr
