"""The README is short, and it and continuous integration say what the program really does."""

from __future__ import annotations

import json
import os
import re

from documentation import CHECKOUT, README, blocks, command_of, section

#: A newcomer reads this much, and no more.
MAX_LINES = 200


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_the_first_two_commands_of_the_readme_are_the_demonstration_and_the_tests():
    demo, test = (command_of(block.strip()) for block in blocks(README, "bash")[:2])
    assert demo == "python3 -m BrainTumorSegLib.bootstrap demo"
    assert test == "python3 -m BrainTumorSegLib.bootstrap test"


def test_the_first_screen_of_the_readme_says_what_it_is_not_and_shows_a_result():
    screen = README.read_text(encoding="utf-8").splitlines()[:30]
    assert any("Not a medical device" in line for line in screen)
    assert any("bootstrap test" in line for line in screen)
    assert any(line.startswith("![") for line in screen)


def test_continuous_integration_runs_the_readmes_test_command():
    script = CHECKOUT / ".ci" / "run"
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line]
    assert lines[0].startswith("#!")
    assert "set -euo pipefail" in lines
    assert lines[-1] == command_of(blocks(README, "bash")[1].strip())
    if os.name == "posix":
        assert os.access(script, os.X_OK)


def test_the_table_of_packs_has_the_figures_of_their_manifests():
    models = CHECKOUT / "Resources" / "Models"
    found = rows(section(README, "Model packs"))
    names = [re.findall(r"\[([\w-]+)\]", row[0])[0] for row in found]
    assert set(names) == {path.parent.name for path in models.glob("*/pack.json")}
    assert "(default)" in found[names.index((models / "default.txt").read_text().strip())][0]
    for name, row in zip(names, found, strict=True):
        manifest = json.loads((models / name / "pack.json").read_text(encoding="utf-8"))
        figures = {
            re.split(r", (?:cases|views)", figure["measure"])[0]: figure
            for figure in reversed(manifest["validation"])
            if "tta2" in figure["measure"] and "all cases" not in figure["measure"]
        }
        regions = ("whole tumour (WT)", "tumour core (TC)", "enhancing tumour (ET)")
        dice = [figures[f"Dice, {region}"] for region in regions]
        assert row[1].startswith(f"{len(manifest['members'])} × ")
        assert int(row[3]) == dice[0]["cases"]
        assert row[4] == " / ".join(f"{figure['value']:.3f}" for figure in dice)
        size = sum(member["bytes"] for member in manifest["members"]) / 1e6
        assert row[5] == f"{size:.1f} MB"


def test_the_readme_names_the_licence_of_code_and_weights():
    text = section(README, "Licences")
    assert "Apache License 2.0" in text
    for path in (CHECKOUT / "Resources" / "Models").glob("*/pack.json"):
        licence = json.loads(path.read_text(encoding="utf-8"))["licence"]
        assert licence.removesuffix("-4.0").replace("CC-", "CC ") + " 4.0" in text
