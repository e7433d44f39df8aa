"""PostgreSQL under Patroni: every member answers, as one cluster with one leader."""

from sre_agent.evidence.postgres.patroni import PatroniView
from sre_agent.sources.patroni import CALL_S, PatroniSource
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Seen, broken, listed, ok, warning


async def _members(connections: Connections) -> Seen:
    views = await PatroniSource(connections.settings.patroni_urls, min(CALL_S, connections.request_s)).members()
    silent = [f"{v.url}: {v.error}" for v in views if v.error]
    if silent:
        todo = "Check PATRONI_URLS and the members; a switchover needs an answer from each."
        return broken(f"{len(silent)} of {len(views)} members do not answer: {listed(silent, 3)}", todo)
    return _judged(views)


def _judged(views: tuple[PatroniView, ...]) -> Seen:
    scopes = sorted({v.scope for v in views})
    if len(scopes) != 1 or len({v.system for v in views}) != 1:
        return broken(f"the members belong to different clusters: {listed(scopes)}", "PATRONI_URLS is one cluster's members only.")
    unlisted = {m.name for v in views for m in v.members} - {v.name for v in views}
    if unlisted:
        return warning(f"{listed(sorted(unlisted))} of {scopes[0]} is not in PATRONI_URLS", "List every member: each is asked.")
    leaders = {v.leader.name if v.leader else "nobody" for v in views}
    if leaders == {"nobody"} or len(leaders) != 1:
        return broken(f"{scopes[0]} has no leader that all agree on: {listed(sorted(leaders))}", "Look at `patronictl list`.")
    if any(v.paused for v in views):
        return warning(f"{scopes[0]} is in maintenance mode", "`patronictl resume`, when whoever paused it is done.")
    return ok(f"{len(views)} members of {scopes[0]} answer, led by {leaders.pop()}")


async def _writer(connections: Connections) -> Seen:
    s = connections.settings
    clear = [url for url in s.patroni_urls if url.startswith("http://")]
    if clear:
        return warning(
            f"the hands' password would go to {listed(clear, 3)} in clear", "Let Patroni serve https, or keep this network private."
        )
    return ok("the hands have a user; Patroni asks for it at a switchover only, so it was not tried")


_ASK = "Check that the REST port of every member (8008) can be reached from here."
_URLS = ("PATRONI_URLS",)
_WRITE = (*_URLS, "PATRONI_WRITE_USERNAME")
CHECKS = (
    Check("patroni", "members", "Every member answers, as one cluster with one leader.", _members, _ASK, _URLS),
    Check(
        "patroni",
        "write_user",
        "The hands' user is not sent in clear.",
        _writer,
        _ASK,
        _WRITE,
        ("PATRONI_WRITE_PASSWORD",),
    ),
)
