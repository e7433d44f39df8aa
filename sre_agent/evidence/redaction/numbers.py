"""Numbers that name a person and show it: by their form or by their check digits, among the numbers that logs are full of."""

import re
from collections.abc import Callable

from sre_agent.evidence.redaction.check_digits import is_card, is_iban, is_nhs
from sre_agent.evidence.redaction.placeholder import mark

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


def personal_numbers(text: str, lower: str) -> str:  # noqa: ARG001
    """Every number that its form or its check digits tell as personal."""
    return _unlabelled(_accounts(text))


def _unlabelled(text: str) -> str:
    """Each run of nine or more digits, judged with what stands around it."""
    out, done = [], 0
    for run in _RUN.finditer(text):
        dialled = run.start() > 0 and text[run.start() - 1] == "+"
        if run.start() < done or (not dialled and _NEVER.fullmatch(run.group())):
            continue
        start, end = max(done, run.start() - 4), min(len(text), run.end() + 2)
        piece = judged = text[start:end]
        for pattern, kind, holds in _KINDS:
            judged = pattern.sub(_marking(kind, holds), judged)
        if judged != piece:
            out += [text[done:start], judged]
            done = end
    return "".join([*out, text[done:]]) if out else text


def _marking(kind: str, holds: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    return lambda match: mark(kind, match.group()) if holds(match.group()) else match.group()


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _card(text: str) -> bool:
    digits = _digits(text)
    return is_card(digits, grouped=len(digits) < len(text))


_KINDS: tuple[tuple[re.Pattern[str], str, Callable[[str], bool]], ...] = (
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
