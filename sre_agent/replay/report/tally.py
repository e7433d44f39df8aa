"""The running sum over all cases. Bounded: one Row a case, and counters. Everything is in a fixed order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sre_agent.policy.decision import Verdict
from sre_agent.replay.agreement import AgreementKind
from sre_agent.replay.replayed import Replayed
from sre_agent.replay.report.mistake import ACTING, MistakeKind
from sre_agent.replay.report.row import Row, row_of

MOST_EXAMPLES = 5


@dataclass
class Examples:
    """How often, and the first few cases of it. `told`: a reason of the first."""

    count: int = 0
    cases: list[str] = field(default_factory=list)
    told: str = ""

    def add(self, case: str, told: str = "") -> None:
        """One more."""
        self.count += 1
        self.told = self.told or told
        if len(self.cases) < MOST_EXAMPLES:
            self.cases.append(case)

    @property
    def named(self) -> str:
        """The cases for people: the first few, and how many more."""
        more = self.count - len(self.cases)
        return ", ".join(self.cases) + (f" and {more} more" if more else "")


@dataclass
class Coverage:
    """One runbook: proposals by what came of them."""

    proposed: int = 0
    alone: int = 0
    asked: int = 0
    refused: int = 0
    agreed: int = 0
    disagreed: int = 0


@dataclass
class Lacking:
    """One source: cases in which it had nothing, in which it could not answer, and which of both were handed back for it."""

    empty: int = 0
    failing: int = 0
    handed_back: int = 0


@dataclass
class Tally:
    """Takes the cases one by one. `soaks`: the runbooks' soak in seconds."""

    soaks: Mapping[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    classes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(labelled, found, true or "") -> cases."""
    verdicts: Counter[str] = field(default_factory=Counter)
    agreements: Counter[str] = field(default_factory=Counter)
    mistakes: dict[str, Examples] = field(default_factory=lambda: defaultdict(Examples))
    refusals: dict[str, Examples] = field(default_factory=lambda: defaultdict(Examples))
    labels: dict[str, Examples] = field(default_factory=lambda: defaultdict(Examples))
    uncovered: dict[str, Examples] = field(default_factory=lambda: defaultdict(Examples))
    """Kind of cause -> infrastructure incidents for which no runbook acts."""
    runbooks: dict[str, Coverage] = field(default_factory=lambda: defaultdict(Coverage))
    sources: dict[str, Lacking] = field(default_factory=lambda: defaultdict(Lacking))
    minutes: float = 0.0
    after_yes: float = 0.0
    pages: int = 0
    usd: float = 0.0
    calls: int = 0
    tokens: int = 0
    fallbacks: int = 0

    def add(self, done: Replayed) -> Row:
        """One more case; its row."""
        row = row_of(done, self.soaks)
        self.rows.append(row)
        self._count(row)
        if done.result is not None:
            self.tokens += done.result.model.input_tokens + done.result.model.output_tokens
        return row

    def _count(self, row: Row) -> None:
        if row.error:
            return
        self.classes[(row.labelled, row.found, row.true)] += 1
        self.verdicts[row.verdict] += 1
        self.agreements[row.agreement] += 1
        for mistake in row.mistakes:
            self.mistakes[mistake.kind.value].add(row.case, mistake.told)
        for gap in row.labels:
            self.labels[gap.value].add(row.case)
        if row.verdict in (Verdict.DENY, Verdict.HAND_BACK):
            for policy in row.policy_ids:
                self.refusals[policy].add(row.case, row.reason)
        if "no-runbook" in row.policy_ids:
            self.uncovered[row.cause.split(" ")[0] or "no cause named"].add(row.case)
        for source in row.empty:
            self.sources[source].empty += 1
        for source in row.failing:
            self.sources[source].failing += 1
        for source in (*row.empty, *row.failing):
            self.sources[source].handed_back += row.wanting
        self._cover(row)
        self.minutes, self.after_yes = self.minutes + row.saved.minutes, self.after_yes + row.saved.after_yes
        self.pages += row.saved.page
        self.usd, self.calls, self.fallbacks = self.usd + row.usd, self.calls + row.calls, self.fallbacks + row.fallback

    def _cover(self, row: Row) -> None:
        if not row.runbook:
            return
        book = self.runbooks[row.runbook]
        book.proposed += 1
        book.alone += row.verdict == Verdict.ALLOW
        book.asked += row.verdict == Verdict.NEEDS_APPROVAL
        book.refused += row.verdict not in ACTING
        book.agreed += row.agreement == AgreementKind.AGREE
        book.disagreed += row.agreement in (AgreementKind.DISAGREE, AgreementKind.PEOPLE_DID_NOTHING)

    @property
    def failed(self) -> list[Row]:
        """Those that could not be replayed."""
        return [r for r in self.rows if r.error]

    @property
    def mistaken(self) -> list[Row]:
        """Those with a would-be mistake, worst first, then in their order."""
        return sorted((r for r in self.rows if r.mistakes), key=lambda r: -r.severity)

    @property
    def mistake_kinds(self) -> list[tuple[MistakeKind, Examples]]:
        """The kinds that there are, worst first."""
        return [(kind, self.mistakes[kind.value]) for kind in MistakeKind if kind.value in self.mistakes]


def most_first(counted: Mapping[str, Examples]) -> list[tuple[str, Examples]]:
    """The most frequent first, then by name."""
    return sorted(counted.items(), key=lambda item: (-item[1].count, item[0]))


def by_pair(classes: Mapping[tuple[str, str, str], int], side: int) -> dict[tuple[str, str], int]:
    """Labelled class against what was found (`side` 1) or what it was (`side` 2, only where somebody says so)."""
    pairs: Counter[tuple[str, str]] = Counter()
    for key, count in classes.items():
        if key[side]:
            pairs[(key[0], key[side])] += count
    return dict(pairs)


def classes_of(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The classes that occur, in the order of the enum's words."""
    seen = {c for pair in pairs for c in pair}
    return [c for c in ("infra", "model", "tool", "mixed", "unknown") if c in seen]
