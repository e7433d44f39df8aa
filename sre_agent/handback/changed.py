"""What the note says of the change behind an incident: what, when, by whom, where to look, and the score before and since.

Names and words of the change's author are data: on one line, short, without anything that could be a link or a mention.
A person is named so that somebody can be asked; it gives nobody a permission.
"""

from collections.abc import Mapping
from datetime import UTC

from sre_agent.evidence.change import Changed, ChangeKind, web_link
from sre_agent.evidence.diagnosis import Diagnosis
from sre_agent.evidence.redact import redact
from sre_agent.evidence.visible import unmarked

MOST_NAME = 80
MOST_MESSAGE = 200
_REDACTED = "[redacted"


def change_behind(diagnosis: Diagnosis) -> Changed | None:
    """The change that the best ranked cause with one is about."""
    by_key = {(f.kind, f.object, f.namespace): f for f in diagnosis.findings}
    found = (by_key.get((c.kind, c.object, c.namespace)) for c in diagnosis.root_causes)
    return next((f.changed for f in found if f is not None and f.changed is not None), None)


def change_lines(changed: Changed, page: str, names: Mapping[str, str] = {}) -> list[str]:
    """Lines for the note. `page`: the incident's own page, which draws the score; "" when there is none. `names`: of people by
    what stands for their redacted address.
    """
    lines = ["", "Changed", _what(changed), *_who(changed, names)]
    if changed.message and (said := _words(changed.message, MOST_MESSAGE)):
        lines.append(f'Said of it: "{said}"')
    score = changed.score
    if score is not None:
        before = f"{score.before:.3g} before ({score.before_count:,} scores)"
        lines.append(f"{_words(score.name)}: {before}, {score.after:.3g} since ({score.after_count:,} scores)")
    if link := web_link(changed.link):
        lines.append(f"Change: {link}")
    return [*lines, f"Chart: {page}#charts"] if page and score is not None else lines


def _what(changed: Changed) -> str:
    kind = "prompt" if changed.kind is ChangeKind.PROMPT else changed.kind.value
    named = f"{kind} {_words(changed.what)}: " if changed.what else f"{kind} "
    versions = f"{_words(changed.before or '?')} -> {_words(changed.after or '?')}"
    return f"{named}{versions}, live since {changed.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _who(changed: Changed, names: Mapping[str, str]) -> list[str]:
    """Who made the change; or else who wrote the version, which is not the same.

    For a name that was redacted: the person whose address it seems to be, or nothing.
    """
    if known := names.get((changed.author or "").strip()):
        return [f"Last changed by: {_words(known)}, as far as their redacted address tells"]
    if author := _name(changed.author):
        return [f"Last changed by: {author}"]
    if writer := _name(changed.writer):
        return [f"Version {_words(changed.after or '?')} was written by: {writer}; who made it live is not told"]
    return []


def _name(told: str | None) -> str:
    return "" if not told or _REDACTED in redact(told) else _words(told)


def _words(text: str, most: int = MOST_NAME) -> str:
    # Redacted first, so that cutting cannot split what would have been recognised.
    return unmarked(redact(text), most)
