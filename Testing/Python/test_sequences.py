"""Recognising sequences from names and from DICOM attributes."""

from __future__ import annotations

from pathlib import Path

import pytest

from BrainTumorSegLib.core.sequence_headers import TIMINGS, header_evidence
from BrainTumorSegLib.core.sequence_names import CONTRAST, REFUSALS, WEIGHTINGS, plain
from BrainTumorSegLib.core.sequences import (
    Sequence,
    Verdict,
    assign,
    recognize,
    recognize_dicom,
    recognize_files,
)

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR

#: Names as data sets and clinics of several countries write them.
NAMES: dict[Sequence | None, str] = {
    T1: """
        T1_AX | t1 | Brats18_2013_11_1_t1.nii.gz | BraTS-GLI-00000-000-t1n.nii.gz | T1W native
        t1_vibe_tra_iso_nativ | AX T1 pre | SAG T1 FLAIR | t1_tirm_tra_dark-fluid | T1 ohne KM
        T1 vor KM | Т1 без контраста | Т1 нативно | T1 sans injection | t1_mprage_sag_p2_iso
        t1_mpr_ns_sag_p2_iso | MPRAGE | sag_FSPGR_BRAVO | sT1W_3D_TFE | T1 C- | t1_c-.nii | T1w_MPR
        AX T1 W/O | AX T1 WO | T1 w/o contrast | T1W_SE_pre_contrast | sub-01_ses-post_T1w
        sub-01_space-FLAIR_T1w.nii.gz | T1_reg_to_T1CE | AX T1 PREOP | T1_postop.nii | T1-weighted
        AX T1 POST-OP W/O GD | s/ contraste T1 | T1 SE sin contraste | 3: T1_AX | t1_fl2d_tra
        T1 TSE до контраста | Ax T1 FSE | LGG-104_T1.nii.gz | T1 unenhanced | mp2rage_UNI | T1noC
        T1 in native space | T1WI | T1 axial NAT | t1-KM- | 3D_T1_plain | T1_nogad | T1 o. KM | rT1
        3D T1 SAG SANS IV | T1 NON-CON | sagT1 | t1_pre_gd
        MRI BRAIN WITHOUT AND WITH CONTRAST T1 | FLAIR T1 sag
    """,
    T1CE: """
        T1_AX_POST_GAD | t1_vibe_tra_iso_KM | AX T1 +C | T1 C+ | T1W GD | t1c | t1gd | t1ce | T1KM
        2_T1_KM | patient_2_t1ce.nii.gz | T1_KM_2_FLAIR
        T1CE.nii.gz | BraTS-GLI-00000-000-t1c.nii.gz | TCGA-02-0003_2000.06.08_t1Gd.nii.gz | T1+
        UPENN-GBM-00001_11_T1GD.nii.gz | UCSF-PDGM-0004_T1c_bias.nii.gz | T1 +KM | T1 nach KM
        t1_mpr_ns_sag_p2_iso_KM | T1 с контрастом | Т1 с КУ | Т1+С | Т1-ВИ+С | T1 после контраста
        T1 apres gado | T1 après injection | T1 avec injection | T1Post | T1_3D_TFE_GD | ceT1
        sub-01_ce-gadolinium_T1w.nii.gz | AX T1 POST : Processed_CaPTk | T1 KS | T1 m. KM | T1mitKM
        AXIAL T1 FLOW COMP POST : Processed_CaPTk | 3D AX T1 Post-contrast Intra-op Thin-cut
        MPRAGE POST | Ax T1 BRAVO +Gd | AX T1 W/CONTRAST | T1 with contrast | c/ contraste T1
        T1 con contraste | T1 con mdc | t1_space_cor_postcontrast | SAG T1 FLAIR +C | VIBE KM
        T1 Gadovist | T1W/TSE KM | t1_mprage_tra_km | AX 3D T1 C+ | AX T1 FS + | T1 po kontr.
        T1 z kontrastem | T1_CE_AX | T1ContrastEnhanced | T1 post gad pre-op | t1w_gd_pre_op
        T1 enhanced | T1_inj | T1 IV+ | COR T1 POST | FSPGR 3D +GADO | 3D T1 SAG AVEC IV | cT1
        AX T1 WITH
    """,
    FLAIR: """
        FLAIR_AX | flair | t2_tirm_tra_dark-fluid | TIRM | t2_space_dark-fluid_sag_p2_iso | FlairAx
        BraTS-GLI-00000-000-t2f.nii.gz | Cube T2 FLAIR | t2_flair | AX FLAIR +C | dark fluid
        p_2_flair.nii.gz
        3D_Brain_VIEW_FLAIR_SHC | T2 FLAIR FS | t2_tse_dark-fluid_tra | FLAIR_longTR | rFLAIR
        sag 3D FLAIR KM | FLAIR reg to T1 | T2W_FLAIR_SPIR | t2_spc_da-fl_irprep_sag | Т2 FLAIR
    """,
    None: """
        T2_AX | t2w | DWI | ADC | ep2d_diff_3scan_trace_p2_ADC | SWI_Images | AAHScout | localizer
        survey | 3-plane loc | t1_sub | T1 KM Sub | T1 MIP | T1 KM MPR cor | perf | DCE_t1_vibe
        t1_mprage_sag_p2_iso_MPR_Cor | T1 map | Brats18_2013_11_1_seg.nii.gz | brain_mask | PD_TSE
        patient07_ms_lesions.nii.gz | T2* | gre t2 star | SAG T1 C-SPINE | T2W STIR | TOF_3D
        MRBrainTumor1 | case_0000.nii.gz | Volume | Untitled | 5 | T1_T2 | T1 native KM | STIR | DIR
        CISS | inv1 mp2rage | UCSF-PDGM-0004_ASL | rCBV | pre post T1 | KM | T/S/C RF FAST PILOT
        sub-01_desc-brain_mask.nii.gz | SmartBrain | b1000 | resolve_4scan_trace_tra_p2 | HASTE
        t2_swi_tra_p2_2.5mm | <MPR Thick Range[1]> | c1T1 | t1ce_brain_mask | B-TFE
        Processed Images
    """,
}

CASES = [
    (name.strip(), sequence)
    for sequence, text in NAMES.items()
    for line in text.strip().splitlines()
    for name in line.split(" | ")
]


@pytest.mark.parametrize(("name", "sequence"), CASES, ids=[name for name, _ in CASES])
def test_a_name_is_recognised(name, sequence):
    found = recognize(name)
    assert found.sequence is sequence, found.reason
    assert found.reason.endswith(".")
    assert (found.verdict is Verdict.RECOGNIZED) == (sequence is not None)


REFUSED = [
    ("Screen Save", "a report or screen capture"),
    ("Phoenix ZIP Report", "a report or screen capture"),
    ("svs_se_30", "spectroscopy"),
    ("resting_state", "functional imaging"),
    ("TOF_3D_multi-slab", "angiography"),
    ("t1_se_tra_SUB", "a subtraction"),
    ("LWS t1", "a scan of another part of the body"),
]


@pytest.mark.parametrize(("name", "what"), REFUSED)
def test_what_is_no_sequence_of_ours_is_named(name, what):
    found = recognize(name)
    assert found.verdict is Verdict.OTHER
    assert what in found.reason


def test_every_line_of_the_tables_is_used_by_some_name():
    texts = [plain(name) for name, _ in [*CASES, *REFUSED]]
    for rule in (*REFUSALS, *WEIGHTINGS, *CONTRAST):
        assert any(rule.words.search(text) for text in texts), rule


def test_contradictory_words_are_reported_and_not_guessed():
    found = recognize("T1 native KM")
    assert found.sequence is None
    assert found.verdict is Verdict.AMBIGUOUS
    assert found.candidates == (T1, T1CE)
    assert "“native”" in found.reason
    assert "“km”" in found.reason


def test_a_silent_t1_is_less_certain_than_a_native_one():
    assert recognize("t1").confidence < recognize("t1 native").confidence


def test_a_meaningless_name_is_said_to_be_meaningless():
    found = recognize("scan_17.nii.gz")
    assert found.verdict is Verdict.UNKNOWN
    assert "scan_17.nii.gz" in found.reason


def test_three_brats_files_are_assigned_and_the_labels_left():
    names = ["x_flair.nii.gz", "x_seg.nii.gz", "x_t1.nii.gz", "x_t1ce.nii.gz"]
    found = assign(names)
    assert found.chosen == {T1: names[2], T1CE: names[3], FLAIR: names[0]}
    assert found.ambiguities == ()
    assert "segmentation" in found.recognitions[names[1]].reason


def test_a_silent_t1_beside_a_t1ce_is_the_native_one():
    alone, beside = assign(["t1.nii"]), assign(["t1.nii", "t1ce.nii"])
    name = "t1.nii"
    assert beside.recognitions[name].confidence > alone.recognitions[name].confidence
    assert "t1ce.nii" in beside.recognitions[name].reason


def test_two_candidates_for_one_sequence_are_reported_and_none_is_chosen():
    found = assign(["FLAIR_AX", "FLAIR_SAG", "t1c"])
    assert FLAIR not in found.chosen
    assert [a.sequence for a in found.ambiguities] == [FLAIR]
    assert found.ambiguities[0].candidates == ("FLAIR_AX", "FLAIR_SAG")


def test_an_unclear_scan_is_reported_only_where_nothing_better_is_there():
    unclear = assign(["T1 native KM", "t1 gd"])
    assert unclear.chosen == {T1CE: "t1 gd"}
    assert [a.sequence for a in unclear.ambiguities] == [T1]


def test_a_silent_file_name_borrows_the_name_of_its_folder():
    files = [Path("p/FLAIR/image.nii.gz"), Path("p/T1 KM/image.nii.gz"), Path("p/T2/image.nii.gz")]
    found = recognize_files(files)
    assert found.chosen == {FLAIR: files[0], T1CE: files[1]}
    assert "folder" in found.recognitions[files[0]].reason


def test_a_telling_file_name_is_believed_before_its_folder():
    path = Path("T1CE/flair.nii.gz")
    assert recognize_files([path]).chosen == {FLAIR: path}


def test_all_file_names_of_the_real_data_are_recognised(real_data):
    """Scans by their ending; every label map and mask is refused."""
    expected = {"t1": T1, "t1ce": T1CE, "flair": FLAIR, "AX": T1, "GAD": T1CE}
    scans = 0
    for path in sorted(real_data.rglob("*.nii.gz")):
        stem = path.name.removesuffix(".nii.gz")
        sequence = FLAIR if stem == "FLAIR_AX" else expected.get(stem.split("_")[-1])
        assert recognize(path.name).sequence is sequence, path.name
        scans += sequence is not None
    assert scans >= 99


def test_every_real_case_folder_is_assigned_without_ambiguity(real_data):
    for folder in [*(real_data / "brats").iterdir(), *(real_data / "clinical").iterdir()]:
        found = recognize_files(sorted(folder.glob("*.nii.gz")))
        assert set(found.chosen) == {T1, T1CE, FLAIR}, folder.name
        assert found.ambiguities == ()


# DICOM attributes. Each rule has its sentence.

SPIN_T1 = {"ScanningSequence": "SE", "RepetitionTime": "500", "EchoTime": "10"}
TIMED_FLAIR = {
    "ScanningSequence": "SE\\IR",
    "RepetitionTime": "9000",
    "EchoTime": "120",
    "InversionTime": "2500",
}


def dicom(**attributes: str):
    return recognize_dicom({"Modality": "MR", **attributes})


def test_a_ct_is_refused_by_its_modality():
    assert "CT" in recognize_dicom({"Modality": "CT", "SeriesDescription": "T1"}).reason


@pytest.mark.parametrize(
    ("image_type", "what"),
    [
        ("DERIVED\\SECONDARY\\SUBTRACTION", "a subtraction"),
        ("DERIVED\\SECONDARY\\MIP", "a projection"),
        ("DERIVED\\SECONDARY\\PROJECTION IMAGE\\CSA MIP", "a projection"),
        ("DERIVED\\SECONDARY\\MPR\\CSA MPR", "a reformatted copy"),
        ("DERIVED\\SECONDARY\\REFORMATTED\\AVERAGE", "a reformatted copy"),
        ("DERIVED\\PRIMARY\\DIFFUSION\\ADC", "diffusion"),
        ("ORIGINAL\\PRIMARY\\LOCALIZER", "a localizer"),
        ("ORIGINAL\\PRIMARY\\P\\ND", "a phase image"),
        ("ORIGINAL\\PRIMARY\\R\\ND", "a real-part image"),
        ("ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC", "mosaic"),
        ("DERIVED\\PRIMARY\\T1 MAP\\T1 MAP", "a map"),
        ("DERIVED\\SECONDARY\\SCREEN SAVE", "screen"),
    ],
)
def test_an_image_type_that_is_no_anatomical_volume_is_refused(image_type, what):
    found = dicom(SeriesDescription="t1_km", ImageType=image_type)
    assert found.verdict is Verdict.OTHER
    assert what in found.reason


def test_an_ordinary_image_type_refuses_nothing():
    found = dicom(SeriesDescription="t1_km", ImageType="ORIGINAL\\PRIMARY\\M\\ND\\NORM")
    assert found.sequence is T1CE


def test_a_derived_image_type_alone_refuses_nothing():
    found = dicom(SeriesDescription="t1_km", ImageType="DERIVED\\SECONDARY\\OTHER")
    assert found.sequence is T1CE


def test_an_echo_planar_sequence_is_refused():
    assert dicom(SeriesDescription="T1", ScanningSequence="EP").verdict is Verdict.OTHER


def test_a_b_value_means_diffusion():
    assert "b-value" in dicom(SeriesDescription="T1", DiffusionBValue="1000").reason
    assert dicom(SeriesDescription="T1", DiffusionBValue="0").sequence is T1


def test_several_moments_in_time_mean_a_dynamic_series():
    assert "40 moments" in dicom(SeriesDescription="t1", NumberOfTemporalPositions="40").reason
    assert dicom(SeriesDescription="t1", NumberOfTemporalPositions="1").sequence is T1


def test_the_angio_flag_means_angiography():
    assert "angio" in dicom(SeriesDescription="t1", AngioFlag="Y").reason
    assert dicom(SeriesDescription="t1", AngioFlag="N").sequence is T1


def test_a_spine_is_refused_by_its_body_part():
    assert dicom(SeriesDescription="t1", BodyPartExamined="LSPINE").verdict is Verdict.OTHER
    assert dicom(SeriesDescription="t1", BodyPartExamined="HEAD").sequence is T1


@pytest.mark.parametrize("component", ["PHASE", "REAL", "IMAGINARY"])
def test_a_part_of_a_complex_image_is_refused(component):
    assert dicom(SeriesDescription="t1", ComplexImageComponent=component).verdict is Verdict.OTHER


@pytest.mark.parametrize(
    ("contrast", "sequence"),
    [("T1", T1), ("FLUID_ATTENUATED", FLAIR), ("T2", None), ("DIFFUSION", None), ("STIR", None)],
)
def test_the_acquisition_contrast_of_enhanced_objects_is_used(contrast, sequence):
    assert dicom(AcquisitionContrast=contrast).sequence is sequence


@pytest.mark.parametrize(
    ("name", "sequence", "word"),
    [
        ("*tfl3d1_16ns", T1, "tfl"),
        ("*ep_b1000t", None, "echo-planar"),
        ("epfid2d1_64", None, "echo-planar"),
        ("*swi3d1r", None, "susceptibility"),
        ("*fl3d1r_t70", None, "angiography"),
        ("*re_b1000", None, "diffusion"),
        ("*h2d1_205", None, "T2"),
    ],
)
def test_a_vendor_s_pulse_sequence_name_is_used(name, sequence, word):
    found = dicom(SequenceName=name)
    assert found.sequence is sequence
    assert word in found.reason


@pytest.mark.parametrize(
    ("tr", "te", "ti"),
    [(9000, 120, 2500), (8000, 85, 2370), (5000, 388, 1800), (6000, 130, 1870), (4800, 340, 1650)],
)
def test_a_long_inversion_time_with_long_echo_and_repetition_is_flair(tr, te, ti):
    found = dicom(
        ScanningSequence="SE\\IR",
        RepetitionTime=str(tr),
        EchoTime=str(te),
        InversionTime=str(ti),
    )
    assert found.sequence is FLAIR
    assert f"TI {ti} ms" in found.reason


@pytest.mark.parametrize(
    ("tr", "te", "ti"), [(2300, 2.98, 900), (1900, 2.52, 900), (2000, 3, 1100), (7.2, 3.1, 450)]
)
def test_a_short_echo_with_an_inversion_of_about_a_second_is_an_mprage(tr, te, ti):
    found = dicom(
        ScanningSequence="GR\\IR",
        RepetitionTime=str(tr),
        EchoTime=str(te),
        InversionTime=str(ti),
    )
    assert found.sequence is T1
    assert "MPRAGE" in found.reason


@pytest.mark.parametrize(("tr", "te", "ti"), [(2000, 9, 860), (2500, 24, 750), (1800, 12, 1100)])
def test_a_flair_with_short_inversion_and_echo_is_t1(tr, te, ti):
    found = dicom(
        ScanningSequence="SE\\IR",
        RepetitionTime=str(tr),
        EchoTime=str(te),
        InversionTime=str(ti),
        SeriesDescription="Ax T1 FLAIR",
    )
    assert found.sequence is T1


def test_a_name_that_only_says_flair_with_times_of_t1_is_contradictory():
    found = dicom(
        SeriesDescription="AX FLAIR",
        ScanningSequence="SE\\IR",
        RepetitionTime="2000",
        EchoTime="9",
        InversionTime="860",
    )
    assert found.verdict is Verdict.AMBIGUOUS
    assert FLAIR in found.candidates
    assert T1 in found.candidates


def test_stir_is_told_from_flair_by_its_short_inversion():
    found = dicom(
        SeriesDescription="tirm cor",
        ScanningSequence="SE\\IR",
        RepetitionTime="5000",
        EchoTime="60",
        InversionTime="160",
    )
    assert found.verdict is Verdict.OTHER


def test_long_times_without_inversion_are_t2():
    found = dicom(ScanningSequence="SE", RepetitionTime="4500", EchoTime="100")
    assert found.verdict is Verdict.OTHER
    assert "T2" in found.reason


def test_a_flair_whose_inversion_time_was_not_written_is_still_flair():
    times = {"ScanningSequence": "SE", "RepetitionTime": "9000", "EchoTime": "120"}
    assert dicom(SeriesDescription="flair tra", **times).sequence is FLAIR
    assert dicom(**{**times, "ScanningSequence": "SE\\IR"}).sequence is FLAIR


def test_a_t1_with_the_times_of_t2_is_contradictory():
    found = dicom(
        SeriesDescription="t1_se_tra", ScanningSequence="SE", RepetitionTime="4500", EchoTime="100"
    )
    assert found.verdict is Verdict.AMBIGUOUS
    assert "TR 4500 ms" in found.reason


def test_short_spin_echo_times_mean_t1():
    assert dicom(**SPIN_T1).sequence is T1


def test_long_repetition_with_short_echo_is_proton_density():
    found = dicom(ScanningSequence="SE", RepetitionTime="2500", EchoTime="20")
    assert "PD" in found.reason


def test_a_gradient_echo_with_long_echo_is_t2_star():
    found = dicom(ScanningSequence="GR", RepetitionTime="600", EchoTime="20", FlipAngle="20")
    assert "T2*" in found.reason


def test_a_2d_gradient_echo_with_large_flip_angle_is_t1():
    found = dicom(ScanningSequence="GR", RepetitionTime="250", EchoTime="2.5", FlipAngle="70")
    assert found.sequence is T1


def test_a_spoiled_3d_gradient_echo_alone_is_only_weakly_t1():
    found = dicom(ScanningSequence="GR", RepetitionTime="5", EchoTime="2.4", FlipAngle="12")
    assert found.sequence is T1
    assert found.confidence < 0.6


def test_every_timing_rule_is_reachable():
    """The middle of each rule's limits must not be taken by a rule before it."""
    for timing in TIMINGS:
        middle = {k: str((low + high) / 2) for k, (low, high) in timing.limits.items()}
        middle["ScanningSequence"] = timing.scanning or "SE"
        (found,) = [e for e in header_evidence(middle) if "times" in e.because]
        assert timing.title in found.because


def test_a_contrast_agent_makes_t1ce():
    assert dicom(SeriesDescription="t1_se", ContrastBolusAgent="Gadovist").sequence is T1CE


@pytest.mark.parametrize(
    "value", ["NONE", "NO", "No", "N", "none.", "NO CONTRAST", "WITHOUT", "ohne KM", "0 ml", "нет"]
)
def test_a_contrast_agent_field_that_says_none_is_no_contrast_agent(value):
    found = dicom(SeriesDescription="t1_se", ContrastBolusAgent=value)
    assert found.sequence is T1
    assert found.contrast == "none"


@pytest.mark.parametrize("value", ["", " ", "N/A", "UNKNOWN", "-"])
def test_an_empty_contrast_agent_field_says_nothing(value):
    found = dicom(SeriesDescription="t1_se", ContrastBolusAgent=value)
    assert found.sequence is T1
    assert found.contrast is None


@pytest.mark.parametrize("value", ["Novel agent 3", "YES", "Gd-DTPA", "11 ml Omniscan", "Dotarem"])
def test_other_contrast_agent_fields_count_as_contrast_agent(value):
    assert dicom(SeriesDescription="t1_se", ContrastBolusAgent=value).sequence is T1CE


def test_a_volume_of_contrast_agent_counts_when_no_agent_is_named():
    assert dicom(SeriesDescription="t1", ContrastBolusVolume="7.5").sequence is T1CE
    assert dicom(SeriesDescription="t1", ContrastBolusVolume="0").sequence is T1


@pytest.mark.parametrize(("value", "sequence"), [("YES", T1CE), ("NO", T1)])
def test_whether_an_enhanced_object_was_made_with_contrast_agent_is_used(value, sequence):
    found = dicom(AcquisitionContrast="T1", ContrastBolusAgentAdministered=value)
    assert found.sequence is sequence


def test_a_native_name_with_a_contrast_agent_is_contradictory():
    found = dicom(SeriesDescription="t1_se nativ", ContrastBolusAgent="Gadovist")
    assert found.verdict is Verdict.AMBIGUOUS
    assert "Gadovist" in found.reason
    assert "nativ" in found.reason


def test_an_enhanced_name_with_the_agent_none_is_contradictory():
    found = dicom(SeriesDescription="t1_se KM", ContrastBolusAgent="NONE")
    assert found.verdict is Verdict.AMBIGUOUS


def test_flair_after_contrast_agent_stays_flair_and_says_so():
    found = dicom(SeriesDescription="flair", ContrastBolusAgent="Gadovist", **TIMED_FLAIR)
    assert found.sequence is FLAIR
    assert "Contrast agent" in found.reason


def test_the_protocol_name_helps_where_the_description_is_silent():
    assert dicom(SeriesDescription="ax", ProtocolName="t1_tse_tra KM").sequence is T1CE
    assert dicom(SeriesDescription="t1 nativ", ProtocolName="t1 KM").sequence is T1


def test_the_description_overrules_the_protocol_name():
    assert dicom(SeriesDescription="flair", ProtocolName="t1_tse").sequence is FLAIR
    assert dicom(SeriesDescription="t1_se", ProtocolName="localizer").sequence is T1


def test_contrast_in_a_whole_examination_s_name_is_not_believed():
    found = dicom(
        Manufacturer="GE MEDICAL SYSTEMS", SeriesDescription="Ax T1", ProtocolName="BRAIN +C"
    )
    assert found.sequence is T1
    assert found.contrast is None


def test_name_and_times_that_agree_are_surer_than_either():
    both = dicom(SeriesDescription="flair", **TIMED_FLAIR).confidence
    assert both > dicom(SeriesDescription="flair").confidence
    assert both > dicom(**TIMED_FLAIR).confidence


def test_a_header_that_says_nothing_is_said_to_say_nothing():
    assert dicom().verdict is Verdict.UNKNOWN


def test_unreadable_numbers_are_passed_over():
    found = dicom(SeriesDescription="t1", RepetitionTime="", EchoTime="fast", FlipAngle="\\")
    assert found.sequence is T1
