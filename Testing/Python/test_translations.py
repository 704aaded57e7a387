"""The Russian translation: complete, up to date, with the right places to fill, and correct."""

from __future__ import annotations

import string
from xml.etree import ElementTree

import pytest
from report_cases import make_result

from BrainTumorSegLib.bootstrap import translations
from BrainTumorSegLib.cli import application as command_line
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.language import (
    CONTEXT,
    catalogue,
    languages,
    wanted_language,
)
from BrainTumorSegLib.core.language import translations as read
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES
from BrainTumorSegLib.reporting.html import NOTICE, report_page
from BrainTumorSegLib.slicer_app.host import translation

FILE = resource_path("Translations") / "BrainTumorSeg_ru.ts"

#: Texts of the library that may stay English so far; those of the module and the report may not.
LEFT = 320


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}


@pytest.fixture(scope="module")
def sources():
    return translations.messages()


@pytest.fixture(scope="module")
def russian():
    return {(context, source): text for context, source, text in read(FILE)}


def test_the_file_holds_the_texts_of_the_sources_and_no_others(sources, russian):
    wanted = {(context, text) for context, texts in sources.items() for text in texts}
    advice = "run: python3 -m BrainTumorSegLib.bootstrap translations"
    assert (wanted - russian.keys(), russian.keys() - wanted) == (set(), set()), advice


def test_every_text_of_the_module_is_translated(russian):
    assert [key for key, text in russian.items() if key[0] != CONTEXT and not text] == []


def test_every_text_of_the_report_is_translated():
    template = resource_path("Report") / "report.html.jinja"
    said = translations._JINJA_TEXT.findall(template.read_text(encoding="utf-8"))
    texts = {first or second for first, second in said}
    words = catalogue("ru")
    assert len(texts) > 90
    assert {text for text in texts if text not in words.texts} == set()
    assert words.text(NOTICE) != NOTICE
    assert all(words.text(style.title) != style.title for style in STYLES.values())


def test_most_messages_of_the_library_are_translated(russian):
    own = [text for (context, _), text in russian.items() if context == CONTEXT]
    assert own.count("") <= LEFT < len(own) / 2


def test_a_translation_has_the_places_to_fill_of_its_text(russian):
    wrong = {
        source: text
        for (_, source), text in russian.items()
        if text and places(source) != places(text)
    }
    assert wrong == {}


def test_a_text_keeps_its_closing_mark(russian):
    """A label's colon, a sentence's period and the dots of what goes on."""
    wrong = {
        source: text
        for (_, source), text in russian.items()
        if text and (source[-1] in ":.…?") and not text.endswith(source[-1])
    }
    assert wrong == {}


def test_no_quotation_mark_or_word_of_english_is_left(russian):
    assert [t for t in russian.values() if "“" in t or "”" in t] == []


def test_the_compiled_file_says_what_the_source_says(russian):
    pytest.importorskip("PySide6", reason="Qt reads the compiled file")
    from PySide6.QtCore import QTranslator

    compiled = QTranslator()
    assert compiled.load(str(FILE.with_suffix(".qm")))
    differing = {
        key: text for key, text in russian.items() if (compiled.translate(*key) or "") != text
    }
    assert differing == {}


def test_slicer_finds_the_file_by_its_name():
    """`qSlicerCoreApplication::loadTranslations` takes ``*ru_RU.qm``, else ``*ru.qm``."""
    assert FILE.with_suffix(".qm").name.endswith("_ru.qm")
    assert languages() == ["en", "ru"]


def test_nothing_but_texts_is_offered_for_translation(sources):
    texts = [text for own in sources.values() for text in own]
    assert not [text for text in texts if text.startswith("vtkMRML") or "\\w" in text]


# Updating


def test_updating_keeps_what_was_translated_and_marks_what_is_new(tmp_path):
    path = tmp_path / "x_de.ts"
    assert translations.write(path, "de", {"a": ["Save", "Gone"], "b": ["Load"]}) == 3
    tree = ElementTree.parse(path)
    for message in tree.iter("message"):
        made = message.find("translation")
        made.text = {"Save": "Sichern", "Gone": "Weg"}.get(message.findtext("source"))
        if made.text:
            del made.attrib["type"]
    tree.write(path, encoding="unicode")
    assert translations.write(path, "de", {"a": ["Save"], "b": ["Save", "Load"]}) == 1
    assert list(read(path)) == [
        ("a", "Save", "Sichern"),
        ("b", "Save", "Sichern"),
        ("b", "Load", ""),
    ]


def test_updating_without_changes_changes_nothing(tmp_path, sources):
    path = tmp_path / FILE.name
    path.write_bytes(FILE.read_bytes())
    translations.write(path, "ru", sources)
    assert path.read_text(encoding="utf-8") == FILE.read_text(encoding="utf-8")


# Messages that were filled in already


@pytest.mark.parametrize(
    ("english", "shown"),
    [
        (
            "T1: the name says “t1”; nothing is said about contrast agent.",
            "T1: имя содержит «t1»; о контрасте ничего не сказано.",
        ),
        ("T1CE: the name says “t1” and “gd”.", "T1CE: имя содержит «t1» и «gd»."),
        (
            "It is a segmentation or mask: the name says “lesion”.",
            "Это сегментация или маска: имя содержит «lesion».",
        ),
        (
            "/a b/c.nii is cut short: it holds 10 of 20 bytes. Copy, download or export it again.",
            "/a b/c.nii обрезан: байтов 10 из 20. Скопируйте, скачайте или экспортируйте заново.",
        ),
        (
            "The name “left” does not say which sequence it is.",
            "Имя «left» не говорит, какая это последовательность.",
        ),
        ("Whole tumour (WT)", "Вся опухоль (WT)"),
        ("Something that nobody has translated.", "Something that nobody has translated."),
        ("Doe T1 post contrast", "Doe T1 post contrast"),
        ("", ""),
    ],
)
def test_a_message_is_translated_by_the_template_it_was_made_from(english, shown):
    assert catalogue("ru_RU").message(english) == shown


@pytest.mark.parametrize("language", ["en", "en_US", "xx", "", "../../x"])
def test_without_a_translation_everything_stays_english(language):
    assert catalogue(language).message("No tumour was found.") == "No tumour was found."
    assert catalogue(language).language == "en"


@pytest.mark.parametrize(
    ("given", "language"),
    [("", "en"), ("ru", "ru"), ("ru_RU.UTF-8", "ru_RU"), ("ru:de", "ru"), ("C", "C")],
)
def test_the_environment_names_the_language(monkeypatch, given, language):
    monkeypatch.setenv("LANGUAGE", given)
    assert wanted_language() == language


# Report and command line


def test_the_report_is_russian_and_its_record_is_not():
    case, result = make_result((Sequence.T1CE,))
    before = dict(result.record)
    page = report_page(case, result, "ru")
    assert '<html lang="ru">' in page
    for text in ("Объёмы", "Перитуморальный отёк", "Контрастируемая опухоль", "аксиально"):
        assert text in page
    assert "Peritumoral" not in page and "Volumes" not in page
    assert result.record == before


def test_the_report_is_english_unless_asked_otherwise(monkeypatch):
    monkeypatch.delenv("LANGUAGE", raising=False)
    case, result = make_result((Sequence.T1CE,))
    assert report_page(case, result) == report_page(case, result, "en")
    monkeypatch.setenv("LANGUAGE", "ru_RU.UTF-8")
    assert report_page(case, result) == report_page(case, result, "ru")


def test_the_command_line_explains_an_error_in_russian_and_tells_programs_in_english(
    monkeypatch, capsys
):
    monkeypatch.setenv("LANGUAGE", "ru")
    error = InputError("/x.nii does not exist.", "Check the path and its spelling.")
    assert command_line._fail(error, True) == InputError.exit_code
    told = capsys.readouterr()
    assert "/x.nii не существует." in told.err and "Проверьте путь" in told.err
    assert '"message": "/x.nii does not exist."' in told.out


def test_an_error_of_the_library_is_shown_in_the_applications_language(monkeypatch):
    from BrainTumorSegLib.slicer_app.worker.failures import describe

    monkeypatch.setattr(translation, "language", lambda: "ru_RU")
    failure = describe(InputError("/x.nii is empty.", "Export, copy or download it again."))
    assert failure.text == "/x.nii: файл пуст."
    assert failure.remedy == "Экспортируйте, скопируйте или скачайте заново."
