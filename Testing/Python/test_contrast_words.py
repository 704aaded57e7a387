"""With or without contrast agent, in the words of many languages: one table."""

from __future__ import annotations

import pytest

from BrainTumorSegLib.core.contrast_words import LANGUAGES
from BrainTumorSegLib.core.sequence_headers import agent_field
from BrainTumorSegLib.core.sequence_names import examination_has_contrast
from BrainTumorSegLib.core.sequences import Sequence, Verdict, recognize, recognize_dicom

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR

#: Language: names that mean with contrast agent | names that mean without.
TABLE = """
everywhere: T1 +Gd, T1 C+, T1 (+), T1 C(+), T1_3D_GAD, T1 Gd-DTPA, T1 KM (+), T1 AG, T1 E+,
      e+1 t1_tse
    | T1 C-, T1 -C, T1 -KM, T1 -Gd, T1 KM (-), T1 (-) KM, T1 C(-), T1 E-, T1 nativ, T1 pre Gd
English: T1 with contrast, T1 after contrast, T1 post contrast, T1 enhanced, T1 contrast enhanced
    | T1 without contrast, T1 w/o contrast, T1 before contrast, T1 no gad, T1 non-contrast,
      T1 plain,
      T1 contrast-free, T1 contrast free, T1 unenhanced, T1 not enhanced, T1 without any contrast
German: T1 nach KM, T1 mit Kontrastmittel, T1 m. KM, T1 KM nachher, T1 nach Kontrastmittelgabe
    | T1 ohne KM, T1 vor KM, T1 KM vorher, T1 kein KM, T1 o. KM, T1 kontrastmittelfrei, T1 ohne
French: T1 avec injection, T1 après gado, T1 avec PdC, T1 après produit de contraste, T1 avec gado
    | T1 sans injection, T1 sans gado, T1 avant injection, T1 sans, T1 sans produit de contraste
Spanish and Catalan: T1 con contraste, T1 con gadolinio, T1 tras contraste, T1 amb contrast
    | T1 sin contraste, T1 sin gadolinio, T1 antes de contraste, s/ contraste T1, T1 simple
Portuguese: T1 com contraste, T1 pós contraste, T1 após contraste, c/ contraste T1
    | T1 sem contraste, T1 antes do contraste, T1 s/ contraste, T1 sem gadolínio
Italian: T1 con mdc, T1 dopo mdc, T1 dopo contrasto, T1 con m.d.c., T1 mdc dopo
    | T1 senza mdc, T1 prima mdc, T1 prima del contrasto, T1 mdc prima, T1 senza
Romanian: T1 cu contrast, T1 după contrast | T1 fără contrast, T1 înainte de contrast
Dutch and Afrikaans: T1 met contrast, T1 na contrast, T1 na gado, T1 met contrastmiddel
    | T1 zonder contrast, T1 voor contrast, T1 geen contrast, T1 sonder kontras, T1 blanco
Danish and Norwegian: T1 med kontrast, T1 efter kontrast, T1 etter kontrast, T1 med kontraststoff
    | T1 uden kontrast, T1 uten kontrast, T1 før kontrast, T1 uten, T1 kontrastfri, T1 kontrastløs
Swedish: T1 med kontrast, T1 efter kontrast | T1 utan kontrast, T1 före kontrast,
      T1 innan kontrast
Icelandic: T1 með skuggaefni, T1 eftir skuggaefni | T1 án skuggaefnis, T1 fyrir skuggaefni
Finnish: T1 kontrastin jälkeen, T1 tehosteaineen jälkeen, T1 tehosteaineen kanssa
    | T1 ilman kontrastia, T1 ei kontrastia, T1 ei KM, T1 ennen tehosteainetta, T1 kontrastiton,
      T1 ei
Estonian: T1 kontrastiga, T1 pärast kontrasti | T1 ilma kontrastita, T1 kontrastita,
      T1 enne kontrasti
Latvian and Lithuanian: T1 ar kontrastu, T1 pēc kontrasta, T1 su kontrastu, T1 po kontrasto
    | T1 bez kontrasta, T1 pirms kontrasta, T1 be kontrasto, T1 prieš kontrastą
Polish: T1 po kontraście, T1 z kontrastem, T1 po KM | T1 bez kontrastu, T1 przed kontrastem,
      T1 bez
Czech and Slovak: T1 s KL, T1 po k.l., T1 s kontrastem, T1 po kontraste, T1 KL
    | T1 bez KL, T1 bez kontrastu, T1 před KL, T1 pred kontrastom, T1 bez k.l.
Slovene, Croatian, Bosnian and Serbian: T1 s kontrastom, T1 sa kontrastom, T1 poslije kontrasta,
      T1 nakon KS
    | T1 bez kontrasta, T1 brez kontrasta, T1 prije kontrasta, T1 brez KS
Hungarian: T1 kontrasztos, T1 KA, T1 KA után, T1 kontrasztanyag után, T1 kontraszttal
    | T1 kontraszt nélkül, T1 KA nélkül, T1 kontrasztanyag előtt, T1 KM nélkül, T1 natív,
      T1 kontrasztmentes
Turkish and Azerbaijani: T1 kontrastlı, T1 kontrast sonrası, T1 KM sonrası, T1 ilaçlı
    | T1 kontrastsız, T1 kontrastsiz, T1 kontrast öncesi, T1 kontrast yok, T1 ilaçsız
Albanian: T1 me kontrast, T1 pas kontrastit | T1 pa kontrast, T1 para kontrastit
Russian: T1 с контрастом, T1 после контраста, T1 КУ, T1 с КВ, T1 после усиления
    | T1 без контраста, T1 до контраста, T1 нативно, T1 без КУ, T1 до КУ, T1 бесконтрастное
Ukrainian, Bulgarian, Serbian and Macedonian: T1 з контрастом, T1 після контрасту,
      T1 след контраст, T1 са контрастом
    | T1 без контрасту, T1 до контрасту, T1 преди контраст, T1 пре контраста
Greek: T1 μετά σκιαγραφικό, T1 με σκιαγραφικό, T1 μετά από γαδολίνιο
    | T1 χωρίς σκιαγραφικό, T1 πριν σκιαγραφικό, T1 πριν από γαδολίνιο, T1 χωρίς
Arabic: T1 بعد الصبغة, T1 مع صبغة, T1 بالصبغة | T1 بدون صبغة, T1 قبل الصبغة, T1 بدون تباين
Persian: T1 با کنتراست, T1 بعد از تزریق | T1 بدون کنتراست, T1 قبل از تزریق
Hebrew: T1 עם חומר ניגוד, T1 אחרי הזרקה | T1 ללא חומר ניגוד, T1 לפני הזרקה, T1 בלי
Chinese: T1 增强, T1增强, T1 增強, T1 强化, T1 注药后, 增强后T1, T1 增强扫描, T1横断增强, T1 加钆
    | T1 平扫, T1平掃, T1 增强前, T1 未增强, T1 无增强, T1 非增强, 注射前T1
Japanese: T1 造影, 造影後 T1, T1造影後, T1 造影あり, T1 ガドリニウム
    | T1 造影前, T1 造影なし, T1 非造影, T1 単純, T1造影剤なし
Korean: T1 조영증강, T1 조영 후, T1조영후, T1 조영제 후
    | T1 조영 전, T1조영전, T1 비조영, T1 조영제 없이
Vietnamese: T1 có tiêm, T1 sau tiêm, T1 có thuốc tương phản | T1 không tiêm, T1 trước tiêm,
      T1 không thuốc
Indonesian and Malay: T1 dengan kontras, T1 setelah kontras | T1 tanpa kontras, T1 sebelum kontras
"""

#: A person has to say: an unknown word beside the agent, contradictions, a lone C, a dash.
ASKED = """
T1 xyzzy kontrast | T1 kontrast xyzzy | T1 qaa KM | T1 GD mysterious | T1 s contraste | T1 - KM
T1 kontrastlimo | T1 native KM | T1 KM ohne T1 KM | T1 SE C | T1 for kontrast
T1 weder KM noch Gd
"""

#: Neither with nor without is said: what only looks like a word for contrast agent.
SILENT = """
T1 Kontrolle | T1 control | T1_kontroll | T1control | T1 контроль | T1 controle
T1 Verlaufskontrolle
"""


def rows():
    text = TABLE.replace("\n    |", " |").replace("\n      ", " ")
    for line in text.strip().splitlines():
        language, _, both = line.partition(": ")
        enhanced, _, native = both.partition(" | ")
        for sequence, names in ((T1CE, enhanced), (T1, native)):
            yield from ((language, name.strip(), sequence) for name in names.split(", "))


@pytest.mark.parametrize(("language", "name", "sequence"), list(rows()))
def test_contrast_agent_is_understood(language, name, sequence):
    found = recognize(name)
    assert found.sequence is sequence, found.reason
    assert found.contrast == ("given" if sequence is T1CE else "none")


def test_every_language_has_a_row():
    assert {language for language, _, _ in rows()} == {one.name for one in LANGUAGES}


def names_of(text: str) -> list[str]:
    return [name.strip() for line in text.strip().splitlines() for name in line.split(" | ")]


@pytest.mark.parametrize("name", names_of(ASKED))
def test_a_person_is_asked_where_words_are_not_understood_or_contradict(name):
    found = recognize(name)
    assert found.verdict is Verdict.AMBIGUOUS, found.reason
    assert found.candidates == (T1, T1CE)
    assert found.confidence == 0


@pytest.mark.parametrize("name", names_of(SILENT))
def test_a_follow_up_is_no_contrast_agent(name):
    found = recognize(name)
    assert found.sequence is T1 and found.contrast is None, found.reason


def test_an_unknown_word_beside_the_agent_is_shown():
    assert "“xyzzy kontrast”, which is not understood" in recognize("T1 xyzzy kontrast").reason


@pytest.mark.parametrize("agent", ["YES", "Gadovist"])
def test_a_header_does_not_settle_what_the_name_leaves_open(agent):
    header = {"Modality": "MR", "SeriesDescription": "T1 xyzzy KM", "ContrastBolusAgent": agent}
    assert recognize_dicom(header).verdict is Verdict.AMBIGUOUS


@pytest.mark.parametrize(
    "text",
    names_of("""
        uten kontrast | UDEN | utan | ohne KM | sin contraste | sem | senza mdc | bez kontrastu | ei
        nej | nein | yok | нет | zonder | nelkül | nincs | なし | 無 | 无 | 없음 | بدون | ללא
        χωρίς | brak | geen | fără | non | aucun
    """),
)
def test_a_header_field_that_denies_contrast_agent_is_understood(text):
    assert agent_field({"ContrastBolusAgent": text}) == "none"


@pytest.mark.parametrize(
    "text", ["Gadovist 7,5 ml", "Dotarem", "Novel agent 3", "Nonamed", "Sinerem"]
)
def test_a_header_field_that_names_an_agent_is_no_denial(text):
    assert agent_field({"ContrastBolusAgent": text}) == "given"


@pytest.mark.parametrize(
    ("text", "had"),
    [
        ("MR Kopf mit KM", True),
        ("MRI brain w/wo contrast", True),
        ("MR hode uten kontrast", False),
        ("MR hlava xyzzy kontrast", False),
        ("MRT Kontrolle", False),
        ("頭部造影前後", True),
    ],
)
def test_the_name_of_an_examination_tells_whether_it_had_contrast_agent(text, had):
    assert examination_has_contrast(text) is had


@pytest.mark.parametrize(
    "name", names_of("T2 TIRM | T2 水抑制 | 水抑制 | T2压水 | SAG T2 SPACE DF | FLAIR 横断")
)
def test_flair_has_other_names_too(name):
    assert recognize(name).sequence is FLAIR


def test_the_c_that_philips_puts_last_means_contrast_agent():
    assert recognize("eT1W_SE_tra_C").sequence is T1CE
