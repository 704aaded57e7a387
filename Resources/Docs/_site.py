"""What MkDocs adds to the pages of this folder: pages made from the program, pages from elsewhere.

The command line comes from the argument parser and the JSON schemas from ``Resources/Schemas``,
so that neither can go stale. Model cards, results and the changelog stay where they are read
without the site, and are taken in from there. Pages link to each other and to any file of the
repository by relative paths, which lead somewhere on the code host, too; a link to a file that
does not exist fails a build with ``--strict``.
"""

from __future__ import annotations

import argparse
import json
import logging
import posixpath
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

DOCS = Path(__file__).resolve().parent
CHECKOUT = DOCS.parents[1]
sys.path.insert(0, str(CHECKOUT))

from BrainTumorSegLib.cli.application import build_parser  # noqa: E402
from BrainTumorSegLib.core.options import options_table  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.site")

#: Pages of the site that lie elsewhere in the repository. Their pictures come along.
INCLUDED = {
    "packs/comparison.md": "Resources/Experiments/packs.md",
    "packs/glioma-sx50.md": "Resources/Models/glioma-sx50/MODEL_CARD.md",
    "packs/glioma-lite.md": "Resources/Models/glioma-lite/MODEL_CARD.md",
    "packs/four-tumours.md": "Resources/Models/four-tumours/MODEL_CARD.md",
    "results/experiments.md": "Resources/Experiments/README.md",
    "results/ideas.md": "Resources/Experiments/ideas.md",
    "benchmark/peers.md": "Testing/Benchmark/README.md",
    "benchmark/results.md": "Testing/Benchmark/results.md",
    "benchmark/cascade.md": "Testing/Benchmark/cascade.md",
    "benchmark/bf16.md": "Testing/Benchmark/bf16.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}

_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")


def command_line_page(parser: argparse.ArgumentParser | None = None) -> str:
    """Markdown: every command with its usage and options, as the parser knows them."""
    parser = parser or build_parser()
    parts = [
        "# Command line",
        f"{parser.description} This page is made from the program itself, version {_version()}.",
    ]
    for names, command in _commands(parser):
        options = list(_option_tables(command))
        heading = "#" * min(1 + len(names), 4)
        parts.append(f"{heading} {' '.join(names)}")
        parts += [_plain(command.description or "")] if command.description else []
        if options:
            parts.append(f"```text\n{_usage(command)}\n```")
        parts += options
    return "\n\n".join(parts) + "\n"


def schemas_page(folder: Path = CHECKOUT / "Resources" / "Schemas") -> str:
    """Markdown: the fields of each JSON schema of the folder."""
    parts = [
        "# JSON schemas",
        "The fields of the program's JSON files. A field in bold is never missing from what holds "
        "it; `[]` stands for each element of a list, `*` for any key.",
    ]
    for path in sorted(folder.glob("*.schema.json"), reverse=True):
        schema = json.loads(path.read_text(encoding="utf-8"))
        rows = [("field", "type", "meaning"), ("---", "---", "---"), *_fields(schema, schema)]
        parts += [
            f"## {schema['title']}",
            f"{schema['description']} Schema: [{path.name}](../Schemas/{path.name}).",
            "\n".join(f"| {' | '.join(row)} |" for row in rows),
        ]
    return "\n\n".join(parts) + "\n"


def python_options_page() -> str:
    """Markdown: the fields of `Options`, from their one definition."""
    text = (
        "The fields of `Options`, and the command line's option for each. The last rows are "
        "options of the process, on the command line alone."
    )
    return f"# Options in Python\n\n{text}\n\n{options_table()}"


GENERATED = {
    "command-line.md": command_line_page,
    "python-options.md": python_options_page,
    "schemas.md": schemas_page,
}


def target_on_the_site(target: str, source: str, page: str) -> str | None:
    """Where a relative link of a page leads on the site.

    Args:
        target: the link as written, relative to the file that holds it.
        source: that file, from the top of the repository.
        page: the page of the site that the file becomes.

    Returns:
        A link relative to the page, or to the code host for files that are no part of the
        site; None when there is no such file.
    """
    path, hash_sign, anchor = target.partition("#")
    linked = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    docs = DOCS.relative_to(CHECKOUT).as_posix() + "/"
    there = {origin: uri for uri, origin in INCLUDED.items()}
    there |= {docs + uri: uri for uri in GENERATED}
    on_site = there.get(linked)
    if on_site is None and (linked.startswith(docs) or _is_picture(linked)):
        on_site = linked.removeprefix(docs) if linked.startswith(docs) else _picture_uri(linked)
    exists = linked in there or (CHECKOUT / linked).exists()
    if not exists or linked.startswith(".."):
        return None
    if on_site is not None:
        return posixpath.relpath(on_site, posixpath.dirname(page) or ".") + hash_sign + anchor
    return f"{_repository()}/blob/main/{linked}{hash_sign}{anchor}"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made or lie elsewhere, and the pictures of the latter."""
    from mkdocs.structure.files import File

    for uri, make in GENERATED.items():
        files.append(File.generated(config, uri, content=make()))
    for uri, source in INCLUDED.items():
        path = CHECKOUT / source
        files.append(File.generated(config, uri, abs_src_path=str(path)))
        for _, target, _ in _LINK.findall(path.read_text(encoding="utf-8")):
            picture = path.parent / target
            if _is_picture(target) and picture.is_file():
                name = _picture_uri(picture.relative_to(CHECKOUT).as_posix())
                files.append(File.generated(config, name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Make links that lead out of the site's folder lead somewhere."""
    uri = page.file.src_uri
    source = INCLUDED.get(uri, f"{DOCS.relative_to(CHECKOUT).as_posix()}/{uri}")

    def replace(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if target.startswith("#") or re.match(r"[a-z]+:", target):
            return match[0]
        found = target_on_the_site(target, source, uri)
        if found is None:
            log.warning("%s links to %s, which does not exist", source, target)
        return before + (found or target) + after

    return _LINK.sub(replace, markdown)


def _version() -> str:
    from BrainTumorSegLib import __version__

    return __version__


def _repository() -> str:
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["urls"]["Source"]


def _is_picture(target: str) -> bool:
    return target.lower().endswith((".png", ".jpg", ".svg"))


def _picture_uri(path: str) -> str:
    return "images/" + path.replace("/", "-")


def _commands(
    parser: argparse.ArgumentParser, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command below the parser, those with commands of their own first."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield (*names, name), command
                yield from _commands(command, (*names, name))


def _usage(command: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(command.prog, width=80)
    groups = command._mutually_exclusive_groups
    formatter.add_usage(command.usage, command._actions, groups, prefix="")
    return formatter.format_help().strip()


def _option_tables(command: argparse.ArgumentParser) -> Iterator[str]:
    formatter = argparse.HelpFormatter(command.prog)
    for group in command._action_groups:
        rows = [
            (_invocation(action), _plain(formatter._expand_help(action) if action.help else ""))
            for action in group._group_actions
            if action.help != argparse.SUPPRESS
            and not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
        ]
        if rows:
            title = "options" if group.title in ("options", None) else group.title
            lines = "\n".join(f"| {option} | {meaning} |" for option, meaning in rows)
            yield f"| {title} | |\n| --- | --- |\n{lines}"


def _invocation(action: argparse.Action) -> str:
    words = action.metavar or (action.dest if not action.option_strings else action.dest.upper())
    value = "" if action.nargs == 0 else (" ".join(words) if isinstance(words, tuple) else words)
    if action.choices is not None:
        value = f"{{{','.join(map(str, action.choices))}}}"
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    # Python-Markdown takes a bar inside code as it is.
    return " ".join(part for part in (names, f"`{value}`" if value else "") if part)


def _plain(text: str) -> str:
    """A help text as one line of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _fields(
    node: Mapping[str, Any], schema: Mapping[str, Any], path: str = "", inside: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Rows of a table: each field below a node of the schema, its type and its meaning."""
    reference = node.get("$ref", "")
    if reference in inside:
        return
    inside, node = (*inside, reference) if reference else inside, _resolved(node, schema)
    for name, field in node.get("properties", {}).items():
        where = f"{path}.{name}".removeprefix(".")
        shown = f"**`{where}`**" if name in node.get("required", ()) else f"`{where}`"
        inner = _resolved(field, schema)
        yield shown, _type(inner, schema), _plain(inner.get("description", ""))
        yield from _fields(field, schema, where, inside)
    for key, suffix in (("items", "[]"), ("additionalProperties", ".*")):
        if isinstance(node.get(key), Mapping):
            yield from _fields(node[key], schema, path + suffix, inside)
    for part in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _fields(part, schema, path, inside)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node with what it refers to; its own keys take precedence."""
    if "$ref" not in node:
        return node
    target: Any = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**_resolved(target, schema), **node}


def _type(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    node = _resolved(node, schema)
    if "const" in node:
        return f"`{json.dumps(node['const'])}`"
    if "enum" in node:
        return ", ".join(f"`{json.dumps(value)}`" for value in node["enum"])
    for key in ("anyOf", "oneOf"):
        if key in node:
            return " or ".join(_type(part, schema) for part in node[key])
    kinds = node.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind, key in (("array", "items"), ("object", "additionalProperties")):
        if kind in names and isinstance(node.get(key), Mapping):
            plural = "list" if kind == "array" else "object"
            names[names.index(kind)] = f"{plural} of {_type(node[key], schema)}"
    return " or ".join(names)
