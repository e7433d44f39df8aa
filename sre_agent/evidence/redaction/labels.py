"""Personal data behind a label ("MRN: ...", "phone=...", {"dob": ...}): what stands there and has the form that it promises."""

import re
from functools import lru_cache

from sre_agent.evidence.redaction.placeholder import mark
from sre_agent.evidence.redaction.value import value_at

_NUMBER = "[number|num|nr|no|id]"
_LABELS: dict[str, tuple[str, ...]] = {
    "health-id": (
        "mrn",
        f"medical record {_NUMBER}",
        "patient number|num|nr|no|id",
        "npi",
        f"nhs {_NUMBER}",
        "mbi",
        f"health|medical insurance|plan|card {_NUMBER}",
        "insurance number|no|id",
        "insurance member id",
        f"medicare|medicaid {_NUMBER}",
        "beneficiary number|id",
        "hicn",
        "krankenversichertennummer|krankenversichertennr",
        "health|insurance policy number|no",
    ),
    "birth-date": ("dob", "date of birth", "birth date|data", "birthday|birthdate|geburtsdatum"),
    "national-id": (
        "ssn",
        "social security [number|no]",
        "tax id",
        "tin|itin|nino|aadhaar",
        "passport [number|no]",
        "driver|drivers licence|license [number|no]",
        "national id",
        "national insurance [number|no]",
    ),
    "phone": (
        "phone|telephone [number|num|no]",
        "mobile|cell|cellphone [number|no]",
        "msisdn|fax|whatsapp|tel",
        "sms to",
        "caller id",
        "dialed|dialled",
    ),
    "card": ("card number|num|no", "credit|debit|payment card [number|num|no]", "cc number|num|no", "pan", "cvv|cvv2|cvc|cvc2"),
    "iban": ("iban|bic", "account number|no", "bank account [number|no]", "sort code", "routing number"),
    "value": ("otp", "mfa|2fa|totp|verification|recovery|backup|sms|auth code", "one time code", "pin [code]"),
}
"""Labels by kind: words, perhaps with a blank, dash or underscore between; "|" between choices, brackets around what may lack."""


def _parts(label: str) -> list[tuple[tuple[str, ...], bool]]:
    """The words of a label: the choices, and whether they may lack."""
    return [(tuple(word.strip("[]").split("|")), word.startswith("[")) for word in label.split()]


def _pattern(label: str) -> str:
    """The label as a pattern."""
    out = ""
    for i, (choices, may_lack) in enumerate(_parts(label)):
        word = ("[ _-]?" if i else "") + f"(?:{'|'.join(choices)})"
        out += f"(?:{word})?" if may_lack else word
    return out


def _beginnings(label: str) -> set[str]:
    """Every run of letters that a text with this label has at its place, however its words are joined."""
    joined, found = {""}, set()
    for choices, _ in _parts(label):
        joined = {before + word for before in joined for word in choices}
        found |= joined
    return {word.rstrip("0123456789").lstrip("0123456789") for word in found}


_WORDS = "|".join(f"(?P<{kind.replace('-', '_')}>{'|'.join(map(_pattern, labels))})" for kind, labels in _LABELS.items())
_FIRST = frozenset(word for labels in _LABELS.values() for label in labels for word in _beginnings(label))
_LETTERS = "".join(c if c in "abcdefghijklmnopqrstuvwxyz" else " " for c in map(chr, range(128)))
_LABEL = re.compile(
    rf"(?<![a-z0-9])(?:{_WORDS})"
    r"\\{0,7}[\"'`]?(?:[ \t]{0,8}(?:=>|[:=#]|->)[ \t]{0,16}(?:\[(?=[\w+(]))?|"
    r"[ \t]{1,2}(?:is |was |no\.? |number |# ?)?(?=[+(]?\d)|(?<=[a-z])>)"
)
_FORMS = {
    "health-id": re.compile(r"(?=.*\d{3}|.*\d[A-Z])[A-Za-z0-9][\w./-]{4,24}(?: \d{2,5}){0,3}"),
    "birth-date": re.compile(
        r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{2,4}|\d{8}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}\.? [A-Za-z]{3,9},? \d{4}"
    ),
    "national-id": re.compile(r"(?=.*\d{3}|(?:.*\d){6})[A-Za-z0-9](?:[ -]?[A-Za-z0-9]){6,17}"),
    "phone": re.compile(r"\(?\+?\(?\d(?:[ .()/-]{0,3}\d){6,14}"),
    "card": re.compile(r"\d(?:[ .-]?\d){12,18}|\d{3,4}"),
    "iban": re.compile(r"(?=(?:.*\d){6})[A-Za-z0-9](?:[ -]?[A-Za-z0-9]){5,33}"),
    "value": re.compile(r"\d{4,8}|(?=\S*\d)[A-Za-z0-9]{4,8}(?:-[A-Za-z0-9]{4,8}){0,3}"),
}
_LONGEST_SPACED = 48
_NAME = re.compile(rf"(?:.*[^a-z0-9])?(?:{_WORDS})")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_VARIABLE = re.compile(
    r"(?:name|key)\\?[\"']?[ \t]*[:=][ \t]*\\?[\"']?([\w.-]{1,64})\\?[\"']?\s{0,4}(?:,|\\n|\n)?\s{0,64}"
    r"\\?[\"']?value\\?[\"']?[ \t]*[:=][ \t]*"
)
_LONGEST = 64


def labelled_people(text: str, lower: str) -> str:
    """Every personal datum that its label tells. Most texts have no word that a label begins with."""
    return text if _FIRST.isdisjoint(lower.translate(_LETTERS).split()) else _labelled(text, lower)


@lru_cache(maxsize=4096)
def label_kind(name: str) -> str:
    """What the label `name` ("dateOfBirth", "patient_id") promises; "" when it is none. Remembered: names repeat."""
    if len(name) > _LONGEST:
        return ""
    found = _NAME.fullmatch(_CAMEL.sub("_", name).lower()) or _NAME.fullmatch(name.lower())
    return (found.lastgroup or "").replace("_", "-") if found is not None else ""


def labelled_value(kind: str, value: str) -> str:
    """`value`, or its placeholder when it has the form of `kind`."""
    return mark(kind, value) if len(value) <= _LONGEST and _FORMS[kind].fullmatch(value.strip()) else value


def _labelled(text: str, lower: str) -> str:
    """What stands behind labels, and in {name: a label, value: ...}."""
    places = [((m.lastgroup or "").replace("_", "-"), m.end()) for m in _LABEL.finditer(lower)]
    if "value" in lower:
        places += [(kind, m.end()) for m in _VARIABLE.finditer(lower) if (kind := label_kind(text[m.start(1) : m.end(1)]))]
    out: list[str] = []
    done = 0
    for kind, at in sorted(places, key=lambda place: place[1]):
        value = value_at(text, at, in_query=True, most=at + _LONGEST)
        end = value.end if value.quoted else max(value.end, value.start + _LONGEST_SPACED)
        found = _FORMS[kind].match(text, value.start, min(end, value.start + _LONGEST, len(text)))
        if found is None or value.start < done or text[found.end() : found.end() + 1].isalnum():
            continue
        out += [text[done : value.start], mark(kind, found.group())]
        done = found.end()
    return "".join([*out, text[done:]]) if out else text
