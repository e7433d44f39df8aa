"""The app on a real socket: deliveries, oversize, draining, and an address that is taken."""

import asyncio
import signal

import httpx
import pytest

from sre_agent.incident.errors import ConfigurationError
from sre_agent.web import server
from sre_agent.web.server import listen, serve

pytestmark = pytest.mark.slow


@pytest.fixture
async def address(app):
    listener = listen("127.0.0.1", 0)
    stop = asyncio.Event()
    running = asyncio.create_task(serve(app, listener, stop))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop.set()
    await asyncio.wait_for(running, 5)


async def test_deliveries_over_a_real_socket_are_kept(address, shelf, sender):
    async with httpx.AsyncClient(base_url=address) as client:
        for number in range(20):
            body = sender.body(event_id=f"01EXAMPLE{number:017}", later=number)
            answer = await client.post("/webhooks/pagerduty", content=body, headers=sender.headers(body, f"delivery-{number}"))
            assert answer.status_code == 202
            assert "server" not in answer.headers
    assert len(shelf.kept) == 20


async def test_two_mebibytes_are_refused_and_the_server_lives_on(address, shelf, sender):
    body = b"x" * (2 * 1024 * 1024)
    async with httpx.AsyncClient(base_url=address) as client:
        try:
            answer = await client.post("/webhooks/pagerduty", content=body, headers=sender.headers(body))
            assert answer.status_code == 413
        except (httpx.WriteError, httpx.ReadError):
            pass  # the server may close before this side has sent everything
        assert (await client.get("/healthz")).status_code == 200
    assert shelf.kept == []


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\ncontent-length: zzz\r\n\r\n",
        b"POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\nx-pagerduty-signature: v1=\x00\r\n\r\n",
        b"POST /webhooks/pagerduty HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01 not http at all\r\n\r\n",
        b"POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nx-pagerduty-signature: v1=0\r\n\r\nZZ\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + b"".join(b"h%d: %s\r\n" % (n, b"v" * 500) for n in range(400)) + b"\r\n",
    ],
)
async def test_broken_http_never_makes_a_500(raw: bytes, address):
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        writer.write(raw)
        await writer.drain()
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        pass  # refused by closing is fine too
    writer.close()
    assert b" 500 " not in answer.split(b"\r\n")[0]
    async with httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize("sent", [b"", b"POST /webhooks/pagerduty HTTP/1.1\r\nhost: x\r\n"])
async def test_senders_that_never_finish_a_head_do_not_keep_the_others_out(sent: bytes, address, monkeypatch):
    monkeypatch.setattr(server, "HEAD_WITHIN", 0.5)
    host, port = address.removeprefix("http://").split(":")
    idle = [await asyncio.open_connection(host, int(port)) for _ in range(server.AT_MOST)]
    for _, writer in idle:
        writer.write(sent)
    ends = [await asyncio.wait_for(reader.read(), 5) for reader, _ in idle]
    assert set(ends) == {b""}
    async with httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/healthz")).status_code == 200
    for _, writer in idle:
        writer.close()


async def test_a_used_connection_must_finish_its_next_head_too(address, monkeypatch):
    monkeypatch.setattr(server, "HEAD_WITHIN", 0.5)
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b'{"alive":true}'), 5)).startswith(b"HTTP/1.1 200")
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    assert await asyncio.wait_for(reader.read(), 3) == b""
    writer.close()


async def test_serving_leaves_the_process_its_own_signal_handlers(address):
    before = signal.getsignal(signal.SIGTERM)
    async with httpx.AsyncClient(base_url=address) as client:
        await client.get("/healthz")
    assert signal.getsignal(signal.SIGTERM) is before is signal.SIG_DFL


def test_an_address_that_is_taken_is_refused_in_words():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(("host", "port"), [("203.0.113.9", 0), ("127.0.0.1", 70000)])
def test_an_impossible_address_is_refused_in_words(host: str, port: int):
    with pytest.raises(ConfigurationError, match="cannot listen"):
        listen(host, port)
