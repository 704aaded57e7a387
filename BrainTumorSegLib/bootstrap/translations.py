"""Collect what can be translated into ``Resources/Translations``, and compile the translations.

``python3 -m BrainTumorSegLib.bootstrap translations [LANGUAGE ...]``. Qt's ``lupdate`` does it for
``.ui`` files and C++, but its contexts for Python are classes where Slicer's are files, and it
knows nothing of f-strings; hence the sources are read here. ``lrelease`` makes the ``.qm`` files.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from BrainTumorSegLib.core.errors import BrainTumorSegError, DependencyError
from BrainTumorSegLib.core.language import CONTEXT, JOINTS, languages
from BrainTumorSegLib.core.progress import STAGES

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "Resources" / "Translations"

#: Parts of the library whose messages reach a radiologist, in the module or in a report.
_LIBRARY = (
    *("core", "io", "preprocessing", "models", "inference", "reporting", "follow_up"),
    *(
        f"cli/commands/{name}.py"
        for name in ("segment", "report", "follow_up", "dicom_seg", "demo")
    ),
    *(f"cohort/{name}.py" for name in ("attempt", "engine", "failure", "finding", "plan")),
    "bootstrap/doctor.py",
)

#: Calls whose arguments are sentences for people.
_SPEAKING = frozenset(
    {
        *("warn", "message", "Finding", "Evidence", "Timing", "_refusal", "Cancelled"),
        *("Sign", "TissueStyle", "Planned"),
    }
)

#: Files that speak in tables and through variables: every text in them is meant for people.
_TABLES = ("sequences.py", "sequence_names.py", "sequence_headers.py", "tissue.py")

#: What is no text for people there: regular expressions, keys, and the names of sequences.
_NO_TEXT = re.compile(r".*[\\|\[^]|\(\?|[A-Z0-9_*+ ]+$|\w*[a-z][A-Z]\w*$|[a-z]+$| \w+ $|\W*$")

_JINJA_TEXT = re.compile(r"""\b_\(\s*(?:"([^"]+)"|'([^']+)')""")


def messages() -> dict[str, list[str]]:
    """Everything that can be translated: texts by context, both in the order of the sources."""
    import SimpleITK as sitk

    from BrainTumorSegLib.core.volumes import volume_title, volumes_ml

    found: dict[str, dict[str, None]] = {}

    def add(context: str, texts: Iterable[str]) -> None:
        found.setdefault(context, {}).update(dict.fromkeys(t for t in texts if t.strip()))

    for path in sorted((CHECKOUT / "BrainTumorSeg").rglob("*.ui")):
        root = ElementTree.parse(path).getroot()
        add(root.findtext("class", ""), _ui_texts(root))
    library = CHECKOUT / "BrainTumorSegLib"
    for path in (*sorted((CHECKOUT / "BrainTumorSeg").glob("*.py")), *_sources(library)):
        texts = list(_marked(_parsed(path)))
        if texts:
            add(context_of(path) if _is_slicer(path) else CONTEXT, texts)
        add(CONTEXT, _marked(_parsed(path), "later"))
    add(CONTEXT, (*JOINTS, *STAGES, *map(volume_title, volumes_ml(sitk.Image(1, 1, 1, 0)))))
    for part in _LIBRARY:
        for path in _sources(library / part):
            add(CONTEXT, _spoken(_parsed(path), path.name in _TABLES))
    for path in sorted((CHECKOUT / "Resources" / "Models").glob("*/pack.json")):
        pack = json.loads(path.read_text(encoding="utf-8"))
        add(CONTEXT, (pack[key].strip() for key in ("title", "description")))
    for path in sorted((CHECKOUT / "Resources" / "Report").glob("*.jinja")):
        text = path.read_text(encoding="utf-8")
        add(CONTEXT, (first or second for first, second in _JINJA_TEXT.findall(text)))
    return {context: list(texts) for context, texts in found.items()}


def _is_slicer(path: Path) -> bool:
    """Whether Slicer translates a file's texts itself."""
    return "slicer_app" in path.parts or path.parent.name == "BrainTumorSeg"


def context_of(path: Path) -> str:
    """Under which name Slicer looks for a Python file's texts (``slicer.i18n.getContext``)."""
    packaged = path.with_name("__init__.py").is_file()
    return f"{path.parent.name}.{path.stem}" if packaged else path.stem


def _sources(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _ui_texts(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter("string"):
        if element.get("notr") != "true" and element.text:
            yield element.text


def _marked(tree: ast.AST, mark: str = "_") -> Iterator[str]:
    """Texts inside ``_()``, or inside ``later()``, which go into records in English."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == mark and node.args:
            text = node.args[0]
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield text.value


def _spoken(tree: ast.Module, table: bool) -> Iterator[str]:
    """Texts of errors, warnings and findings; of a table every text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _names_a_text(node):
            yield from _texts_in(node.value)
        if isinstance(node, ast.FunctionDef) and _gives_a_text(node):
            for last in (one for one in ast.walk(node) if isinstance(one, ast.Return)):
                yield from _texts_in(last.value)
        if isinstance(node, ast.Call):
            yield from _arguments(node)
    if table:
        yield from _table_texts(tree)


def _arguments(call: ast.Call) -> Iterator[str]:
    function = ast.unparse(call.func)
    name = function.rpartition(".")[2]
    if name == "_rule":
        yield from (t for t in _texts_in(call.args[1]) if t.endswith(("graphy", "scopy")))
    elif name in _SPEAKING or name.endswith("Error") or function.endswith("notes.append"):
        for argument in (*call.args, *(word.value for word in call.keywords)):
            yield from _texts_in(argument)


def _table_texts(tree: ast.Module) -> Iterator[str]:
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for statement in tree.body:
        yield from (t for t in _all_texts(statement, docstrings) if not _NO_TEXT.match(t))


def _names_a_text(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether an assignment is of a constant that errors and warnings quote."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    targets = [one for t in targets for one in (t.elts if isinstance(t, ast.Tuple) else [t])]
    said = r"_?REMEDY|_\w+_REMEDY|_NAME_THEM|_CHECK|_AGAIN|_CONVERT|_KNOWN|_ANALYZE|_DICOM|NOTICE"
    said += "|note|reason|problem|remedy|message|size"
    return any(isinstance(t, ast.Name) and re.fullmatch(said, t.id) for t in targets)


def _gives_a_text(function: ast.FunctionDef) -> bool:
    """Whether a function returns a warning, or what is wrong and what can be done about it."""
    returns = ast.unparse(function.returns) if function.returns is not None else ""
    return function.name.endswith("_warning") or returns == "tuple[str, str] | None"


def _all_texts(node: ast.AST, skipped: set[int]) -> Iterator[str]:
    if id(node) in skipped:
        return
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield from _texts_in(node)
        return
    for child in ast.iter_child_nodes(node):
        yield from _all_texts(child, skipped)


def _texts_in(node: ast.expr | None) -> Iterator[str]:
    """The texts that an expression may become, f-strings with named places to fill."""
    if isinstance(node, ast.IfExp):
        yield from _texts_in(node.body)
        yield from _texts_in(node.orelse)
    elif isinstance(node, ast.Tuple):
        for element in node.elts:
            yield from _texts_in(element)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield template(ast.JoinedStr([*_pieces(node.left), *_pieces(node.right)]))
    elif isinstance(node, ast.JoinedStr):
        yield template(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value.replace("{", "{{").replace("}", "}}")
        if re.search(r"[A-Za-z]{3}", text) and not re.fullmatch(
            r"[\w.-]*[_.-]\w*|[a-z]{1,5}", text
        ):
            yield text


def _pieces(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.JoinedStr):
        return list(node.values)
    return [node if isinstance(node, ast.Constant) else ast.FormattedValue(node, -1)]


def template(node: ast.JoinedStr) -> str:
    """``f"{path} has {len(size)} axes"`` becomes ``{path} has {size} axes``."""
    text, names = "", set()
    for value in node.values:
        if isinstance(value, ast.Constant):
            text += str(value.value).replace("{", "{{").replace("}", "}}")
            continue
        assert isinstance(value, ast.FormattedValue)
        source = re.sub(r"""(["']).*?\1""", "", ast.unparse(value.value))
        words = re.findall(r"[A-Za-z]\w*", source)
        ordinary = {"str", "len", "join", "for", "in", "if", "else", "or", "max", "min", "self"}
        plain = [word.strip("_") for word in words if word not in ordinary] or ["value"]
        name, number = "_".join(plain[:2]), 1
        while name in names:
            number += 1
            name = f"{'_'.join(plain[:2])}{number}"
        names.add(name)
        text += f"{{{name}}}"
    return text


def write(path: Path, language: str, sources: Mapping[str, list[str]]) -> int:
    """Bring a ``.ts`` file up to the sources; what was translated stays, new texts are added.

    A text that was translated elsewhere is taken from there. Texts that are gone are dropped.

    Returns:
        How many texts are still to be translated.
    """
    known: dict[tuple[str, str], ElementTree.Element] = {}
    elsewhere: dict[str, str] = {}
    if path.is_file():
        for context in ElementTree.parse(path).iter("context"):
            for message in context.iter("message"):
                old, source = message.find("translation"), message.findtext("source", "")
                if old is None:
                    continue
                known[context.findtext("name", ""), source] = old
                if old.text and old.get("type") is None:
                    elsewhere.setdefault(source, old.text)
    root = ElementTree.Element("TS", version="2.1", language=language, sourcelanguage="en")
    left = 0
    for context, texts in sources.items():
        element = ElementTree.SubElement(root, "context")
        ElementTree.SubElement(element, "name").text = context
        for text in texts:
            message = ElementTree.SubElement(element, "message")
            ElementTree.SubElement(message, "source").text = text
            translation = ElementTree.SubElement(message, "translation")
            old = known.get((context, text))
            if old is not None and old.text:
                translation.text = old.text
                translation.attrib.update(old.attrib)
            else:
                translation.text = elsewhere.get(text)
            if not translation.text:
                translation.set("type", "unfinished")
            left += translation.get("type") is not None
    ElementTree.indent(root, " ")
    content = ElementTree.tostring(root, encoding="unicode")
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{content}\n', "utf-8")
    return left


def compile_translation(path: Path) -> None:
    """Make the ``.qm`` beside a ``.ts`` file, with ``lrelease`` of PySide6 or of Qt.

    Raises:
        DependencyError: when there is no ``lrelease``, or it fails.
    """
    beside = Path(sys.executable).parent
    program = shutil.which("pyside6-lrelease", path=str(beside)) or shutil.which("lrelease")
    if program is None:
        raise DependencyError(
            "Compiling translations needs Qt's program lrelease.",
            "Install it with: pip install PySide6-Essentials",
        )
    command = [program, "-silent", str(path), "-qm", str(path.with_suffix(".qm"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DependencyError(f"lrelease failed: {done.stdout}{done.stderr}".strip())


def main(arguments: list[str] | None = None) -> int:
    """Update and compile the named languages, or those there are."""
    named = sys.argv[1:] if arguments is None else arguments
    sources = messages()
    total = sum(map(len, sources.values()))
    try:
        for language in named or languages()[1:]:
            path = FOLDER / f"BrainTumorSeg_{language}.ts"
            left = write(path, language, sources)
            compile_translation(path)
            print(f"{path}: {total - left} of {total} texts are translated.")
    except BrainTumorSegError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
