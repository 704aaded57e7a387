"""Reports and pictures: complete, self-contained, escaped, and the right way round."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from report_cases import Page, make_record, make_result, registered

from BrainTumorSegLib.core.case import Scan, make_case
from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Tissue
from BrainTumorSegLib.reporting.figures import (
    Plane,
    best_slice,
    caption,
    diameter_slices,
    make_scene,
    picture,
    spread_slices,
)
from BrainTumorSegLib.reporting.html import report_page, write_report_html
from BrainTumorSegLib.reporting.overview import draw_overview, write_overview_png
from BrainTumorSegLib.reporting.record import corrected_record, write_report_json


@pytest.fixture(scope="module")
def schema() -> dict:
    text = resource_path("Schemas", "report.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report_html(*make_result(), path)
    return Page(path.read_text(encoding="utf-8"))


# --- report.json


def test_the_record_follows_its_schema_and_survives_writing(tmp_path, schema):
    _, result = make_result()
    write_report_json(result.record, tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert json.loads(text) == result.record
    assert "Köhler" in text and text.endswith("}\n")
    jsonschema.validate(json.loads(text), schema)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), "brain-tumor-seg-report/2"),
        (("created",), "yesterday"),
        (("case", "inputs", 0, "sha256"), "ABC"),
        (("case", "inputs", 0, "spacing"), [1, 1, 0]),
        (("case", "reference"), "T2"),
        (("volumes_ml", "WT"), -1),
        (("diameters", "drawn_by"), "nobody"),
        (("diameters", "lesions", 0, "long"), [[0, 0, 0]]),
        (("volumes_ml", "necrotic"), 1.0),
        (("confidence", "mean_entropy", "edema"), 1.5),
        (("registration", 0, "matrix"), [[1, 0, 0, 0]]),
        (("pack", "members"), []),
        (("engine", "batch"), 0),
        (("warnings",), "none"),
        (("surprise",), True),
    ],
)
def test_the_schema_refuses_a_record_that_is_wrong_in_one_place(schema, place, value):
    _, result = make_result()
    record = json.loads(json.dumps(result.record))
    spot = record
    for key in place[:-1]:
        spot = spot[key]
    spot[place[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schema)


@pytest.mark.parametrize("key", ["schema", "case", "pack", "volumes_ml", "warnings", "versions"])
def test_the_schema_refuses_a_record_that_lacks_something(schema, key):
    _, result = make_result()
    with pytest.raises(jsonschema.ValidationError, match=key):
        jsonschema.validate({k: v for k, v in result.record.items() if k != key}, schema)


def test_a_number_that_json_cannot_say_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError):
        write_report_json({"volumes_ml": {"WT": float("nan")}}, tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["json", "html", "png"])
def test_an_existing_file_is_replaced_only_when_allowed(tmp_path, kind):
    case, result = make_result()
    path = tmp_path / f"out.{kind}"
    path.write_text("precious")
    write = {
        "json": lambda **o: write_report_json(result.record, path, **o),
        "html": lambda **o: write_report_html(case, result, path, **o),
        "png": lambda **o: write_overview_png(case, result, path, **o),
    }[kind]
    with pytest.raises(OutputError, match="out"):
        write()
    assert path.read_text() == "precious"
    write(overwrite=True)
    assert path.stat().st_size > 1000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# --- report.html


def test_the_page_needs_nothing_from_outside(page):
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    style = resource_path("Report", "report.css").read_text()
    assert "url(" not in style and "@import" not in style and "</" not in style


def test_names_from_outside_are_shown_but_never_become_markup(tmp_path):
    nasty = "<script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'"
    case, result = make_result(identity=nasty, warnings=(nasty,))
    for entry in (
        *result.record["case"]["inputs"],
        result.record["pack"]["members"][0],
        result.record["registration"][0],
        result.record["registration"][0]["attempts"][0],
    ):
        for key in entry.keys() & {"source", "name", "note", "chosen", "reason", "start"}:
            entry[key] = nasty
    result.record["registration"][0]["note"] = nasty
    result.record["pack"] |= {"name": nasty, "version": nasty, "licence": nasty}
    result.record["brain"]["method"] = nasty
    result.record["engine"] |= {"name": nasty, "device": nasty, "notes": [nasty + "!"]}
    result.record["options"] = {nasty: nasty, "members": [nasty]}
    result.record["timings_s"] = {nasty: 1.0}
    result.record["versions"] = {nasty: nasty}
    result.record.update(created=nasty, version=nasty, recipe=nasty, command=nasty)
    result.record["views"]["name"] = nasty
    write_report_html(case, result, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.all("script") == []
    assert all(img["src"].startswith("data:") for img in page.all("img"))
    assert page.text.count(" ".join(nasty.split())) >= 20


def test_every_picture_has_a_text_and_is_a_picture_of_the_size_it_says(page):
    images = page.all("img")
    assert len(images) >= 8 + 6 + 8
    for image in images:
        assert len(image["alt"]) > 20
        kind, data = image["src"].split(";base64,")
        assert kind == "data:image/jpeg"
        opened = Image.open(io.BytesIO(base64.b64decode(data)))
        opened.load()
        assert opened.size == (int(image["width"]), int(image["height"]))
    spoken = " ".join(image["alt"] for image in images)
    for word in ("T1CE, axial", "FLAIR, coronal", "T1CE, sagittal", "necrosis", "without labels"):
        assert word in spoken


def test_the_page_says_everything_that_the_record_says(page):
    _, result = make_result()
    record = result.record
    for name, ml in record["volumes_ml"].items():
        assert f"{ml:.2f}" in page.text, name
        assert f"{record['percent_of_brain'][name]:.2f}" in page.text, name
    for scan in record["case"]["inputs"]:
        assert scan["source"] in page.text and scan["sha256"] in page.text
    for member in record["pack"]["members"]:
        assert member["sha256"] in page.text
    for word in (
        *record["warnings"],
        *record["engine"]["notes"],
        "T1CE (reference)",
        "glioma-lite 1.0.0",
        "CC-BY-SA-4.0",
        "mixture",
        "tta1 (2)",
        "11 of 24 slices, near tumour",
        "T1CE 31 %: corrected with N4",
        "Small parts far from the tumour, left out 2, 1.3 mL in all",
        "torch on cpu, float32, batch 4",
        "refused: it wrote no <transform>",
        "1.041",
        "1.107",
        "16.2",
        "13.5",
        "20.25",
        "32.75",
        "2.7.0",
        record["command"],
        "1.25 mL",
        "Research use only. Not a medical device.",
    ):
        assert word in page.text, word


def test_warnings_and_notes_stand_before_everything_else(page):
    warning = page.text.index("BRAINSFit was not found")
    note = page.text.index("cuda ran out of memory")
    assert max(warning, note) < page.text.index("Volumes")


def test_ids_are_unique_and_headings_descend_by_one(page):
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert page.all("html")[0]["lang"] == "en"


def test_a_result_without_tumour_says_so_and_still_shows_the_brain(tmp_path, schema):
    case, result = make_result(empty=True, warnings=())
    result.record["engine"]["notes"] = []
    jsonschema.validate(result.record, schema)
    write_report_html(case, result, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "No tumour was found." in page.text
    assert "gave no warnings" in page.text
    assert len(page.all("img")) >= 8
    assert not any("Labelled:" in image["alt"] for image in page.all("img"))
    assert draw_overview(case, result).width == 1600


@pytest.mark.parametrize("sequences", [(Sequence.T1CE,), (Sequence.T1, Sequence.T1CE)])
def test_missing_sequences_leave_no_gap(tmp_path, schema, sequences):
    case, result = make_result(sequences)
    jsonschema.validate(result.record, schema)
    write_report_html(case, result, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert not any("FLAIR" in image["alt"] for image in page.all("img"))
    assert draw_overview(case, result).width == 1600


def test_a_scan_that_was_not_registered_is_shown_with_a_note(tmp_path, schema):
    case, result = make_result()
    entry = result.record["registration"][1]
    assert entry["sequence"] == "flair"
    del entry["matrix"]
    entry |= {"engine": "none", "already_aligned": None, "attempts": [], "note": "too few slices"}
    entry |= {"score": None, "score_before": None}
    jsonschema.validate(result.record, schema)
    write_report_html(case, result, tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "FLAIR is shown where the file's header places it" in page.text
    assert "too few slices" in page.text
    assert any("FLAIR, not registered" in image["alt"] for image in page.all("img"))


# --- pictures


def tint(image: Image.Image) -> np.ndarray:
    """Where a picture is coloured rather than grey."""
    array = np.asarray(image).astype(int)
    return (array.max(axis=2) - array.min(axis=2)) > 25


@pytest.mark.parametrize("plane", Plane)
def test_the_patients_right_front_and_top_are_where_radiologists_expect_them(plane):
    # The lesion lies on the right (left side of axial and coronal pictures), in front
    # (upper half of axial, left half of sagittal pictures) and high up.
    scene = make_scene(*make_result())
    image = picture(scene, Sequence.T1CE, plane, best_slice(scene.labels, plane), "fill")
    rows, columns = np.nonzero(tint(image))
    assert columns.mean() < 0.45 * image.width
    assert rows.mean() < 0.45 * image.height


ORIENTATIONS = [
    "".join(pair[flip] for pair, flip in zip(order, flips, strict=True))
    for order in itertools.permutations(("LR", "PA", "SI"))
    for flips in itertools.product((0, 1), repeat=3)
]


def test_pictures_do_not_depend_on_how_the_file_orders_its_axes():
    assert len(ORIENTATIONS) == 48
    scene = make_scene(*make_result(spacing=(2.0, 2.0, 5.0)))
    wanted = [
        np.asarray(picture(scene, Sequence.FLAIR, plane, best_slice(scene.labels, plane), "fill"))
        for plane in Plane
    ]
    for orientation in ORIENTATIONS:
        other = make_scene(*make_result(orientation=orientation))
        for plane, expected in zip(Plane, wanted, strict=True):
            index = best_slice(other.labels, plane)
            drawn = np.asarray(picture(other, Sequence.FLAIR, plane, index, "fill"))
            assert drawn.shape == expected.shape, (orientation, plane)
            difference = np.abs(drawn.astype(int) - expected.astype(int))
            assert difference.max() <= 2, (orientation, plane)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 5.0), (1.6, 2.4, 3.0)])
def test_pictures_keep_the_proportions_of_thick_slices(spacing):
    scene = make_scene(*make_result(spacing=spacing))
    x, y, z = (n * s for n, s in zip(scene.geometry.GetSize(), spacing, strict=True))
    for plane, size in ((Plane.AXIAL, (x, y)), (Plane.CORONAL, (x, z)), (Plane.SAGITTAL, (y, z))):
        image = picture(scene, Sequence.T1, plane, 5, pixels_per_mm=2.0)
        assert image.size == (round(2 * size[0]), round(2 * size[1]))


def test_labels_have_the_colours_of_their_tissues():
    scene = make_scene(*make_result())
    index = best_slice(scene.labels, Plane.AXIAL)
    plain = np.asarray(picture(scene, Sequence.T1, Plane.AXIAL, index)).astype(float)
    filled = np.asarray(picture(scene, Sequence.T1, Plane.AXIAL, index, "fill")).astype(float)
    labels = np.asarray(
        Image.fromarray(scene.labels[index]).resize(filled.shape[1::-1], Image.NEAREST)
    )
    for tissue in TUMOR_TISSUES:
        change = (filled - plain)[labels == int(tissue)].mean(axis=0)
        towards = np.array(STYLES[tissue].color) - plain[labels == int(tissue)].mean(axis=0)
        cosine = change @ towards / np.linalg.norm(change) / np.linalg.norm(towards)
        assert cosine > 0.98, tissue
    np.testing.assert_array_equal(filled[labels == 0], plain[labels == 0])


def test_outlines_leave_the_inside_of_the_lesion_to_be_seen():
    scene = make_scene(*make_result())
    index = best_slice(scene.labels, Plane.AXIAL)
    outline = tint(picture(scene, Sequence.T1, Plane.AXIAL, index, "outline", 4.0))
    filled = tint(picture(scene, Sequence.T1, Plane.AXIAL, index, "fill", 4.0))
    assert 0 < outline.sum() < 0.5 * filled.sum()
    assert (outline & filled).sum() > 0.95 * outline.sum()


def test_the_registration_of_the_record_is_used_for_showing():
    case, result = make_result()
    pose = sitk.Euler3DTransform()
    pose.SetRotation(0.12, -0.08, 0.2)
    pose.SetTranslation((9.0, -7.0, 6.0))
    flair = case.scans[Sequence.FLAIR].image
    # The patient moved: anatomy of the reference at p lies at pose(p) in the FLAIR scan.
    moved = sitk.Resample(flair, flair, pose.GetInverse(), sitk.sitkLinear, 0.0)
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(pose.GetMatrix(), (3, 3))
    matrix[:3, 3] = pose.GetTranslation()
    still = make_scene(case, result).scans[Sequence.FLAIR].astype(float)
    case = case.with_images({Sequence.FLAIR: moved})
    off = make_scene(case, result).scans[Sequence.FLAIR].astype(float)
    result.record["registration"] = [
        registered(Sequence.T1),
        registered(Sequence.FLAIR, matrix),
    ]
    back = make_scene(case, result).scans[Sequence.FLAIR].astype(float)
    inside = np.s_[3:-3, 8:-8, 8:-8]
    assert np.abs(back - still)[inside].mean() < 0.35 * np.abs(off - still)[inside].mean()


def test_slices_are_spread_through_the_tumour_and_never_repeated():
    labels = np.zeros((40, 30, 30), np.uint8)
    labels[11:31, 10:20, 10:20] = int(Tissue.EDEMA)
    labels[20:23, 12:18, 12:18] = int(Tissue.ENHANCING)
    chosen = spread_slices(labels, Plane.AXIAL, 8)
    assert len(chosen) == 8 and min(chosen) >= 11 and max(chosen) <= 30
    assert len(spread_slices(labels[:14], Plane.AXIAL, 8)) == 3
    assert 20 <= best_slice(labels, Plane.AXIAL) <= 22
    assert best_slice(np.zeros_like(labels), Plane.AXIAL) == 20


def test_captions_name_place_and_side():
    scene = make_scene(*make_result())
    index = best_slice(scene.labels, Plane.SAGITTAL)
    text = caption(scene, Sequence.T1CE, Plane.SAGITTAL, index)
    found = re.fullmatch(r"T1CE, sagittal, (\d+\.\d) mm right", text)
    assert found and abs(float(found[1]) - 20) < 3
    axial = caption(scene, Sequence.T1, Plane.AXIAL, best_slice(scene.labels, Plane.AXIAL))
    assert axial.endswith("mm superior")


def test_the_overview_shows_every_tissue_that_was_found(tmp_path):
    case, result = make_result()
    write_overview_png(case, result, tmp_path / "o.png")
    image = Image.open(tmp_path / "o.png")
    assert image.format == "PNG" and image.mode == "RGB" and image.width == 1600
    pixels = np.asarray(image)
    for tissue in TUMOR_TISSUES:
        assert (pixels == STYLES[tissue].color).all(axis=2).sum() > 300, tissue


def test_a_very_long_name_does_not_break_the_overview():
    case, result = make_result(identity="x" * 500)
    assert draw_overview(case, result).width == 1600


# --- real scans


@pytest.mark.parametrize("name", ["Brats15_2013_pat0001", "BraTS2021_01477"])
def test_a_real_case_makes_a_whole_report(real_data, tmp_path, schema, name):
    folder = real_data / "brats" / name
    images = {s: sitk.ReadImage(folder / f"{name}_{s.value}.nii.gz") for s in Sequence}
    labels = sitk.Cast(sitk.ReadImage(folder / f"{name}_seg.nii.gz"), sitk.sitkUInt8)
    case = make_case(name, {s: Scan(i, f"{s.value}.nii.gz") for s, i in images.items()})
    brain = sitk.Cast(images[Sequence.T1] > 0, sitk.sitkUInt8)
    result = Segmentation(
        labels=labels,
        brain=brain,
        disagreement=sitk.Image(labels.GetSize(), sitk.sitkFloat32),
        record=make_record(case, labels, brain),
    )
    jsonschema.validate(result.record, schema)
    write_report_html(case, result, tmp_path / "r.html")
    write_overview_png(case, result, tmp_path / "o.png")
    assert 200_000 < (tmp_path / "r.html").stat().st_size < 4_000_000
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Labelled:" in " ".join(image["alt"] for image in page.all("img"))
    assert 300_000 < (tmp_path / "o.png").stat().st_size < 4_000_000


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "PSL"])
def test_the_page_shows_the_diameters_of_each_lesion_and_their_lines(orientation):
    case, result = make_result(orientation=orientation)
    measured = result.record["diameters"]
    page = Page(report_page(case, result, "en"))
    (lesion,) = measured["lesions"]
    assert f"{lesion['long_mm']:.1f} {lesion['short_mm']:.1f}" in page.text
    assert f"Sum of products of the target lesions: {lesion['product_mm2']:.0f} mm²" in page.text
    scene = make_scene(case, result)
    ((index, _entry, lines),) = diameter_slices(scene, result.record)
    # A ball of 10 mm radius around the middle of the lesion.
    assert scene.position_mm(Plane.AXIAL, index) == pytest.approx(14, abs=5)
    assert lines[0].length_mm == pytest.approx(20, abs=1.5)
    plain = picture(scene, Sequence.T1CE, Plane.AXIAL, index)
    drawn = np.asarray(picture(scene, Sequence.T1CE, Plane.AXIAL, index, lines=lines), int)
    rows, columns = np.nonzero(np.abs(drawn - np.asarray(plain)).sum(axis=2))
    core = np.isin(scene.labels[index], (int(Tissue.ENHANCING), int(Tissue.NECROSIS)))
    for found, axis, step in ((rows, 1, 2.0), (columns, 0, 2.0)):
        there = np.flatnonzero(core.any(axis=axis)) * step * 2
        assert abs(found.mean() - there.mean() - step) < 4


def test_without_lesions_the_page_says_so():
    case, result = make_result(empty=True)
    page = Page(report_page(case, result, "en"))
    assert "no enhancing lesion large enough" in page.text


def test_a_record_of_an_older_release_has_no_diameters_on_its_page():
    case, result = make_result()
    del result.record["diameters"]
    assert "Diameters" not in Page(report_page(case, result, "en")).text


def test_a_reader_signs_the_printed_page():
    case, result = make_result()
    page = report_page(case, result, "en")
    assert "@page { size: A4" in page
    assert "Read by" in Page(page).text
    # What is not for paper is marked, section by section.
    hidden = [
        tag.get("aria-labelledby")
        for tag in Page(page).all("section")
        if "screen" in (tag.get("class") or "")
    ]
    assert hidden == ["pictures", "confidence", "inputs", "registration", "method", "running"]


def test_lines_that_a_reader_drew_stay_when_labels_are_corrected():
    _, result = make_result()
    drawn = {**result.record["diameters"], "drawn_by": "reader", "sum_of_products_mm2": 123.0}
    record = {**result.record, "diameters": drawn}
    again = corrected_record(record, result.labels, "x.seg.nrrd", "0" * 64)
    assert again["diameters"] == drawn
    anew = corrected_record(result.record, result.labels * 0, "x.seg.nrrd", "0" * 64)
    assert anew["diameters"]["lesions"] == []
