"""Differences between two setups as blocks for a person at a terminal. Pure."""

from collections.abc import Iterable, Iterator

from sre_agent.replay.compare import Difference, Side

Row = tuple[str, str, str]
"""What, before, after."""

_TOLD = {"class": "alert_class", "owner": "owner", "receiver": "receiver", "root_causes": "root_causes", "reasons": "reasons"}
"""Changed fields with a row of their own, and the attribute that holds them."""


def blocks(found: Iterable[Difference]) -> Iterator[tuple[str, bool, tuple[Row, ...]]]:
    """Of each a heading, whether it is dangerous, and its rows."""
    for one in found:
        yield f"{one.kind.replace('_', ' ')}: {one.case}: {'; '.join(one.why)}", one.kind.dangerous, tuple(_rows(one))


def _rows(found: Difference) -> Iterator[Row]:
    """The verdict and what decided it always, where both sides have one; of the rest what differs."""
    before, after = found.before, found.after
    yield "verdict", before.words, after.words
    if before.error or after.error:
        return
    yield "decided by", ", ".join(before.policy_ids) or "-", ", ".join(after.policy_ids) or "-"
    for name in found.changed:
        if name in _TOLD:
            yield name.replace("_", " "), _told(before, name), _told(after, name)


def _told(side: Side, name: str) -> str:
    value = getattr(side, _TOLD[name])
    return "; ".join(value) or "-" if isinstance(value, tuple) else str(value or "-")
