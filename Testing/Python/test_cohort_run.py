"""Cohorts that finish, whatever happens to a case, to the engine or to the machine."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from cohort_cases import QUICK, labels, start, write_case, write_cases, write_pack

from BrainTumorSegLib.core.sequences import Sequence

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")

#: The 16 that can be done, and what happens to the other four.
GOOD = [f"case{number}" for number in range(16)]
BAD = {
    "crashes": ("failed", "crashed (SIGABRT)"),
    "starves": ("failed", "memory"),
    "lacking": ("unusable", "no contrast-enhanced T1"),
    "mixed-up": ("unusable", "its name says is another sequence"),
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return write_pack(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """A table of twenty cases, four of them bad."""
    folder = tmp_path_factory.mktemp("twenty")
    rows = ["case\tt1\tt1ce\tflair"]
    for number, name in enumerate((*GOOD, *BAD)):
        write_case(folder, name, number)
        columns = ["t1", "t1ce", "flair"]
        if name == "lacking":
            columns[1] = ""
        if name == "mixed-up":
            columns[1:] = ["flair", "t1ce"]
        files = [f"{name}/{name}_{column}.nii.gz" if column else "" for column in columns]
        rows.append("\t".join([name, *files]))
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")
    return folder


def words(folder, output, pack, *more):
    given = ["cohort", folder, "-o", output, "--pack", pack, "--progress", "json", "--threads", 1]
    return [*given, *QUICK, *more]


def ended(process, timeout=900):
    """Exit code, JSON lines and errors of a program that has ended by itself."""
    out, err = process.communicate(timeout=timeout)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


def case_lines(lines, state="done"):
    return [line["case"] for line in lines if line["kind"] == "case" and line["state"] == state]


def states(output):
    found = {}
    # Hidden files are what a killed engine was writing; `glob` of Python finds them too.
    for path in (output / ".cohort").glob("[!.]*.json"):
        state = json.loads(path.read_text())
        found[state["case"]] = state
    return found


def table(output):
    with (output / "cohort.tsv").open(encoding="utf-8", newline="") as stream:
        return {row["case"]: row for row in csv.DictReader(stream, delimiter="\t")}


@pytest.fixture(scope="module")
def undisturbed(twenty, pack, tmp_path_factory):
    """One run over the twenty cases; its folder, exit code, lines and errors."""
    place = tmp_path_factory.mktemp("undisturbed")
    process = start(*words(twenty, place / "out", pack, "--workers", 2), faults=place / "faults")
    return place / "out", *ended(process)


def test_sixteen_of_twenty_cases_are_done_and_four_are_named_with_a_remedy(undisturbed):
    output, code, lines, errors = undisturbed
    assert code == 10, errors
    assert "4 of 20 cases are not done" in errors
    assert sorted(case_lines(lines)) == sorted(GOOD)
    rows = table(output)
    assert list(rows)[:2] == ["case0", "case1"] and len(rows) == 20
    assert {name for name, row in rows.items() if row["state"] == "done"} == set(GOOD)
    for name, (state, reason) in BAD.items():
        assert rows[name]["state"] == state, rows[name]
        assert reason in rows[name]["reason"] and rows[name]["remedy"], rows[name]
    assert labels(output).keys() == set(GOOD)


def test_what_crashed_was_tried_again_and_counted(undisturbed):
    rows = table(undisturbed[0])
    assert [rows[name]["attempts"] for name in ("case0", "crashes", "starves")] == ["1", "2", "2"]


def test_the_table_tells_what_was_found_and_what_it_cost(undisturbed):
    row = table(undisturbed[0])["case3"]
    assert float(row["seconds"]) > float(row["seconds_segment"]) > 0
    assert 100 < int(row["peak_memory_mb"]) < 4000
    assert float(row["volume_WT_ml"]) > 0 and float(row["registration_flair"]) > 1
    assert 0 <= float(row["doubtful_share"]) <= 1
    assert row["segmentation"] == "case3/case3.seg.nrrd" and row["log"] == "logs/case3.log"


def test_the_page_shows_every_case_and_loads_nothing_from_elsewhere(undisturbed):
    page = (undisturbed[0] / "cohort.html").read_text(encoding="utf-8")
    shown = re.findall(r'<article class="case (\w+)"[^>]*data-name="([^"]+)"', page)
    assert sorted(name for _, name in shown) == sorted((*GOOD, *BAD))
    # What needs a look comes first.
    assert [state for state, _ in shown[:4]] == ["failed", "failed", "unusable", "unusable"]
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sum(source.startswith("data:image/jpeg") for source in sources) == 16
    links = [source for source in sources if not source.startswith("data:")]
    assert links and all((undisturbed[0] / link).is_file() for link in links)


def test_a_native_crash_says_in_the_log_where_it_happened(undisturbed):
    log = (undisturbed[0] / "logs" / "crashes.log").read_text()
    assert "Fatal Python error: Aborted" in log and "load_case" in log


def test_neither_states_nor_logs_tell_the_folders_of_the_scans(undisturbed, twenty):
    kept = [*(undisturbed[0] / ".cohort").glob("*.json"), *(undisturbed[0] / "logs").iterdir()]
    assert len(kept) == 2 * 18
    assert not [path.name for path in kept if str(twenty) in path.read_text()]


def test_the_same_command_computes_nothing_that_is_done(undisturbed, twenty, pack):
    output, *_ = undisturbed
    before = {name: state["ended"] for name, state in states(output).items()}
    code, lines, _ = ended(start(*words(twenty, output, pack)))
    assert code == 10 and case_lines(lines) == []
    assert {name: state["ended"] for name, state in states(output).items()} == before


def test_failed_cases_are_tried_again_when_asked(undisturbed, twenty, pack, tmp_path):
    """Without the fault they are done."""
    output = shutil.copytree(undisturbed[0], tmp_path / "out")
    code, lines, _ = ended(start(*words(twenty, output, pack, "--retry-failed")))
    assert code == 10 and sorted(case_lines(lines)) == ["crashes", "starves"]
    assert states(output)["crashes"]["attempts"] == 3


def test_an_engine_that_is_killed_five_times_loses_nothing_and_computes_nothing_twice(
    undisturbed, twenty, pack, tmp_path
):
    output, rng, seen = tmp_path / "out", random.Random(7), {}
    for _ in range(5):
        process = start(*words(twenty, output, pack, "--workers", 2), faults=tmp_path / "faults")
        for line in process.stdout:
            if json.loads(line).get("state") == "done":
                break
        time.sleep(rng.uniform(0, 2))
        process.kill()
        process.communicate()
        done = {n: s["ended"] for n, s in states(output).items() if s["state"] == "done"}
        assert seen.items() <= done.items()
        seen = done
    assert seen
    code, lines, errors = ended(
        start(*words(twenty, output, pack, "--workers", 2), faults=tmp_path / "faults")
    )
    assert code == 10, errors
    after = states(output)
    assert {name: after[name]["ended"] for name in seen} == seen
    assert not seen.keys() & set(case_lines(lines))
    expected, found = labels(undisturbed[0]), labels(output)
    assert expected.keys() == found.keys() == set(GOOD)
    assert all(np.array_equal(expected[name], found[name]) for name in GOOD)
    for name in GOOD:
        assert record(output, name) == record(undisturbed[0], name)
        # What a killed process had left unfinished went when the case was done.
        assert list((output / name).glob(".*")) == []


def record(output, name):
    """A record without what differs from run to run."""
    found = json.loads((output / name / f"{name}_record.json").read_text())
    return {key: value for key, value in found.items() if key not in ("created", "timings_s")} | {
        "registration": [{**entry, "seconds": 0} for entry in found["registration"]]
    }


def test_a_killed_engine_takes_its_cases_with_it(twenty, pack, tmp_path):
    import psutil

    process = start(*words(twenty, tmp_path / "out", pack, "--workers", 2))
    for line in process.stdout:
        if json.loads(line).get("state") == "done":
            break
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def test_ctrl_c_once_finishes_what_is_running_and_twice_stops(twenty, pack, tmp_path):
    # A shell that starts tests in the background hands down an ignored SIGINT.
    restore = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    output = tmp_path / "out"
    process = start(*words(twenty, output, pack, "--workers", 1), **restore)
    interrupt(process)
    code, lines, errors = ended(process)
    assert code == 130 and "will be finished" in errors
    found = states(output)
    assert {state["state"] for state in found.values()} == {"done"}
    assert 1 <= len(case_lines(lines)) == len(found) - 1 < 15
    assert len(table(output)) == 20

    process = start(*words(twenty, output, pack, "--workers", 1), **restore)
    interrupt(process)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    code, _, _ = ended(process)
    assert code == 130
    assert found.items() <= states(output).items()
    assert {state["state"] for state in states(output).values()} <= {"done", "waiting"}
    assert list((output / ".cohort").glob("*.lease")) == []
    assert list(output.rglob("*.part*")) == []


def interrupt(process):
    """Ctrl-C while the case after the first one runs."""
    for line in process.stdout:
        if json.loads(line).get("state") == "done":
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)


def test_two_engines_at_once_share_the_cases(tmp_path, pack):
    folder, output = write_cases(tmp_path / "in", 6), tmp_path / "out"
    engines = [start(*words(folder, output, pack, "--workers", 1)) for _ in range(2)]
    results = [ended(engine) for engine in engines]
    assert [code for code, *_ in results] == [0, 0]
    shares = [case_lines(lines) for _, lines, _ in results]
    assert sorted(name for share in shares for name in share) == [
        f"case{number}" for number in range(6)
    ]
    assert all(state["attempts"] == 1 for state in states(output).values())


def test_no_other_case_is_begun_after_so_many_failures(tmp_path, pack):
    for number in range(4):
        place = write_case(tmp_path / "in", f"case{number}", number)
        (place / f"case{number}_t1ce.nii.gz").write_bytes(b"no scan")
    more = ("--workers", 1, "--max-failures", 2)
    code, lines, _ = ended(start(*words(tmp_path / "in", tmp_path / "out", pack, *more)))
    assert code == 10 and case_lines(lines, "failed") == ["case0", "case1"]
    rows = table(tmp_path / "out")
    assert [row["state"] for row in rows.values()] == ["failed"] * 2 + ["waiting"] * 2
    # A fault of the input is not tried again.
    assert rows["case0"]["attempts"] == "1" and "t1ce" in rows["case0"]["reason"]


def test_a_bids_app_writes_a_derivative(tmp_path, pack):
    raw = tmp_path / "raw"
    for subject in ("sub-01", "sub-02"):
        names = {
            Sequence.T1: f"{subject}_T1w.nii.gz",
            Sequence.T1CE: f"{subject}_ce-gadolinium_T1w.nii.gz",
            Sequence.FLAIR: f"{subject}_FLAIR.nii.gz",
        }
        write_case(tmp_path / "made", subject, 1, names)
        shutil.copytree(tmp_path / "made" / subject, raw / subject / "anat")
    given = ["bids", raw, tmp_path / "out", "participant", "--participant-label", "02"]
    given += ["--pack", pack, "--progress", "json", "--threads", 1, *QUICK]
    code, lines, errors = ended(start(*given))
    assert code == 0 and case_lines(lines) == ["sub-02"], errors
    anat, stem = tmp_path / "out" / "sub-02" / "anat", "sub-02_ce-gadolinium_desc-auto"
    assert sorted(path.name for path in anat.iterdir()) == [
        f"{stem}_dseg.json",
        f"{stem}_dseg.nii.gz",
        f"{stem}_overview.png",
        f"{stem}_record.json",
    ]
    told = json.loads((anat / f"{stem}_dseg.json").read_text())
    assert told["SpatialReference"] == "bids:raw:sub-02/anat/sub-02_ce-gadolinium_T1w.nii.gz"
    assert len(told["Sources"]) == 3
    assert (tmp_path / "out" / "dataset_description.json").is_file()
