"""The vocabulary of tissues, regions and label protocols."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.tissue import (
    ANATOMY,
    CATEGORY,
    PROTOCOLS,
    STYLES,
    TUMOR_TISSUES,
    LabelProtocol,
    Region,
    Tissue,
    protocol_by_name,
)
from BrainTumorSegLib.io.terminology import TERMINOLOGY_CONTEXT


def test_labels_follow_brats_2013_to_2015():
    assert [(t.key, int(t)) for t in Tissue] == [
        ("background", 0),
        ("necrosis", 1),
        ("edema", 2),
        ("non_enhancing", 3),
        ("enhancing", 4),
    ]
    assert Tissue.BACKGROUND not in TUMOR_TISSUES
    assert len(TUMOR_TISSUES) == 4


def test_regions_are_nested():
    assert Region.ET.value < Region.TC.value < Region.WT.value
    assert Region.WT.value == set(TUMOR_TISSUES)
    assert Region.WT.value - Region.TC.value == {Tissue.EDEMA}
    assert {region.title for region in Region} == {
        "whole tumour",
        "tumour core",
        "enhancing tumour",
    }


def test_every_tissue_has_its_own_name_colour_and_code():
    styles = [STYLES[tissue] for tissue in TUMOR_TISSUES]
    assert set(STYLES) == set(TUMOR_TISSUES)
    assert len({s.title for s in styles}) == 4
    assert len({s.color for s in styles}) == 4
    assert len({(s.code.scheme, s.code.value) for s in styles}) == 4
    assert all(0 <= component <= 255 for s in styles for component in s.color)


def test_colours_are_those_of_the_siberian_data_set():
    """Edema yellow, non-enhancing blue, enhancing red, necrosis green."""
    strongest = {t: int(np.argmax(STYLES[t].color)) for t in TUMOR_TISSUES}
    assert strongest[Tissue.ENHANCING] == 0
    assert strongest[Tissue.NECROSIS] == 1
    assert strongest[Tissue.NON_ENHANCING] == 2
    red, green, blue = STYLES[Tissue.EDEMA].color
    assert min(red, green) > 200
    assert blue < 100


def test_codes_are_those_of_the_dicom_group_for_brain_lesions_with_necrosis():
    concepts = pytest.importorskip("pydicom.sr.codedict").Collection("CID7168").concepts
    codes = {(code.scheme_designator, code.value): code.meaning for code in concepts.values()}
    for tissue in TUMOR_TISSUES:
        code = STYLES[tissue].code
        assert codes[code.scheme, code.value] == code.meaning


def test_category_and_anatomy_are_known_to_dicom():
    codes = pytest.importorskip("pydicom.sr.codedict").codes
    assert codes.SCT.MorphologicallyAbnormalStructure.value == CATEGORY.value
    assert (codes.SCT.Brain.value, codes.SCT.Brain.meaning) == (ANATOMY.value, ANATOMY.meaning)
    assert CATEGORY.scheme == ANATOMY.scheme == "SCT"


def test_the_terminology_file_says_what_the_code_says():
    text = resource_path("Terminology", "BrainTumorSeg.term.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert document["SegmentationCategoryTypeContextName"] == TERMINOLOGY_CONTEXT
    (category,) = document["SegmentationCodes"]["Category"]
    assert category["CodeValue"] == CATEGORY.value
    assert category["CodeMeaning"] == CATEGORY.meaning
    for entry, tissue in zip(category["Type"], TUMOR_TISSUES, strict=True):
        style = STYLES[tissue]
        assert entry["CodingSchemeDesignator"] == style.code.scheme
        assert entry["CodeValue"] == style.code.value
        assert entry["CodeMeaning"] == style.code.meaning
        assert entry["recommendedDisplayRGBValue"] == list(style.color)
        assert entry["3dSlicerLabel"] == style.title


def test_the_colour_tables_say_what_the_code_says():
    plain = resource_path("Terminology", "BrainTumorSeg.ctbl").read_text(encoding="utf-8")
    lines = [line.split() for line in plain.splitlines() if not line.startswith("#")]
    for line, tissue in zip(lines[1:], TUMOR_TISSUES, strict=True):
        assert line[0] == str(int(tissue))
        assert line[1].replace("_", " ") == STYLES[tissue].title
        assert tuple(int(text) for text in line[2:5]) == STYLES[tissue].color
    with resource_path("Terminology", "BrainTumorSeg.labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, tissue in zip(rows, TUMOR_TISSUES, strict=True):
        style = STYLES[tissue]
        assert (row["LabelValue"], row["Name"]) == (str(int(tissue)), style.title)
        assert tuple(int(row[f"Color_{c}"]) for c in "RGB") == style.color
        assert row["Type_CodingScheme"] == style.code.scheme
        assert row["Type_CodeValue"] == style.code.value
        assert row["Region_CodeValue"] == ANATOMY.value


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_protocol_gives_every_tissue_exactly_one_number(protocol):
    for tissue in Tissue:
        assert sum(tissue in allowed for allowed in protocol.labels.values()) == 1
    assert protocol.labels[0] == {Tissue.BACKGROUND}


def test_only_one_protocol_tells_necrosis_from_non_enhancing_tumour():
    separate = [n for n, p in PROTOCOLS.items() if all(len(a) == 1 for a in p.labels.values())]
    assert separate == ["necrosis1_edema2_nonenhancing3_enhancing4"]


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    assert protocol_by_name("edema1_core2_enhancing3") is PROTOCOLS["edema1_core2_enhancing3"]
    with pytest.raises(InputError, match=r"'brats'.*core1_edema2_enhancing4"):
        protocol_by_name("brats")


def test_a_protocol_that_allows_nothing_for_a_label_is_refused():
    with pytest.raises(InputError, match="'odd' allows no tissue for label 7"):
        LabelProtocol("odd", {0: frozenset({Tissue.BACKGROUND}), 7: frozenset()})


def test_the_real_cases_name_known_protocols(real_data):
    with (real_data / "cases.tsv").open(newline="") as file:
        names = {row["label_protocol"] for row in csv.DictReader(file, delimiter="\t")}
    assert names
    assert names <= PROTOCOLS.keys()
