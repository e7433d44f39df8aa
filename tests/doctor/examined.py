"""What the doctor's tests share: look at some checks with given settings, and servers that are silent or lie."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sre_agent.settings import fixed
from sre_agent.testing.http_stand_in import Asked, HttpStandIn, Reply
from sre_agent.wiring.doctor.connections import Connections, Terms
from sre_agent.wiring.doctor.examine import chosen, examine
from sre_agent.wiring.doctor.registry import CHECKS
from sre_agent.wiring.doctor.verdict import Result, Status

BROKEN, WARNING, OK, SKIPPED = Status


async def looked(only: str, settings: Mapping[str, object], terms: Terms | None = None, clock=None) -> dict[str, Result]:
    """The results of the checks that `only` names (with commas), by full name."""
    connections = Connections(fixed(settings), terms or Terms(timeout_s=20.0), clock)
    return {r.name: r for r in await examine(chosen(CHECKS, only.split(",")), connections)}


async def one(name: str, settings: Mapping[str, object], **more) -> Result:
    """One check's result."""
    return (await looked(name, settings, **more))[name]


class Liar(HttpStandIn):
    """Answers everything with a sign-in page and status 200, as proxies do."""

    def answer(self, asked: Asked) -> Reply:
        return Reply(200, "<!doctype html><title>Sign in</title>", "text/html")


@contextmanager
def silence() -> Iterator[str]:
    """host:port of a server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def declared(folder: Path, **files: object) -> str:
    """A folder of policy data with these files (teams={...} is teams.yaml); JSON is YAML."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(json.dumps(content))
    return str(folder)


MANAGED = {"managed": True, "environment": "prod", "team": "platform", "service": "voice"}
