"""How far to trust a result: agreement while the networks run, calibration, and what is shown."""

from __future__ import annotations

import json
import shutil
from itertools import combinations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from cohort_cases import write_pack
from report_cases import make_result
from test_slice_preselection import CASCADE, LESIONS, members, predicted, two_lesions
from toy_cases import write_toy_cohort

from BrainTumorSegLib import cli
from BrainTumorSegLib.cli.application import build_parser
from BrainTumorSegLib.cli.commands.models import run_calibrate
from BrainTumorSegLib.cohort import table
from BrainTumorSegLib.core.errors import PackError, TrainingError
from BrainTumorSegLib.core.language import Catalogue
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.trust import Light, light_of, region_trust, trust_remarks
from BrainTumorSegLib.core.volumes import dice, tissue_mask
from BrainTumorSegLib.evaluation import calibration, trust_cases
from BrainTumorSegLib.evaluation.calibration import (
    fit_calibration,
    isotonic_fit,
    risks,
    spearman,
    trust_section,
)
from BrainTumorSegLib.evaluation.conditions import CONDITIONS, perturb_case
from BrainTumorSegLib.evaluation.trust_cases import TrustCase, measure_cases, read_cases
from BrainTumorSegLib.inference.agreement import Agreement, region_masks
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.inference.trust import Sign, signs_against, trust_record
from BrainTumorSegLib.models.packs import export_pack, import_pack, load_pack, read_pack
from BrainTumorSegLib.models.packs.calibration import CALIBRATION, Expected, read_calibration
from BrainTumorSegLib.models.packs.making import TRUST_HEADING, add_calibration
from BrainTumorSegLib.reporting.html import report_page
from BrainTumorSegLib.reporting.record import check_record
from BrainTumorSegLib.slicer_app.panel.result import trustText

REGIONS = [region.name for region in Region]


def rows(count=34, members=False, seed=0):
    """Cases whose Dice follows agreement closely and entropy hardly at all."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        agreement = float(rng.uniform(0.5, 1.0))
        values = {
            r: round(float(np.clip(agreement + rng.normal(0, 0.03), 0, 1)), 4) for r in REGIONS
        }
        agreed = dict.fromkeys(REGIONS, agreement)
        made.append(
            TrustCase(
                case=f"case{number}",
                group="glioma",
                condition="as-is",
                tta="tta2",
                weights=("0" * 64,),
                dice=values,
                members=agreed if members else None,
                views=agreed,
                entropy={r: float(rng.uniform(0.1, 0.5)) for r in REGIONS},
            )
        )
    return made


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    """A copy of a small bundled pack, without calibration, that may be changed."""
    copy = copied(load_pack("four-tumours"), tmp_path_factory.mktemp("trust"))
    assert "calibration" not in copy.manifest
    return copy


def copied(pack, folder):
    return read_pack(shutil.copytree(pack.folder, folder / "copy"))


@pytest.fixture(scope="module")
def fields(pack):
    return fit_calibration(pack, rows(), "tta2", "brain-tumor-seg models calibrate")


def test_regions_of_probabilities_are_those_of_the_labels():
    probabilities = np.random.default_rng(1).dirichlet(np.ones(5) * 0.6, (3, 20, 30))
    probabilities = np.moveaxis(probabilities, -1, 1).astype(np.float32)
    labels = decode_slices(probabilities)
    masks = region_masks(torch.from_numpy(probabilities).movedim(1, 0)).numpy()
    for region, mask in zip(Region, masks, strict=True):
        assert np.array_equal(mask, tissue_mask(labels, region.value))


@pytest.mark.parametrize("cascade", [None, CASCADE])
def test_agreement_is_the_mean_dice_of_all_pairs_of_members_and_of_views(cascade):
    volumes, networks = two_lesions(), members()
    # Fading, so that each member ends the lesion elsewhere.
    volumes[Sequence.FLAIR][LESIONS[0], 4:20, 8:30] -= np.linspace(0, 3.5, 22, dtype=np.float32)
    found = predicted(volumes, networks, cascade).agreement
    alone = [predicted(volumes, [one], None) for one in networks]
    masks = [p.probabilities[0] < 0.5 for p in alone]
    near = predicted(volumes, networks, cascade).near
    assert near == (13 if cascade else 40)
    pairs = [dice(a, b) for a, b in combinations(masks, 2)]
    assert 0.5 < np.mean(pairs) < 1
    assert found.members["WT"] == pytest.approx(np.mean(pairs), abs=1e-6)
    # A network that looks at each voxel by itself says the same from every view.
    assert found.views["WT"] == 1.0
    assert found.members["ET"] is None and found.views["ET"] is None


class OneSided(torch.nn.Module):
    """Tumour in all but the first columns that it is shown, so that mirrored views differ."""

    def forward(self, images):
        logits = torch.zeros(len(images), 5, *images.shape[2:])
        logits[:, 2] = 9.0
        logits[:, 0, :, :16] = 18.0
        return logits


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_views_that_contradict_each_other_agree_less_whatever_the_batch(batch):
    found = predicted(two_lesions(), [OneSided()], None, "tta1", batch=batch).agreement
    # Columns 16..63 and 0..47 of 64 share 32.
    assert found.views["WT"] == pytest.approx(2 * 32 / 96)
    assert found.members is None


def test_one_look_of_one_network_agrees_with_nobody():
    assert predicted(two_lesions(), members()[:1], None, "none").agreement == Agreement()
    trust = trust_record(Agreement(), None, "none", [])
    assert trust["measure"] is None and trust["regions"]["WT"]["light"] == "none"


def test_the_isotonic_fit_is_the_nearest_rising_function():
    optimize = pytest.importorskip("scipy.optimize")
    if not hasattr(optimize, "isotonic_regression"):
        pytest.skip("SciPy is older than 1.12")
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(0, 1, 60), 2)
    y = x + rng.normal(0, 0.3, 60)
    places, fitted = isotonic_fit(x, y)
    weights = np.array([np.sum(x == place) for place in places])
    means = np.array([y[x == place].mean() for place in places])
    assert np.allclose(fitted, optimize.isotonic_regression(means, weights=weights).x)
    assert len(weights) < 60 and (np.diff(fitted) >= 0).all()


def test_a_calibration_orders_cases_by_their_true_dice_and_its_intervals_hold_them(fields):
    curve = fields["regions"]["WT"]
    quality = curve["quality"]
    assert fields["measure"] == "views" and fields["cases"] == curve["cases"] == 34
    assert quality["spearman"][0] > 0.9 > quality["spearman_entropy"][2]
    assert quality["spearman_difference"][1] > 0
    assert quality["aurc_best"] <= quality["aurc"] < quality["aurc_entropy"]
    assert 0.7 <= quality["coverage"] <= 1
    assert quality["risk"] == sorted(quality["risk"])
    assert "| WT | 34 |" in trust_section(fields) and "| yes |" in trust_section(fields)


def test_entropy_that_tells_as_much_is_not_called_worse():
    alike = [
        TrustCase(**{**vars(row), "entropy": {r: 1 - a for r, a in row.views.items()}})
        for row in rows()
    ]
    text = trust_section(fit_calibration(load_pack("four-tumours"), alike, "tta2", "c"))
    assert text.count("| not shown |") == 3 and "| yes |" not in text


def test_pairs_of_members_are_taken_where_every_case_has_them(pack):
    assert fit_calibration(pack, rows(members=True), "tta2", "c")["measure"] == "members"


def test_too_few_cases_calibrate_nothing(pack):
    with pytest.raises(TrainingError, match="9 cases only"):
        fit_calibration(pack, rows(9), "tta2", "c")


def test_a_region_that_few_cases_have_gets_no_figure(pack):
    few = [
        row if n < 5 else TrustCase(**{**vars(row), "dice": {**row.dice, "ET": None}})
        for n, row in enumerate(rows())
    ]
    assert set(fit_calibration(pack, few, "tta2", "c")["regions"]) == {"WT", "TC"}


def test_the_cost_of_a_condition_is_the_paired_change(pack):
    plain = rows()
    worse = [
        TrustCase(
            **{
                **vars(row),
                "condition": "without-flair",
                "dice": {r: d - 0.25 for r, d in row.dice.items()},
            }
        )
        for row in plain[:6]
    ]
    costs = fit_calibration(pack, plain + worse, "tta2", "c")["costs"]
    assert costs == {
        "without-flair": {"cases": 6, "tta": "tta2", "change": dict.fromkeys(REGIONS, -0.25)}
    }


def test_ranks_and_risks_are_the_textbook_s():
    x, y = np.array([1.0, 2, 3, 4]), np.array([0.1, 0.4, 0.3, 0.9])
    assert spearman(x, y) == pytest.approx(0.8)
    assert spearman(np.ones(4), y) == 0.0
    assert np.allclose(risks(x, y), [0.1, 0.4, (0.1 + 0.7 + 0.6) / 3, (0.1 + 0.7 + 0.6 + 0.9) / 4])


def test_a_calibration_lies_in_the_pack_and_goes_where_the_pack_goes(
    pack, fields, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    copy = copied(pack, tmp_path)
    text = (copy.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    add_calibration(copy, fields, "First.")
    calibrated = add_calibration(copy, fields, trust_section(fields))
    card = (copy.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.count(TRUST_HEADING) == 1 and "First." not in card
    assert card.startswith(text.rstrip())
    zipped = export_pack(calibrated, tmp_path / "copy.zip")
    imported = import_pack(zipped, overwrite=True)
    assert (imported.folder / CALIBRATION).is_file()
    known = read_calibration(imported)
    assert known.cases == 34 and known.measure == "views"
    expected = known.expect(Region.WT, 0.9)
    assert expected.low <= expected.dice <= expected.high and not expected.outside
    assert expected.dice == pytest.approx(0.9, abs=0.05)
    assert known.expect(Region.WT, 0.1).outside
    assert known.expect(Region.WT, None) is None


def test_an_altered_calibration_is_refused_by_name(pack, fields, tmp_path):
    copy = copied(pack, tmp_path)
    path = add_calibration(copy, fields, "Text.").folder / CALIBRATION
    path.write_text(path.read_text().replace('"cases": 34', '"cases": 35'), encoding="utf-8")
    with pytest.raises(PackError, match=r"calibration\.json is not the file"):
        read_calibration(read_pack(copy.folder))


def test_a_calibration_of_other_members_is_refused(pack, fields, tmp_path):
    copy = copied(pack, tmp_path)
    others = {**fields, "members": dict.fromkeys(fields["members"], "0" * 64)}
    add_calibration(copy, others, "Text.")
    with pytest.raises(PackError, match="measured with other members"):
        read_calibration(read_pack(copy.folder))


def test_curves_that_fall_or_leave_their_interval_are_refused(pack, fields):
    curve = fields["regions"]["WT"]
    wrong = {**curve, "agreement": curve["agreement"][::-1]}
    with pytest.raises(PackError, match="contradicts itself in the curve of WT"):
        add_calibration(pack, {**fields, "regions": {"WT": wrong}}, "Text.")
    assert "calibration" not in read_pack(pack.folder).manifest


@pytest.mark.parametrize(
    ("expected", "light"),
    [
        (Expected(0.9, 0.8, 0.95, False), Light.GREEN),
        (Expected(0.9, 0.5, 0.95, False), Light.YELLOW),
        (Expected(0.7, 0.66, 0.8, False), Light.YELLOW),
        (Expected(0.55, 0.4, 0.7, False), Light.RED),
        (Expected(0.9, 0.8, 0.95, True), Light.RED),
    ],
)
def test_green_needs_room_below_and_what_is_unlike_all_cases_is_red(expected, light):
    assert light_of(expected.dice, expected.low, expected.outside) is light


def record_with(trust):
    case, result = make_result()
    result.record["trust"] = trust
    return case, result


def agreed(value=0.93):
    same = dict.fromkeys(REGIONS, value) | {"ET": None}
    return Agreement(members=same, views=same)


def test_without_calibration_agreement_is_shown_and_no_figure_is_invented():
    case, result = record_with(trust_record(agreed(), None, "tta2", []))
    check_record(result.record, "record")
    page = report_page(case, result, "en")
    assert "not calibrated" in page and "0.93" in page and "none found" in page
    assert "This model pack is not calibrated" in page
    assert all(one.expected is None for one in region_trust(result.record))


def test_a_calibration_for_other_views_is_not_applied(pack, fields, tmp_path):
    copy = copied(pack, tmp_path)
    known = read_calibration(add_calibration(copy, fields, "Text."))
    fits, other = (trust_record(agreed(), known, tta, []) for tta in ("tta2", "tta3"))
    assert fits["regions"]["WT"]["expected"] > 0.8 and fits["measure"] == "views"
    assert other["regions"]["WT"]["expected"] is None and "Not calibrated for" in other["note"]


def test_the_page_tells_expected_dice_in_words_and_signs_with_their_cost(pack, fields, tmp_path):
    copy = copied(pack, tmp_path)
    cost = {"without-flair": {"cases": 6, "tta": "tta2", "change": dict.fromkeys(REGIONS, -0.25)}}
    known = read_calibration(add_calibration(copy, {**fields, "costs": cost}, "Text."))
    signs = [Sign("without-flair", "FLAIR is missing."), Sign("cropped", "T1 is short.")]
    case, result = record_with(trust_record(agreed(), known, "tta2", signs))
    check_record(result.record, "record")
    page = report_page(case, result, "en")
    assert "probably good" in page and "80 % interval, measured on 34 cases" in page
    assert "FLAIR is missing. Change of the Dice on 6 cases: WT -0.25" in page
    assert "T1 is short. What this costs was not measured" in page


def test_the_panel_shows_light_words_figure_and_signs():
    trust = trust_record(agreed(), None, "tta2", [Sign("cropped", "T1 <is> short.")])
    trust["regions"]["WT"] |= {"expected": 0.87, "low": 0.8, "high": 0.93, "light": "green"}
    shown, remarks = trustText({"trust": trust})
    assert "Whole tumour (WT): probably good, expected Dice 0.87 (0.80–0.93)" in shown
    assert "Tumour core (TC): not calibrated, agreement 0.93" in shown
    assert "Enhancing tumour (ET): none found" in shown
    assert "T1 &lt;is&gt; short." in shown and "with each other" in remarks
    assert trustText({}) == ("", "")


def test_the_worst_case_of_a_cohort_comes_first():
    names = [f"{kind}_{region}" for kind in ("expected_dice", "agreement") for region in REGIONS]
    good, poor, plain, old = (dict.fromkeys(names) for _ in range(4))
    good |= {"expected_dice_WT": 0.9, "agreement_WT": 0.95}
    poor |= {"expected_dice_WT": 0.9, "expected_dice_ET": 0.3}
    plain |= {"agreement_WT": 0.99}
    assert sorted([old, good, plain, poor], key=table._worst) == [plain, poor, good, old]


def test_records_of_older_releases_have_no_such_section():
    case, result = make_result()
    assert 'id="trust"' not in report_page(case, result, "en")
    assert list(trust_remarks(result.record, Catalogue())) == []


def test_signs_are_told_for_what_a_case_lacks():
    case, _ = make_result(sequences=case_sequences("t1ce", "t1"))
    pack = load_pack("four-tumours")
    registration = [
        {"sequence": "t1", "engine": "none", "already_aligned": False, "score": 1.2},
    ]
    shading = {"corrected": True}
    missing = dict.fromkeys(case.scans, 0.2)
    found = [s.condition for s in signs_against(case, pack, registration, shading, missing)]
    assert found == [
        *("without-flair", "thick-slices", "misregistered", "bias-field-corrected"),
        *("cropped", "cropped"),
    ]


def case_sequences(*keys):
    return tuple(Sequence(key) for key in keys)


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "SAL"])
def test_a_cropped_scan_lacks_the_top_of_the_brain_in_any_orientation(orientation):
    case, _ = make_result(orientation=orientation)
    for image in (scan.image for scan in case.scans.values()):
        assert image.GetSize()  # whole
    perturbed = perturb_case(CONDITIONS["cropped"], case, sitk.Image()).case
    for sequence, scan in perturbed.scans.items():
        whole = case.scans[sequence].image
        same = scan.image.GetSize() == whole.GetSize()
        assert same is (sequence is case.reference)
        if not same:
            assert top(scan.image) < top(whole) - 10
            assert bottom(scan.image) == pytest.approx(bottom(whole), abs=1e-3)


def corner_heights(image):
    last = [n - 1 for n in image.GetSize()]
    return [
        image.TransformIndexToPhysicalPoint([n * int(b) for n, b in zip(last, bits, strict=True)])[
            2
        ]
        for bits in np.ndindex(2, 2, 2)
    ]


def top(image):
    return max(corner_heights(image))


def bottom(image):
    return min(corner_heights(image))


def test_measured_cases_are_kept_and_half_a_line_is_passed_over(tmp_path):
    kept = tmp_path / "kept.jsonl"
    first, second = rows(2)
    trust_cases._keep(first, kept)
    with kept.open("a") as file:
        file.write('\n{"case": "half')
    trust_cases._keep(second, kept)
    assert read_cases(kept) == [first, second]
    assert json.loads(kept.read_text().splitlines()[-1])["case"] == "case1"
    assert measure_cases(load_pack("four-tumours"), [], "tta2", kept=kept) == []


def test_the_command_measures_cases_that_members_never_saw_and_writes_into_the_pack(
    tmp_path, monkeypatch, capsys
):
    seen = []

    def segmented(case, options, progress):
        """Half of the truth's slices, found by views that agree the less the fewer there are."""
        seen.append((case.identity, options.members, options.tta))
        number = int(case.identity[-1])
        truth = sitk.ReadImage(str(tmp_path / f"brats/{case.identity}/{case.identity}_seg.nii.gz"))
        values = sitk.GetArrayFromImage(truth).astype(np.uint8)
        values[10 + number // 2 :] = 0
        labels = sitk.GetImageFromArray(values)
        labels.CopyInformation(truth)
        same = dict.fromkeys(REGIONS, 0.6 + number / 20)
        record = {"trust": {"agreement": {"members": None, "views": same}}}
        entropy = sitk.Cast(labels > 0, sitk.sitkFloat32) * (0.5 - number / 20)
        return Segmentation(labels, labels, entropy, record=record)

    monkeypatch.setattr(trust_cases, "segment", segmented)
    monkeypatch.setattr(calibration, "MIN_CASES", 4)
    write_toy_cohort(tmp_path, 8)
    folder, kept = write_pack(tmp_path), tmp_path / "kept.jsonl"
    words = ["models", "calibrate", str(folder), "--data", str(tmp_path), "--tta", "tta1"]
    words += ["--keep", str(kept), "--progress", "none", "--conditions", "cropped"]
    words += ["--condition-cases", "toy0", "toy2", "toy4"]
    assert cli.main(words) == 0
    # Fold 1 was seen by the only member.
    assert [name for name, _, _ in seen] == ["toy0", "toy2", "toy4", "toy6", "toy0", "toy2", "toy4"]
    assert all(names == ("fold0",) and tta == "tta1" for _, names, tta in seen)
    found = read_calibration(read_pack(folder))
    assert (found.cases, found.measure, found.tta) == (4, "views", "tta1")
    assert found.costs["cropped"]["change"]["WT"] == 0
    assert found.command.startswith("brain-tumor-seg models calibrate tiny --data DATA --tta tta1")
    assert "models calibrate tiny" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Risk-coverage" in capsys.readouterr().out
    seen.clear()
    # What was measured is not measured again, and costs measured before stay.
    assert cli.main([*words[:11]]) == 0
    assert not seen and "cropped" in read_calibration(read_pack(folder)).costs


def test_without_folds_nothing_is_measured(tmp_path):
    write_toy_cohort(tmp_path, 2)
    cohort = tmp_path / "cases.tsv"
    cohort.write_text("case\tlabel_protocol\ntoy0\tcore1_edema2_enhancing4\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="does not say which fold"):
        run_calibrate(
            build_parser().parse_args(
                ["models", "calibrate", "four-tumours", "--data", str(tmp_path)]
            )
        )
