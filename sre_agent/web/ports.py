"""What the web room needs of the rest: plain callables and protocols, handed in by wiring."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from sre_agent.incident.clock import Clock
from sre_agent.response.store import Store
from sre_agent.web.metrics import Metrics


@dataclass(frozen=True)
class Probe:
    """One condition of readiness. `check` answers None when it holds, else what is wrong, for a person.

    It may raise an SreAgentError, which counts as "wrong".
    """

    name: str
    check: Callable[[], Awaitable[str | None]]


@dataclass(frozen=True)
class WebPorts:
    """Everything an app is made of.

    `pagerduty_secrets` is by subscription id, "" for any; empty answers 503 at that door. `probes` are the
    conditions of `/readyz`: database, migrations, bundle, workers. `notes` are told there and make nothing unready.
    """

    store: Store
    clock: Clock
    metrics: Metrics
    pagerduty_secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    probes: tuple[Probe, ...] = ()
    notes: tuple[Probe, ...] = ()
