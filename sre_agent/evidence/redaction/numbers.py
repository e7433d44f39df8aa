"""Numbers that name a person: payment cards, accounts, telephones, national and health identifiers, dates of birth.

Unlabelled, only what its form or its check digits tell from the numbers that logs are full of; labelled ("MRN: ...",
"phone=..."), whatever stands behind the label.
"""

import re

from sre_agent.evidence.redaction.check_digits import is_card, is_iban, is_nhs
from sre_agent.evidence.redaction.placeholder import mark
from sre_agent.evidence.redaction.value import value_at

_RUN = re.compile(r"\d(?:[ ().\-/]{0,3}\d){8,30}")
_NEVER = re.compile(
    r"\d{1,3}(?:\.\d{1,3}){3}|\d{1,13}|[017-9]\d{13,}"
)  # addresses, times, ids: no identifier of a person has this form
_B, _E = r"(?<![\w.\-/+])", r"(?![\w\-/]|\.\d)"
_CARD = re.compile(
    rf"{_B}(?:\d{{4}}([ .-]?)\d{{4}}\1\d{{4}}\1\d{{4}}(?:\1\d{{3}})?|\d{{4}}([ -])\d{{6}}\2\d{{4,5}}|\d{{14,19}}){_E}"
)
_NATIONAL = re.compile(rf"{_B}\d{{3}}-\d{{2}}-\d{{4}}{_E}")
_NHS = re.compile(rf"{_B}\d{{3}}([ -])\d{{3}}\1\d{{4}}{_E}")
_E164 = re.compile(r"(?<![\w.+-])\(?\+\(?[1-9]\d{0,2}\)?(?:[ .()/-]{0,3}\d{1,8}){1,6}" + _E)  # ITU-T E.164: 8 to 15 digits
_DIALLED = re.compile(
    rf"{_B}(?:"
    r"(?:1[ .-])?(?:\([2-9]\d{2}\)[ .-]?|[2-9]\d{2}[.-])\d{3}[ .-]?\d{4}|"  # North America
    r"00[1-9]\d{1,2}(?:[ ()/-]{1,2}\d{2,8}){1,5}|"  # "00" for "+"
    r"0[1-9](?:([ .-])\d{2})(?:\1\d{2}){3}|"  # France
    r"\(?0[1-9]\d{1,3}\)?[ /-]\d{6,8}|"  # Germany
    r"\(?0[1-9]\d{1,4}\)? \d{3,4} \d{3,4}"  # Britain, Australia
    rf"){_E}"
)
# From its check digits on: there are fewer digits than letters to look at.
_IBAN = re.compile(
    r"\d\d(?:(?<=[A-Z]{2}\d\d)(?<![A-Za-z0-9_]....)(?:[A-Z0-9]{11,30}|(?:[ -][A-Z0-9]{4}){2,7}(?:[ -][A-Z0-9]{1,3})?)|"
    r"(?<=[a-z]{2}\d\d)(?<![A-Za-z0-9_]....)[a-z0-9]{11,30})(?![A-Za-z0-9])"
)

_LABELS = {
    "health-id": (
        r"mrn|medical[ _-]?record(?:[ _-]?(?:number|num|no|id))?|patient[ _-]?(?:id|number|no|nr)|npi|nhs(?:[ _-]?(?:number|num|no|id))?|mbi|"
        r"(?:health|medical)[ _-]?(?:insurance|plan|card)(?:[ _-]?(?:id|number|no))?|insurance[ _-]?(?:id|number|no|member[ _-]?id)|"
        r"medicare(?:[ _-]?(?:id|number|no))?|medicaid(?:[ _-]?(?:id|number|no))?|beneficiary[ _-]?(?:id|number)|hicn|"
        r"krankenversicherten(?:nummer|nr)|(?:insurance|health)[ _-]?policy[ _-]?(?:number|no)"
    ),
    "birth-date": r"dob|date[ _-]?of[ _-]?birth|birth[ _-]?dat[ea]|birthday|geburtsdatum",
    "national-id": r"ssn|social[ _-]?security(?:[ _-]?(?:number|no))?|tax[ _-]?id|tin|itin|passport(?:[ _-]?(?:number|no))?|"
    r"driver'?s?[ _-]?licen[cs]e(?:[ _-]?(?:number|no))?|national[ _-]?id|aadhaar|nino|national[ _-]?insurance[ _-]?(?:number|no)",
    "phone": r"(?:tele)?phone(?:[ _-]?(?:number|num|no))?|mobile(?:[ _-]?(?:number|no))?|cell(?:phone)?(?:[ _-]?number)?|msisdn|fax|whatsapp|"
    r"sms[ _-]?to|caller[ _-]?id|diall?ed|tel",
    "card": r"(?:credit|debit|payment)?[ _-]?card[ _-]?(?:number|num|no)|cc[ _-]?(?:num(?:ber)?|no)|pan|cvv2?|cvc2?",
    "iban": r"iban|(?:bank[ _-]?)?account[ _-]?(?:number|no)|sort[ _-]?code|routing[ _-]?number|bic",
    "value": r"otp|(?:mfa|2fa|totp|verification|one[ _-]?time|recovery|backup|sms|auth)[ _-]?code|pin(?:[ _-]?code)?",
}
_LABEL = re.compile(
    "(?<![a-z0-9])(?:"
    + "|".join(rf"(?P<{kind.replace('-', '_')}>{words})" for kind, words in _LABELS.items())
    + r")\\{0,7}[\"'`]?(?:[ \t]{0,8}(?:=>|[:=#]|->)[ \t]{0,16}|[ \t]{1,2}(?:is |was |no\.? |number |# ?)?(?=[+(]?\d)|(?<=[a-z])>)"
)
_LABEL_HINTS = (
    "mrn", "medic", "patient", "npi", "nhs", "mbi", "insurance", "benefici", "hicn", "kranken", "policy", "dob", "birth", "geburts", "ssn",
    "social", "tax", "tin=", "tin:", 'tin"', "passport", "licen", "national", "aadhaar", "nino", "phone", "mobile", "cell_", "cell:", "cell=",
    "cell ", "msisdn", "fax", "whatsapp", "sms", "caller", "tel=", "tel:", 'tel"', "tel ", "dialed", "dialled", "card", "cc_", "ccn",
    "cc n", "pan=", "pan:", 'pan"', "pan ", "cvv", "cvc", "iban", "account", "sort", "routing", "bic", "otp", "mfa", "2fa", "verif", "one-t",
    "one_t", "one t", "y_code", "p_code", "h_code", "pin=", "pin:", 'pin"', "pin ", "pin_", "pincode",
)  # fmt: skip
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


def personal_numbers(text: str, lower: str) -> str:
    """Every number that its label, its form or its check digits tell as personal."""
    for hint in _LABEL_HINTS:
        if hint in lower:
            text = _labelled(text, lower)
            break
    return _accounts(_unlabelled(text))


def _labelled(text: str, lower: str) -> str:
    """What stands behind a label and has the form that the label promises."""
    out, done = [], 0
    for match in _LABEL.finditer(lower):
        kind = (match.lastgroup or "").replace("_", "-")
        value = value_at(text, match.end(), in_query=True)
        end = value.end if value.quoted else max(value.end, min(len(text), value.start + _LONGEST_SPACED))
        found = _FORMS[kind].match(text, value.start, end)
        if found is None or value.start < done or text[found.end() : found.end() + 1].isalnum():
            continue
        out += [text[done : value.start], mark(kind, found.group())]
        done = found.end()
    return "".join([*out, text[done:]]) if out else text


def _unlabelled(text: str) -> str:
    """Each run of nine or more digits, judged with what stands around it."""
    out, done = [], 0
    for run in _RUN.finditer(text):
        if _NEVER.fullmatch(run.group()) or run.start() < done:
            continue
        start, end = max(done, run.start() - 4), min(len(text), run.end() + 2)
        piece = judged = text[start:end]
        for pattern, kind, holds in _KINDS:
            judged = pattern.sub(lambda m, kind=kind, holds=holds: mark(kind, m.group()) if holds(m.group()) else m.group(), judged)
        if judged != piece:
            out += [text[done:start], judged]
            done = end
    return "".join([*out, text[done:]]) if out else text


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _card(text: str) -> bool:
    digits = _digits(text)
    return is_card(digits, grouped=len(digits) < len(text))


_KINDS = (
    (_CARD, "card", _card),
    (_NATIONAL, "national-id", lambda _: True),
    (_NHS, "health-id", lambda text: is_nhs(_digits(text))),
    (_E164, "phone", lambda text: 8 <= len(_digits(text)) <= 15),
    (_DIALLED, "phone", lambda text: 9 <= len(_digits(text)) <= 16),
)


def _accounts(text: str) -> str:
    """Each IBAN. Words behind a spaced one may look like its last groups: they are let go until its check holds."""
    out: list[str] = []
    done = 0
    for match in _IBAN.finditer(text):
        start, end = match.start() - 2, match.end()
        while end - start >= 15 and not is_iban(text[start:end]):
            end = max(text.rfind(" ", start, end), text.rfind("-", start, end), start)
        if end - start >= 15 and start >= done:
            out += [text[done:start], mark("iban", text[start:end])]
            done = end
    return "".join([*out, text[done:]]) if out else text
