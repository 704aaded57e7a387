"""A table of cases as a spreadsheet saves it, and what is said when it cannot be meant."""

from __future__ import annotations

import pytest
from toy_cases import write_toy_cohort

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.training.cohort import CohortConfig, read_cohort

CORE1 = CohortConfig(label_protocol="core1_edema2_enhancing4", folds=2)


@pytest.fixture
def cohort(tmp_path):
    write_toy_cohort(tmp_path, 3)
    return tmp_path


def put(cohort, text, encoding="utf-8"):
    (cohort / "cases.tsv").write_bytes(text.encode(encoding))


def test_what_a_spreadsheet_adds_to_a_table_does_no_harm(cohort):
    put(
        cohort,
        "\ufeffCase \tFold\tnotes\r\n toy0\t0 \tx\r\ntoy1\t1\r\n\t\t\r\n\r\ntoy2\t0\ta\tb\r\n",
    )
    cases = read_cohort(cohort, CORE1)
    assert [(case.name, case.fold) for case in cases] == [("toy0", 0), ("toy1", 1), ("toy2", 0)]


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        ("case\tfolds\ntoy0\t1\n", "utf-8", "did you mean fold"),
        ("case,fold\ntoy0,1\n", "utf-8", "line 2 has no value in the column case"),
        ("case\tfold\n\n\t1\n", "utf-8", "line 3 has no value in the column case"),
        ("case\tfold\ntoy0\t0\ntoy1\t\n", "utf-8", "the fold of case toy1 is ''"),
        ("case\tfold\ntoy0\t0\ntoy1\t²\n", "utf-8", "the fold of case toy1 is '²'"),
        ("case\tfold\ntoy0\t0\n", "utf-16", "cannot be read"),
        ("case\nMüller\n", "latin-1", "cannot be read"),
        ("case\ntoy0\ntoy0\n", "utf-8", "lists toy0 twice"),
        ("case\n", "utf-8", "lists no case"),
        ("", "utf-8", "lists no case"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_a_remedy(cohort, text, encoding, words):
    put(cohort, text, encoding)
    with pytest.raises(TrainingError, match=words) as caught:
        read_cohort(cohort, CORE1)
    assert caught.value.remedy or "did you mean" in caught.value.message


def test_a_scan_in_two_folds_would_be_scored_by_a_member_that_has_seen_it(cohort):
    files = "brats/toy0/toy0_t1ce.nii.gz\tbrats/toy0/toy0_seg.nii.gz"
    put(cohort, f"case\tfold\tt1ce\tlabels\na\t0\t{files}\nb\t1\t./{files}\n")
    with pytest.raises(TrainingError, match=r"case a \(fold 0\) and T1CE of case b \(fold 1\)"):
        read_cohort(cohort, CORE1)
    put(cohort, f"case\tfold\tt1ce\tlabels\na\t0\t{files}\nb\t0\t./{files}\n")
    assert len(read_cohort(cohort, CORE1)) == 2


def test_one_file_is_not_taken_for_two_sequences(cohort):
    scan = "brats/toy0/toy0_t1ce.nii.gz"
    put(cohort, f"case\tt1\tt1ce\tlabels\na\t{scan}\t{scan}\tbrats/toy0/toy0_seg.nii.gz\n")
    with pytest.raises(TrainingError, match="is T1 of case a"):
        read_cohort(cohort, CORE1)


def test_folds_that_are_made_depend_on_seed_and_cases_alone(cohort):
    put(cohort, "case\ntoy0\ntoy1\ntoy2\n")
    first = [case.fold for case in read_cohort(cohort, CORE1)]
    assert first == [case.fold for case in read_cohort(cohort, CORE1)]
    assert sorted(set(first)) == [0, 1]
