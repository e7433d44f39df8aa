"""The names that rules are given: of recorded series and of alerts."""

import re

from sre_agent.rules.slo import Cost, Named, Quantile, Slo, SloFile


def key(entry: Named) -> str:
    """The entry's name as part of a metric's name."""
    return re.sub(r"[^a-z0-9]+", "_", entry.name.lower()).strip("_")


def title(entry: Named) -> str:
    """The entry's name as the beginning of an alert's name: healthcare-ftl is HealthcareFtl."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", entry.name))


def alert_names(entry: Named) -> tuple[str, ...]:
    """The alerts that are written for an entry: page and ticket of an objective, with and without a baseline of a cost."""
    match entry:
        case Slo():
            return f"{title(entry)}BurnRatePage", f"{title(entry)}BurnRateTicket"
        case Cost():
            return title(entry), f"{title(entry)}NoBaseline"
        case _:
            return (title(entry),)


def error_ratio(slo: Slo, window: str) -> str:
    """The recorded share of requests that failed within a window."""
    return f"slo:{key(slo)}:error_ratio_rate{window}"


def requests(slo: Slo, window: str) -> str:
    """The recorded number of requests within a window."""
    return f"slo:{key(slo)}:requests_increase{window}"


def entries(file: SloFile) -> tuple[tuple[str, int, Slo | Quantile | Cost], ...]:
    """(list, index, entry) of everything in a file, in its order."""
    lists: tuple[tuple[str, tuple[Slo | Quantile | Cost, ...]], ...] = (
        ("slos", file.slos),
        ("quantiles", file.quantiles),
        ("costs", file.costs),
    )
    return tuple((under, i, entry) for under, held in lists for i, entry in enumerate(held))
