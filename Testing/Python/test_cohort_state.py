"""What is known of a case: when it is done, why it is stale, who works on it, why it failed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from cohort_cases import CHECKOUT, write_case, write_pack

from BrainTumorSegLib.cohort import lease, local
from BrainTumorSegLib.cohort.array import slurm_script
from BrainTumorSegLib.cohort.failure import explain_failure
from BrainTumorSegLib.cohort.finding import find_cases
from BrainTumorSegLib.cohort.lease import is_held, take_lease
from BrainTumorSegLib.cohort.local import choose_workers
from BrainTumorSegLib.cohort.plan import (
    Planned,
    Settings,
    make_order,
    make_plan,
    outputs_of,
    segment_words,
)
from BrainTumorSegLib.cohort.state import (
    State,
    inputs_of,
    pack_stamp,
    read_state,
    stamp,
    state_path,
    write_state,
)
from BrainTumorSegLib.cohort.table import seconds_left
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.models.packs import load_pack


@pytest.fixture
def settings(tmp_path):
    pack = load_pack(write_pack(tmp_path / "packs"))
    (tmp_path / "out" / ".cohort").mkdir(parents=True)
    return Settings(tmp_path / "out", Options(pack=pack.folder), pack)


@pytest.fixture
def case(tmp_path):
    write_case(tmp_path / "in", "p", 0)
    (found,) = find_cases(tmp_path / "in")
    return found


@pytest.fixture
def finished(case, settings):
    """The case, as if it had been computed."""
    outputs = {}
    for kind, name in outputs_of(case, settings).items():
        file = settings.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"the {kind}")
        outputs[kind] = {**stamp(file), "file": name}
    write_state(
        state_path(settings.folder, case),
        {
            "case": case.name,
            "state": State.DONE,
            "attempts": 1,
            "seconds": 1.0,
            "pack": pack_stamp(settings.pack),
            "options": settings.record_of(case),
            "inputs": {key: stamp(path) for key, path in inputs_of(case).items()},
            "outputs": outputs,
        },
    )
    return case


def judged(case, settings, **more):
    (planned,) = make_plan([case], settings, **more)
    return planned


# --- done, and no longer --------------------------------------------------------------------


def test_a_case_that_nobody_has_begun_waits(case, settings):
    planned = judged(case, settings)
    assert planned.state is State.WAITING and planned.to_run


def test_a_case_is_done_while_all_is_as_it_was(finished, settings):
    planned = judged(finished, settings)
    assert planned.state is State.DONE and not planned.to_run


def test_a_file_that_was_only_touched_or_moved_is_the_same(finished, settings, tmp_path):
    for file in (*finished.scans.values(), settings.folder / "p" / "p.seg.nrrd"):
        os.utime(file, (1, 1))
    assert judged(finished, settings).state is State.DONE
    (tmp_path / "in").rename(tmp_path / "elsewhere")
    (moved,) = find_cases(tmp_path / "elsewhere")
    assert judged(moved, settings).state is State.DONE


def change_input(case, settings):
    file = next(iter(case.scans.values()))
    file.write_bytes(file.read_bytes() + b"\0")
    return settings


def take_input_away(case, settings):
    case.scans.pop(next(iter(case.scans)))
    return settings


def change_option(case, settings):
    return replace(settings, options=replace(settings.options, min_lesion_mm3=5.0))


def change_reference(case, settings):
    from BrainTumorSegLib.core.sequences import Sequence

    return replace(settings, reference=Sequence.FLAIR)


def change_pack(case, settings):
    folder = settings.pack.folder.parent.parent / "other"
    pack = load_pack(write_pack(folder, seed=1))
    return replace(settings, pack=pack, options=replace(settings.options, pack=pack.folder))


def lose_output(case, settings):
    (settings.folder / "p" / "p_record.json").unlink()
    return settings


def want_more(case, settings):
    return replace(settings, also=("html",))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_input, "the input p_t1.nii.gz (t1) has changed"),
        (change_option, "it was made with min_lesion_mm3 100.0, not 5.0"),
        (change_reference, "it was made with reference t1ce, not flair"),
        (change_pack, "the model pack tiny 1.0.0 has changed"),
        (lose_output, "p_record.json is missing"),
        (want_more, "html is missing"),
    ],
)
def test_a_case_is_stale_when_something_has_changed_and_says_what(
    finished, settings, change, words
):
    planned = judged(finished, change(finished, settings))
    assert planned.state is State.STALE and planned.to_run
    assert planned.reason.lower() == f"{words}.".lower()


def test_a_case_that_has_lost_a_scan_that_the_pack_needs_cannot_be_run(finished, settings):
    planned = judged(finished, take_input_away(finished, settings))
    assert planned.state is State.UNUSABLE and "needs T1" in planned.reason


def test_a_result_that_somebody_has_corrected_is_left_alone(finished, settings):
    (settings.folder / "p" / "p.seg.nrrd").write_text("corrected by an expert")
    planned = judged(finished, settings)
    assert planned.state is State.STALE and not planned.to_run
    assert "p.seg.nrrd was changed after it was made" in planned.reason
    assert "--overwrite" in planned.remedy
    assert judged(finished, replace(settings, overwrite=True)).to_run


def test_the_pack_is_told_by_its_hash_wherever_it_lies(finished, settings, tmp_path):
    folder = shutil.copytree(settings.pack.folder, tmp_path / "copy" / "tiny")
    pack = load_pack(folder)
    moved = replace(settings, pack=pack, options=replace(settings.options, pack=folder))
    assert judged(finished, moved).state is State.DONE


def test_threads_and_workers_make_no_case_stale(finished, settings):
    assert judged(finished, replace(settings, threads=7)).state is State.DONE


def test_a_failed_case_is_tried_again_when_asked_or_when_it_has_changed(case, settings):
    failed = {
        **{"case": "p", "state": State.FAILED, "reason": "No.", "remedy": "Try."},
        "pack": pack_stamp(settings.pack),
        "options": settings.record_of(case),
        "inputs": {key: stamp(path) for key, path in inputs_of(case).items()},
    }
    write_state(state_path(settings.folder, case), failed)
    planned = judged(case, settings)
    assert (planned.state, planned.reason, planned.remedy) == (State.FAILED, "No.", "Try.")
    assert not planned.to_run and judged(case, settings, retry_failed=True).to_run
    planned = judged(case, change_input(case, settings))
    assert planned.state is State.STALE and planned.to_run


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other", "state": "done"}'])
def test_a_state_that_cannot_be_read_is_as_none(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    assert read_state(tmp_path / "s.json") == {}


def test_a_case_that_was_killed_in_the_middle_waits(case, settings):
    write_state(state_path(settings.folder, case), {"case": "p", "state": State.RUNNING})
    planned = judged(case, settings)
    assert planned.state is State.WAITING and planned.to_run and "interrupted" in planned.reason


def test_the_command_of_a_case_is_one_that_segment_takes(case, settings):
    from BrainTumorSegLib.cli.application import build_parser

    more = replace(settings, also=("html", "labelmap", "disagreement"), threads=2)
    args = build_parser().parse_args(segment_words(case, more, overwrite=True))
    assert args.t1ce == Path(case.scans[Sequence.T1CE].name)
    assert [path.suffix for path in args.report] == [".json", ".html"]
    assert args.labelmap.name == "p_dseg.nii.gz" and args.overwrite and args.name == "p"
    assert args.pack == str(settings.pack.folder) and args.threads == 2


def test_the_label_map_of_a_bids_derivative_is_its_segmentation(case, settings, tmp_path):
    bids = replace(settings, dataset=tmp_path, ending=".nii.gz", also=("labelmap", "html"))
    files = list(outputs_of(case, bids).values())
    assert len(files) == len(set(files))
    assert not any(word.startswith("--labelmap") for word in segment_words(case, bids, False))
    slicer = replace(bids, ending=".seg.nrrd")
    assert any(word.startswith("--labelmap") for word in segment_words(case, slicer, False))


def test_names_of_folders_above_the_scans_are_kept_nowhere(case, settings):
    order = make_order(Planned(case, State.WAITING), settings, 1)
    flags = tuple(f"--{s.value}=" for s in Sequence)
    told = [*order.inputs.values(), *(w for w in order.words if w.startswith(flags))]
    assert len(told) == 6 and not any("/" in text or os.sep in text for text in told)
    home = Path(order.home)
    assert {home / name for name in order.inputs.values()} == set(case.scans.values())
    assert stamp(home / order.inputs["t1"])["file"] == order.inputs["t1"]


def test_scans_in_several_folders_are_told_from_the_one_that_holds_them_all(case, settings):
    moved = case.scans[Sequence.FLAIR].parent / "more" / "flair.nii.gz"
    moved.parent.mkdir()
    case.scans[Sequence.FLAIR].rename(moved)
    order = make_order(
        Planned(replace(case, scans={**case.scans, Sequence.FLAIR: moved}), State.WAITING),
        settings,
        1,
    )
    assert Path(order.inputs["flair"]) == Path("more", "flair.nii.gz")
    assert Path(order.home, order.inputs["flair"]) == moved


# --- leases --------------------------------------------------------------------------------


def test_two_engines_cannot_hold_one_case(tmp_path):
    first = take_lease(tmp_path / "p.lease")
    assert first is not None and take_lease(tmp_path / "p.lease") is None
    first.release()
    assert not is_held(tmp_path / "p.lease") and take_lease(tmp_path / "p.lease") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["p.lease"]


def test_the_lease_of_an_engine_that_was_killed_is_free_at_once(tmp_path):
    path = tmp_path / "p.lease"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from BrainTumorSegLib.cohort.lease import take_lease\n"
        "assert take_lease(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(path)
        holder.kill()
        holder.wait()
    assert not is_held(path) and take_lease(path) is not None


def test_a_process_that_computes_for_a_dead_engine_still_holds_the_case(tmp_path):
    taken = take_lease(tmp_path / "p.lease")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        taken.heartbeat(child.pid)
        told = json.loads((tmp_path / "p.lease").read_text())
        told["processes"][0] = [told["processes"][0][0], 1.0]  # another one has its number now
        (tmp_path / "p.lease").write_text(json.dumps(told))
        assert is_held(tmp_path / "p.lease")
        child.stdin.close()
        child.wait()
    assert not is_held(tmp_path / "p.lease")


def test_on_another_machine_a_lease_is_given_up_when_it_is_not_touched(tmp_path, monkeypatch):
    taken = take_lease(tmp_path / "p.lease")
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    assert is_held(tmp_path / "p.lease")
    old = time.time() - lease.GIVEN_UP_S - 5
    os.utime(tmp_path / "p.lease", (old, old))
    assert not is_held(tmp_path / "p.lease")
    taken.heartbeat()
    assert is_held(tmp_path / "p.lease")


def test_who_has_lost_a_lease_does_not_take_the_new_one_away(tmp_path):
    first = take_lease(tmp_path / "p.lease")
    (tmp_path / "p.lease").unlink()
    second = take_lease(tmp_path / "p.lease")
    first.release()
    assert is_held(tmp_path / "p.lease")
    second.release()
    assert not is_held(tmp_path / "p.lease")


# --- failures ------------------------------------------------------------------------------

ERROR = json.dumps({"kind": "error", "message": "Bad scan.", "remedy": "Mend.", "exit_code": 3})


@pytest.mark.parametrize(
    ("code", "output", "words", "memory", "again"),
    [
        (3, f"x\n{ERROR}\nbrain-tumor-seg: Bad scan.", "Bad scan.", False, False),
        (8, ERROR.replace("Bad scan.", "This computer ran out of memory."), "ran out", True, True),
        (-6, "Fatal Python error: Aborted", "crashed (SIGABRT)", False, True),
        (-11, "", "crashed (SIGSEGV)", False, True),
        (-6, "what():  std::bad_alloc", "for lack of memory", True, True),
        (-9, "", "for lack of memory", True, True),
        (1, "Traceback", "ended with code 1 and no result", False, True),
        (-6, ERROR, "crashed (SIGABRT)", False, True),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="no signals on Windows")
def test_every_way_to_fail_is_explained_with_a_remedy(code, output, words, memory, again):
    told = explain_failure(code, output, 3 * 1024**3)
    assert words in told["reason"] and told["remedy"]
    assert (told["out_of_memory"], told["worth_retrying"]) == (memory, again)
    assert told["exit_code"] == code
    if code == -9:
        assert "3.0 GB" in told["reason"]


# --- workers, time, scripts -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "cores", "gigabytes", "chosen"),
    [
        ((None, None, False), 8, 64, (8, 1)),
        ((None, None, False), 8, 5, (2, 4)),
        ((None, 4, False), 8, 64, (2, 4)),
        ((3, None, False), 8, 64, (3, 2)),
        ((None, None, False), 2, 0.5, (1, 2)),
        ((None, None, True), 8, 64, (1, None)),
    ],
)
def test_workers_and_threads_follow_cores_and_memory(monkeypatch, given, cores, gigabytes, chosen):
    class Memory:
        available = gigabytes * 1024**3

    monkeypatch.setattr(local, "free_cores", lambda: cores)
    monkeypatch.setattr(local.psutil, "virtual_memory", lambda: Memory)
    assert choose_workers(*given) == chosen


def test_the_time_left_comes_from_the_median_case():
    assert seconds_left([], 5, [], 2) is None
    assert seconds_left([10, 12, 300], 4, [], 2) == 24
    assert seconds_left([10, 12, 300], 4, [2, 30], 2) == (48 - 2 - 12) / 2
    assert seconds_left([10], 1, [], 8) == 10
    assert seconds_left([10], 1, [40], 1) == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_script_for_slurm_gives_each_task_its_part(tmp_path):
    command = ["prog", "cohort", "a folder/in", "--only=x*"]
    script = slurm_script(command, tmp_path, cases=25, parts=10, threads=2, gigabytes=4)
    assert "#SBATCH --array=1-10\n" in script and "#SBATCH --time=00:30:00\n" in script
    srun = tmp_path / "srun"
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    given = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": "3"}
    done = subprocess.run(
        ["bash"], input=script, text=True, capture_output=True, env=given, check=True
    )
    assert done.stdout.splitlines() == ["--cpus-per-task=2", *command, "--part", "3/10"]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_what_is_imported_before_the_fork_starts_no_thread():
    code = "import BrainTumorSegLib.cohort.preload, os; print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == ["1"]
