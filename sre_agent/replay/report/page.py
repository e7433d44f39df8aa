"""What the page of a report shows: values for templates/replay.html.j2. No clock in it: the same cases give the same bytes."""

from collections.abc import Iterator
from typing import Any

from sre_agent.evidence.redact import case_key, redact, redaction_key
from sre_agent.evidence.vocabulary import EXPLANATIONS
from sre_agent.replay.agreement import agreement
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.report import labels
from sre_agent.replay.report.details import Details
from sre_agent.replay.report.drawn import drawings, timeline
from sre_agent.replay.report.saving import APPROVALS_METHOD, METHOD, PAGES_METHOD
from sre_agent.replay.report.tally import Tally, by_pair, classes_of, most_first

TEMPLATE = "replay.html.j2"

NO_HISTORY = frozenset({"kubernetes", "redis", "redis_cluster", "postgres", "patroni", "bullmq", "topology"})
"""Sources that only know how things are now: for a past incident they answer from a recording or not at all."""


def page_values(tally: Tally, details: Details) -> dict[str, Any]:
    """For render or stream of TEMPLATE; `cases` is read one by one while the page is written."""
    told = details.positions()
    replayed = len(tally.rows) - len(tally.failed)
    return {
        "tally": tally,
        "total": len(tally.rows),
        "replayed": replayed,
        "told": frozenset(told),
        "left_out": replayed - len(told),
        "trouble": details.trouble,
        "cases": _cases(tally, details),
        "mistake_kinds": tally.mistake_kinds,
        "confusions": list(_confusions(tally)),
        "verdicts": sorted(tally.verdicts.items()),
        "agreements": sorted(tally.agreements.items()),
        "refusals": most_first(tally.refusals),
        "labels": [(gap, labels.EXPLAINED[labels.LabelGap(gap)], e) for gap, e in most_first(tally.labels)],
        "sources": [(name, tally.sources[name], name not in NO_HISTORY) for name in sorted(tally.sources)],
        "runbooks": sorted(tally.runbooks.items()),
        "uncovered": most_first(tally.uncovered),
        "methods": (METHOD, PAGES_METHOD, APPROVALS_METHOD),
    }


def _confusions(tally: Tally) -> Iterator[tuple[str, str, list[str], list[str], dict[tuple[str, str], int]]]:
    """(heading, what the columns are, rows, columns, counts)."""
    for side, word, heading in ((1, "found", "Labelled (rows) and found"), (2, "was", "Labelled (rows) and what it was")):
        pairs = by_pair(tally.classes, side)
        if pairs:
            yield heading, word, classes_of((a, a) for a, _ in pairs), classes_of((b, b) for _, b in pairs), pairs


def _cases(tally: Tally, details: Details) -> Iterator[dict[str, Any]]:
    for position, done in details.each():
        with redaction_key(case_key(done.case)):
            yield _case(position, tally, done)


def _case(position: int, tally: Tally, done: Replayed) -> dict[str, Any]:
    result, told = done.result, done.told
    return {
        "position": position,
        "row": tally.rows[position],
        "result": result,
        "told": told,
        "agreed": agreement(done),
        "note": redact(result.note) if result else "",
        "causes": [(c, EXPLANATIONS[c.kind][1]) for c in result.root_causes] if result else [],
        "timeline": timeline(told) if told else (),
        "drawings": drawings(told) if told else (),
        "warnings": [redact(w) for w in done.warnings],
    }
