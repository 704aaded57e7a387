"""What surrounds the code: workflows, forms, CITATION, changelog and hooks are valid and agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from BrainTumorSegLib import __version__
from BrainTumorSegLib.bootstrap.installer import LIBRARIES_BY_DISTRIBUTION

CHECKOUT = Path(__file__).resolve().parents[2]
GITHUB = CHECKOUT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml")

#: Schemas that check-jsonschema brings along, and the files that follow them.
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.citation-file-format": [CHECKOUT / "CITATION.cff"],
}


def read(*parts: str) -> str:
    return CHECKOUT.joinpath(*parts).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))["project"]


def citation() -> dict[str, Any]:
    return yaml.safe_load(read("CITATION.cff"))


def pinned(package: str) -> str:
    (version,) = re.findall(
        rf"^{package}==(\S+)$", read("Resources", "Setup", "constraints.txt"), re.M
    )
    return version


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def validated(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    # CITATION.cff is YAML that does not say so.
    command += ["--default-filetype", "yaml", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_the_code_host_are_valid(schema):
    pytest.importorskip("check_jsonschema", reason="check-jsonschema brings the schemas")
    assert SCHEMAS[schema]
    done = validated(schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_is_not_valid_would_be_noticed(tmp_path):
    pytest.importorskip("check_jsonschema", reason="check-jsonschema brings the schemas")
    wrong = tmp_path / "tests.yml"
    wrong.write_text("name: Tests\non: [push]\njobs: {tests: {runs-on: x, stpes: []}}\n")
    done = validated("vendor.github-workflows", wrong)
    assert done.returncode == 1, done.stdout + done.stderr


# --- workflows -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_do_little_and_use_known_actions(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        more = set(job.get("permissions", {}))
        assert more <= ({"pages", "id-token"} if name == "deploy" else set())
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert [action for action in used if not re.fullmatch(r"actions/[\w-]+@v\d+", action)] == []
    checkouts = [step for step in steps(path) if "checkout" in step.get("uses", "")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    # What a stranger writes into a title or a branch's name must not reach a shell.
    assert "github.event" not in " ".join(step.get("run", "") for step in steps(path))


def test_the_tests_run_on_every_system_and_python_that_is_promised():
    jobs = yaml.safe_load(read(".github", "workflows", "tests.yml"))["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    classifiers = project()["classifiers"]
    pythons = {c.split(" :: ")[-1] for c in classifiers if c.startswith("Programming")}
    assert set(matrix["python"]) == pythons
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    systems = {c.split(" :: ")[1] for c in classifiers if c.startswith("Operating System")}
    assert systems == {"POSIX", "MacOS", "Microsoft"}


def test_runners_get_the_libraries_that_the_tests_need():
    needed = {package for found in LIBRARIES_BY_DISTRIBUTION.values() for package in found.values()}
    for name in ("tests.yml", "newest.yml"):
        lines = [
            s["run"] for s in steps(GITHUB / "workflows" / name) if "apt-get" in s.get("run", "")
        ]
        assert lines
        for line in lines:
            assert set(line.split("--yes")[1].split()) == needed


# --- versions and names --------------------------------------------------------------------


def test_hooks_are_the_releases_that_the_tests_use():
    hooks = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    revisions = {hook["repo"].rsplit("/", 1)[1]: hook["rev"].removeprefix("v") for hook in hooks}
    assert revisions["ruff-pre-commit"] == pinned("ruff")
    assert revisions["check-jsonschema"] == pinned("check-jsonschema")
    assert all(re.fullmatch(r"v?\d+(\.\d+)+", hook["rev"]) for hook in hooks)


def test_one_release_of_the_documentations_theme_is_named():
    needed = project()["optional-dependencies"]["docs"]
    assert f"mkdocs-material=={pinned('mkdocs-material')}" in needed


def test_the_citation_is_of_this_version_and_names_the_publication():
    cited = citation()
    assert cited["version"] == __version__
    assert cited["license"] == project()["license"]
    assert cited["authors"] == [{"name": "The BrainTumorSeg contributors"}]
    (paper,) = cited["references"]
    names = [author["family-names"] for author in paper["authors"]]
    for text in (read("README.md"), read("BrainTumorSeg", "BrainTumorSeg.py")):
        assert paper["title"] in text
        for name in names:
            assert name in text


def test_the_changelog_knows_this_version():
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert __version__ in versions
    assert versions[-1] == "0.1.0"
    for version in versions:
        assert f"\n[{version}]: https://" in text
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= kinds


def test_the_projects_addresses_agree():
    urls = project()["urls"]
    assert urls["Source"] == citation()["repository-code"]
    assert urls["Issues"] == f"{urls['Source']}/issues"
    assert urls["Changelog"] == f"{urls['Source']}/blob/main/CHANGELOG.md"
    site = yaml.load(read("mkdocs.yml"), Loader=yaml.BaseLoader)["site_url"]
    assert site == urls["Documentation"] == citation()["url"]
    assert f'set(EXTENSION_HOMEPAGE "{urls["Homepage"]}")' in read("CMakeLists.txt")
