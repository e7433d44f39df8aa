"""The entrance as settings make it, with the whole app on a real socket in front of a browser."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from sre_agent.approval.teams import Person
from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.people import People
from sre_agent.settings import fixed
from sre_agent.testing.memory_store import MemoryStore
from sre_agent.testing.oidc import CLIENT, SECRET, OidcIssuer
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import WebPorts
from sre_agent.web.server import listen, serve
from sre_agent.wiring.clock import SystemClock
from sre_agent.wiring.sign_in import FILE, entrance

PEOPLE = People(people=(Person(id="ana", name="Ana", oidc="ana@example.com"),), teams={}, admins=("ana",))
API = "/api/v1/incidents"
EMAIL = "x-forwarded-email"


@asynccontextmanager
async def served(people: People = PEOPLE, listener: socket.socket | None = None, **given: object) -> AsyncIterator[str]:
    """The address of the app with these settings."""
    listener = listener or listen("127.0.0.1", 0)
    ports = WebPorts(MemoryStore(), SystemClock(), Metrics(), entrance=entrance(fixed(given), people, listener))
    stop = asyncio.Event()
    host, port = listener.getsockname()[:2]
    running = asyncio.create_task(serve(create_app(ports), listener, stop))
    yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    stop.set()
    await asyncio.wait_for(running, 5)


def _proxied(tmp_path: Path) -> dict[str, object]:
    """A proxy on this machine, which marks what it passes on."""
    return {
        "SRE_AGENT_DATA_DIR": str(tmp_path),
        "SRE_AGENT_TRUSTED_PROXIES": "127.0.0.1",
        "SRE_AGENT_PUBLIC_URL": "https://sre.example",
    }


async def test_with_nothing_set_up_a_printed_address_lets_one_browser_look(tmp_path: Path, capsys):
    async with served(SRE_AGENT_DATA_DIR=str(tmp_path)) as url, httpx.AsyncClient(base_url=url) as browser:
        assert (await browser.get("/nowhere")).status_code == 303
        [line] = capsys.readouterr().err.splitlines()
        address = line.rpartition(" ")[2]
        assert address.startswith(f"{url}/sign-in/token?token=")
        assert (await browser.get(address)).status_code == 303
        assert (await browser.get("/nowhere")).status_code == 404
        async with httpx.AsyncClient(base_url=url) as other:
            assert (await other.get(address)).status_code == 403
        assert capsys.readouterr().err.count("token=") == 1, "the next one"


async def test_a_listener_on_every_address_prints_one_of_this_machine(tmp_path: Path, capsys):
    async with served(listener=listen("0.0.0.0", 0), SRE_AGENT_DATA_DIR=str(tmp_path)):
        assert "http://127.0.0.1:" in capsys.readouterr().err


async def test_over_ipv6_the_printed_address_works_as_well(tmp_path: Path, capsys):
    try:
        listener = listen("::1", 0)
    except ConfigurationError:
        return  # a machine without IPv6
    async with (
        served(listener=listener, SRE_AGENT_DATA_DIR=str(tmp_path)) as url,
        httpx.AsyncClient(base_url=url) as browser,
    ):
        assert (await browser.get(capsys.readouterr().err.split()[-1])).status_code == 303
        assert (await browser.get("/nowhere")).status_code == 404


async def test_behind_a_proxy_nothing_is_printed_and_its_users_are_known(tmp_path: Path, capsys):
    async with served(**_proxied(tmp_path)) as url, httpx.AsyncClient(base_url=url) as proxy:
        assert capsys.readouterr().err == ""
        assert (await proxy.get("/nowhere")).status_code == 303
        assert (await proxy.get("/nowhere", headers={EMAIL: "ana@example.com"})).status_code == 404
        assert (await proxy.get(API, headers={"x-forwarded-for": "203.0.113.9"})).status_code == 401
        assert (await proxy.get(API, headers={"x-forwarded-for": "203.0.113.9", EMAIL: "ana@example.com"})).status_code == 200
        assert (await proxy.get("/sign-in/token?token=x")).status_code == 404


@pytest.mark.parametrize(
    "head",
    [
        "X-Forwarded-Email : ana@example.com",
        "X-Forwarded-Email\t: ana@example.com",
        " X-Forwarded-Email: ana@example.com",
        "X-Forwarded-Email: ana@example.com\r\nX-Forwarded-Email: ana@example.com",
        "X-Forwarded-Email: ana@example.com\r\nx_forwarded_email: ben@example.com",
        "X-Forwarded-Email: nobody\r\n ana@example.com",
        "X-Forwarded-Email: ana@example.com\x00",
        "X-Forwarded-Email: ana@example.com\rX: y",
        "X-Forwarded-Emaiı: ana@example.com",
        "X: y\nX-Forwarded-Email: ana@example.com\r\nHost: evil.example",
        "X-Forwarded-Email: ana@example.com\r\nHost: sre.example",
        "X-Forwarded-Email: ana@example.com\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        "Cookie: " + "a=b; " * 30_000,
    ],
)
async def test_heads_that_servers_read_differently_bring_nobody(head: str, tmp_path: Path):
    """The request has a Host of its own, so one in `head` is the second."""
    async with served(**_proxied(tmp_path)) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        answer = b""
        try:
            writer.write(f"GET /nowhere HTTP/1.1\r\nHost: sre.example\r\n{head}\r\n\r\n".encode())
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(4096), 5)
        except ConnectionError:
            pass  # refused by closing is fine too
        writer.close()
    status = answer.split(b"\r\n")[0]
    assert answer == b"" or b" 4" in status or b" 303 " in status
    assert b" 404 " not in status, "reached the app"


async def test_a_request_hidden_in_the_body_of_another_is_never_read(tmp_path: Path):
    """A proxy that counts by Content-Length passes all of this on as one request of a stranger's."""
    hidden = "GET /nowhere HTTP/1.1\r\nHost: sre.example\r\nX-Forwarded-Email: ana@example.com\r\n\r\n"
    body = f"0\r\n\r\n{hidden}"
    async with served(**_proxied(tmp_path)) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /sign-in HTTP/1.1\r\nHost: sre.example\r\nContent-Length: {len(body)}\r\nTransfer-Encoding: chunked"
        writer.write(f"{head}\r\n\r\n{body}".encode())
        await writer.drain()
        answers = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert answers.count(b"HTTP/1.1 ") == 1
    assert answers.startswith(b"HTTP/1.1 400 ")


async def test_the_plain_head_of_that_test_does_bring_somebody(tmp_path: Path):
    async with served(**_proxied(tmp_path)) as url, httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/nowhere", headers={"host": "sre.example", EMAIL: "ana@example.com"})
    assert answer.status_code == 404


async def test_an_issuer_is_asked_for_real_and_a_restart_keeps_the_session(tmp_path: Path):
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with OidcIssuer(SystemClock(), frozenset({f"{url}/sign-in/oidc/callback"})) as issuer:
        given = {
            "SRE_AGENT_DATA_DIR": str(tmp_path),
            "SRE_AGENT_PUBLIC_URL": url,
            "SRE_AGENT_OIDC_ISSUER": f"{issuer.url}/",
            "SRE_AGENT_OIDC_CLIENT_ID": CLIENT,
            "SRE_AGENT_OIDC_CLIENT_SECRET": SECRET,
        }
        async with httpx.AsyncClient(base_url=url, follow_redirects=True) as browser:
            async with served(listener=listener, **given):
                answer = await browser.get("/nowhere")
                link = answer.text.partition('href="/sign-in/oidc')[2].partition('"')[0]
                answer = await browser.get(f"/sign-in/oidc{link}")
                assert (answer.status_code, answer.url.path) == (404, "/nowhere")
            port = int(url.rpartition(":")[2])
            async with served(listener=listen("127.0.0.1", port), **given):
                assert (await browser.get("/nowhere")).status_code == 404
            rotated = {**given, "SRE_AGENT_SESSION_KEY": "n" * 32}
            async with served(listener=listen("127.0.0.1", port), **rotated):
                assert (await browser.get("/nowhere")).url.path == "/sign-in"


async def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path):
    async with served(SRE_AGENT_DATA_DIR=str(tmp_path)):
        pass
    first = (tmp_path / FILE).read_bytes()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert len(first) == 32
    async with served(SRE_AGENT_DATA_DIR=str(tmp_path)):
        assert (tmp_path / FILE).read_bytes() == first


async def test_where_no_key_can_be_kept_sessions_live_as_long_as_the_process(tmp_path: Path, caplog, capsys):
    (tmp_path / "file").write_text("x")
    async with served(SRE_AGENT_DATA_DIR=str(tmp_path / "file" / "d")) as url, httpx.AsyncClient(base_url=url) as browser:
        assert "session_key_unavailable" in caplog.text
        assert (await browser.get(capsys.readouterr().err.split()[-1])).status_code == 303
        assert (await browser.get("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"SRE_AGENT_OIDC_ISSUER": "https://id.example", "SRE_AGENT_PUBLIC_URL": "https://sre.example"}, "OIDC_CLIENT_ID"),
        ({"SRE_AGENT_OIDC_ISSUER": "https://id.example", "SRE_AGENT_OIDC_CLIENT_ID": "x"}, "PUBLIC_URL"),
        ({"SRE_AGENT_TRUSTED_PROXIES": "10.0.0.0/8"}, "PUBLIC_URL"),
        ({"SRE_AGENT_SESSION_KEY": "k" * 31}, "at least 32"),
    ],
)
def test_settings_that_leave_a_door_half_built_are_refused(given: dict[str, str], variable: str):
    with pytest.raises(ConfigurationError, match=variable):
        fixed(given)


def test_an_issuer_over_plain_http_is_refused():
    given = {
        "SRE_AGENT_OIDC_ISSUER": "http://id.example",
        "SRE_AGENT_OIDC_CLIENT_ID": "x",
        "SRE_AGENT_PUBLIC_URL": "https://sre.example",
    }
    with listen("127.0.0.1", 0) as listener, pytest.raises(ConfigurationError, match="https"):
        entrance(fixed(given), PEOPLE, listener)


def test_a_secret_is_not_in_what_describes_the_entrance(tmp_path: Path):
    given = {
        "SRE_AGENT_OIDC_ISSUER": "https://id.example",
        "SRE_AGENT_OIDC_CLIENT_ID": "x",
        "SRE_AGENT_OIDC_CLIENT_SECRET": "s3cr3t",
        "SRE_AGENT_PUBLIC_URL": "https://sre.example",
        "SRE_AGENT_SESSION_KEY": "k" * 32,
    }
    with listen("127.0.0.1", 0) as listener:
        made = entrance(fixed(given), PEOPLE, listener)
    assert "s3cr3t" not in repr(made)
    assert "k" * 32 not in repr(made)
    assert hashlib.sha256(b"k" * 32).hexdigest() not in repr(made)
