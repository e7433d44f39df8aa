"""From evidence to ranked findings: runs the detectors and judges what they say. Pure; no model.

INVARIANT: what a proposal may rest on comes from the evidence that code planned to gather. Looks that a model
asked for can add findings, and so take a proposal away; they can never make one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from sre_agent.evidence.finding import Finding
from sre_agent.evidence.view import EvidenceView
from sre_agent.investigation.explain import STRONG
from sre_agent.investigation.fetch import MALFORMED
from sre_agent.investigation.rank import Ranked, from_text_alone, rank
from sre_agent.investigation.text_reading import text_views, weaker

Detector = Callable[[EvidenceView], tuple[Finding, ...]]


class Examined(Ranked):
    """`notes` say what could not be judged; `standing` are the causes a proposal may rest on, best first."""

    notes: tuple[str, ...] = ()
    standing: tuple[Finding, ...] = ()


def examine(view: EvidenceView, detectors: Sequence[Detector], planned: int | None = None) -> Examined:
    """Findings, causes and outcome. The first `planned` pieces of evidence (all when None) are code's own plan."""
    first = view if planned is None else view.model_copy(update={"evidence": view.evidence[:planned]})
    base, notes = _detect(first, detectors)
    ranked = rank(base, first, not notes)
    standing = _standing(ranked, first)
    if len(first.evidence) == len(view.evidence):
        return _examined(ranked, notes, standing)
    wider, more_notes = _detect(view, detectors)
    known = {(f.kind, f.object, f.namespace) for f in base}
    both = (*base, *(f for f in wider if (f.kind, f.object, f.namespace) not in known))
    notes = tuple(dict.fromkeys((*notes, *more_notes)))
    joint = rank(both, view, not notes)
    # SAFETY: a look may show what explains a rival of the first cause. That settles nothing which code's own plan left open.
    several = joint.outcome.several_causes or ranked.outcome.several_causes
    joint = joint.model_copy(update={"outcome": joint.outcome.model_copy(update={"several_causes": several})})
    same_top = bool(joint.causes and ranked.causes) and _same(joint.causes[0], ranked.causes[0])
    return _examined(joint, notes, standing if same_top else ())


def _standing(ranked: Ranked, view: EvidenceView) -> tuple[Finding, ...]:
    """The causes that a proposal may rest on; none when it could not rest on the first.

    SAFETY: what only text says is for people to read, and a weak finding is context: neither is acted on, and neither makes
    way for a lesser cause.
    """
    firm = tuple(f for f in ranked.causes if f.strength >= STRONG and not from_text_alone(f, view))
    return firm if firm and firm[0] is ranked.causes[0] else ()


def _examined(ranked: Ranked, notes: tuple[str, ...], standing: tuple[Finding, ...]) -> Examined:
    return Examined(**dict(ranked), notes=notes, standing=standing)


def _same(a: Finding, b: Finding) -> bool:
    return (a.kind, a.object, a.namespace) == (b.kind, b.object, b.namespace)


def _detect(view: EvidenceView, detectors: Sequence[Detector]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The strongest finding per (kind, object), and notes on detectors that failed or cited nothing real.

    What tools printed is read again, as objects, logs and series; it adds what the first reading did not find.
    """
    notes: list[str] = []
    best = _strongest(_run(view, detectors, notes))
    for as_objects, weight in text_views(view):
        again = _strongest(weaker(f, view, weight) for f in _run(as_objects, detectors, notes))
        known = {(kind, name) for kind, name, _ in best}  # a text often does not say in which namespace something is
        best |= {k: f for k, f in again.items() if k[:2] not in known}
    return tuple(best.values()), tuple(dict.fromkeys(notes))


def _strongest(findings: Iterable[Finding]) -> dict[tuple[str, str, str | None], Finding]:
    best: dict[tuple[str, str, str | None], Finding] = {}
    for finding in findings:
        key = (finding.kind.value, finding.object, finding.namespace)
        if key not in best or finding.strength > best[key].strength:
            best[key] = finding
    return best


def _run(view: EvidenceView, detectors: Sequence[Detector], notes: list[str]) -> Iterator[Finding]:
    ids = {e.id for e in view.evidence}
    for detector in detectors:
        name = detector.__module__.rpartition(".")[2]
        try:
            found = detector(view)
        except MALFORMED as error:
            notes.append(f"the {name} detector could not read its evidence ({type(error).__name__})")
            continue
        for finding in found:
            if finding.evidence and ids.issuperset(finding.evidence):
                yield finding
            else:
                notes.append(f"the {name} detector cited evidence that does not exist")
