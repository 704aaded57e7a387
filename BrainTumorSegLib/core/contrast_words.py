"""Words for contrast agent, and for with and without it, in many languages: one table.

A clinic's habit is taught by a word in its language's line and a line in the table of
names in ``Testing/Python/test_contrast_words.py``. Words are regular expressions on text
as `folded` makes it, parted by commas.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """What one language, or the habit of radiologists anywhere, calls contrast agent.

    Attributes:
        name: the language.
        agent: words for contrast agent or its injection that need no company.
        given: words in front of those: with, after.
        none: words in front of those: without, before.
        given_behind: words behind those: after, yes.
        none_behind: words behind those: without, before, no.
        alone_none: words that mean *without contrast agent* by themselves.
        alone_given: words that mean *with contrast agent* by themselves.
        denial: what stands in a header field for *none was given*.
    """

    name: str
    agent: str = ""
    given: str = ""
    none: str = ""
    given_behind: str = ""
    none_behind: str = ""
    alone_none: str = ""
    alone_given: str = ""
    denial: str = ""


_BRANDS = (
    "dotarem, clariscan, gadovist, gadavist, magnevist, multihance, prohance, omniscan, vueway,"
    "elucirem, artirem, optimark, primovist, eovist, pixxoscan, dotagraf, cyclolux"
)

LANGUAGES: tuple[Language, ...] = (
    Language(
        "everywhere",
        agent=f"ce, gd, gdtpa, gd dtpa, gad, gadd, gado\\w*, km, ks, mdc, m d c, {_BRANDS}",
        given="post, \\+",
        none="pre, prae, minus, w o",
        given_behind="\\+, plus, post, ja, yes",
        none_behind="minus, neg, negativ\\w*, no, none",
        alone_none="nativ\\w*, nat, unenh\\w*",
        alone_given="e \\+(?: \\d+)?, ag",
    ),
    Language(
        "English",
        agent="contrast(?:s|ed|ing)?, contr, enh, enhanc\\w*, inj, injec\\w*",
        given="with, after",
        none="without, wo, no, non, not, before",
        none_behind="free, absent",
        alone_none="without, plain, non? ?enh\\w*, wo, w o, contrast ?(?:free|less)",
        denial="no, non, none, not, n, nil, false, without, w ?o, never",
    ),
    Language(
        "German",
        agent="kontrast(?:mittel\\w*|e|es|iert\\w*)?, kontr",
        given="mit, nach, m, n",
        none="ohne, vor, kein\\w*, o",
        given_behind="nachher, danach, verabreicht",
        none_behind="vorher, davor, ohne, nein",
        alone_none="ohne, (?:kontrast(?:mittel)?|km) ?(?:frei|los)",
        alone_given="nachkm, mitkm",
        denial="ohne, kein\\w*, nein, nicht",
    ),
    Language(
        "French",
        agent="contraste(?:s|e|es)?, pdc, produit de contraste",
        given="avec, apres",
        none="sans, avant",
        alone_none="sans, avant",
        alone_given="apres",
        denial="sans, non, aucun\\w*",
    ),
    Language(
        "Spanish and Catalan",
        agent="contrast(?:e|ad[oa])s?, medio de contraste, civ",
        given="con, despues, tras, amb",
        none="sin, antes, previo",
        alone_none="simple",
        denial="sin, no, ningun\\w*",
    ),
    Language(
        "Portuguese",
        agent="contraste(?:s|ad[oa]s?)?",
        given="com, pos, apos, depois",
        none="sem, antes",
        alone_none="sem",
        denial="sem, nao, nenhum\\w*",
    ),
    Language(
        "Italian",
        agent="contrast(?:o|at[oa]), mezzo di contrasto",
        given="con, dopo",
        none="senza, prima",
        none_behind="prima",
        given_behind="dopo",
        alone_none="senza, diretta",
        denial="senza, nessun\\w*",
    ),
    Language(
        "Romanian",
        agent="contrast(?:ul|ului)?, substanta de contrast",
        given="cu, dupa",
        none="fara, inainte",
        alone_none="fara",
        denial="fara, nu",
    ),
    Language(
        "Dutch and Afrikaans",
        agent="contrast(?:middel|vloeistof)",
        given="met, na",
        none="zonder, voor, geen, sonder",
        alone_none="zonder, blanco",
        denial="zonder, geen, nee",
    ),
    Language(
        "Danish and Norwegian",
        agent="kontrast(?:en|middel|stoff?)?",
        given="med, efter, etter",
        none="uden, uten, før, foer, ingen",
        alone_none="uden, uten, kontrast(?:fri|los|løs)",
        denial="uden, uten, ingen, nej, nei",
    ),
    Language(
        "Swedish",
        agent="kontrast(?:en|medel)?",
        given="med, efter",
        none="utan, fore, innan, ingen",
        # Hungarian for "after" looks the same.
        alone_none="(?<!ka )(?<!kontraszt )(?<!anyag )utan, kontrast(?:fri|los)",
        denial="utan, ingen, nej",
    ),
    Language(
        "Icelandic",
        agent="skuggaefni\\w*",
        given="med, með, eftir",
        none="an, fyrir",
        denial="nei",
    ),
    Language(
        "Finnish",
        agent="kontrasti(?:n|a|lla|aine\\w*)?, tehosteain\\w*, varjoain\\w*, tehost\\w*",
        given_behind="jalkeen, kanssa",
        none="ilman, ennen, ei",
        none_behind="ei",
        alone_none="ilman, ei(?= ?$), kontrasti(?:ton|tta), tehostamaton",
        denial="ei, ilman",
    ),
    Language(
        "Estonian",
        agent="kontrast(?:i|iga|aine\\w*)",
        given="parast, koos",
        given_behind="jarel",
        none="ilma, enne",
        alone_none="ilma, kontrastita, kontrastaineta",
        denial="ilma, ei",
    ),
    Language(
        "Latvian and Lithuanian",
        agent="kontrast(?:u|o|s|a|ui|viel\\w*|vela|in\\w*)",
        given="ar, pec, su, po",
        none="bez, pirms, be, pries",
        alone_none="bez",
        denial="bez, be, ne, nav, nera",
    ),
    Language(
        "Polish",
        agent="kontrast(?:em|u|owan\\w*|owy\\w*)?, kontrascie, srodk\\w* kontr\\w*",
        given="z, ze, po",
        none="bez, przed, nie",
        alone_none="bez",
        denial="bez, nie, brak",
    ),
    Language(
        "Czech and Slovak",
        agent="kontrast(?:em|om|u|ni|nou|n[ay])?, kl, k latk\\w*, kontrastni latk\\w*",
        given="s(?= k), so, se(?= k), po",
        none="bez, pred, pred podanim",
        alone_none="bez",
        denial="bez, ne, nie, zadn\\w*, ziadn\\w*",
    ),
    Language(
        "Slovene, Croatian, Bosnian and Serbian",
        agent="kontrast(?:om|a|na|no|nim|nog|nega)?, ks",
        given="s(?= k), sa, z, po, poslije, posle, nakon",
        none="bez, brez, prije, pred",
        alone_none="bez, brez, nekontrast\\w*",
        denial="bez, brez, ne, nema, ni",
    ),
    Language(
        "Hungarian",
        agent="kontraszt(?:os|tal|anyag\\w*|halmoz\\w*)?, ka",
        given_behind="utan, adasa utan, val, adas utan",
        none_behind="nelkul, elott, adasa elott, nelkuli, mentes",
        alone_none="nelkul, kontraszt(?:anyag)? ?mentes",
        denial="nem, nincs, nelkul",
    ),
    Language(
        "Turkish and Azerbaijani",
        agent="kontrast(?:l[ıi]|[ıi]n)?, kontrast madde\\w*, ilacl[ıi]",
        given_behind="sonras[ıi], sonra, verildi, var",
        none_behind="oncesi, once, yok, verilmedi",
        alone_none="kontrasts[ıi]z, ilacs[ıi]z",
        denial="yok, hay[ıi]r, kontrasts[ıi]z",
    ),
    Language(
        "Albanian",
        agent="kontrast(?:in|it)",
        given="me, pas",
        none="pa, para",
        denial="pa, jo",
    ),
    Language(
        "Russian",
        agent="кс, ку, кв, контр, контраст\\w*, усилен\\w*, гадолин\\w*",
        given="с, после",
        none="без, до",
        none_behind="до, нет",
        given_behind="после",
        alone_none="натив\\w*, без, бесконтраст\\w*",
        denial="нет, без, не",
    ),
    Language(
        "Ukrainian, Bulgarian, Serbian and Macedonian",
        agent="пiдсилен\\w*, підсилен\\w*, контрастн\\w*",
        given="з, із, зі, пiсля, після, след, след поставяне, со, са, по, после, у",
        none="без, до, преди, пре, перед, пред",
        alone_none="без",
        denial="без, ні, немає, не, нема, няма",
    ),
    Language(
        "Greek",
        agent="σκιαγραφικ\\w*, σκιαστικ\\w*, γαδολιν\\w*, εγχυσ\\w*",
        given="με, μετά, μετά από, μετά την, μετά το",
        none="χωρίς, πριν, πριν από, πριν την, πριν το, άνευ, προ",
        alone_none="χωρίς, άνευ",
        denial="χωρίς, όχι, άνευ",
    ),
    Language(
        "Arabic",
        agent="(?:ب?ال|ب)?صبغة, (?:ال)?تباين, (?:ال)?جادولينيوم, (?:ال)?مادة الظليلة",
        given="مع, بعد, بعد حقن",
        none="بدون, قبل, بلا, من دون, غير, قبل حقن",
        alone_none="بدون, بلا",
        denial="لا, بدون, بلا",
    ),
    Language(
        "Persian",
        agent="کنتراست, تزریق, ماده حاجب, گادولینیوم",
        given="با, بعد از, پس از",
        none="بدون, قبل از, پیش از, بی",
        alone_none="بدون",
        denial="ندارد, نه, بدون",
    ),
    Language(
        "Hebrew",
        agent="חומר ניגוד, חומר, ניגוד, גדוליניום, הזרקה, הזרקת",
        given="עם, אחרי, לאחר",
        none="ללא, בלי, לפני",
        alone_none="ללא, בלי",
        denial="ללא, בלי, לא, אין",
    ),
    Language(
        "Chinese",
        agent="增强, 增強, 強化, 强化, 造影, 造影剂, 造影劑, 对比剂, 對比劑, 顯影, 显影,"
        "钆, 釓, 注药, 注射, 打药",
        given="有, 加",
        none="未, 无, 無, 非, 不",
        given_behind="后, 後, 扫描",
        none_behind="前",
        alone_none="平扫, 平掃, 未增强, 非增强, 普通扫描",
        denial="无, 無, 没有, 沒有, 否, 未",
    ),
    Language(
        "Japanese",
        agent="造影, 造影剤, 増強, ガドリニウム, ガド",
        given="有",
        none="非, 無, 未",
        given_behind="後, あり, 有り, 有",
        none_behind="前, なし, 無し, 無, ナシ",
        alone_none="単純, 非造影",
        denial="なし, 無し, 無, ナシ",
    ),
    Language(
        "Korean",
        agent="조영, 조영제, 조영증강, 증강, 조영 증강, 가돌리늄",
        given_behind="후",
        none="비, 무",
        none_behind="전, 없이, 없음, 안함",
        alone_none="비조영, 단순",
        denial="없음, 무, 안함, 아니오",
    ),
    Language(
        "Vietnamese",
        agent="tiem, thuoc, tuong phan, can quang, thuoc (?:tuong phan|can quang|[dđ]oi quang)",
        given="co, sau, sau khi",
        none="khong, truoc, truoc khi, chua",
        alone_none="khong tiem",
        denial="khong",
    ),
    Language(
        "Indonesian and Malay",
        agent="kontras",
        given="dengan, setelah, sesudah, selepas",
        none="tanpa, sebelum",
        alone_none="tanpa, polos",
        denial="tanpa, tidak, tiada",
    ),
)


def folded(text: str) -> str:
    """Text in lower case without accents; Korean syllables fall into their letters."""
    text = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in text if not unicodedata.combining(letter)).casefold()


def words(column: str) -> str:
    """All words of a column of the table as alternatives of a regular expression."""
    entries = {
        folded(word.strip())
        for language in LANGUAGES
        for word in getattr(language, column).split(",")
        if word.strip()
    }
    return "|".join(sorted(entries, key=lambda entry: (-len(entry), entry)))


#: Letters of scripts that write words without blanks between them.
_UNSPACED = "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff"

#: Words of such scripts, to be set apart from what stands around them.
UNSPACED_WORDS = re.compile(
    "|".join(
        sorted(
            {
                word
                for column in Language.__dataclass_fields__
                if column != "name"
                for word in words(column).split("|")
                if re.fullmatch(f"[{_UNSPACED}]+", word)
            },
            key=lambda word: (-len(word), word),
        )
    )
    + f"|(?<=[a-z0-9])(?=[{_UNSPACED}])"
)
