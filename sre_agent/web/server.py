"""Serves an app on one address until told to stop (uvicorn). Proxy headers are not believed: see `front`."""

import asyncio
import logging
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from sre_agent.incident.errors import ConfigurationError

DRAIN_WITHIN = 10
"""Seconds requests in flight get to finish once the server was told to stop."""

AT_MOST = 256
"""Connections served at a time; the rest get 503, which senders repeat. Bounds memory: 256 bodies of 1 MiB."""


HEAD_WITHIN = 5.0
"""Seconds a sender gets from connecting, or from its first byte on a used connection, to the end of a request's head."""


def listen(host: str, port: int) -> socket.socket:
    """A bound socket (port 0: any free one). Raises ConfigurationError when the address cannot be had."""
    if not 0 <= port < 65536:
        raise ConfigurationError(f"cannot listen on port {port}: ports go from 0 (any free one) to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as failed:
        raise ConfigurationError(
            f"cannot listen on {host} port {port}: {failed}; choose another with --host and --port"
        ) from failed
    bound.setblocking(False)
    return bound


_log = logging.getLogger(__name__)


class _Connection(H11Protocol):
    """uvicorn's connection, closed when a request's head does not arrive: half a head is no request, so no other limit
    sees it, and AT_MOST of them would keep everybody else out."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience: asyncio.TimerHandle | None = None
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """More bytes: either a request is complete enough to be answered, or its head is still awaited."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()
        elif self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and so is the timer."""
        super().connection_lost(exc)
        if self._patience is not None:
            self._patience.cancel()

    def _wait_for_head(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_WITHIN, self._give_up)

    def _give_up(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has other work to drain as well."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the caller."""
        yield


async def serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set, then drain. Signals are the caller's business."""
    config = uvicorn.Config(
        app,
        http=_Connection,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=AT_MOST,
        timeout_graceful_shutdown=DRAIN_WITHIN,
    )
    server = _Server(config)

    async def stop_when_told() -> None:
        await stop.wait()
        server.should_exit = True

    address = {"host": listener.getsockname()[0], "port": listener.getsockname()[1]}
    watcher = asyncio.create_task(stop_when_told())
    _log.info("web_opened", extra=address)
    try:
        await server.serve(sockets=[listener])
    finally:
        watcher.cancel()
        listener.close()
        _log.info("web_closed", extra=address)
