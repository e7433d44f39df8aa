"""The same recordings, shaken: do the answers rest on these very samples, names and onsets, or on what they show?

Everything is drawn from one seed, so a run can be repeated. The spread is a bootstrap over cases (B. Efron, "Bootstrap
Methods: Another Look at the Jackknife", Annals of Statistics 1979): how much the share would move with other cases like these.
"""

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from sre_agent.evidence.series import Series
from sre_agent.replay.case import Case
from sre_agent.replay.case_shapes import TopologyFile

LOST = 0.3
MOVED = timedelta(minutes=2)
DRAWS = 2000
_NAMES = ("service", "client", "server")
Rename = Callable[[str], str]


def same(name: str) -> str:
    """No other name."""
    return name


def renamed(name: str) -> str:
    """A name that says nothing, the same for the same service."""
    return f"svc-{zlib.crc32(name.encode()):08x}".translate(str.maketrans("0123456789", "ghijklmnop"))


def without_rows(case: Case) -> Case:
    """Three of ten samples and log lines are missing, each for itself."""
    rng = _rng(case)
    metrics = tuple(_thinned(s, rng) for s in case.metrics or ())
    logs = tuple(replace(log, lines=tuple(line for line in log.lines if rng.random() >= LOST)) for log in case.logs)
    return replace(case, metrics=metrics, logs=logs)


def without_metrics(case: Case) -> Case:
    """Three of ten metrics are missing, for all services; and so are three of ten ways between services."""
    rng = _rng(case)
    gone: dict[tuple[str, ...], bool] = {}
    kept = []
    for series in case.metrics or ():
        edge = series.labels.get("client", ""), series.labels.get("server", "")
        key = edge if any(edge) else (series.name,)
        if not gone.setdefault(key, rng.random() < LOST):
            kept.append(series)
    return replace(case, metrics=tuple(kept))


def earlier(case: Case) -> Case:
    """The alert's time is two minutes before it really began."""
    return _moved(case, -MOVED)


def later(case: Case) -> Case:
    """The alert's time is two minutes after it really began."""
    return _moved(case, MOVED)


def other_names(case: Case) -> Case:
    """Every service has another name, in metrics, logs and the call graph; the alert's own as well."""

    def label(series: Series) -> Series:
        return series.model_copy(update={"labels": {k: renamed(v) if k in _NAMES else v for k, v in series.labels.items()}})

    calls = tuple((renamed(a), renamed(b)) for a, b in case.topology.calls) if case.topology else ()
    alerts = tuple(
        a.model_copy(update={"labels": {k: renamed(v) if k == "service" else v for k, v in a.labels.items()}})
        for a in case.incident.alerts
    )
    reference = case.incident.service
    service = reference.model_copy(update={"name": renamed(reference.name)}) if reference.name else reference
    return replace(
        case,
        metrics=tuple(label(s) for s in case.metrics or ()),
        topology=TopologyFile(calls=calls) if case.topology else None,
        incident=case.incident.model_copy(update={"alerts": alerts, "service": service}),
    )


WAYS: dict[str, tuple[Callable[[Case], Case], Rename]] = {
    "as recorded": (lambda case: case, same),
    "3 of 10 samples and log lines lost": (without_rows, same),
    "3 of 10 metrics lost": (without_metrics, same),
    "onset told 2 minutes early": (earlier, same),
    "onset told 2 minutes late": (later, same),
    "services renamed": (other_names, renamed),
}


def spread(good: Sequence[bool]) -> tuple[float, float]:
    """The 5th and 95th percentile of the share, over DRAWS draws of as many cases."""
    rng = random.Random(0)
    shares = sorted(sum(rng.choices(good, k=len(good))) / len(good) for _ in range(DRAWS))
    return shares[DRAWS // 20], shares[-DRAWS // 20]


def _thinned(series: Series, rng: random.Random) -> Series:
    return series.model_copy(update={"samples": tuple(s for s in series.samples if rng.random() >= LOST)})


def _moved(case: Case, by: timedelta) -> Case:
    alerts = tuple(a.model_copy(update={"starts_at": a.starts_at + by if a.starts_at else None}) for a in case.incident.alerts)
    incident = case.incident.model_copy(update={"alerts": alerts, "created_at": case.incident.created_at + by})
    return replace(case, incident=incident)


def _rng(case: Case) -> random.Random:
    return random.Random(zlib.crc32(case.id.encode()))
