"""docs/proofs.md from the results of a run. Pure: what is shown comes in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sre_agent.policy.prove.differential import Comparison
from sre_agent.policy.prove.goals import Outcome
from sre_agent.policy.prove.trial import Fate


@dataclass(frozen=True)
class Holder:
    """One invariant of the list: what it says, how it is held (proof, test, lint), by which tests, and what to know."""

    number: str
    statement: str
    means: str
    tests: tuple[str, ...] = ()
    remark: str = ""


@dataclass
class Run:
    """Everything one run of the proofs found out. `rules` is the sha256 over schema and policies (see rules_hash)."""

    rules: str
    policies: int
    outcomes: tuple[Outcome, ...] = ()
    live: tuple[Outcome, ...] = ()
    compared: Mapping[str, Comparison] = field(default_factory=dict)
    fates: tuple[Fate, ...] = ()

    def failures(self, least_requests: int) -> tuple[str, ...]:
        """Everything that must not be; empty when all is proved."""
        found = [f"not proved: {o.number} {o.name}" for o in self.outcomes if not o.held]
        found += [f"changes nothing: {o.name}" for o in self.live if not o.held]
        requests = sum(c.requests for c in self.compared.values())
        if requests < least_requests:
            found.append(f"only {requests} requests were compared, {least_requests} are wanted")
        for world, comparison in self.compared.items():
            found += [f"{world}: {m}" for m in comparison.mismatches]
        found += [f"survived: {f.slip} in {f.policy}: {f.text}" for f in self.fates if f.survived]
        return tuple(found)


HEAD = """# Proofs

What the guard's policies promise, and how it is known. Written by `make prove`; do not edit.

The policies in `policies/` are translated into formulas, and z3 looks for a request that breaks a promise: among all
texts there are, all integers within the bounds that the program enforces on the same fields, and all combinations of
facts. When it finds none, none exists. The translation itself is the one thing not proved: it is read a second time as
plain Python, and both readings are compared with Cedar on many requests near the edges of the rules. Limits, budgets and
floors in the promises are those of `sre_agent/policy/whitelist.py`, which the program uses too.

Not covered by the proofs: the collectors that produce the facts (tests/facts), Cedar itself, and the declared data in
`policies/data/` (checked when it is loaded).
"""


def render(run: Run, holders: Sequence[Holder], when: str) -> str:
    """The whole page. `when` is the date of the run in words."""
    parts = [HEAD, _summary(run, when), _held(run, holders), _promises(run), _mutations(run), _equivalent(run), _compared(run)]
    return "\n".join(parts)


def _summary(run: Run, when: str) -> str:
    proved = sum(o.held for o in run.outcomes)
    requests = sum(c.requests for c in run.compared.values())
    wrong = sum(len(c.mismatches) for c in run.compared.values())
    rows = [
        ("date of the run", when),
        ("policies and schema (sha256)", f"`{run.rules}`"),
        ("policies enforced", str(run.policies)),
        ("goals proved", f"{proved} of {len(run.outcomes)}"),
        ("policies that change a verdict", f"{sum(o.held for o in run.live)} of {len(run.live)}"),
        ("requests compared with Cedar", f"{requests}, {wrong} answered differently"),
        ("mutants", f"{len(run.fates)}, {sum(f.survived for f in run.fates)} survived"),
    ]
    return _table(("", ""), rows)


def _held(run: Run, holders: Sequence[Holder]) -> str:
    rows = []
    for holder in holders:
        goals = [o for o in (*run.outcomes, *run.live) if o.number == holder.number]
        proof = f"{sum(o.held for o in goals)} of {len(goals)} goals proved" if goals else ""
        tests = ", ".join(f"`{t}`" for t in holder.tests)
        rows.append((holder.number, holder.statement, holder.means, "; ".join(p for p in (proof, tests, holder.remark) if p)))
    means = "P is a proof over the policies, H a test of the code around them, L a check when a bundle is loaded."
    return f"## The invariants\n\n{means}\n\n" + _table(("no.", "statement", "", "held by"), rows)


def _promises(run: Run) -> str:
    rows = [(o.number, o.name, "proved" if o.held else "**NOT PROVED**") for o in run.outcomes]
    text = (
        "## Every goal\n\nA number is that of the invariant above; G and P numbers are promises beyond the list, after the "
        'guardrail or property they serve. "possible" goals show that a promise is not kept by refusing everything.\n\n'
    )
    return text + _table(("no.", "goal", "result"), rows)


def _mutations(run: Run) -> str:
    killers = Counter(_killer(f) for f in run.fates)
    slips: dict[str, Counter[str]] = {}
    for fate in run.fates:
        slips.setdefault(fate.slip, Counter())[_killer(fate)] += 1
    columns = ("refused at load", "proof", "golden case", "proof and golden case", "no difference (proved)", "SURVIVED")
    rows = [(slip, *(str(counts[c]) for c in columns), str(counts.total())) for slip, counts in sorted(slips.items())]
    rows.append(("all", *(str(killers[c]) for c in columns), str(killers.total())))
    invariants = Counter(f.by_invariant.split(" ", 1)[0] for f in run.fates if f.by_invariant)
    named = ", ".join(f"{number} ({count})" for number, count in sorted(invariants.items(), key=lambda i: (-i[1], i[0])))
    text = "## Mutants, by who noticed\n\nEach is one slip of the pen in one policy.\n\n"
    return f"{text}{_table(('slip', *columns, 'all'), rows)}\nThe first proof that failed, by number: {named}.\n"


def _killer(fate: Fate) -> str:
    if fate.by_load:
        return "refused at load"
    if fate.by_invariant and fate.by_case:
        return "proof and golden case"
    if fate.by_invariant or fate.by_case:
        return "proof" if fate.by_invariant else "golden case"
    return "no difference (proved)" if fate.equivalent else "SURVIVED"


def _equivalent(run: Run) -> str:
    rows = [
        (f"`{f.policy}`", f.slip, f"`{' '.join(_body(f.text).split())}`") for f in run.fates if _killer(f).startswith("no diff")
    ]
    text = "## Mutants that are no mutants\n\nz3 proves that no request gets another verdict.\n\n"
    return text + _table(("policy", "slip", "reads then"), rows)


def _body(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(("@id", "@reason")))


def _compared(run: Run) -> str:
    decided: Counter[str] = Counter()
    for comparison in run.compared.values():
        decided += comparison.decided
    rows = [
        (world, str(c.requests), str(c.answers), str(c.allowed), str(c.by_z3), str(len(c.mismatches)))
        for world, c in run.compared.items()
    ]
    columns = ("requests", "asked", "answers compared", "of them allow", "read by z3 too", "different")
    rarest, count = min(decided.items(), key=lambda item: (item[1], item[0])) if decided else ("", 0)
    least = f"\nEvery policy decided at least {count} answers (`{rarest}`); {len(decided)} policies did.\n"
    return f"## Compared with Cedar\n\n{_table(columns, rows)}{least}"


def _table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    heads = tuple(columns)
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
