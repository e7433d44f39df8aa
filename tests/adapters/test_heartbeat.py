"""The dead-man's switch: beats while well, silent in every other case, and never falls over."""

import asyncio
import http.server
import threading
from datetime import UTC, datetime

import pytest

from sre_agent.adapters import heartbeat
from sre_agent.adapters.heartbeat import Heartbeat
from sre_agent.incident.errors import Transient

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Stopped:
    def now(self) -> datetime:
        return NOW


class Monitor(http.server.BaseHTTPRequestHandler):
    """Answers what its server was told to and counts the calls."""

    def do_GET(self) -> None:
        self.server.calls.append(self.path)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def monitor():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Monitor)
    server.calls, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _url(server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/ping/capability"


async def _well() -> str | None:
    return None


async def _unwell() -> str | None:
    return "no worker is alive"


async def _unreachable() -> str | None:
    raise Transient("the database cannot be reached")


async def _hangs() -> str | None:
    await asyncio.Event().wait()


async def test_a_healthy_agent_beats_and_pings(monitor):
    beats: list[datetime] = []
    assert await Heartbeat(_url(monitor), _well, beats.append, Stopped()).once()
    assert (beats, monitor.calls) == ([NOW], ["/ping/capability"])


@pytest.mark.parametrize("unwell", [_unwell, _unreachable, _hangs])
async def test_an_unhealthy_agent_keeps_silent(unwell, monitor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heartbeat, "ANSWER_WITHIN", 0.05)
    beats: list[datetime] = []
    assert not await Heartbeat(_url(monitor), unwell, beats.append, Stopped()).once()
    assert (beats, monitor.calls) == ([], [])


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_a_monitor_that_refuses_is_logged_without_its_address(status: int, monitor, caplog):
    monitor.status = status
    assert not await Heartbeat(_url(monitor), _well, lambda _: None, Stopped()).once()
    [record] = [r for r in caplog.records if r.name == heartbeat.__name__]
    assert (record.message, record.reason) == ("heartbeat_failed", f"status {status}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/capability", "http://[broken/capability"])
async def test_a_monitor_that_cannot_be_reached_is_survived(url: str, caplog):
    assert not await Heartbeat(url, _well, lambda _: None, Stopped()).once()
    assert "capability" not in caplog.text


async def test_without_an_address_the_metric_alone_beats():
    beats: list[datetime] = []
    assert await Heartbeat(None, _well, beats.append, Stopped()).once()
    assert beats == [NOW]


async def test_it_beats_until_told_to_stop():
    stop, beats = asyncio.Event(), []

    def beat(now: datetime) -> None:
        beats.append(now)
        if len(beats) == 3:
            stop.set()

    await asyncio.wait_for(Heartbeat(None, _well, beat, Stopped()).run(stop, interval=0.001), 5)
    assert len(beats) == 3
