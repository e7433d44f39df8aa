"""All rules over one text. The result is a fixed point: what was redacted is never redacted again."""

from collections.abc import Callable

from sre_agent.evidence.redaction.addresses import addresses
from sre_agent.evidence.redaction.blocks import blocks
from sre_agent.evidence.redaction.keyed import keyed_secrets
from sre_agent.evidence.redaction.labels import labelled_people
from sre_agent.evidence.redaction.mail import mail_addresses
from sre_agent.evidence.redaction.numbers import personal_numbers
from sre_agent.evidence.redaction.placeholder import HELD, OPENING
from sre_agent.evidence.redaction.spoken import spoken_secrets
from sre_agent.evidence.redaction.vendors import vendor_tokens

SHORTEST = 5
"""Characters of "pwd=x"; nothing shorter can hold a secret."""

_ROUNDS = 4
_LONGEST_REMEMBERED = 200
_MOST_REMEMBERED = 16_384
# Values under a name go before what could be only a part of them; addresses before the "@" is taken for a mail address.
_RULES: tuple[Callable[[str, str], str], ...] = (
    blocks,
    keyed_secrets,
    spoken_secrets,
    addresses,
    vendor_tokens,
    labelled_people,
    personal_numbers,
    mail_addresses,
)
# INVARIANT: only text without any secret is remembered, so that no secret outlives its call, and no key matters to it.
_clean: set[str] = set()


def redact(text: str) -> str:
    """`text` with every recognised secret and personal datum replaced by a placeholder."""
    if len(text) < SHORTEST or text in _clean:
        return text
    cleaned = _round(text)
    if cleaned == text:
        if len(text) <= _LONGEST_REMEMBERED:
            if len(_clean) >= _MOST_REMEMBERED:
                _clean.clear()
            _clean.add(text)
        return text
    # What a rule cut away may have hidden something from an earlier one.
    for _ in range(_ROUNDS):
        again = _round(cleaned)
        if again == cleaned:
            break
        cleaned = again
    return cleaned


def forget() -> None:
    """Forget which texts were clean: for measuring."""
    _clean.clear()


def _round(text: str) -> str:
    seen, lower, bordered = text, _lowered(text), OPENING in text
    for rule in _RULES:
        if bordered:
            # A placeholder is a border: no rule sees it, or what is on the other side of it.
            parts = HELD.split(text)
            parts[::2] = [rule(part, _lowered(part)) if part else part for part in parts[::2]]
            text = "".join(parts)
        else:
            text = rule(text, lower)
            if text is not seen:
                seen, lower, bordered = text, _lowered(text), OPENING in text
    return text


def _lowered(text: str) -> str:
    """Lower case of the same length: a few letters (U+0130) have a longer one, and positions must agree."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(low if len(low := c.lower()) == 1 else c for c in text)
