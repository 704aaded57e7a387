"""The report of labels that an expert has gone over: volumes, pictures, reviews, and its limits."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from report_cases import Page, make_result, registered

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, Tissue
from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.reporting.record import confidence, corrected_record, measured, read_record

#: Where the FLAIR of the fixture lies, as a transform from the reference to it (LPS, mm).
SHIFT = np.array([[1, 0, 0, 12.0], [0, 1, 0, -8.0], [0, 0, 1, 0.0], [0, 0, 0, 1.0]])

REVIEWS = [
    {
        "position": 2,
        "reader": "Dr. <Ä>",
        "date": "2026-03-06T10:11:12+01:00",
        "verdict": "approved",
        "comment": "",
    },
    {
        "position": 1,
        "reader": "Dr. Who & Co",
        "date": "2026-03-05",
        "verdict": "corrected",
        "comment": "Edema was <too> large.\nNecrosis added.",
        "agreement": [
            {
                "with": "the automatic labels",
                "dice": {"WT": 0.9123, "TC": 1, "ET": 0},
                "volume_change_ml": {"WT": -3.456, "TC": 0.0, "ET": 0.001},
                "volume_change_percent": {"WT": -12.34, "TC": 0.0, "ET": None},
            }
        ],
    },
]


class Finished:
    """The files of a run on a made-up case whose FLAIR lies 14 mm off, and corrected labels."""

    def __init__(self, folder: Path, orientation: str = "LPS", off: bool = True) -> None:
        case, result = make_result(orientation=orientation, warnings=("the run said so",))
        self.folder, self.result = folder, result
        self.scans: dict[str, Path] = {}
        for sequence, scan in case.scans.items():
            image = sitk.Image(scan.image)
            if sequence is Sequence.FLAIR and off:
                image.SetOrigin((np.array(image.GetOrigin()) + SHIFT[:3, 3]).tolist())
            self.scans[sequence.value] = folder / f"{sequence.value}.nrrd"
            sitk.WriteImage(image, self.scans[sequence.value])
        record = result.record
        for entry in record["case"]["inputs"]:
            path = self.scans[entry["sequence"]]
            entry |= {"source": path.name, "sha256": file_sha256(path)}
        record["registration"] = [
            registered(Sequence.T1) | {"sequence": "t1"},
            registered(Sequence.FLAIR, SHIFT if off else None)
            | {"engine": "brainsfit", "run_by": "Slicer 5.12"},
        ]
        record["brain"]["volume_ml"] = 1000.0
        self.record = self.save_record(record)
        self.disagreement = folder / "disagreement.nrrd"
        entropy = sitk.Cast(result.brain, sitk.sitkFloat32) * 0.01
        sitk.WriteImage(sitk.Maximum(entropy, result.disagreement), self.disagreement)
        self.labels = self.save_labels(self.corrected())

    def corrected(self) -> sitk.Image:
        """The expert's labels: all edema is gone but for a block, and some of it is necrosis."""
        values = sitk.GetArrayFromImage(self.result.labels)
        places = np.argwhere(values == int(Tissue.EDEMA))
        values[values == int(Tissue.EDEMA)] = 0
        for place in places[:40]:
            values[tuple(place)] = int(Tissue.NECROSIS)
        for place in places[40:100]:
            values[tuple(place)] = int(Tissue.EDEMA)
        labels = sitk.GetImageFromArray(values)
        labels.CopyInformation(self.result.labels)
        return labels

    def save_labels(self, labels: sitk.Image, name: str = "corrected.seg.nrrd") -> Path:
        path = self.folder / name
        if name.endswith(".seg.nrrd"):
            write_seg_nrrd(labels, path, "T1CE", overwrite=True)
        else:
            sitk.WriteImage(labels, path)
        return path

    def save_record(self, record: dict, name: str = "run.json") -> Path:
        path = self.folder / name
        path.write_text(json.dumps(record), encoding="utf-8")
        return path

    def words(self, *, scans=("t1", "t1ce", "flair"), labels=None, record=None) -> list[str]:
        words = [w for s in scans for w in (f"--{s}", str(self.scans[s]))]
        words += ["--labels", str(labels or self.labels), "--record", str(record or self.record)]
        return ["report", *words]


@pytest.fixture
def finished(tmp_path) -> Finished:
    folder = tmp_path / "Läufe und mehr"
    folder.mkdir()
    return Finished(folder)


def run(words, *more, capsys):
    code = cli.main([*words, *map(str, more)])
    return code, *capsys.readouterr()


def schema() -> dict:
    return json.loads(resource_path("Schemas", "report.schema.json").read_text(encoding="utf-8"))


def pictures(page: Page) -> dict[str, np.ndarray]:
    """Every picture of a page as RGB, by its text."""
    return {
        image["alt"]: np.asarray(
            Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        )
        for image in page.all("img")
    }


# --- what it says ---------------------------------------------------------------------------------


def test_volumes_and_shares_are_those_of_the_corrected_labels(finished, tmp_path, capsys):
    out = tmp_path / "report.json"
    code, said, err = run(finished.words(), "-o", out, capsys=capsys)
    assert code == 0, err
    record = json.loads(out.read_text(encoding="utf-8"))
    jsonschema.validate(record, schema())
    values = sitk.GetArrayFromImage(finished.corrected())
    voxel_ml = 2.0 * 2.0 * 5.0 / 1000
    assert (values == int(Tissue.EDEMA)).sum() == 60
    for tissue in (Tissue.EDEMA, Tissue.NECROSIS, Tissue.ENHANCING):
        ml = (values == int(tissue)).sum() * voxel_ml
        assert record["volumes_ml"][tissue.key] == pytest.approx(ml, abs=1e-3)
        assert record["percent_of_brain"][tissue.key] == pytest.approx(ml / 10, abs=1e-3)
    assert record["volumes_ml"]["WT"] == pytest.approx((values > 0).sum() * voxel_ml, abs=1e-3)
    assert "Peritumoral edema" in said and str(out) in said


def test_the_rest_of_the_record_and_what_the_run_measured_are_kept(finished, tmp_path, capsys):
    out = tmp_path / "report.json"
    assert run(finished.words(), "-o", out, capsys=capsys)[0] == 0
    before, after = (
        json.loads(path.read_text(encoding="utf-8")) for path in (finished.record, out)
    )
    correction = after.pop("correction")
    for key in after.keys() - {"volumes_ml", "percent_of_brain"}:
        assert after[key] == before[key], key
    assert correction["labels"] == {
        "source": finished.labels.name,
        "sha256": file_sha256(finished.labels),
    }
    assert correction["automatic"] == {k: before[k] for k in ("volumes_ml", "percent_of_brain")}
    assert correction["confidence"] == "automatic"
    assert correction["created"].endswith("+00:00")


@pytest.mark.parametrize("folder", ["/data/Doe John", "C:\\Patients\\Doe John"])
def test_folders_of_a_record_of_release_0_1_are_left_out(finished, tmp_path, capsys, folder):
    record = json.loads(finished.record.read_text(encoding="utf-8"))
    slash = "\\" if ":" in folder else "/"
    for entry in record["case"]["inputs"]:
        entry["source"] = f"{folder}{slash}{entry['source']}"
    record["warnings"] = [f"T1 ({folder}{slash}t1.nrrd) looks odd."]
    finished.record.write_text(json.dumps(record), encoding="utf-8")
    outputs = [tmp_path / "report.json", tmp_path / "report.html"]
    code, *_ = run(finished.words(), "-o", outputs[0], "-o", outputs[1], capsys=capsys)
    assert code == 0
    after = json.loads(outputs[0].read_text(encoding="utf-8"))
    assert after["warnings"][0] == "T1 (t1.nrrd) looks odd."
    for output in outputs:
        text = output.read_text(encoding="utf-8")
        assert "Doe" not in text and str(finished.folder) not in text


def test_with_the_disagreement_map_confidence_speaks_of_the_new_labels(finished, tmp_path, capsys):
    out = tmp_path / "report.json"
    words = ("--disagreement", finished.disagreement, "-o", out)
    assert run(finished.words(), *words, capsys=capsys)[0] == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["correction"]["confidence"] == "corrected"
    entropy = sitk.ReadImage(finished.disagreement)
    assert record["confidence"] == confidence(finished.corrected(), entropy)
    # The made-up run was unsure at 0.3 wherever it labelled something.
    assert record["confidence"]["mean_entropy"]["necrosis"] == pytest.approx(0.3, abs=1e-4)


def test_unchanged_labels_measure_what_the_run_had_measured(finished, tmp_path, capsys):
    result = finished.result
    brain_ml = 1234.5678
    record = {**result.record, **measured(result.labels, brain_ml)}
    record["brain"] = {**record["brain"], "volume_ml": round(brain_ml, 3)}
    labels = finished.save_labels(result.labels, "same.nii.gz")
    words = finished.words(labels=labels, record=finished.save_record(record))
    assert run(words, "-o", tmp_path / "r.json", capsys=capsys)[0] == 0
    again = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    for key in ("volumes_ml", "percent_of_brain"):
        assert again[key] == record[key]


def test_a_correction_of_a_correction_still_knows_the_automatic_volumes(finished, tmp_path, capsys):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert run(finished.words(), "-o", first, capsys=capsys)[0] == 0
    empty = finished.save_labels(finished.result.labels * 0, "empty.nrrd")
    words = finished.words(record=first, labels=empty)
    assert run(words, "-o", second, capsys=capsys)[0] == 0
    run_itself, after = (
        json.loads(path.read_text(encoding="utf-8")) for path in (finished.record, second)
    )
    assert after["volumes_ml"]["WT"] == 0
    assert after["correction"]["automatic"]["volumes_ml"] == run_itself["volumes_ml"]


def test_confidence_of_other_corrected_labels_is_not_passed_on(finished, tmp_path, capsys):
    first = tmp_path / "first.json"
    words = ("--disagreement", finished.disagreement, "-o", first)
    assert run(finished.words(), *words, capsys=capsys)[0] == 0
    words = finished.words(record=first)
    code, _, err = run(words, "-o", tmp_path / "second.json", capsys=capsys)
    assert code == 3 and "--disagreement" in err.replace("disagreement map", "--disagreement")
    more = ("--disagreement", finished.disagreement, "-o", tmp_path / "second.json")
    assert run(words, *more, capsys=capsys)[0] == 0


# --- the page -------------------------------------------------------------------------------------


@pytest.fixture
def page(finished, tmp_path, capsys) -> Page:
    record = json.loads(finished.record.read_text(encoding="utf-8")) | {"reviews": REVIEWS}
    words = finished.words(record=finished.save_record(record, "reviewed.json"))
    out = tmp_path / "report.html"
    code, _, err = run(words, "--disagreement", finished.disagreement, "-o", out, capsys=capsys)
    assert code == 0, err
    return Page(out.read_text(encoding="utf-8"))


def test_the_page_shows_verdicts_comments_and_agreement(page):
    assert "Dr. Who & Co" in page.text and "Dr. <Ä>" in page.text
    assert "Edema was <too> large." in page.text and "Necrosis added." in page.text
    order = [page.text.index(word) for word in ("first", "Dr. Who", "second", "Dr. <Ä>")]
    assert order == sorted(order)
    assert "First reader and the automatic labels" in page.text
    assert "Whole tumour (WT) 0.912 -3.46 -12.3" in page.text
    # No sign where nothing changed, a dash where there is no percentage.
    assert "Tumour core (TC) 1.000 0.00 0.0" in page.text
    assert "Enhancing tumour (ET) 0.000 0.00 –" in page.text


def test_the_page_puts_automatic_and_corrected_volumes_side_by_side(page, finished):
    assert "Automatic (mL) Change (mL)" in page.text
    before = finished.result.record["volumes_ml"]["edema"]
    assert f"Peritumoral edema 1.20 0.12 {before:.2f} {1.2 - before:+.2f}" in page.text
    assert "labels shown are those of an expert" in page.text
    assert file_sha256(finished.labels) in page.text
    assert "run by Slicer 5.12" in page.text


def test_the_page_without_reviews_or_map_says_whose_confidence_it_is(finished, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert run(finished.words(), "-o", out, capsys=capsys)[0] == 0
    text = Page(out.read_text(encoding="utf-8")).text
    assert "These figures speak of the automatic labels" in text
    assert "Verdict" not in text


def test_an_expert_who_removed_everything_is_not_told_that_none_was_found(
    finished, tmp_path, capsys
):
    labels = finished.save_labels(finished.result.labels * 0, "empty.nrrd")
    out = tmp_path / "report.html"
    assert run(finished.words(labels=labels), "-o", out, capsys=capsys)[0] == 0
    text = Page(out.read_text(encoding="utf-8")).text
    assert "labels mark no tumour" in text and "No tumour was found" not in text


def colored(picture: np.ndarray, tissue: Tissue) -> int:
    """How many pixels have about the colour of a tissue's outline."""
    near = np.abs(picture.astype(int) - np.array(STYLES[tissue].color)).max(axis=2) < 60
    return int(near.sum())


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "ASL"])
def test_the_pictures_show_the_corrected_labels_over_registered_scans(
    tmp_path, capsys, orientation
):
    finished = Finished(tmp_path, orientation)
    outs = {}
    automatic = finished.save_labels(finished.result.labels, "automatic.nrrd")
    for name, labels in (("automatic", automatic), ("corrected", finished.labels)):
        out = tmp_path / f"{name}.html"
        words = ("--disagreement", finished.disagreement, "-o", out)
        assert run(finished.words(labels=labels), *words, capsys=capsys)[0] == 0
        outs[name] = pictures(Page(out.read_text(encoding="utf-8")))
    yellow = {
        name: sum(colored(p, Tissue.EDEMA) for alt, p in shown.items() if alt.startswith("T1CE"))
        for name, shown in outs.items()
    }
    assert yellow["automatic"] > 3 * max(1, yellow["corrected"])


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "ASL"])
def test_the_matrix_of_the_record_places_the_scans(tmp_path, capsys, orientation):
    """A FLAIR that lies 14 mm off is shown where one lies that is in place from the start."""
    shown = {}
    for name in ("off", "in place", "loose"):
        folder = tmp_path / name
        folder.mkdir()
        finished = Finished(folder, orientation, off=name != "in place")
        record = json.loads(finished.record.read_text(encoding="utf-8"))
        if name == "loose":
            del record["registration"][1]["matrix"]
        words = finished.words(record=finished.save_record(record))
        out = folder / "r.html"
        more = ("--disagreement", finished.disagreement, "-o", out)
        assert run(words, *more, capsys=capsys)[0] == 0
        page = Page(out.read_text(encoding="utf-8"))
        assert ("not registered" in page.text) == (name == "loose")
        shown[name] = {
            alt.replace(", not registered", ""): picture.astype(float)
            for alt, picture in pictures(page).items()
            if alt.startswith("FLAIR")
        }
    assert shown["off"].keys() == shown["in place"].keys() == shown["loose"].keys()
    assert len(shown["off"]) >= 6
    for alt, still in shown["in place"].items():
        # The compression and one interpolation are all that may differ.
        assert np.abs(shown["off"][alt] - still).mean() < 1, alt
        assert np.abs(shown["loose"][alt] - still).mean() > 4, alt


# --- framing, formats, lines ----------------------------------------------------------------------


def test_a_brain_mask_frames_the_pictures(finished, tmp_path, capsys):
    mask = sitk.Image(finished.result.brain)
    values = sitk.GetArrayFromImage(mask)
    values[:, :, : values.shape[2] // 2] = 0
    half = sitk.GetImageFromArray(values)
    half.CopyInformation(mask)
    sitk.WriteImage(half, finished.folder / "half.nii.gz")
    widths = {}
    for name, more in (("whole", ()), ("half", ("--brain-mask", finished.folder / "half.nii.gz"))):
        out = tmp_path / f"{name}.html"
        assert run(finished.words(), *more, "-o", out, capsys=capsys)[0] == 0
        shown = pictures(Page(out.read_text(encoding="utf-8")))
        widths[name] = max(p.shape[1] for alt, p in shown.items() if "T1CE, axial" in alt)
    assert widths["half"] < 0.8 * widths["whole"]


@pytest.mark.parametrize("name", ["c.nii.gz", "c.nrrd", "c.seg.nrrd"])
def test_labels_in_every_format_give_the_same_volumes(finished, tmp_path, capsys, name):
    labels = finished.save_labels(finished.corrected(), name)
    out = tmp_path / "r.json"
    assert run(finished.words(labels=labels), "-o", out, capsys=capsys)[0] == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["volumes_ml"] == measured(finished.corrected(), 1000.0)["volumes_ml"]
    assert record["warnings"] == ["the run said so"]


def test_labels_on_other_axes_are_turned_and_on_another_grid_resampled_with_a_warning(
    finished, tmp_path, capsys
):
    expected = measured(finished.corrected(), 1000.0)["volumes_ml"]
    turned = sitk.DICOMOrient(finished.corrected(), "SAL")
    out = tmp_path / "turned.json"
    words = finished.words(labels=finished.save_labels(turned, "turned.nrrd"))
    assert run(words, "-o", out, capsys=capsys)[0] == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["volumes_ml"] == expected and record["warnings"] == ["the run said so"]
    finer = sitk.Expand(finished.corrected(), [2, 2, 1], sitk.sitkNearestNeighbor)
    out = tmp_path / "finer.json"
    words = finished.words(labels=finished.save_labels(finer, "finer.nrrd"))
    assert run(words, "-o", out, capsys=capsys)[0] == 0
    record = json.loads(out.read_text(encoding="utf-8"))
    assert record["volumes_ml"]["WT"] == pytest.approx(expected["WT"], rel=0.05)
    assert "another grid" in record["warnings"][-1]


def test_a_scan_that_was_saved_anew_is_used_with_a_warning(finished, tmp_path, capsys):
    image = sitk.ReadImage(finished.scans["t1"])
    sitk.WriteImage(image + 1, finished.scans["t1"])
    out = tmp_path / "r.json"
    code, _, err = run(finished.words(), "-o", out, capsys=capsys)
    assert code == 0 and "SHA-256 differs" in err
    warnings = json.loads(out.read_text(encoding="utf-8"))["warnings"]
    assert [w for w in warnings if w.startswith("T1 (")] and not [
        w for w in warnings if "T1CE" in w
    ]


def test_a_scan_may_be_left_out_of_the_pictures(finished, tmp_path, capsys):
    out = tmp_path / "r.html"
    code, _, err = run(finished.words(scans=("t1ce",)), "-o", out, capsys=capsys)
    assert code == 0 and "FLAIR was not given" in err
    page = Page(out.read_text(encoding="utf-8"))
    assert not any(alt.startswith("FLAIR") for alt in pictures(page))


def test_programs_get_json_lines_and_both_formats_at_once(finished, tmp_path, capsys):
    outs = [tmp_path / "r.json", tmp_path / "r.html"]
    code, said, _ = run(
        finished.words(), "-o", outs[0], "-o", outs[1], "--progress", "json", capsys=capsys
    )
    lines = [json.loads(line) for line in said.splitlines()]
    assert code == 0 and all(path.is_file() for path in outs)
    assert lines[-1]["kind"] == "result" and lines[-1]["outputs"] == [str(p) for p in outs]
    stages = [line["stage"] for line in lines if line["kind"] == "progress"]
    assert list(dict.fromkeys(stages)) == ["read", "measure", "write", "done"]


def test_existing_reports_are_kept_unless_overwriting_is_asked_for(finished, tmp_path, capsys):
    out, other = tmp_path / "r.json", tmp_path / "r.html"
    out.write_text("precious")
    code, _, err = run(finished.words(), "-o", other, "-o", out, capsys=capsys)
    assert code == 4 and "overwrite" in err
    assert out.read_text() == "precious" and not other.exists()
    code, _, err = run(finished.words(), "-o", out, "--overwrite", capsys=capsys)
    assert code == 0, err
    assert json.loads(out.read_text(encoding="utf-8"))["correction"]


# --- mistakes -------------------------------------------------------------------------------------


def spoiled(record: dict, path: str, value: object) -> dict:
    record = json.loads(json.dumps(record))
    *way, last = path.split(".")
    spot = record
    for key in way:
        spot = spot[int(key) if key.isdigit() else key]
    if value is None:
        del spot[last]
    else:
        spot[int(last) if last.isdigit() else last] = value
    return record


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("brain.volume_ml", 0, "brain volume"),
        ("pack", None, "'pack' is a required property"),
        ("case.inputs.1.size", [60, 70, 25], "is not the T1CE that was segmented"),
        ("case.inputs.1.spacing", [2.0, 2.1, 5.0], "is not the T1CE that was segmented"),
        ("registration.0.sequence", "T1", "registration.0.sequence"),
        ("case.inputs", "none", "case.inputs"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(finished, tmp_path, capsys, path, value, words):
    record = spoiled(json.loads(finished.record.read_text(encoding="utf-8")), path, value)
    given = finished.words(record=finished.save_record(record, "spoiled.json"))
    code, _, err = run(given, "-o", tmp_path / "r.html", capsys=capsys)
    assert code == 3 and words in err and "Traceback" not in err
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"position": 3}, "reviews.0.position"),
        ({"verdict": "fine"}, "reviews.0.verdict"),
        ({"date": "yesterday"}, "reviews.0.date"),
        ({"date": "2026-1-5"}, "reviews.0.date"),
        ({"reader": ""}, "reviews.0.reader"),
        ({"mood": "good"}, "reviews.0"),
        ({"comment": None}, "reviews.0.comment"),
        ({"agreement": [{"with": "x", "dice": {"WT": 1.2}}]}, "reviews.0.agreement.0"),
        ({"agreement": [{"with": "x", "dice": {"lung": 1.0}}]}, "reviews.0.agreement.0"),
    ],
)
def test_a_review_that_is_wrong_in_one_place_is_refused_and_the_place_named(
    finished, change, place
):
    record = json.loads(finished.record.read_text(encoding="utf-8"))
    path = finished.save_record({**record, "reviews": [{**REVIEWS[0], **change}]}, "r.json")
    with pytest.raises(InputError) as caught:
        read_record(path)
    assert place in caught.value.message


def test_at_most_two_readers_are_recorded(finished):
    record = json.loads(finished.record.read_text(encoding="utf-8"))
    read_record(finished.save_record({**record, "reviews": REVIEWS}, "two.json"))
    with pytest.raises(InputError, match="reviews"):
        read_record(finished.save_record({**record, "reviews": REVIEWS * 2}, "four.json"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": NaN}', "\ufeff{}", "[" * 100_000])
def test_a_file_that_is_no_record_is_refused_by_name(finished, text):
    path = finished.folder / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"odd\.json"):
        read_record(path)


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["-o", "{tmp}/r.pdf"], 4, ".json, .html"),
        (["-o", "{tmp}/r.json", "-o", "{tmp}/r.json"], 4, "same name"),
        (["-o", "{tmp}/no/r.json"], 4, "folder"),
        (["-o", "{tmp}/r.json", "--labels", "{tmp}/no.nrrd"], 3, "no.nrrd"),
        (["-o", "{tmp}/r.json", "--record", "{tmp}/no.json"], 3, "no.json"),
        (["-o", "{tmp}/r.json", "--disagreement", "{t1ce}"], 3, "no disagreement map"),
        (["-o", "{tmp}/r.json", "--disagreement", "{small}"], 3, "does not lie on the grid"),
        (["-o", "{tmp}/r.json", "--labels", "{far}"], 3, "outside the reference"),
        (["-o", "{tmp}/r.json", "--t1", "{tmp}/no.nii.gz"], 3, "no.nii.gz"),
    ],
)
def test_mistakes_are_named_and_write_nothing(finished, tmp_path, capsys, words, code, text):
    far = sitk.Image(finished.result.labels)
    far.SetOrigin((np.array(far.GetOrigin()) + 500).tolist())
    sitk.WriteImage(far, finished.folder / "far.nrrd")
    small = sitk.ReadImage(finished.disagreement)[:-3]
    sitk.WriteImage(small, finished.folder / "small.nrrd")
    places = {
        "tmp": tmp_path,
        "t1ce": finished.scans["t1ce"],
        "far": finished.folder / "far.nrrd",
        "small": finished.folder / "small.nrrd",
    }
    got, _, err = run(finished.words(), *(w.format(**places) for w in words), capsys=capsys)
    assert got == code, err
    assert text in err and "Traceback" not in err
    assert list(tmp_path.glob("r.*")) == []


def test_a_sequence_that_the_run_did_not_have_is_refused(finished, tmp_path, capsys):
    record = json.loads(finished.record.read_text(encoding="utf-8"))
    record["case"]["inputs"] = [e for e in record["case"]["inputs"] if e["sequence"] != "t1"]
    words = finished.words(record=finished.save_record(record, "two.json"))
    code, _, err = run(words, "-o", tmp_path / "r.json", capsys=capsys)
    assert code == 3 and "without T1" in err and "--t1" in err


def test_a_record_is_not_changed_by_correcting_it(finished):
    record = json.loads(finished.record.read_text(encoding="utf-8"))
    before = json.dumps(record)
    corrected_record(record, finished.corrected(), "x.nrrd", "0" * 64)
    assert json.dumps(record) == before
