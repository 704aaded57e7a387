"""Cases of a cohort: found in folders, tables, DICOM studies and BIDS data sets, or left out."""

from __future__ import annotations

import json
import shlex

import pytest
from dicom_factory import Examination, head, write_series

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.cli.commands import cohort as cohort_command
from BrainTumorSegLib.cohort.bids import find_bids_cases, is_bids, write_dataset_files
from BrainTumorSegLib.cohort.cases import STATE_FOLDER, choose_cases, part_of
from BrainTumorSegLib.cohort.engine import Stop
from BrainTumorSegLib.cohort.finding import find_cases
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

THREE = ("t1", "t1ce", "flair")


def touch(folder, *names):
    """Files whose names are all that matters."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def table(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["case\tt1\tt1ce\tflair\tdicom\tregistration", *("\t".join(row) for row in rows)]
    (folder / "cases.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def names_of(cases):
    return [case.name for case in cases]


def one(cases):
    (case,) = cases
    return case


# --- folders -------------------------------------------------------------------------------


def test_every_folder_with_scans_is_a_case_and_ten_comes_after_nine(tmp_path):
    for number in (10, 9, 1):
        touch(tmp_path / f"p{number}", *(f"x_{s}.nii.gz" for s in THREE))
    touch(tmp_path / "notes", "readme.txt")
    cases = find_cases(tmp_path)
    assert names_of(cases) == ["p1", "p9", "p10"]
    assert {s.value for s in cases[0].scans} == set(THREE)
    assert cases[0].problem is None and "flair" in cases[0].reasons[Sequence.FLAIR]


def test_labels_and_other_sequences_are_left_out_with_a_reason(tmp_path):
    touch(tmp_path / "p", *(f"x_{s}.nii.gz" for s in (*THREE, "t2", "seg")))
    case = one(find_cases(tmp_path))
    assert len(case.scans) == 3
    assert [text.partition(":")[0] for text in case.left_out] == ["x_seg.nii.gz", "x_t2.nii.gz"]
    assert "labels" in case.left_out[0] and "T2" in case.left_out[1]


def test_a_case_without_contrast_enhanced_t1_is_named_with_a_remedy(tmp_path):
    touch(tmp_path / "p", "x_t1.nii.gz", "x_flair.nii.gz")
    message, remedy = one(find_cases(tmp_path)).problem
    assert "p has no contrast-enhanced T1" in message and "x_flair.nii.gz" in message
    assert "cannot be done without" in remedy


def test_two_files_of_one_sequence_are_a_problem_of_that_case_alone(tmp_path):
    touch(tmp_path / "a", "x_t1ce.nii.gz", "y_t1ce.nii.gz")
    touch(tmp_path / "b", "x_t1ce.nii.gz")
    first, second = find_cases(tmp_path)
    assert "cannot be told apart" in first.problem[0] and second.problem is None


def test_cases_one_folder_deeper_are_found(tmp_path):
    for name in ("a", "b"):
        touch(tmp_path / "brats" / name, f"{name}_t1ce.nii.gz", f"{name}_t1.nii.gz")
    assert names_of(find_cases(tmp_path)) == ["brats-a", "brats-b"]


def test_a_case_may_have_a_folder_for_each_sequence(tmp_path):
    touch(tmp_path / "p", "t1/scan.nii.gz", "t1ce/scan.nii.gz", "flair/scan.nii.gz")
    case = one(find_cases(tmp_path))
    assert case.name == "p" and len(case.scans) == 3


def test_files_side_by_side_are_told_apart_by_what_stands_before_the_sequence(tmp_path):
    touch(tmp_path, *(f"{name}_{s}.nii.gz" for name in ("anna_1", "anna_2") for s in THREE))
    cases = find_cases(tmp_path)
    assert names_of(cases) == ["anna_1", "anna_2"]
    assert all(len(case.scans) == 3 for case in cases)


def test_scans_of_different_patients_are_never_put_together(tmp_path):
    touch(tmp_path / "site" / "p1", "x_t1ce.nii.gz")
    touch(tmp_path / "site" / "p2", "x_flair.nii.gz")
    touch(tmp_path, "p3_t1ce.nii.gz", "p4_flair.nii.gz")
    cases = {case.name: case for case in find_cases(tmp_path)}
    assert cases.keys() == {"site-p1", "site-p2", "p3", "p4"}
    assert all(len(case.scans) == 1 for case in cases.values())


def test_files_named_by_their_sequence_alone_are_one_case(tmp_path):
    touch(tmp_path / "me", *(f"{s}.nii.gz" for s in THREE))
    case = one(find_cases(tmp_path / "me"))
    assert case.name == "me" and len(case.scans) == 3


def test_results_and_hidden_folders_are_not_searched(tmp_path):
    touch(tmp_path / "p", "x_t1ce.nii.gz")
    touch(tmp_path / "out" / "p", "p_t1ce.nii.gz")
    touch(tmp_path / "old" / STATE_FOLDER, "p.json")
    touch(tmp_path / "old" / "p", "p_t1ce.nii.gz")
    touch(tmp_path / ".trash" / "p", "p_t1ce.nii.gz")
    assert names_of(find_cases(tmp_path, tmp_path / "out")) == ["p"]


def test_cases_that_would_write_the_same_files_are_refused(tmp_path):
    folder = table(tmp_path, ["P"], ["p"])
    with pytest.raises(InputError, match="'P' and 'p' would write the same files"):
        find_cases(folder)


@pytest.mark.parametrize("make", [lambda f: touch(f, "readme.txt"), lambda f: None])
def test_a_folder_without_a_case_is_an_error_that_says_how_cases_look(tmp_path, make):
    make(tmp_path / "d")
    with pytest.raises(InputError, match=r"holds no case|does not exist") as raised:
        find_cases(tmp_path / "d")
    assert raised.value.remedy


# --- tables --------------------------------------------------------------------------------


def test_a_table_names_files_relative_to_itself_and_options_of_a_case(tmp_path):
    touch(tmp_path / "in", "a.nii.gz", "b.nii.gz")
    folder = table(tmp_path, ["p", "in/a.nii.gz", "in/b.nii.gz", "", "", "simpleitk"])
    for place in (folder, folder / "cases.tsv"):
        case = one(find_cases(place))
        assert case.scans[Sequence.T1CE] == tmp_path / "in" / "b.nii.gz"
        assert case.options == {"registration": "simpleitk"} and case.problem is None


def test_a_row_without_files_finds_them_in_the_folder_of_its_name(tmp_path):
    touch(tmp_path / "brats" / "p", "p_t1ce.nii.gz")
    assert one(find_cases(table(tmp_path, ["p"]))).scans.keys() == {Sequence.T1CE}


def test_columns_that_were_exchanged_as_the_names_of_the_files_say_are_noticed(tmp_path):
    touch(tmp_path, "p_flair.nii.gz", "p_t1ce.nii.gz")
    case = one(find_cases(table(tmp_path, ["p", "", "p_flair.nii.gz", "p_t1ce.nii.gz"])))
    message, remedy = case.problem
    assert "column t1ce of case p names p_flair.nii.gz" in message
    assert "Exchange the columns" in remedy


def test_a_name_that_is_silent_about_contrast_contradicts_no_column(tmp_path):
    touch(tmp_path, "first_T1.nii.gz", "second_T1.nii.gz")
    case = one(find_cases(table(tmp_path, ["p", "first_T1.nii.gz", "second_T1.nii.gz"])))
    assert case.problem is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (["p", "a.nii.gz"], "names no contrast-enhanced T1"),
        (["p", "", "gone.nii.gz"], "gone.nii.gz (T1CE of case p) does not exist"),
        (["p", "", "", "", "gone"], "gone, the DICOM folder of case p, does not exist"),
        (["p", "", "a.nii.gz", "", "d"], "both a DICOM folder and files"),
        (["p"], "names no files"),
    ],
)
def test_a_row_that_cannot_be_used_is_a_problem_of_that_case_alone(tmp_path, row, words):
    touch(tmp_path, "a.nii.gz", "d/x")
    touch(tmp_path / "good", "t1ce.nii.gz")
    bad, good = sorted(find_cases(table(tmp_path, row, ["good"])), key=lambda c: c.name == "good")
    assert words in bad.problem[0] and bad.problem[1] and good.problem is None


def test_a_table_that_cannot_be_read_is_an_input_error(tmp_path):
    (tmp_path / "cases.tsv").write_text("case\tregistraton\np\tx\n")
    with pytest.raises(InputError, match="did you mean registration"):
        find_cases(tmp_path)


# --- DICOM ---------------------------------------------------------------------------------


def study(folder, patient, date="20240101"):
    examination = Examination(patient=patient, date=date)
    for number, kind in enumerate(THREE, 1):
        write_series(folder / kind, head(seed=number), number, kind, examination)
    return examination


def test_a_folder_for_each_dicom_study_gives_a_case_for_each(tmp_path):
    for name in ("a", "b"):
        study(tmp_path / name, name)
    cases = find_cases(tmp_path)
    assert names_of(cases) == ["a", "b"]
    assert [case.dicom for case in cases] == [tmp_path / "a", tmp_path / "b"]
    assert all(case.study is None for case in cases)


def test_two_studies_of_a_patient_are_two_cases_the_earlier_first(tmp_path):
    late = study(tmp_path / "p" / "x", "p", "20240202")
    early = study(tmp_path / "p" / "y", "p", "20240101")
    cases = find_cases(tmp_path)
    assert [(case.name, case.study) for case in cases] == [("p-1", early.uid), ("p-2", late.uid)]


def test_other_files_beside_dicom_studies_change_nothing(tmp_path):
    study(tmp_path / "a", "a")
    touch(tmp_path, "readme.txt")
    assert one(find_cases(tmp_path)).dicom == tmp_path / "a"


def test_a_study_with_a_folder_for_each_series_is_one_case(tmp_path):
    study(tmp_path / "s", "p")
    case = one(find_cases(tmp_path / "s"))
    assert case.name == "s" and case.dicom == tmp_path / "s" and case.study is None


# --- BIDS ----------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "raw"
    for place in ("sub-01", "sub-02/ses-a", "sub-02/ses-b"):
        entities = place.replace("/", "_")
        files = (f"{entities}_T1w.nii.gz", f"{entities}_ce-gadolinium_T1w.nii.gz")
        touch(folder / place / "anat", *files, f"{entities}_FLAIR.nii.gz", f"{entities}_T2w.nii.gz")
    (folder / "dataset_description.json").write_text("{}")
    return folder


def test_every_session_of_a_bids_data_set_is_a_case(dataset):
    cases = find_cases(dataset)
    assert is_bids(dataset) and names_of(cases) == ["sub-01", "sub-02_ses-a", "sub-02_ses-b"]
    first = cases[0]
    assert first.scans[Sequence.T1CE].name == "sub-01_ce-gadolinium_T1w.nii.gz"
    assert first.scans[Sequence.T1].name == "sub-01_T1w.nii.gz"
    assert "T2w" in first.left_out[0]
    assert cases[2].folder == "sub-02/ses-b/anat"
    assert cases[2].stem == "sub-02_ses-b_ce-gadolinium_desc-auto"


def test_participants_and_sessions_are_chosen_by_label(dataset):
    assert names_of(find_bids_cases(dataset, ["sub-02"], ["b"])) == ["sub-02_ses-b"]
    assert names_of(find_bids_cases(dataset, ["01"])) == ["sub-01"]
    with pytest.raises(InputError, match="has no sub-7"):
        find_bids_cases(dataset, ["7"])


def test_two_runs_of_a_sequence_are_a_problem_with_a_remedy(dataset):
    touch(dataset / "sub-01" / "anat", "sub-01_run-2_FLAIR.nii.gz")
    message, remedy = find_cases(dataset)[0].problem
    assert "more than one FLAIR" in message and "cases.tsv" in remedy


def test_a_derivative_describes_itself(dataset, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    write_dataset_files(out, dataset)
    told = json.loads((out / "dataset_description.json").read_text())
    assert told["DatasetType"] == "derivative" and told["GeneratedBy"][0]["Name"] == "BrainTumorSeg"
    # The names of the folders above are nobody's business.
    assert told["DatasetLinks"] == {"raw": f"../{dataset.name}"}
    assert "4\tEnhancing tumour" in (out / "desc-auto_dseg.tsv").read_text()


# --- choosing ------------------------------------------------------------------------------


def test_cases_are_chosen_and_excluded_by_patterns(tmp_path):
    for name in ("a1", "a2", "b1"):
        touch(tmp_path / name, "t1ce.nii.gz")
    cases = find_cases(tmp_path)
    assert names_of(choose_cases(cases, ["a*"], ["*2"])) == ["a1"]
    with pytest.raises(InputError, match="No case has the name 'c\\*'"):
        choose_cases(cases, ["c*"])
    with pytest.raises(InputError, match="No case is left"):
        choose_cases(cases, exclude=["*"])


@pytest.mark.parametrize("parts", [1, 3, 10])
def test_every_case_is_in_exactly_one_part(tmp_path, parts):
    for number in range(7):
        touch(tmp_path / f"p{number}", "t1ce.nii.gz")
    cases = find_cases(tmp_path)
    divided = [names_of(part_of(cases, part, parts)) for part in range(1, parts + 1)]
    assert sorted(name for names in divided for name in names) == names_of(cases)
    assert max(map(len, divided)) - min(map(len, divided)) <= 1


# --- the command, before anything is computed ------------------------------------------------


def dry_run(capsys, *words):
    code = cli.main(["cohort", *map(str, words), "--dry-run", "--progress", "json"])
    lines = capsys.readouterr().out.splitlines()
    found = [json.loads(line) for line in lines]
    return code, {line["case"]: line for line in found if line["kind"] == "case"}


def test_a_dry_run_says_what_would_run_and_why_and_leaves_nothing(tmp_path, capsys):
    touch(tmp_path / "in" / "good", *(f"{s}.nii.gz" for s in THREE))
    touch(tmp_path / "in" / "bad", "t1.nii.gz")
    code, cases = dry_run(capsys, tmp_path / "in", "-o", tmp_path / "out")
    assert code == 0 and not (tmp_path / "out").exists()
    assert cases["good"]["run"] and cases["good"]["state"] == "waiting"
    assert cases["good"]["scans"]["flair"].endswith("flair.nii.gz")
    assert cases["bad"]["state"] == "unusable" and not cases["bad"]["run"]
    assert "no contrast-enhanced T1" in cases["bad"]["reason"] and cases["bad"]["remedy"]


def test_a_sequence_that_the_pack_needs_is_missed_before_anything_runs(tmp_path, capsys):
    touch(tmp_path / "in" / "p", "t1.nii.gz", "t1ce.nii.gz")
    where = (tmp_path / "in", "-o", tmp_path / "out")
    _, cases = dry_run(capsys, *where, "--reference", "flair")
    assert cases["p"]["state"] == "unusable" and "FLAIR" in cases["p"]["reason"]


def test_a_dry_run_for_programs_tells_the_series_of_a_study_or_why_they_cannot_be_told(
    tmp_path, capsys
):
    study(tmp_path / "in" / "good", "PAT-1")
    write_series(tmp_path / "in" / "bad", head(), 1, "flair", Examination())
    _, cases = dry_run(capsys, tmp_path / "in", "-o", tmp_path / "out")
    assert cases["good"]["series"]["t1ce"] == "series 2 (t1_se_tra_KM)"
    assert cases["good"]["reasons"].keys() == cases["good"]["series"].keys() == set(THREE)
    assert "No contrast-enhanced T1" in cases["bad"]["problem"]


@pytest.mark.parametrize(("given", "level"), [([b""], 1), ([b"\n"], 1), ([b"\n", b"{}\n"], 2)])
def test_a_line_of_input_or_its_end_stops_as_ctrl_c_does(monkeypatch, given, level):
    parts = iter([*given, b""])
    monkeypatch.setattr(cohort_command.os, "read", lambda _file, _size: next(parts))
    stop = Stop()
    cohort_command._input_stops(stop)
    assert stop.level == level


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--part", "3/2"], 2, "Write for example 3/10"),
        (["--part", "0/2"], 2, "Write for example 3/10"),
        (["--brainsfit", "ask"], 3, "segments one case"),
        (["--pack", "no-such-pack"], 6, "no model pack"),
        (["--tta", "tta9"], 2, "invalid choice"),
        (["--workers", "0"], 2, "whole number from 1 up"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_looked_for(
    tmp_path, capsys, words, code, said
):
    arguments = ["cohort", str(tmp_path / "none"), "-o", str(tmp_path / "out"), *words]
    try:
        found = cli.main(arguments)
    except SystemExit as end:
        found = end.code
    assert found == code and said in capsys.readouterr().err


def test_results_do_not_go_where_the_scans_are(tmp_path, capsys):
    touch(tmp_path / "p", "t1ce.nii.gz")
    assert cli.main(["cohort", str(tmp_path), "-o", str(tmp_path)]) == 3
    assert "holds the scans" in capsys.readouterr().err


def repeated(script, task):
    """What a task of the script's array of jobs is told, as the parser understands it."""
    (line,) = (line for line in script.splitlines() if line.startswith("exec srun "))
    given = shlex.split(line.replace("$SLURM_ARRAY_TASK_ID", str(task)))
    return cli.build_parser().parse_args(given[given.index("BrainTumorSegLib") + 1 :])


def test_the_script_for_slurm_repeats_the_command_with_all_its_options(tmp_path, capsys):
    for number in range(5):
        touch(tmp_path / "in" / f"p {number}", *(f"{s}.nii.gz" for s in THREE))
    words = ["--engine", "array", "--jobs", "3", "--network-engine", "torch", "--members", "2"]
    words += ["--only", "p *", "--exclude", "p 4", "--also", "html", "--retry-failed"]
    words += ["--max-failures", "7", "--reference", "flair", "--keep-islands", "--threads", "4"]
    assert cli.main(["cohort", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *words]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --array=1-3\n" in script and (tmp_path / "out" / "logs").is_dir()
    args = repeated(script, 2)
    assert (args.command, args.part, args.cohort_engine) == ("cohort", (2, 3), "local")
    assert (args.input, args.output) == (tmp_path / "in", tmp_path / "out")
    assert (args.engine, args.members, args.threads) == ("torch", 2, 4)
    assert (args.only, args.exclude, args.also) == (["p *"], ["p 4"], ["html"])
    assert (args.max_failures, args.reference) == (7, "flair")
    assert args.retry_failed and args.keep_distant_components and not args.overwrite


def test_the_script_of_a_bids_app_keeps_the_participants(dataset, tmp_path, capsys):
    words = ["bids", str(dataset), str(tmp_path / "out"), "participant"]
    words += ["--participant-label", "01", "02", "--session-label", "a", "--engine", "array"]
    assert cli.main(words) == 0
    args = repeated(capsys.readouterr().out, 1)
    assert (args.command, args.analysis_level) == ("bids", "participant")
    assert (args.participant_label, args.session_label) == (["01", "02"], ["a"])


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "is no BIDS data set"), (["--participant-label", "9"], "has no sub-9")],
)
def test_a_bids_app_says_what_is_wrong_with_its_input(tmp_path, dataset, capsys, words, said):
    place = dataset if words else touch(tmp_path / "plain", "x.txt")
    given = ["bids", str(place), str(tmp_path / "out"), "participant", *words]
    assert cli.main(given) == 3
    assert said in capsys.readouterr().err
