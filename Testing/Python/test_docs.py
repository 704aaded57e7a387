"""The documentation is built without a warning, and what README and pages say is true."""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import lru_cache
from html.parser import HTMLParser
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest
from documentation import (
    CHECKOUT,
    DOCS,
    README,
    blocks,
    commands,
    local_links,
    name_of,
    pages,
    section,
    site,
)

from BrainTumorSegLib.bootstrap import installer
from BrainTumorSegLib.cli.application import build_parser
from BrainTumorSegLib.core import errors
from BrainTumorSegLib.core.option_fields import options_of
from BrainTumorSegLib.core.options import Options

OPTIONS, OUTPUTS = DOCS / "options.md", DOCS / "outputs.md"

#: Programs of others that the pages call.
OTHER_PROGRAMS = {"git", "cd", "Slicer", "./PythonSlicer", "echo", "pre-commit", "mkdocs", "docker"}

#: Making it takes longer than parsing with it.
the_parser = lru_cache(maxsize=1)(build_parser)

every_page = pytest.mark.parametrize("page", pages(), ids=name_of)


# --- commands and code ---------------------------------------------------------------------


def refusal(parse, words: list[str]) -> str | None:
    """Why a parser does not take the words."""
    try:
        parse(words)
    except SystemExit as stop:
        return f"exit {stop.code}" if stop.code else None
    return None


def complaint_about(command: str) -> str | None:
    """What is wrong with a command of a page; None when nothing is."""
    # A shell runs what follows && too, and takes variables and redirections away.
    words = shlex.split(re.sub(r"\s>\s*\S+$", "", command))
    program, arguments = re.sub(r"^(.*/)?bin/", "", words[0]), words[1:]
    if program == "brain-tumor-seg":
        return refusal(the_parser().parse_args, arguments)
    if program == "torchrun":
        return refusal(the_parser().parse_args, arguments[arguments.index("train") :])
    if program in ("python", "python3") and arguments[:2] == ["-m", "BrainTumorSegLib.bootstrap"]:
        return complaint_about_bootstrap(arguments[2:])
    if program in ("python", "python3"):
        known = arguments[:1] == ["-m"] and arguments[1] in ("venv", "pip")
        return None if known or (CHECKOUT / arguments[0]).is_file() else "no such script"
    if program in ("pip", *OTHER_PROGRAMS):
        return None
    return f"nobody knows the program {program}"


def complaint_about_bootstrap(arguments: list[str]) -> str | None:
    refused = refusal(installer._parser().parse_args, arguments)
    if refused:
        return refused
    options = installer._parser().parse_args(arguments)
    skipped = {"install": 0, "wheels": 1}.get(options.command)
    extras = set() if skipped is None else set(options.arguments[skipped:])
    table = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    unknown = extras - table["project"]["optional-dependencies"].keys()
    return f"no extra {sorted(unknown)}" if unknown else None


@every_page
def test_commands_of_the_pages_can_be_parsed(page, capsys):
    wrong = {
        command: reason
        for line in commands(page)
        for command in line.split(" && ")
        if (reason := complaint_about(command))
    }
    assert wrong == {}, capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "brain-tumor-seg segment --t1ce t1ce.nii.gz --no-such-option -o x.seg.nrrd",
        "brain-tumor-seg sing",
        "python3 -m BrainTumorSegLib.bootstrap install no-such-extra",
        "python Testing/Benchmark/no_such_script.py",
        "unheard-of --help",
    ],
)
def test_a_command_that_is_wrong_would_be_noticed(command):
    assert complaint_about(command)


def test_there_are_commands_to_look_at():
    assert sum(len(commands(page)) for page in pages()) >= 60


@every_page
def test_names_and_arguments_in_the_pages_python_exist(page):
    # Those for Slicer are run by test_readme_slicer.py.
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        if "BrainTumorSegLogic" in block:
            continue
        known = {}
        for node in tree.body:
            if isinstance(node, ast.Import):
                known |= {alias.name: import_module(alias.name) for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                module = import_module(node.module)
                known |= {alias.name: getattr(module, alias.name) for alias in node.names}
        called = {
            node.func.id: signature(known[node.func.id]).bind(
                *node.args, **{keyword.arg: 0 for keyword in node.keywords}
            )
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and known.get(node.func.id, Path) is not Path
        }
        assert called.keys() >= {"load_case", "segment", "write_seg_nrrd"}


@pytest.mark.parametrize("page", [README, DOCS / "python.md"], ids=name_of)
def test_readme_and_page_show_the_public_interface(page):
    (block,) = (block for block in blocks(page, "python") if "BrainTumorSegLogic" not in block)
    assert "from BrainTumorSegLib import Options, Sequence, load_case, segment" in block


# --- options, exit codes, links ------------------------------------------------------------


def long_options(command: str) -> set[str]:
    """Long options of a command, from the parser itself; aliases without a help are left out."""
    (subcommands,) = (
        action for action in the_parser()._actions if getattr(action, "choices", None)
    )
    return {
        option
        for action in subcommands.choices[command]._actions
        for option in action.option_strings
        if option.startswith("--") and action.help != argparse.SUPPRESS
    }


def test_the_pages_explain_exactly_the_options_of_segment():
    tables = OPTIONS.read_text(encoding="utf-8") + OUTPUTS.read_text(encoding="utf-8")
    named = {
        option
        for row in re.findall(r"^\| (`-[^|]*) \|", tables, re.MULTILINE)
        for option in re.findall(r"--[\w-]+", row)
    }
    assert named == long_options("segment") - {"--help"}


def test_the_exit_codes_are_those_of_the_errors():
    text = section(OPTIONS, "Exit codes")
    listed = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.M) for n in row.split(",")}
    raised = {
        value.exit_code
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.BrainTumorSegError)
    }
    # 0 success, 2 is argparse's own, 143 SIGTERM.
    assert listed == raised | {0, 2, 143}


def test_the_variables_are_those_that_the_program_reads():
    listed = set(re.findall(r"`(BRAINTUMORSEG_\w+)`", section(OPTIONS, "Environment variables")))
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("BrainTumorSegLib", "Testing/Python")
        for path in (CHECKOUT / folder).rglob("*.py")
        if path.name not in ("test_docs.py", "documentation.py")
    ]
    assert listed
    assert {name for name in listed if not any(name in text for text in sources)} == set()
    library = " ".join(t for t in sources if "_VARIABLE = " in t)
    assert set(re.findall(r'_VARIABLE = "(BRAINTUMORSEG_\w+)"', library)) <= listed


@every_page
def test_links_of_the_pages_lead_somewhere(page):
    made = {DOCS / name for name in site().GENERATED}
    targets = [(page.parent / target).resolve() for target in local_links(page)]
    assert [path for path in targets if not path.exists() and path not in made] == []


def test_the_tests_that_reviewers_are_sent_to_exist():
    named = set(
        re.findall(r"`(test_\w+\.py)`", (DOCS / "reviewers.md").read_text(encoding="utf-8"))
    )
    assert len(named) >= 5
    assert named <= {path.name for path in Path(__file__).parent.glob("test_*.py")}


# --- pages that are made -------------------------------------------------------------------


def test_every_command_and_option_is_on_the_page_of_the_command_line():
    page = site().command_line_page()
    (subcommands,) = (a for a in the_parser()._actions if getattr(a, "choices", None))
    for name in subcommands.choices:
        assert f"\n## {name}\n" in page
        for option in long_options(name) - {"--help"}:
            assert f"`{option}`" in page, (name, option)
    assert "\n### models export\n" in page


def test_the_page_of_the_command_line_is_made_of_the_parser_it_is_given():
    parser = argparse.ArgumentParser(prog="p", description="About.")
    command = parser.add_subparsers().add_parser("go", description="Goes.")
    command.add_argument("--far", metavar="KM|MI", help="how <far>|high (default: %(default)s)")
    command.add_argument("--way", choices=["up", "down"], help="which")
    command.add_argument("--old-name", help=argparse.SUPPRESS)
    page = site().command_line_page(parser)
    assert "About." in page and "\n## go\n\nGoes.\n" in page
    assert "| `--far` `KM|MI` | how &lt;far>\\|high (default: None) |" in page
    assert "| `--way` `{up,down}` | which |" in page
    assert "old-name" not in page


def test_every_field_of_the_options_is_on_the_page_for_python():
    page = site().python_options_page()
    assert page.startswith("# Options in Python\n\n")
    assert all(f"| `{name}` |" in page for name in options_of(Options))


def test_every_field_of_the_schemas_is_on_their_page():
    page = site().schemas_page()
    for path in (CHECKOUT / "Resources" / "Schemas").glob("*.schema.json"):
        schema = json.loads(path.read_text(encoding="utf-8"))
        assert schema["title"] in page
        for name in schema["properties"]:
            assert f"`{name}`" in page, (path.name, name)
    assert "| **`case.inputs[].sha256`** | string or null |" in page


def test_a_schema_that_refers_to_itself_ends(tmp_path):
    node = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "of it"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "sizes": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    }
    schema = {"title": "Tree", "description": "A tree.", "$defs": {"node": node}, **node}
    (tmp_path / "tree.schema.json").write_text(json.dumps(schema))
    page = site().schemas_page(tmp_path)
    assert "| **`name`** | string | of it |" in page
    assert "| `sizes` | object of number |" in page
    assert "`children[].children`" in page
    assert "`children[].children[].name`" not in page


@pytest.mark.parametrize(
    ("target", "source", "page", "found"),
    [
        ("options.md#scans", "Resources/Docs/index.md", "index.md", "options.md#scans"),
        ("schemas.md", "Resources/Docs/packs.md", "packs.md", "schemas.md"),
        (
            "../Experiments/packs.md#islands",
            "Resources/Docs/options.md",
            "options.md",
            "packs/comparison.md#islands",
        ),
        (
            "../../Resources/Experiments/packs.md",
            "Testing/Benchmark/results.md",
            "benchmark/results.md",
            "../packs/comparison.md",
        ),
        ("no-such.md", "Resources/Docs/index.md", "index.md", None),
        ("../../../elsewhere", "Resources/Docs/index.md", "index.md", None),
    ],
)
def test_links_are_taken_to_the_site(target, source, page, found):
    assert site().target_on_the_site(target, source, page) == found


def test_links_to_files_that_are_no_pages_lead_to_the_code_host():
    found = site().target_on_the_site("../../LICENSE", "Resources/Docs/index.md", "index.md")
    assert found.startswith("https://github.com/") and found.endswith("/blob/main/LICENSE")


# --- the site ------------------------------------------------------------------------------


class Sources(HTMLParser):
    """Addresses that a browser loads by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(values.get("src") or "")
        if tag == "link" and values.get("rel") in ("stylesheet", "preconnect", "icon"):
            self.found.append(values.get("href") or "")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("documentation")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.docs
def test_the_site_is_built_without_a_warning(built):
    there = {path.parent.relative_to(built).as_posix() for path in built.rglob("index.html")}
    expected = {page.stem for page in DOCS.glob("*.md")} - {"index"} | {"."}
    expected |= {uri.removesuffix(".md") for uri in (*site().INCLUDED, *site().GENERATED)}
    assert there == expected
    assert not list(built.rglob("*.py*"))


@pytest.mark.docs
def test_reading_the_site_loads_nothing_from_elsewhere(built):
    for path in built.rglob("*.html"):
        sources = Sources()
        sources.feed(path.read_text(encoding="utf-8"))
        assert sources.found
        assert [s for s in sources.found if re.match(r"([a-z]+:)?//", s)] == [], path
