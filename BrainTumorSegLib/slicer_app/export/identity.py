"""Taking who a patient is out of a scene that was written into a folder.

What names people is taken out by its place: attributes from DICOM, places of files, names of nodes
and files. Then what is known to name them is looked for in every file. Pixels stay: the face of a
head can still be made of them.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from BrainTumorSegLib.core.errors import OutputError
from BrainTumorSegLib.core.file_names import without_folders
from BrainTumorSegLib.core.sequences import Sequence

from ..host.translation import tr as _
from ..scene.provenance import registeredRole, scanRole

#: Begins the names of what Slicer keeps of DICOM headers.
_DICOM = "DICOM"

#: Of them those that name the patient.
_NAMING = re.compile(r"Patient(Name|ID|BirthDate)|OtherPatient|Accession|Address|Telephone")

#: Elements that hold pictures of the screen, on which a patient's name may stand.
_VIEWS = ("SceneView", "SceneViewStorage")

#: Words of names that tell nothing of anybody; some are keys of a report, too.
_NEUTRAL = frozenset(
    {
        *("t1", "t1w", "t1ce", "t1c", "t1gd", "t1n", "t2", "t2w", "flair", "t2f", "ce", "km"),
        *("gd", "post", "pre", "contrast", "mr", "mri", "brain", "head", "volume"),
        *("segmentation", "labels", "label", "labelmap", "tumour", "tumor", "automatic"),
        *("report", "page", "volumes", "disagreement", "registered", "table", "text"),
        *("transform", "model", "second", "reading", "first", "changes", "lesions", "line"),
        *("mean", "map", "image", "scan", "axial", "sagittal", "coronal", "tra", "sag", "cor"),
        *("mprage", "space", "tse", "se", "tfe", "ffe", "case", "input", "inputs", "source"),
        *("reference", "pack", "data", "scene", "study", "series", "ax", "gad", "gado", "fs"),
        *("fatsat", "spgr", "fspgr", "bravo"),
    }
)

#: Files of a scene that are texts, and endings of two parts.
_TEXTS = (".txt", ".json", ".html", ".htm", ".tsv", ".csv", ".xml", ".ctbl", ".fcsv", ".acsv")
_DOUBLE = (".seg.nrrd", ".nii.gz", ".schema.tsv", ".mrk.json")

#: Formats whose voxels lie in another file, which their header names.
_IN_TWO_FILES = (".nhdr", ".mhd", ".hdr", ".img")

#: Shorter texts stand in every file by chance.
_LEAST_LETTERS = 4

#: So much of a compressed image is its header for certain.
_HEADER_BYTES = 64 * 1024


@dataclass
class Known:
    """What is known to name the patient.

    Attributes:
        words: names, parts of them, numbers, dates, and folders of files.
        renamed: new name by old name of nodes and files.
    """

    words: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)

    def learn(self, text: str) -> None:
        """Take a name, number or date, and the parts of a name."""
        for part in (text, *re.split(r"[\s^=,;/\\_]+", text)):
            part = part.strip(" .")
            if len(part) >= _LEAST_LETTERS and not is_neutral(part):
                self.words.add(part)
        if re.fullmatch(r"\d{8}", text):
            year, month, day = text[:4], text[4:6], text[6:]
            self.words |= {f"{year}-{month}-{day}", f"{day}.{month}.{year}"}

    def cleaned(self, text: str) -> str:
        """A text with the new names, without folders and without what names the patient.

        Of JSON the values alone, so that programs still find their way in it.
        """
        if text in self.renamed:
            return self.renamed[text]
        if text[:1] in ("{", "["):
            with suppress(ValueError):
                return json.dumps(self._cleaned_json(json.loads(text)), ensure_ascii=False)
        names = {name for name in self.renamed if len(name) >= _LEAST_LETTERS}
        if names:
            text = _any_of(names).sub(lambda found: self.renamed[found[0]], text)
        text = without_folders(text)
        return _any_of(self.words, re.IGNORECASE).sub("removed", text) if self.words else text

    def _cleaned_json(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._cleaned_json(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._cleaned_json(item) for item in value]
        return self.cleaned(value) if isinstance(value, str) else value


def is_neutral(name: str) -> bool:
    """Whether a name tells nothing of anybody: it is made of sequences, tissues, short numbers."""
    words = re.findall(r"[^\W_]+", name.lower())
    return all(word in _NEUTRAL or (word.isdecimal() and len(word) <= 2) for word in words)


def clean_bundle(folder: Path, known: Known | None = None) -> None:
    """Take out of a written scene what names the patient, and make sure that nothing is left.

    Args:
        folder: holds one ``.mrml``, and the files that it names in folders beside it.
        known: what else is known to name the patient, such as where scans were loaded from.

    Raises:
        OutputError: when something that names the patient is left, or a format cannot be looked
            into.
    """
    known = known or Known()
    (file,) = folder.glob("*.mrml")
    tree = ElementTree.parse(file)
    root = tree.getroot()
    _drop_views(root)
    _learn(root, known)
    _rename(root, known)
    _move_files(root, folder, known)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            element.set(key, _cleaned_attribute(element.tag, key, value, known))
    tree.write(file, encoding="UTF-8", xml_declaration=True)
    for path in _files(folder):
        if path != file:
            _clean_file(path, known)
    _check(folder, known)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _drop_views(root: ElementTree.Element) -> None:
    gone = {element.get("id") for element in root if element.tag in _VIEWS}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _VIEWS or child.get("dataNode", "") in gone:
                parent.remove(child)


def _learn(root: ElementTree.Element, known: Known) -> None:
    """What DICOM says of the patient, wherever it was kept."""
    for element in root.iter():
        pairs = dict(_pairs(element))
        if pairs.get("Level") == "Patient":
            known.learn(element.get("name", ""))
        for key, value in pairs.items():
            if key.startswith(_DICOM) and _NAMING.search(key):
                known.learn(value)


def _rename(root: ElementTree.Element, known: Known) -> None:
    """Other names for data and folders whose names may tell of somebody."""
    items = [element for element in root.iter() if element.tag == "SubjectHierarchyItem"]
    data = {item.get("dataNode") for item in items}
    scans = dict(_scans(root))
    taken = {element.get("name") for element in root.iter()}
    counts: dict[str, int] = {}

    def rename(element: ElementTree.Element, kind: str) -> None:
        name = element.attrib["name"]
        while name not in known.renamed:
            counts[kind] = counts.get(kind, 0) + 1
            if (new := f"{kind} {counts[kind]}") not in taken:
                known.renamed[name] = new
        element.set("name", known.renamed[name])

    for item in items:
        level = dict(_pairs(item)).get("Level", "Folder")
        if item.get("name") and level != "Scene":
            if level in ("Patient", "Study"):
                rename(item, level)
            elif not is_neutral(item.attrib["name"]):
                rename(item, "Folder")
    for element in root:
        is_data = element.get("id") in data or "storage:" in element.get("references", "")
        if is_data and element.get("name") and not is_neutral(element.attrib["name"]):
            rename(element, scans.get(element.get("id", ""), element.tag))


def _scans(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """What scans are called instead, by their ids: what a result says that they are."""
    for element in root:
        for reference in element.get("references", "").split(";"):
            role, _colon, node = reference.partition(":")
            for sequence in Sequence:
                if role == scanRole(sequence):
                    yield node, sequence.name
                elif role == registeredRole(sequence):
                    yield node, f"{sequence.name} registered"


def _move_files(root: ElementTree.Element, folder: Path, known: Known) -> None:
    """Call files after their nodes; those that lie outside of the scene are not named any more."""
    owners = {
        reference.partition(":")[2]: element.get("name", "")
        for element in root
        for reference in element.get("references", "").split(";")
        if reference.startswith("storage:")
    }
    moved: dict[Path, Path] = {}
    for element in root:
        element.attrib.pop("uri", None)
        for key in [key for key in element.attrib if _names_file(key)]:
            given = unquote(element.attrib[key])
            path = folder / given
            if not given or not path.is_file() or not _is_inside(path, folder):
                known.learn(Path(given).stem)
                element.set(key, "")
                continue
            if path not in moved:
                owner = owners.get(element.get("id", ""), "Data")
                moved[path] = _free_name(path, owner, set(moved.values()))
            element.set(key, quote(moved[path].relative_to(folder).as_posix()))
    for path in _files(folder):
        if path.name.lower().endswith(_IN_TWO_FILES):
            raise OutputError(
                _("“{name}” keeps its voxels in a second file.").format(name=path.name),
                _("Save this volume as .nrrd, then save the scene without identity."),
            )
        if path in moved:
            # Two files may exchange their names.
            path.rename(path.with_name(f".{moved[path].name}"))
        elif path.suffix != ".mrml":
            path.unlink()
    for path in moved.values():
        path.with_name(f".{path.name}").rename(path)


def _names_file(key: str) -> bool:
    return key == "fileName" or key.startswith("fileListMember")


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _free_name(path: Path, owner: str, used: set[Path]) -> Path:
    ending = next((e for e in _DOUBLE if path.name.lower().endswith(e)), path.suffix)
    stem = re.sub(r"[^\w()-]+", " ", owner).strip() or "Data"
    new, number = path.with_name(f"{stem}{ending}"), 1
    while new in used:
        number += 1
        new = path.with_name(f"{stem} {number}{ending}")
    return new


def _cleaned_attribute(tag: str, key: str, value: str, known: Known) -> str:
    if key in ("id", "references", "name") or _names_file(key):
        return value
    if key == "uids":
        return ""
    if key != "attributes":
        return known.cleaned(value)
    between, inside = _separators(tag)
    kept = [
        f"{name}{inside}{_encoded(known.cleaned(_decoded(text)))}"
        for name, text in _split(value, between, inside)
        if not name.startswith(_DICOM)
    ]
    return between.join(kept) + (between if value.endswith(between) and kept else "")


def _pairs(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Attributes that a node or an item of the subject hierarchy keeps as one text."""
    for name, text in _split(element.get("attributes", ""), *_separators(element.tag)):
        yield name, _decoded(text)


def _separators(tag: str) -> tuple[str, str]:
    return ("|", "^") if tag == "SubjectHierarchyItem" else (";", ":")


def _split(text: str, between: str, inside: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(between):
        name, found, value = pair.partition(inside)
        if found:
            yield name, value


def _decoded(text: str) -> str:
    return text.replace("%3B", ";").replace("%3A", ":").replace("%7C", "|").replace("%25", "%")


def _encoded(text: str) -> str:
    return text.replace("%", "%25").replace(";", "%3B").replace("|", "%7C")


def _clean_file(path: Path, known: Known) -> None:
    name = path.name.lower()
    if name.endswith(_TEXTS):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        path.write_bytes(known.cleaned(text).encode("utf-8", "surrogateescape"))
    elif name.endswith(".nrrd"):
        _clean_nrrd(path, known)


def _clean_nrrd(path: Path, known: Known) -> None:
    """Keep of a header what places the voxels, and of its notes those that name nobody."""
    head, blank, voxels = path.read_bytes().partition(b"\n\n")
    lines = []
    for line in head.decode("utf-8", "surrogateescape").split("\n"):
        key, between, value = line.partition(":=")
        if line.startswith("#") or (between and key.startswith(_DICOM)):
            continue
        if not between and line.startswith("content:"):
            key, between, value = line.partition(":")
        lines.append(f"{key}{between}{known.cleaned(value)}" if between else line)
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape") + blank + voxels)


def _check(folder: Path, known: Known) -> None:
    """Refuse a scene in which something is left that names the patient.

    Raises:
        OutputError: naming the file.
    """
    words = {*known.words, *(name for name in known.renamed if len(name) >= _LEAST_LETTERS)}
    forms = {form.encode("utf-8", "surrogateescape") for w in words for form in (w, quote(w))}
    forms |= {word.encode("utf-16-le", "surrogatepass") for word in words}
    if not forms:
        return
    sought = re.compile(b"|".join(rb"(?<!\w)" + re.escape(form) + rb"(?!\w)" for form in forms))
    for path in _files(folder):
        if sought.search(str(path.relative_to(folder)).encode("utf-8", "surrogateescape")) or (
            sought.search(_readable(path))
        ):
            raise OutputError(
                _("The file {file} of the scene still names the patient.").format(file=path.name),
                _("Rename what is called after the patient, such as segments, and try again."),
            )


def _readable(path: Path) -> bytes:
    """What of a file is no voxels."""
    name = path.name.lower()
    if name.endswith(".gz"):
        with gzip.open(path) as file:
            return file.read(_HEADER_BYTES)
    content = path.read_bytes()
    return content.partition(b"\n\n")[0] if name.endswith(".nrrd") else content


def _any_of(words: Iterable[str], flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    longest_first = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)", flags)
