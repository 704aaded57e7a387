"""What the words in a file, node or series name say about an MRI sequence.

The tables below are the whole knowledge: each line is a pattern (a regular
expression matched against whole words of the plain text that `plain` makes) and
what it means. To teach the program a clinic's habit, add a line and a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from .contrast_words import UNSPACED_WORDS, folded, words
from .technical_words import HARMLESS_WORDS

Kind = Literal["refusal", "weighting", "contrast"]


@dataclass(frozen=True)
class Evidence:
    """One statement about a scan.

    Attributes:
        kind: ``refusal`` (it is something else), ``weighting`` or ``contrast``.
        values: for a refusal what it is; for a weighting every one of ``T1``,
            ``FLAIR``, ``T2``, ``T2*``, ``PD`` that it may be; for contrast
            ``given`` or ``none``.
        weight: 0..1, how much it can be relied on.
        because: a clause for people, for example *the name says "KM"*.
    """

    kind: Kind
    values: frozenset[str]
    weight: float
    because: str

    @property
    def value(self) -> str:
        """The possible values, for a message."""
        return " or ".join(sorted(self.values))


@dataclass(frozen=True)
class Rule:
    """A pattern of words and what it says."""

    words: re.Pattern[str]
    value: str
    weight: float


def _rule(words: str, value: str, weight: float = 0.9) -> Rule:
    return Rule(re.compile(rf"(?<!\w)(?:{words})(?!\w)"), value, weight)


#: Changes made to a name before its words are looked up; in this order.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # BIDS entities that name the subject, or the grid an image was brought to.
        (r"(?:^|(?<=[_/\s]))(?:sub|ses|run|space|task|part|echo|rec)-[^_/.\s]*", " "),
        (r"(?:^|(?<=_))ce-[a-z0-9]+", " contrast "),
        # A Cyrillic letter te before 1 or 2 is the T of T1 and T2, and es the C of +C.
        (r"т(?=\s?[12])", "t"),
        (r"(?<=\+)\s?с(?=$|[\s_)])", "c"),
        (r"\(\s*-\s*\)", " minus "),
        (r"\(\s*\+\s*\)", " + "),
        # "C-" is unenhanced, and so is " -C"; between blanks a dash may part words.
        (r"(?<![a-z])((?:t1w?)?[\s_]?)(?:c|gd|km|e|s)-(?=$|[\s_)\],;])", r" \1 native "),
        (
            r"(?:^|(?<=[\s_]))-(?=(?:c|ce|gd|gad|gado\w*|km|kontrast\w*|contrast\w*)(?![a-z0-9]))",
            " minus ",
        ),
        (
            r"(?<=\s)-\s+(?=(?:c|ce|gd|gad|gado\w*|km|kontrast\w*|contrast\w*)(?![a-z0-9]))",
            " dash ",
        ),
        (r"\bw\s?/?\s?[/+&]\s?w\s?/?\s?o\b", " wwo "),
        (r"\bw\s?/\s?o\b", " without "),
        (r"\bw\s?/", " with "),
        # Iberian habit: c/ = with, s/ = without.
        (r"(?<![/\w])s/\s?(?=c|gd|gad)", " sem "),
        (r"(?<![/\w])c/\s?(?=c|gd|gad)", " com "),
        (r"t2\s?\*", " t2star "),
        (r"[:;|]", " | "),
        (r"\+", " + "),
        (r"[^\w+|]+|_+", " "),
        # An image registered to another one is called after both: drop the target.
        (
            r"(?<=\w)\s+(?:to|onto|into|in|auf|sur|vers)\s+"
            r"(?:t1\w*|t2\w*|flair)(?:\s(?:ce|gd|km|space|grid))*",
            " ",
        ),
        # A 2 says so only behind another image; else it is the number of a patient or series.
        (
            r"(?<!\w)((?:t1|t2|flair|pd|dwi|adc|swi|pet|ct|mask|seg)\w*(?!\w).*?)\s+2\s+"
            r"(?:t1\w*|t2\w*|flair)(?:\s(?:ce|gd|km|space|grid))*",
            r"\1 ",
        ),
        (r"\s+", " "),
    )
)

#: What a name can say that the scan is instead. The first match wins.
REFUSALS: tuple[Rule, ...] = (
    _rule(
        r"segs?|segment\w*|\w*masks?|labels?|label ?maps?|\w*truth|gt|lesions?|rois?|annot\w*",
        "a segmentation or mask",
    ),
    _rule(
        r"loc|lokali\w*|locali\w*|\w*scout\w*|survey|smart ?brain|pilot|topogram|reperage"
        r"|3 ?pl|(?:3|three|tri) ?planes?|локал\w*|скаут",
        "a localizer",
    ),
    _rule(
        r"screen\w*|capture|snapshot|phoenix\w*|\w*report|dose|key images?|patient protocol"
        r"|exam card|physio\w*",
        "a report or screen capture",
    ),
    _rule(r"subs?(?! ?\d)|subtr\w*|soustr\w*|sottr\w*|вычит\w*|субтракц\w*", "a subtraction"),
    _rule(r"mip|min ?ip|mips|\w*projection\w*|projected|proj", "a projection (MIP)"),
    _rule(
        r"(?:ep2d )?diff\w*|dwi\w*|dti|dki|e?adc\w*|trace\w*|b ?0|b ?[1-9]\d{2,3}\w?|resolve"
        r"|hardi|fa$|colou?r ?fa|tensor|d mri|dmri|диффуз\w*",
        "diffusion imaging",
    ),
    _rule(
        r"perf\w*|pwi|dsc|dce|p?c?asl|r?cb[fv]|mtt|ttp|tmax|k ?trans|twist\w*|dyn\w*|перфуз\w*",
        "a perfusion or dynamic series",
    ),
    _rule(
        r"swi\w*|swan|ven ?bold|t2 ?star\w*|t2 ?gre|gre t2\w*|hemo\w*|haemo\w*|pha|phase|qsm",
        "susceptibility-weighted (T2*)",
    ),
    _rule(r"tof\w*|mra|mrv|mr ?angio\w*|angio\w*|venc\w*|inhance|pc ?3d|3d ?pc", "angiography"),
    _rule(r"mrs|spectro\w*|csi|svs|спектр\w*", "spectroscopy"),
    _rule(r"bold|f ?mri|rs ?fmri|resting\w*", "functional imaging"),
    _rule(
        r"maps?|mapping|t1 images|relax\w*|field ?maps?|b[01] ?map|shim|calib\w*|asset cal\w*"
        r"|coil (?:sens|surv|cal)\w*|ref(?:erence)? ?scan|pre ?scan|inv ?[12]|t1w? t2w? ratio",
        "a map or calibration",
    ),
    _rule(
        r"[clt]? ?spine|[lhb]ws|myelo\w*|rachis|позвоноч\w*|knee|knie|abdom\w*|pelvis|breast"
        r"|mamma|prostat\w*|shoulder|cardiac|heart|liver",
        "a scan of another part of the body",
    ),
    _rule(r"stir|psir|dir", "an inversion-recovery sequence other than FLAIR"),
    _rule(
        # Directly after T1, MPR is how one vendor abbreviates MPRAGE.
        r"reformat\w*|(?<!t1 )(?<!t1w )(?<!t1 3d )mpr\w{0,2}|multi ?planar|curved|thick range",
        "a reformatted copy (MPR)",
    ),
)

#: What is glued to the front of T1 and T2: planes, vendors' and SPM's letters.
_PLANE = r"(?:2d|3d|ax|tra|sag|cor|s|e|[rwm]{1,2})?"
_T1 = rf"(?:{_PLANE}|ce|gd|c)t1(?!\d)\w*"
_FLUID = r"\w*flair\w*|dark ?fl\w*|da ?fl|fla|水抑制|抑水|压水|壓水"

#: What a name can say about weighting. The first match wins.
WEIGHTINGS: tuple[Rule, ...] = (
    # The inversion that darkens fluid is also used with T1 weighting.
    _rule(rf"{_T1}(?: (?!t2)\S+)* (?:{_FLUID}|tirm)", "T1", 0.85),
    _rule(rf"(?:{_FLUID}|tirm)(?: (?!t2)\S+)* {_T1}", "T1", 0.75),
    _rule(rf"{_FLUID}|t2f", "FLAIR", 0.95),
    _rule(rf"{_PLANE}t2\w*(?: \S+)* (?:tirm|df)", "FLAIR", 0.75),
    _rule(rf"{_T1}(?: \S+)* t2\w*|t2\w*(?: \S+)* {_T1}", "T1 and T2", 0.6),
    _rule(_T1, "T1", 0.9),
    _rule(rf"{_PLANE}t2\w*", "T2", 0.9),
    _rule(r"tirm", "FLAIR", 0.75),
    _rule(r"ciss|fiesta\w*|tru ?fi\w*|bssfp|b ?tfe|drive|haste", "T2", 0.75),
    _rule(r"pdw?(?:tse|fs|t2)?|proton\w*", "PD", 0.9),
    _rule(
        r"\w*mp ?rage\w*|mp2rage(?: uni\w*)?|\w*spgr\w*|\w*bravo|vibe\w*|3?d? ?tfe|e?thrive"
        r"|lava|flash\w*|fl[23]d\w*|tfl\w*",
        "T1",
        0.75,
    ),
)

_AGENT, _GIVEN, _NONE = words("agent"), words("given"), words("none")
#: Words for contrast agent, and what may stand between them and "with" or "without".
_ANY_AGENT = (
    rf"(?:the |any |an? |de |del |della |di |do |da |du |d |l |la |i ?v )?(?:{_AGENT})(?: agent)?"
)
#: Words that mean it only beside "with", "without", "+" and the like, and those.
_WEAK = r"(?:the |de |i ?v )?(?:c|con|cont|iv|bolus|k [las])"
_WEAK_WITHOUT = (
    r"(?:ohne|vor|kein\w*|without|wo|w o|no|non|not|pre|before|sans|avant|sin|senza|sem|bez|przed"
    r"|zonder|voor|minus|antes|до|без|pred)"
)
_WEAK_WITH = r"(?:mit|nach|with|post|after|avec|apres|con|dopo|com|pos|despues|po|met|с|после|\+)"
_SUFFIX = r"(?:c|ce|con|contr(?!ol)\w*|kontr(?!ol)\w*|gd|gad|gado\w*|km|inj\w*|iv)"
_AND = r"(?:and|und|et|e|y|i|u|и|og|och|en|a|ve|\+)"
_NOT_ABOUT_CONTRAST = (
    r"(?:op|operat\w*|surg\w*|process\w*|proc|rt|rad\w*|chemo\w*|treat\w*|therap\w*|tx|fossa"
    r"|resect\w*|scan|biops\w*)"
)
_PLANES = r"(?:tra|trans\w*|ax\w*|sag\w*|cor\w*)"

#: Says neither and asks a person: an unknown word beside it may turn the meaning round.
ASK = "ask"

#: What a name can say about contrast agent. Every match is taken out before the
#: next line is tried, so that "ohne KM" is not read as "KM".
CONTRAST: tuple[Rule, ...] = (
    _rule(rf"(?:post|pre) ?{_NOT_ABOUT_CONTRAST}|native (?:space|res\w*)", "unclear", 0.0),
    _rule(
        rf"(?:wwo|w wo|(?:{_NONE}) {_AND} (?:{_GIVEN})|(?:{_GIVEN}) {_AND} (?:{_NONE})|o m"
        rf"|(?:{_AGENT}) 前 ?[后後])(?: (?:{_ANY_AGENT}|{_WEAK}))?",
        "both",
        0.0,
    ),
    _rule(
        rf"(?:{_NONE}) {_ANY_AGENT}|(?:{_AGENT}) (?:{words('none_behind')})"
        rf"|{_WEAK_WITHOUT} {_WEAK}|{_WEAK} minus",
        "none",
        0.95,
    ),
    _rule(
        rf"{words('alone_none')}|pre ?{_SUFFIX}?|non? ?(?:enh\w*|{_SUFFIX})"
        rf"|{_PLANE}t1w?(?:n|nat\w*|pre|wo|(?:no|pre|ohne|vor){_SUFFIX})",
        "none",
        0.9,
    ),
    _rule(
        rf"(?:{_GIVEN}) {_ANY_AGENT}|(?:{_AGENT}) (?:{words('given_behind')})"
        rf"|{_WEAK_WITH} {_WEAK}|(?:{_WEAK}) \+",
        "given",
        0.95,
    ),
    _rule(rf"post ?{_SUFFIX}?|{words('alone_given')}", "given", 0.85),
    _rule(
        rf"{_PLANE}t1w?(?:mit|nach|post)?(?:{_SUFFIX}|ks|post)(?!ol)\w{{0,3}}"
        r"|(?:ce|gd|c)t1w?\w*|t1w? c|\+$",
        "given",
        0.95,
    ),
    # After the plane, a C cannot mean coronal.
    _rule(rf"{_PLANES}(?: \S+)* c$", "given", 0.75),
    _rule(rf"(?:{_AGENT})(?: (?:{_AGENT}))*", "given", 0.9),
    _rule(r"\w*(?:[kc]ontr(?:ast|aszt)|gadol|контраст)\w*|(?<=\S )c$", ASK, 0.9),
    _rule(r"with", "given", 0.75),
)

#: The line of bare words for contrast agent, whose neighbors have to be known.
_BARE_AGENT = CONTRAST[-3]

_EXTENSION = re.compile(
    r"(?:\.(?:nii|nrrd|nhdr|mh[ad]|img|hdr|dcm|ima|tiff?|mgz|mgh|mnc|zip))*(?:\.gz)?$",
    re.IGNORECASE,
)


def plain(name: str) -> str:
    """The words of a name in lower case, without accents and separators, one space apart."""
    text = _EXTENSION.sub("", name)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", text)
    text = UNSPACED_WORDS.sub(r" \g<0> ", folded(text))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text.strip()


def name_evidence(name: str, speaker: str = "the name") -> list[Evidence]:
    """What a name says, strongest refusal first.

    Args:
        name: a file name (without folders), node name or series description.
        speaker: who says it, for the clause given to people.
    """
    text = plain(name)
    found = []
    tables: tuple[tuple[Kind, tuple[Rule, ...]], ...] = (
        ("refusal", REFUSALS),
        ("weighting", WEIGHTINGS),
    )
    for kind, table in tables:
        hit = _first(table, text)
        if hit is not None:
            rule, words = hit
            values = frozenset(rule.value.split(" and ")) if kind == "weighting" else {rule.value}
            because = f"{speaker} says “{words}”"
            found.append(Evidence(kind, frozenset(values), rule.weight, because))
    for value, weight, phrase in _contrast_statements(text):
        if value in ("given", "none"):
            because = f"{speaker} says “{phrase}”"
            found.append(Evidence("contrast", frozenset({value}), weight, because))
        elif value == ASK:
            because = f"{speaker} says “{phrase}”, which is not understood"
            found.append(Evidence("contrast", frozenset({"given", "none"}), weight, because))
    return found


def examination_has_contrast(name: str) -> bool:
    """Whether the name of a whole examination says that contrast agent was given in it."""
    first = next((value for value, _, _ in _contrast_statements(plain(name))), None)
    return first in ("both", "given")


def _contrast_statements(text: str) -> Iterator[tuple[str, float, str]]:
    """What a plain name says about contrast agent: value, weight and words."""
    for rule in CONTRAST:
        while (match := rule.words.search(text)) is not None:
            before, phrase, after = text[: match.start()], match.group(), text[match.end() :]
            text = f"{before} | {after}"
            if rule is _BARE_AGENT:
                left, right = before.split()[-1:], after.split()[:1]
                strange = [word for word in (*left, *right) if not _is_known(word)]
                if strange:
                    yield ASK, rule.weight, " ".join([*left, phrase, *right])
                    continue
            yield rule.value, rule.weight, phrase.strip()


@cache
def _is_known(word: str) -> bool:
    """Whether a word beside one for contrast agent cannot turn its meaning round."""
    if not word.isalpha() or word in HARMLESS_WORDS:
        return True
    tables = (*REFUSALS, *WEIGHTINGS, *(rule for rule in CONTRAST if rule.value != ASK))
    return any(rule.words.fullmatch(word) for rule in tables)


def _first(table: tuple[Rule, ...], text: str) -> tuple[Rule, str] | None:
    for rule in table:
        match = rule.words.search(text)
        if match is not None:
            return rule, match.group().strip()
    return None
