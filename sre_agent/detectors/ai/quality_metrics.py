"""Quality scores that only metrics hold: gauges of a prompt's accuracy, success or the like, as Score rows.

Pure reading for changes.py; it finds nothing itself. Samples of a gauge repeat each other, so one a minute counts, and only a
metric that names a prompt is a score: the success of a whole service falls for many reasons.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import fmean

from sre_agent.evidence.ai.answer import plain
from sre_agent.evidence.ai.quality import Score
from sre_agent.evidence.rates import is_counter, shift
from sre_agent.evidence.view import EvidenceView

_QUALITY = re.compile(
    r"accuracy|precision|recall|f1|relevan|faithful|grounded|quality|csat|satisfaction|resolution|containment|success|score"
    r"|hallucination|toxicity|misroute|refusal|escalation|word_error"
)
_NO_GAUGE = re.compile(r"_(total|count|sum|bucket|created|info)$")
_PROMPT_LABELS = ("prompt", "prompt_name", "gen_ai_prompt_name", "langfuse_prompt")
_VERSION_LABELS = ("prompt_version", "langfuse_prompt_version", "version")
_MINUTE_S = 60.0
# Minutes of a gauge follow each other, which a t statistic does not know: it must have left its own spread as well.
MIN_SHIFT = 4.5
MIN_CHANGE = 0.05


def measured_scores(view: EvidenceView) -> Iterator[tuple[str, Score]]:
    """(evidence id, minute's mean) of every gauge of quality that names its prompt and changed its level near the onset."""
    for evidence_id, series in view.series():
        if not _QUALITY.search(series.name) or _NO_GAUGE.search(series.name):
            continue
        labels = {plain(k): v for k, v in series.labels.items() if v}
        prompt = next((labels[n] for n in _PROMPT_LABELS if n in labels), None)
        if prompt is None or is_counter(series):
            continue
        moved = shift(series.finite(), view.scope.onset)
        if moved is None or abs(moved.score) < MIN_SHIFT or abs(moved.after - moved.before) < MIN_CHANGE * abs(moved.before):
            continue
        minutes: dict[float, list[float]] = defaultdict(list)
        for t, v in series.finite():
            minutes[t // _MINUTE_S * _MINUTE_S].append(v)
        version = next((labels[n] for n in _VERSION_LABELS if n in labels), None)
        for start, values in sorted(minutes.items()):
            at = datetime.fromtimestamp(start, UTC)
            yield evidence_id, Score(name=series.name, timestamp=at, value=fmean(values), prompt=prompt, version=version)
