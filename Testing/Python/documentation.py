"""README and documentation as the tests read them: pages, their blocks of code, their links."""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from types import ModuleType

CHECKOUT = Path(__file__).resolve().parents[2]
README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "Resources" / "Docs"


@lru_cache(maxsize=1)
def site() -> ModuleType:
    """`Resources/Docs/_site.py`, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("documentation_site", DOCS / "_site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pages() -> list[Path]:
    """Everything that tells people how to use or change the program."""
    included = [CHECKOUT / source for source in site().INCLUDED.values()]
    return [README, CHECKOUT / "SECURITY.md", *sorted(DOCS.glob("*.md")), *included]


def name_of(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a language, also those indented in a list, without that indentation."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def command_of(line: str) -> str:
    """A line of a shell without its comment."""
    return re.sub(r"(^|\s)#.*", "", line).strip()


def commands(page: Path) -> list[str]:
    """Every command in the page's shell blocks, and ours in running text.

    A model card tells of commands as they were given, without the folder for the output.
    """
    text = page.read_text(encoding="utf-8")
    lines = [
        command_of(line)
        for block in blocks(page, "bash")
        for line in re.sub(r"\\\n\s*", "", block).splitlines()
    ]
    inline = re.findall(r"(?<!`)`(brain-tumor-seg [a-z-]+ [^`]+)`(?!`)", text)
    told = [] if page.name == "MODEL_CARD.md" else inline
    return [command for command in (*lines, *told) if command]


def section(page: Path, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    text = page.read_text(encoding="utf-8")
    match = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    assert match, f"{page} has no section {heading!r}"
    rest = text[match.end() :]
    return re.split(rf"^#{{1,{len(match[1])}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def local_links(page: Path) -> list[str]:
    """Targets of links and pictures that are no addresses, without anchors."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return [target for target in targets if "://" not in target]
