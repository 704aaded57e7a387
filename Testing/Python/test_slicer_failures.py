"""Every way in which a worker can end badly has one clear explanation and a remedy."""

from __future__ import annotations

import errno
import os
import signal
import sys
import textwrap
from dataclasses import replace

import pytest

from BrainTumorSegLib.core.errors import (
    BrainTumorSegError,
    Cancelled,
    DependencyError,
    DeviceError,
    InputError,
    OutputError,
    RegistrationError,
)
from BrainTumorSegLib.slicer_app.host.application import workerPython
from BrainTumorSegLib.slicer_app.worker.failures import describe, startFailure, workerFailure
from BrainTumorSegLib.slicer_app.worker.worker import Worker

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture
def end(tmp_path):
    """Runs a small program to its end and explains that end."""
    workers = []

    def run(code):
        script = tmp_path / f"program{len(workers)}.py"
        script.write_text(textwrap.dedent(code), encoding="utf-8")
        folder = tmp_path / f"run{len(workers)}"
        folder.mkdir()
        worker = Worker([], replace(workerPython(), program=(str(script),)), folder)
        workers.append(worker)
        worker.start()
        errors = [event for event in worker.wait(30) if event["kind"] == "error"]
        return worker.failure(errors[-1] if errors else None)

    yield run
    for worker in workers:
        worker.dispose()


def fails_by_itself(error, code, remedy="Do this."):
    line = {"kind": "error", "message": error, "remedy": remedy, "exit_code": code}
    return f"import json, sys; print(json.dumps({line!r})); sys.exit({code})"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(3, InputError), (4, OutputError), (5, RegistrationError), (8, DeviceError)],
)
def test_what_the_library_explains_itself_is_passed_on(end, code, kind):
    error = end(fails_by_itself("The scan is empty.", code))
    assert type(error) is kind
    assert (error.message, error.remedy) == ("The scan is empty.", "Do this.")


@pytest.mark.parametrize("code", [5, 8])
def test_options_of_the_command_line_are_not_recommended_in_the_panel(end, code):
    error = end(fails_by_itself("It failed.", code, "Use fewer --members or --registration none."))
    assert error.message == "It failed." and error.remedy and "--" not in error.remedy


def test_an_unexpected_error_of_the_library_asks_for_a_report(end):
    error = end(fails_by_itself("Unexpected error: KeyError: 'x'", 1, "the lines above"))
    assert type(error) is BrainTumorSegError
    assert "KeyError" in error.message and "log" in error.remedy


@posix
def test_a_killed_worker_was_most_likely_short_of_memory(end):
    error = end("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert isinstance(error, DeviceError)
    assert "memory" in error.message and "fewer members" in error.remedy


@posix
def test_a_worker_killed_behind_slicers_launcher_was_short_of_memory(end):
    """PythonSlicer itself exits with 1 when its child is killed, and says so."""
    error = end("""
        import subprocess, sys
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        done = subprocess.run([sys.executable, "-c", code])
        assert done.returncode < 0
        print("error: [/x/python-real] exit abnormally - Report the problem.", file=sys.stderr)
        sys.exit(1)
    """)
    assert isinstance(error, DeviceError) and "memory" in error.message


@posix
def test_a_crash_behind_slicers_launcher_is_told_from_want_of_memory(end):
    error = end("""
        import subprocess, sys
        done = subprocess.run([sys.executable, "-c", "import ctypes; ctypes.string_at(0)"])
        assert done.returncode < 0
        print("error: [/x/python-real] exit abnormally - Report the problem.", file=sys.stderr)
        sys.exit(1)
    """)
    assert "crashed" in error.message and "segmentation fault" in error.message


@posix
def test_a_crash_names_the_fault(end):
    error = end("import ctypes; ctypes.string_at(0)")
    assert type(error) is BrainTumorSegError
    assert "segmentation fault" in error.message and "CPU" in error.remedy
    assert "SIGABRT" in end("import os, signal; os.kill(os.getpid(), signal.SIGABRT)").message or (
        "abort" in end("import os; os.abort()").message
    )


@posix
def test_a_fault_without_words_is_named_by_its_signal(end):
    code = """
        import faulthandler, os, signal
        faulthandler.disable()
        os.kill(os.getpid(), signal.SIGILL)
    """
    assert "SIGILL" in end(code).message


@posix
def test_a_worker_that_somebody_else_ended_says_so(end):
    error = end("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert "another program" in error.message
    error = end(fails_by_itself("Terminated. Nothing was written.", 143))
    assert "another program" in error.message


def test_a_memory_error_is_recognised_without_an_error_line(end):
    error = end("x = []\nraise MemoryError")
    assert isinstance(error, DeviceError) and "computer" in error.message


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("RuntimeError: [enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate "
         "memory: you tried to allocate 999 bytes.", "computer"),
        ("terminate called after throwing an instance of 'std::bad_alloc'", "computer"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "graphics"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("in_line", [True, False])
def test_want_of_memory_is_recognised_by_what_libraries_say(text, where, in_line):
    line = {"message": f"Unexpected error: {text}", "exit_code": 1}
    error = workerFailure(1, "" if in_line else text, "Python", line if in_line else None)
    assert isinstance(error, DeviceError)
    assert where in error.message and error.remedy


@pytest.mark.parametrize("in_line", [True, False])
def test_a_missing_package_is_named_with_the_way_to_install_it(end, in_line):
    if in_line:
        code = fails_by_itself("Unexpected error: ModuleNotFoundError: No module named 'smp_x'", 1)
    else:
        code = "import smp_x.deep.inside"
    error = end(code)
    assert isinstance(error, DependencyError)
    assert "smp_x" in error.message and "install" in error.remedy.lower()


def test_in_the_application_the_remedy_is_the_button(end, monkeypatch):
    monkeypatch.setattr("BrainTumorSegLib.slicer_app.worker.failures.inApplication", lambda: True)
    for code in ("import smp_x", fails_by_itself("deepbet is missing.", 7, "pip install ...")):
        error = end(code)
        assert isinstance(error, DependencyError)
        assert "Install packages" in error.remedy


def test_packages_of_another_python_are_not_the_modules_to_install(end, monkeypatch):
    monkeypatch.setattr("BrainTumorSegLib.slicer_app.worker.failures.inApplication", lambda: True)
    monkeypatch.setenv("BRAINTUMORSEG_PYTHON", sys.executable)
    error = end("import smp_x")
    assert "Python you chose" in error.remedy
    assert "Install packages" not in error.remedy


def test_a_library_without_some_of_its_files_is_to_be_installed_again(end):
    for code in (
        "from BrainTumorSegLib import nonesuch",
        "raise ModuleNotFoundError(\"No module named 'BrainTumorSegLib'\")",
    ):
        error = end(code)
        assert "BrainTumorSegLib" in error.message and "extension again" in error.remedy


def test_a_library_that_does_not_load_is_named(end):
    error = end("""
        raise ImportError("libcudart.so.12: cannot open shared object file: No such file")
    """)
    assert isinstance(error, DependencyError) and "libcudart.so.12" in error.message


def test_a_full_disk_is_recognised(end):
    error = end("import errno, os; raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))")
    assert isinstance(error, OutputError) and "full" in error.message
    assert isinstance(startFailure("Python", OSError(errno.ENOSPC, "No space left")), OutputError)


def test_an_old_python_is_recognised_by_its_traceback(end, tmp_path):
    """A file of an old Python's library stands in the traceback of whatever went wrong."""
    library = tmp_path / "lib" / "python3.9" / "runpy.py"
    library.parent.mkdir(parents=True)
    library.write_text("from datetime import NO_SUCH_NAME\n", encoding="utf-8")
    error = end(f"exec(compile(open({str(library)!r}).read(), {str(library)!r}, 'exec'))")
    assert isinstance(error, DependencyError)
    assert "3.9" in error.message and "3.11" in error.remedy


def test_a_python_that_is_new_enough_is_not_blamed(end, tmp_path):
    library = tmp_path / "lib" / "python3.12" / "runpy.py"
    library.parent.mkdir(parents=True)
    library.write_text("import smp_x\n", encoding="utf-8")
    error = end(f"exec(compile(open({str(library)!r}).read(), {str(library)!r}, 'exec'))")
    assert "smp_x" in error.message


def test_a_cancelled_worker_is_no_failure(tmp_path):
    worker = Worker([], workerPython(), tmp_path / "none")
    worker.cancel()
    assert isinstance(worker.failure(), Cancelled)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        *((0xC0000005, "access violation"), (-1073741819, "access violation")),
        *((0xC0000409, "buffer"), (128 + signal.SIGSEGV, "SIGSEGV"), (0xC0000017, "memory")),
        *((137, "memory"), (143, "another program"), (0xC0000135, "incomplete"), (126, "incompl")),
        *((1, "exit code 1"), (77, "exit code 77"), (0, "without a result"), (2, "same version")),
    ],
)
def test_an_end_without_words_is_told_by_its_exit_code(code, what):
    error = workerFailure(code, "", "Python")
    assert what in error.message and error.remedy


def test_a_dialog_gets_title_text_remedy_and_log():
    failure = describe(InputError("T1 is empty.", "Load it again."), "line 1\nline 2")
    assert (failure.text, failure.remedy) == ("T1 is empty.", "Load it again.")
    assert failure.title and failure.details == "line 1\nline 2"
    failure = describe(KeyError("x"))
    assert "KeyError" in failure.text and failure.remedy


def test_every_kind_of_error_has_a_title_of_its_own():
    kinds = [
        *(InputError, OutputError, RegistrationError, DependencyError, DeviceError),
        *(Cancelled, BrainTumorSegError),
    ]
    assert len({describe(kind("x")).title for kind in kinds}) == len(kinds)


def test_the_missing_interpreter_is_named():
    for error in (FileNotFoundError(2, "x"), PermissionError(13, "x"), OSError(8, "Exec format")):
        failure = startFailure("Python (/a/b c)", error)
        assert isinstance(failure, DependencyError) and "/a/b c" in failure.message
        assert failure.remedy
