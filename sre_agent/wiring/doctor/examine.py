"""Runs the checks side by side, each with a deadline of its own: one that hangs holds up nobody else."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

from pydantic import SecretStr

from sre_agent.evidence.redact import redact
from sre_agent.incident.errors import ConfigurationError, SreAgentError
from sre_agent.settings import MASK, Settings
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections
from sre_agent.wiring.doctor.verdict import Result, Seen, Status, broken, skipped

THREADS = 64
"""Some clients block a thread while a server is silent; with fewer threads one such server would keep others from being asked."""
OURS = "doctor"
CLOSING_S = 3.0
JOIN_S = 0.5
"""What threads without work get to end by themselves."""
LONGEST = 500
SHORTEST_SECRET = 4


async def examine(checks: Sequence[Check], connections: Connections, closing_s: float = CLOSING_S) -> tuple[Result, ...]:
    """Every check's result, in the order given. Never raises what a check raises, and ends soon after the last deadline.

    `closing_s` is what checks that ignore their deadline, and connections, get to end.
    """
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix=OURS)
    asyncio.get_running_loop().set_default_executor(threads)
    if any(check.books for check in checks):
        await connections.prepare()
    tasks: dict[str, asyncio.Task[Result]] = {}
    for check in checks:  # a check stands behind the one it needs
        tasks[check.full_name] = asyncio.create_task(_one(check, connections, tasks.get(check.after)))
    # A look gets its deadline, and what it needs its own before that; beyond both nobody waits for one that ignores it.
    await asyncio.wait(tasks.values(), timeout=2 * connections.terms.timeout_s + closing_s)
    found = tuple(_ended(check, tasks[check.full_name], connections) for check in checks)
    for task in tasks.values():
        task.cancel()
    with suppress(TimeoutError):
        await asyncio.wait_for(connections.aclose(), closing_s)
    threads.shutdown(wait=False, cancel_futures=True)
    hush = Hush(connections.settings)
    return tuple(hush.result(result) for result in found)


def threads_waiting() -> bool:
    """Whether a thread of an examination that is over still waits for a server."""
    started = [t for t in threading.enumerate() if t.name.startswith((OURS, "pagerduty_"))]
    for thread in started:
        thread.join(JOIN_S / len(started))
    return any(thread.is_alive() for thread in started)


def chosen(checks: Iterable[Check], only: Sequence[str]) -> tuple[Check, ...]:
    """The checks that `only` names, by connection or by connection.check, with what they need; all, when it is empty.

    Raises ConfigurationError for a name that nothing has.
    """
    known = {c.full_name: c for c in checks}
    wanted = {name for name, c in known.items() if not only or name in only or c.connection in only}
    unknown = [o for o in only if o not in known and all(c.connection != o for c in known.values())]
    if unknown:
        connections = ", ".join(dict.fromkeys(c.connection for c in known.values()))
        raise ConfigurationError(f"there is no check {unknown[0]!r}; connections: {connections}")
    for name in reversed(known):  # what is needed stands before
        if name in wanted and known[name].after:
            wanted.add(known[name].after)
    return tuple(c for name, c in known.items() if name in wanted)


async def _one(check: Check, connections: Connections, needed: "asyncio.Task[Result] | None") -> Result:
    began = time.monotonic()
    seen = await _before(check, connections, needed) or await _looked(check, connections)
    return _result(check, seen, time.monotonic() - began)


async def _before(check: Check, connections: Connections, needed: "asyncio.Task[Result] | None") -> Seen | None:
    """Why there is nothing to look at; None when there is."""
    missing = check.unset(connections.settings)
    if missing:
        return skipped(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
    if needed is None:
        return None
    await asyncio.wait({needed})
    if needed.cancelled() or needed.exception() is not None or needed.result().status is Status.BROKEN:
        return skipped(f"not asked, because {check.after} is broken")
    return skipped(needed.result().found) if needed.result().status is Status.SKIPPED else None


async def _looked(check: Check, connections: Connections) -> Seen:
    try:
        async with asyncio.timeout(connections.terms.timeout_s):
            return await check.look(connections)
    except TimeoutError:
        return broken(f"no answer within {connections.terms.timeout_s:g} s", check.remedy)
    except SreAgentError as error:
        return broken(str(error), check.remedy)


def _ended(check: Check, task: "asyncio.Task[Result]", connections: Connections) -> Result:
    """The result of a check that ended; a defect in a check is that check's result, and takes no other's away."""
    if not task.done():
        return _result(check, broken("it did not stop when its time was over", check.remedy), 2 * connections.terms.timeout_s)
    defect = task.exception()
    if defect is None:
        return task.result()
    return _result(check, broken(f"this check has a defect: {type(defect).__name__}: {defect}", "Report it as a bug."), 0.0)


def _result(check: Check, seen: Seen, seconds: float) -> Result:
    return Result(check.connection, check.name, seen.status, seen.found, seen.todo, check.where, seconds)


class Hush:
    """Keeps secrets out of what is shown: redaction, and every secret of the settings, wherever a server repeats it."""

    def __init__(self, settings: Settings) -> None:
        values = [*settings.model_dump().values(), SecretStr(settings.heartbeat_url or "")]
        found = {s for value in _secrets(values) for s in (value, _password(value)) if len(s) >= SHORTEST_SECRET}
        self._secrets = sorted(found, key=len, reverse=True)

    def result(self, result: Result) -> Result:
        """The result with its texts on one line, redacted and bounded."""
        return Result(
            result.connection,
            result.check,
            result.status,
            self.text(result.found),
            self.text(result.todo),
            result.where,
            result.seconds,
        )

    def text(self, text: str) -> str:
        """One text."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        line = " ".join(redact(" ".join(text.split())).split())
        return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _secrets(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, Mapping):
            yield from _secrets(value.values())


def _password(secret: str) -> str:
    """The password inside a URL that is a secret as a whole: a server may repeat it alone."""
    try:
        return urlsplit(secret).password or ""
    except ValueError:
        return ""
