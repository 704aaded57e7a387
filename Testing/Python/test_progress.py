"""Progress: fractions, time left, warnings, sinks and stopping."""

from __future__ import annotations

import io
import json

import pytest

from BrainTumorSegLib.core.errors import Cancelled
from BrainTumorSegLib.core.progress import (
    CancelToken,
    JsonLines,
    Progress,
    TerminalBar,
    WarningLines,
)


def test_the_fraction_weighs_stages_and_never_goes_back():
    events = []
    progress = Progress({"a": 1, "b": 3}, sinks=(events.append,))
    progress.stage("a", 2)
    progress.advance()
    assert progress.fraction == pytest.approx(0.125)
    progress.stage("b", 3)
    assert progress.fraction == pytest.approx(0.25)
    progress.advance(2)
    assert progress.fraction == pytest.approx(0.75)
    progress.finish()
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_a_stage_left_early_counts_as_done():
    progress = Progress({"a": 1, "b": 1})
    progress.stage("a", 100)
    progress.stage("b")
    assert progress.fraction == pytest.approx(0.5)


def test_more_steps_than_announced_do_not_pass_the_total():
    progress = Progress({"a": 1})
    progress.stage("a", 2)
    progress.advance(5)
    assert progress.fraction == 1.0


def test_the_time_each_stage_took_is_kept():
    progress = Progress({"a": 1})
    progress.stage("a")
    assert set(progress.timings) == {"a"}, "the stage that is running counts"
    progress.stage("b")
    progress.stage("a")
    progress.finish()
    assert set(progress.timings) == {"a", "b"} and progress.timings["a"] >= 0


def test_a_cancelled_run_stops_at_its_next_report():
    token = CancelToken()
    progress = Progress({"a": 1}, cancel=token)
    progress.stage("a", 10)
    token.cancel()
    with pytest.raises(Cancelled):
        progress.advance()


def test_warnings_are_kept_for_the_record_and_told_to_the_sinks():
    stream = io.StringIO()
    progress = Progress(sinks=(WarningLines(stream),))
    progress.message("only for the log")
    progress.warn("FLAIR was not given")
    assert progress.warnings == ["FLAIR was not given"]
    assert stream.getvalue() == "Warning: FLAIR was not given\n"


def test_json_lines_hold_one_event_each():
    stream = io.StringIO()
    progress = Progress({"segment": 1}, sinks=(JsonLines(stream),))
    progress.stage("segment", 2)
    progress.advance(1, "slice 1\nof 2")
    progress.finish()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["fraction"] for line in lines] == [0.0, 0.5, 1.0]
    assert lines[1]["message"] == "slice 1\nof 2"
    assert lines[1]["seconds_left"] >= 0


def test_the_terminal_bar_shows_stage_and_step_and_ends_with_done():
    stream = io.StringIO()
    progress = Progress({"segment": 1}, sinks=(TerminalBar(stream),))
    progress.stage("segment", 4)
    progress.advance(2)
    progress.warn("careful")
    progress.finish()
    shown = stream.getvalue()
    assert "segment 2/4" in shown and "50%" in shown
    assert "Warning: careful" in shown
    assert "100%" in shown and "done" in shown
