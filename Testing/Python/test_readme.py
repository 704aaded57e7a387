"""README and continuous integration say what the program really does."""

from __future__ import annotations

import ast
import os
import re
from importlib import import_module
from inspect import signature
from pathlib import Path

from BrainTumorSegLib.cli.application import build_parser
from BrainTumorSegLib.core import errors

CHECKOUT = Path(__file__).resolve().parents[2]
README = CHECKOUT / "README.md"


def readme_blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def command_of(block: str) -> str:
    return block.partition("#")[0].strip()


def test_the_first_two_commands_of_the_readme_are_the_demonstration_and_the_tests():
    demo, test = (command_of(block) for block in readme_blocks("bash")[:2])
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
    assert lines[-1] == command_of(readme_blocks("bash")[1])
    if os.name == "posix":
        assert os.access(script, os.X_OK)


def test_links_of_the_readme_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert local
    assert [target for target in local if not (CHECKOUT / target).is_file()] == []


def test_the_readme_lists_the_exit_codes_of_the_errors():
    text = README.read_text(encoding="utf-8").split("### Exit codes")[1].split("\n## ")[0]
    listed = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.M) for n in row.split(",")}
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.BrainTumorSegError)
    }
    # 0 success, 2 is argparse's own, 143 SIGTERM.
    assert listed == raised | {0, 2, 143}


def command_line_options(*commands: str) -> set[str]:
    """Long options of a command, from the parser itself."""
    parser = build_parser()
    for command in commands:
        (subcommands,) = (a for a in parser._actions if getattr(a, "choices", None))
        parser = subcommands.choices[command]
    return {
        option for action in parser._actions for option in action.option_strings if "--" in option
    }


def test_the_readme_explains_exactly_the_options_of_segment():
    text = README.read_text(encoding="utf-8")
    tables = text.split("### Outputs")[1].split("### Exit codes")[0]
    named = {
        option
        for row in re.findall(r"^\| (`-[^|]*) \|", tables, re.MULTILINE)
        for option in re.findall(r"--[\w-]+", row)
    }
    assert named == command_line_options("segment") - {"--help"}


def test_commands_of_the_readme_can_be_parsed():
    lines = [
        command_of(line)
        for block in readme_blocks("bash")
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("brain-tumor-seg ")
    ]
    assert len(lines) >= 8
    for line in lines:
        build_parser().parse_args(line.split()[1:])


def test_names_and_arguments_in_the_readmes_python_exist():
    # Those for Slicer are run by test_readme_slicer.py.
    (block,) = (block for block in readme_blocks("python") if "BrainTumorSegLogic" not in block)
    tree, known = ast.parse(block), {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                known[alias.name] = getattr(import_module(node.module), alias.name)
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and known.get(node.func.id, Path) is not Path
    ]
    assert {call.func.id for call in calls} >= {"load_case", "segment", "write_seg_nrrd"}
    for call in calls:
        signature(known[call.func.id]).bind(*call.args, **{k.arg: 0 for k in call.keywords})
