"""Explanations and differences as lines for a person at a terminal. Pure."""

from collections.abc import Iterator, Sequence

from sre_agent.policy.decision import Verdict
from sre_agent.policy.difference import Edit, Judged, VerdictChange
from sre_agent.policy.explain import APPROVALS, Change, Explanation, Reason
from sre_agent.policy.variation import Value

MOST_POLICY_TEXT = 400


def explanation_lines(e: Explanation) -> Iterator[str]:
    """The verdict, every policy behind it, and what would have to be different."""
    yield f"verdict: {verdict_words(e.verdict, e.approvals_required)}"
    if e.fault:
        yield f"the guard itself failed: {e.fault}"
        return
    for reason in e.deciding:
        yield ""
        yield from _reason_lines(reason)
    if not e.deciding:
        yield f"no grant holds: {'; '.join(e.reasons)}"
    for grant in e.nearest_grants:
        yield ""
        yield "the nearest grant:"
        yield from _reason_lines(grant)
    if e.together is not None and len(e.together.changes) > 1:
        yield ""
        yield f"with all of this at once: {_after(e.together.verdict, e.together.approvals_required, e.together.policy_ids)}"
        yield from (f"    {path} = {shown(then)}" for path, then in e.together.changes.items())
    if e.shadow_ids:
        yield ""
        yield f"on trial, not enforced, and would refuse: {', '.join(e.shadow_ids)}"


def _reason_lines(reason: Reason) -> Iterator[str]:
    yield f"{reason.id} ({reason.outcome or reason.effect}, {reason.place})"
    yield f"    {reason.reason}"
    if reason.effect == "permit" and not reason.changes:
        return
    turned = "would not refuse" if reason.effect == "forbid" else "would hold"
    if reason.changes:
        yield f"    it {turned} with any one of:"
        yield from (f"        {_change_words(c)}" for c in reason.changes)
    elif not reason.reads:
        yield "    nothing lifts it: it looks at nothing, so this is never allowed"
    else:
        yield f"    no single thing lifts it; it looks at {', '.join(reason.reads)}"


def _change_words(c: Change) -> str:
    after = _after(c.verdict, c.approvals_required, c.policy_ids)
    if c.path == APPROVALS and isinstance(c.then, int):
        return f"{people(c.then)} saying yes: then {after}"
    return f"{c.path} = {shown(c.then)} (now {shown(c.now)}): then {after}"


def _after(verdict: Verdict, approvals: int | None, ids: Sequence[str]) -> str:
    by = f" by {', '.join(ids)}" if verdict in (Verdict.DENY, Verdict.HAND_BACK) else ""
    return verdict_words(verdict, approvals) + by


def verdict_words(verdict: Verdict, approvals: int | None) -> str:
    """The verdict, with how many people it takes."""
    return f"{verdict.value} ({people(approvals or 0)})" if verdict is Verdict.NEEDS_APPROVAL else verdict.value


def people(count: int) -> str:
    """ "1 person", "2 people"."""
    return f"{count} person" if count == 1 else f"{count} people"


def shown(value: Value) -> str:
    """A value as a policy test would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value) if value != "" else '""'


def edit_lines(edits: Sequence[Edit]) -> Iterator[str]:
    """What was edited, and whether that gives more room."""
    words = {"more": "  [more room]", "maybe": "  [may give more room]", "no": ""}
    for edit in edits:
        yield f"{edit.what} {edit.file}: {edit.name}{words[edit.room]}"
        if edit.before:
            yield f"    - {_cut(edit.before)}"
        if edit.after:
            yield f"    + {_cut(edit.after)}"


def verdict_lines(changes: Sequence[VerdictChange]) -> Iterator[str]:
    """Recorded requests that would be judged differently."""
    for c in changes:
        yield f"{c.name}: {_judged(c.before)} -> {_judged(c.after)}{'  [more room]' if c.wider else ''}"


def _judged(j: Judged) -> str:
    return f"{verdict_words(j.verdict, j.approvals_required)} ({', '.join(j.policy_ids) or '-'})"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_POLICY_TEXT else f"{text[:MOST_POLICY_TEXT]} ..."
