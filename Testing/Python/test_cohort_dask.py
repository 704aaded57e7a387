"""The engine of clusters: workers of Dask compute cases, crash, get lost, and are asked to stop."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import dask_stub
import pytest

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.cohort import attempt, cluster, dask_worker, engine
from BrainTumorSegLib.cohort.attempt import End, Outcome
from BrainTumorSegLib.cohort.cluster import dask_pool, lifetime, read_slurm, seconds
from BrainTumorSegLib.cohort.dask_worker import check_worker
from BrainTumorSegLib.cohort.engine import Stop, run_cases
from BrainTumorSegLib.cohort.finding import find_cases
from BrainTumorSegLib.cohort.plan import Settings, make_plan
from BrainTumorSegLib.cohort.state import State, read_state, state_path, write_state
from BrainTumorSegLib.core.errors import DependencyError, InputError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.models.packs import load_pack

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")


@pytest.fixture(scope="module")
def pack():
    return load_pack("glioma-lite")


@pytest.fixture
def stubbed(monkeypatch):
    """Workers of our own load the stub, too."""
    loaded = [*cluster._CONFIGURATION["distributed.worker.preload"], "dask_stub"]
    monkeypatch.setitem(cluster._CONFIGURATION, "distributed.worker.preload", loaded)
    here = Path(__file__).resolve().parent
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parents[1])]))


def planned(folder, pack, *names):
    """Cases whose files hold nothing that would be looked at, and how they are segmented."""
    for name in names:
        (folder / "in" / name).mkdir(parents=True)
        for sequence in ("t1", "t1ce", "flair"):
            (folder / "in" / name / f"{sequence}.nii.gz").write_bytes(name.encode())
    settings = Settings(folder / "out", Options(), pack, threads=1)
    return make_plan(find_cases(folder / "in"), settings), settings


def states(plan, settings):
    return {p.case.name: read_state(state_path(settings.folder, p.case)) for p in plan}


# --- what an engine makes of what it hears ------------------------------------------------------


class Hearsay:
    """A pool without workers: one case at a time ends as it is told."""

    def __init__(self, *answers):
        self.answers, self.given, self.numbers, self.held = list(answers), [], [], False

    def room(self):
        return 1 - len(self.given)

    def begin(self, key, one):
        self.given.append((key, one))
        self.numbers.append(one.number)

    def ended(self, timeout):
        given, self.given = self.given, []
        return [(key, self.answers.pop(0)(one)) for key, one in given]

    def hold(self):
        self.held = True

    def close(self):
        assert not self.given


def done(one):
    state = {**one.order.known, "state": State.DONE, "seconds": 1.0}
    write_state(one.state, state)
    return Outcome(End.DONE, state)


def failed(one):
    state = {**one.order.known, "state": State.FAILED, "seconds": 1.0, "out_of_memory": False}
    write_state(one.state, state)
    return Outcome(End.FAILED, state)


def lost_at_work(one):
    write_state(one.state, {**one.order.known, "state": State.RUNNING, "begun": time.time()})
    return Outcome(End.LOST)


def lost_before(_one):
    return Outcome(End.LOST)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(engine, "_LOOK_S", 0)


@pytest.mark.parametrize(
    ("answers", "state", "numbers"),
    [
        ((lost_at_work, done), "done", [1, 2]),
        ((lost_at_work, lost_at_work), "failed", [1, 2]),
        # Who has not begun cannot be to blame, unless it happens again and again.
        ((lost_before, lost_before, done), "done", [1, 1, 1]),
        ((lost_before,) * 11, "failed", [1] * 11),
    ],
)
def test_a_worker_that_is_lost_counts_as_a_try_once_it_has_begun(
    tmp_path, pack, at_once, answers, state, numbers
):
    plan, settings = planned(tmp_path, pack, "p")
    pool, told = Hearsay(*answers), []
    run_cases(plan, settings, pool, retries=1, on_finish=told.append)
    assert pool.numbers == numbers and not pool.answers
    known = states(plan, settings)["p"]
    assert known["state"] == told[-1].state == state
    assert state == "done" or ("lost" in known["reason"] and known["remedy"])
    if numbers[-1] == 2:
        assert known["attempts"] == 2


def test_what_another_engine_has_done_is_taken_from_it(tmp_path, pack, at_once):
    plan, settings = planned(tmp_path, pack, "p")
    other = {"case": "p", "state": State.DONE, "run": "another", "attempts": 1}

    def held(one):
        write_state(one.state, other)
        return Outcome(End.HELD)

    told = []
    run_cases(plan, settings, Hearsay(held), on_finish=told.append)
    assert [(one.state, one.elsewhere) for one in told] == [("done", True)]


def test_after_so_many_failures_the_pool_begins_nothing_more(tmp_path, pack):
    plan, settings = planned(tmp_path, pack, "a", "b", "c")
    pool = Hearsay(failed)
    run_cases(plan, settings, pool, max_failures=1)
    assert pool.held and pool.numbers == [1]


# --- workers ------------------------------------------------------------------------------------


@posix
def test_two_workers_do_all_cases_but_the_one_that_crashes(tmp_path, pack, stubbed):
    names = ["a", "b", "crashes", "c", "loses", "d"]
    plan, settings = planned(tmp_path, pack, *names)
    told = []
    with dask_pool(settings.folder, 2, 1) as pool:
        run_cases(plan, settings, pool, on_finish=told.append)
    found = states(plan, settings)
    assert {n: (s["state"], s["attempts"]) for n, s in found.items()} == {
        **dict.fromkeys("abcd", ("done", 1)),
        "crashes": ("failed", 2),
        # It took its worker along the first time.
        "loses": ("done", 2),
    }
    assert "SIGABRT" in found["crashes"]["reason"]
    assert "Fatal Python error: Aborted" in (settings.folder / "logs" / "crashes.log").read_text()
    assert sorted(one.planned.case.name for one in told if one.state == "done") == sorted(
        set(names) - {"crashes"}
    )
    lost = next(one for one in told if one.planned.case.name == "loses")
    assert lost.state == "waiting" and "worker" in lost.known["reason"]
    assert (settings.folder / "d" / "d.seg.nrrd").read_text() == "d"
    assert list((settings.folder / ".cohort").glob("*.lease")) == []
    assert {p.state for p in make_plan([p.case for p in plan], settings)} == {"done", "failed"}


@posix
def test_a_scheduler_that_runs_is_used_and_a_stop_reaches_its_workers(tmp_path, pack, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(attempt, "run_case", dask_stub.run_case)
    monkeypatch.setattr(attempt, "PRELOADED", dask_stub.PRELOADED)
    plan, settings = planned(tmp_path, pack, "a", "slow1", "slow2")
    stop = Stop()

    def stop_at_once(_finished):
        stop.level = 2

    local = {"processes": False, "threads_per_worker": 2, "dashboard_address": None}
    with LocalCluster(1, **local) as running:
        address = running.scheduler_address
        settings.folder.mkdir()
        with dask_pool(settings.folder, None, 1, scheduler=address) as pool:
            assert pool.side_by_side() == 2
            run_cases(plan, settings, pool, on_finish=stop_at_once, stop=stop)
        found = {name: state.get("state") for name, state in states(plan, settings).items()}
        assert found.pop("a") == "done"
        assert found.pop("slow1") == "waiting" and found.pop("slow2") in ("waiting", None)
        assert list((settings.folder / ".cohort").glob("*.lease")) == []
        with (
            pytest.raises(InputError, match="has no folder"),
            dask_pool(tmp_path / "elsewhere", None, 1, scheduler=address),
        ):
            pass


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.2)
    with (
        pytest.raises(InputError, match="No Dask scheduler answers"),
        dask_pool(tmp_path, None, 1, scheduler="tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize(
    ("version", "daemon", "said"), [("0", False, "has version"), (__version__, True, "--no-nanny")]
)
def test_a_worker_that_cannot_compute_cases_says_what_to_do(
    tmp_path, monkeypatch, version, daemon, said
):
    this = SimpleNamespace(daemon=daemon)
    monkeypatch.setattr(dask_worker.multiprocessing, "current_process", lambda: this)
    with pytest.raises(DependencyError, match=said):
        check_worker(version, str(tmp_path))


@posix
def test_jobs_of_slurm_are_asked_for_as_the_user_says(tmp_path, monkeypatch):
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/sh\n")
    sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    slurm = {"memory": "4GB"} | read_slurm("partition=long,walltime=1:00:00,gres=gpu:1,qos=low")
    with cluster._slurm_cluster(tmp_path, 3, slurm) as jobs:
        lines = jobs.job_script().splitlines()
    asked = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")}
    assert {"-p long", "-t 1:00:00", "--cpus-per-task=3", "--mem=4G", "-n 1"} <= asked
    assert {"--gres=gpu:1", "--qos=low"} <= asked
    command = lines[-1].split()
    assert command[:2] == [sys.executable, "-m"]
    assert "--no-nanny" in command and command[command.index("--nthreads") + 1] == "1"
    assert "--lifetime=3180s" in command and "--lifetime-stagger=300s" in command


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("30", 1800), ("30:05", 1805), ("2:00:00", 7200), ("1-0", 86400)),
        *(("1-12:30", 131400), ("2-1:2:3", 176523)),
    ],
)
def test_a_walltime_is_read_as_slurm_reads_it(text, number):
    assert seconds(text) == number


@pytest.mark.parametrize("walltime", [60, 600, 3600, 86400])
def test_a_worker_ends_by_itself_before_slurm_ends_it(walltime):
    after, stagger = lifetime(walltime)
    assert after - stagger > 0 and after + stagger < walltime


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--slurm", "long"], 2, "'long' is not like partition=NAME"),
        (["--slurm", "walltime=soon"], 2, "'soon' is no time like 2:00:00"),
        (["--scheduler", "tcp://x:1"], 3, "--scheduler is for --engine dask"),
        (["--slurm", "partition=x"], 3, "--slurm is for --engine dask"),
        (["--engine", "dask", "--slurm", "a=b", "--scheduler", "tcp://x:1"], 3, "exclude"),
    ],
)
def test_options_of_a_cluster_that_cannot_be_meant_are_refused(tmp_path, capsys, words, code, said):
    given = ["cohort", str(tmp_path / "none"), "-o", str(tmp_path / "out"), *words]
    try:
        found = cli.main(given)
    except SystemExit as end:
        found = end.code
    assert found == code and said in capsys.readouterr().err
