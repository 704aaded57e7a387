"""The worker process: heard without blocking, and ended with everything that it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.slicer_app.host.application import WorkerPython, runFolder, workerPython
from BrainTumorSegLib.slicer_app.worker import process_tree
from BrainTumorSegLib.slicer_app.worker.worker import Worker, finishedWorker, runWorker

CHECKOUT = Path(__file__).resolve().parents[2]

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")

#: Starts a grandchild that sleeps, and says its id.
FAMILY = """
    import json, subprocess, sys, time
    options = {options}
    child = subprocess.Popen([sys.executable, "-c", {grandchild!r}], **options)
    print(json.dumps(dict(pid=child.pid)), flush=True)
    time.sleep(60)
"""
SLEEPER = "import time; time.sleep(60)"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "Läufe von Zoë"
    made.mkdir()
    return made


@pytest.fixture
def make(folder, tmp_path):
    """Makes workers that run a small program in place of the library, and ends them."""
    workers = []

    def make_worker(code, *arguments):
        script = tmp_path / f"kleines programm {len(workers)}.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        python = workerPython()
        python = WorkerPython(
            python.executable, python.environment, python.description, (str(script),)
        )
        worker = Worker(arguments, python, folder)
        workers.append(worker)
        return worker

    yield make_worker
    for worker in workers:
        worker.dispose()


def until(condition, timeout=10.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout, "nothing happened"
        time.sleep(0.01)


def first_event(worker, timeout=10.0):
    events = []
    until(lambda: events.extend(worker.poll()) or events, timeout)
    return events[0]


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def cancelled_after(worker):
    began = time.monotonic()
    longest = 0.0
    worker.cancel()
    while worker.running:
        poll_began = time.monotonic()
        worker.poll()
        longest = max(longest, time.monotonic() - poll_began)
        assert time.monotonic() - began < 5
        time.sleep(0.02)
    assert longest < 0.15
    return time.monotonic() - began


def test_json_lines_arrive_and_everything_else_is_kept_for_the_log(make):
    worker = make("""
        import sys
        print('{"kind": "message", "message": "größer"}')
        print("a library says hello")
        print("[1, 2]")
        print('{"broken": ')
        print("trouble", file=sys.stderr)
        print('{"kind": "result"}')
    """)
    worker.start()
    events = worker.wait(20)
    assert [event["kind"] for event in events] == ["message", "result"]
    assert events[0]["message"] == "größer"
    assert worker.exitCode == 0 and not worker.running
    tail = worker.logTail()
    for text in ("a library says hello", "[1, 2]", '{"broken":', "trouble"):
        assert text in tail
    assert worker.logTail(1).count("\n") == 0


def test_a_line_is_heard_once_it_is_complete(make):
    worker = make("""
        import sys, time
        sys.stdout.write('{"kind": "mess'); sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.buffer.write('age", "message": "é'.encode()[:-1]); sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.buffer.write('é'.encode()[-1:] + b'"}'); sys.stdout.flush()
    """)
    worker.start()
    until(lambda: worker._output.path.stat().st_size > 0)
    assert worker.poll() == []
    worker.answer({})
    until(lambda: worker._output.path.stat().st_size > 16)
    assert worker.poll() == []
    worker.answer({})
    assert worker.wait(10) == [{"kind": "message", "message": "é"}]


def test_bytes_that_are_no_utf8_do_no_harm(make):
    worker = make("""
        import sys
        sys.stdout.buffer.write(b"\\xff\\xfe gr\\xfc\\xdfe\\n")
        print('{"kind": "result"}')
    """)
    worker.start()
    assert worker.wait(10) == [{"kind": "result"}]
    assert "gr" in worker.logTail()


def test_a_bar_that_overwrites_its_line_leaves_its_last_state_in_the_log(make):
    worker = make(r"""
        import sys
        sys.stderr.write("\r 10 %\r 50 %\r100 %\n")
    """)
    worker.start()
    worker.wait(10)
    assert worker.logTail() == "100 %"


def test_much_output_is_read_in_small_portions(make):
    worker = make("""
        for number in range(60000):
            print('{"n": %d}' % number, "x" * 40 if number % 2 else "")
    """)
    worker.start()
    until(lambda: worker._child.process.poll() is not None, 20)
    events = worker.wait(10)
    assert [event["n"] for event in events] == list(range(0, 60000, 2))


def test_answers_reach_the_child(make):
    worker = make("""
        import json, sys
        print(json.dumps({"id": 7, "request": "a thing"}))
        line = json.loads(sys.stdin.readline())
        print(json.dumps({"heard": line}))
    """)
    worker.start()
    assert first_event(worker)["id"] == 7
    worker.answer({"id": 7, "ok": True, "text": "schön"})
    assert worker.wait(10) == [{"heard": {"id": 7, "ok": True, "text": "schön"}}]


def test_an_answer_to_a_child_that_has_gone_does_no_harm(make):
    worker = make("print('bye')")
    worker.start()
    until(lambda: worker._child.process.poll() is not None)
    worker.answer({"id": 1})
    worker.answer({"id": 2})
    worker.wait(10)
    worker.answer({"id": 3})
    assert worker.exitCode == 0


def test_the_child_works_and_keeps_its_temporary_files_in_the_run_folder(make, folder):
    worker = make("""
        import json, os, sys, tempfile
        handle, name = tempfile.mkstemp()
        print(json.dumps({"cwd": os.getcwd(), "temp": name, "arguments": sys.argv[1:]}))
    """, "été 1", "--x=ü")  # fmt: skip
    worker.start()
    told = worker.wait(10)[0]
    assert Path(told["cwd"]).samefile(folder)
    assert folder in Path(told["temp"]).parents
    assert told["arguments"] == ["été 1", "--x=ü"]
    worker.dispose()
    assert not folder.exists()


def test_the_library_is_found_whatever_the_working_folder(folder):
    worker = Worker(["--version"], workerPython(), folder)
    worker.start()
    worker.wait(60)
    assert worker.exitCode == 0, worker.logTail()
    assert worker.logTail().strip() == worker.output().strip() != ""
    worker.dispose()


@posix
def test_cancelling_ends_children_of_the_child_too(make):
    worker = make(FAMILY.format(options={}, grandchild=SLEEPER))
    worker.start()
    grandchild = first_event(worker)["pid"]
    assert cancelled_after(worker) < 2
    assert worker.cancelled and worker.exitCode == -signal.SIGTERM
    assert not alive(grandchild)


@posix
@linux
def test_cancelling_ends_grandchildren_that_left_the_group_and_ignore_sigterm(make):
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
    options = {"start_new_session": True}
    worker = make(FAMILY.format(options=options, grandchild=stubborn))
    worker.start()
    grandchild = first_event(worker)["pid"]
    time.sleep(0.2)
    assert cancelled_after(worker) < 2
    assert not alive(grandchild)


@posix
@linux
def test_cancelling_ends_daemons_whose_parent_has_gone(make):
    worker = make("""
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print('{"pid": %d}' % os.getpid(), flush=True)
                time.sleep(60)
            os._exit(0)
        os.wait()
        time.sleep(60)
    """)
    worker.start()
    daemon = first_event(worker)["pid"]
    assert cancelled_after(worker) < 2
    assert not alive(daemon)


@posix
def test_a_child_that_ignores_sigterm_is_ended_by_force(make):
    worker = make("""
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('{"kind": "ready"}', flush=True)
        time.sleep(60)
    """)
    worker.start()
    first_event(worker)
    assert 0.9 < cancelled_after(worker) < 2
    assert worker.exitCode == -signal.SIGKILL


@posix
def test_a_stopped_child_is_ended_too(make):
    worker = make("""
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('{"kind": "ready"}', flush=True)
        time.sleep(60)
    """)
    worker.start()
    first_event(worker)
    os.kill(worker._child.process.pid, signal.SIGSTOP)
    assert cancelled_after(worker) < 2


@posix
def test_a_child_that_cleans_up_after_sigterm_is_given_the_time(make, tmp_path):
    trace = tmp_path / "cleaned"
    worker = make("""
        import signal, sys, time
        def clean(number, frame):
            time.sleep(0.3)
            open(sys.argv[1], "w").close()
            sys.exit(143)
        signal.signal(signal.SIGTERM, clean)
        print('{"kind": "ready"}', flush=True)
        time.sleep(60)
    """, str(trace))  # fmt: skip
    worker.start()
    first_event(worker)
    assert cancelled_after(worker) < 1
    assert trace.exists() and worker.exitCode == 143


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.2])
def test_a_child_can_be_cancelled_while_it_is_starting(make, delay):
    worker = make("import time; time.sleep(60)")
    worker.start()
    time.sleep(delay)
    assert cancelled_after(worker) < 2
    assert worker.exitCode is not None


def test_a_worker_that_was_cancelled_before_its_start_never_runs(make):
    worker = make("print('{}')")
    worker.cancel()
    assert not worker.running and worker.poll() == []
    with pytest.raises(RuntimeError):
        worker.start()


@posix
@linux
def test_what_a_crashed_child_leaves_running_is_ended(make):
    worker = make("""
        import os, signal, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print('{"pid": %d}' % child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    worker.start()
    grandchild = worker.wait(10)[0]["pid"]
    assert worker.exitCode == -signal.SIGKILL
    assert not alive(grandchild)


@posix
@linux
def test_forgetting_a_worker_ends_its_processes_and_deletes_the_folder(make, folder, tmp_path):
    script = tmp_path / "family.py"
    script.write_text(
        textwrap.dedent(FAMILY.format(options={}, grandchild=SLEEPER)), encoding="utf-8"
    )
    python = workerPython()
    worker = Worker(
        [],
        WorkerPython(python.executable, python.environment, python.description, (str(script),)),
        folder,
    )
    worker.start()
    pids = [worker._child.process.pid, first_event(worker)["pid"]]
    del worker
    until(lambda: not any(map(alive, pids)), 2)
    assert not folder.exists()


@posix
@linux
def test_the_end_of_the_interpreter_ends_the_worker_and_deletes_the_folder(tmp_path):
    child = tmp_path / "family.py"
    child.write_text(
        textwrap.dedent(FAMILY.format(options={}, grandchild=SLEEPER)), encoding="utf-8"
    )
    parent = f"""
        import dataclasses, json, time
        from BrainTumorSegLib.slicer_app.host.application import runFolder, workerPython
        from BrainTumorSegLib.slicer_app.worker.worker import Worker
        python = dataclasses.replace(workerPython(), program=({str(child)!r},))
        worker = Worker([], python, runFolder())
        worker.start()
        events = []
        while not events:
            events = worker.poll()
        pids = [worker._child.process.pid, events[0]["pid"]]
        print(json.dumps(dict(pids=pids, folder=str(worker.folder))))
        raise SystemExit(3)
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(parent)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
    )
    assert done.returncode == 3 and done.stderr == ""
    told = json.loads(done.stdout)
    assert Path(told["folder"]).parent == tmp_path
    until(lambda: not any(map(alive, told["pids"])), 2)
    assert not Path(told["folder"]).exists()


def test_the_worker_survives_a_temporary_folder_with_other_letters(monkeypatch, tmp_path):
    place = tmp_path / "временные файлы – ü"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    worker = runWorker(["doctor", "--help"])
    assert worker.folder.parent == place
    worker.wait(60)
    assert worker.exitCode == 0 and "usage" in worker.output()
    worker.dispose()
    assert list(place.iterdir()) == []


def test_an_interpreter_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(tmp_path / "no python here"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(DependencyError, match=r"no python here.*does not exist"):
        runWorker(["doctor"])
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_file_that_is_no_program_is_named(monkeypatch, tmp_path):
    for name, mode, message in (("text", 0o600, "may not be started"), ("odd", 0o700, "could not")):
        path = tmp_path / name
        path.write_bytes(b"\x00\x01\x02 no program")
        path.chmod(mode)
        monkeypatch.setenv("BRAINTUMORSEG_PYTHON", str(path))
        with pytest.raises(DependencyError, match=message) as failure:
            runWorker(["doctor"])
        assert str(path) in failure.value.message


def test_the_run_folder_is_private_and_new():
    first, second = runFolder(), runFolder()
    try:
        assert first != second
        if os.name == "posix":
            assert first.stat().st_mode & 0o077 == 0
    finally:
        first.rmdir()
        second.rmdir()


@linux
def test_other_processes_are_never_counted_as_ours(make):
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPER])
    worker = make(FAMILY.format(options={}, grandchild=SLEEPER))
    try:
        worker.start()
        grandchild = first_event(worker)["pid"]
        own = process_tree.findTree(worker._child.process.pid, worker._child.mark)
        assert own == {worker._child.process.pid, grandchild}
        cancelled_after(worker)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@posix
def test_the_list_of_processes_of_macos_tells_the_same(make):
    worker = make(FAMILY.format(options={}, grandchild=SLEEPER))
    worker.start()
    grandchild = first_event(worker)["pid"]
    listed = process_tree._listedProcesses()
    if not listed:
        pytest.skip("there is no ps here")
    root = worker._child.process.pid
    assert listed[grandchild][:2] == (root, root)
    assert listed[root][1] == root


def small_program(code):
    python = workerPython()
    return WorkerPython(python.executable, python.environment, python.description, ("-c", code))


def test_a_job_has_ended_where_its_context_begins_and_leaves_nothing():
    code = "import json; open('made.txt', 'w').close(); print(json.dumps(dict(kind='made')))"
    with finishedWorker([], small_program(code)) as (worker, events):
        assert not worker.running and worker.exitCode == 0
        assert events == [{"kind": "made"}]
        assert (worker.folder / "made.txt").is_file()
    assert not worker.folder.exists()


def test_a_job_that_is_no_longer_wanted_is_ended():
    wanted = iter([True, True, False])
    with finishedWorker([], small_program(SLEEPER), onWait=lambda: next(wanted)) as (worker, _):
        assert worker.cancelled and not worker.running
    assert worker.processes() == set() and not worker.folder.exists()


def test_a_job_that_takes_too_long_is_ended(monkeypatch, folder):
    monkeypatch.setattr("BrainTumorSegLib.slicer_app.worker.worker.runFolder", lambda: folder)
    with pytest.raises(TimeoutError), finishedWorker([], small_program(SLEEPER), timeout=0.2):
        pytest.fail("it sleeps for a minute")
    assert not folder.exists()
