"""One web server for the ingest benchmark, in a process of its own: `ours`, or `bare`, the least a FastAPI route can do.

Prints its port, then serves until standard input closes.
"""

import asyncio
import hashlib
import hmac
import sys

import uvicorn
from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool

from sre_agent.adapters.postgres.database import Database
from sre_agent.adapters.postgres.store import PostgresStore
from sre_agent.web.app import create_app
from sre_agent.web.metrics import Metrics
from sre_agent.web.ports import WebPorts
from sre_agent.web.server import listen, serve
from sre_agent.wiring.clock import SystemClock

CONNECTIONS = 10


def bare(url: str, secret: str) -> tuple[FastAPI, AsyncConnectionPool]:
    """Check the same signature, insert one row into the same database, answer."""
    app, pool = (
        FastAPI(),
        AsyncConnectionPool(url, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False, kwargs={"autocommit": True}),
    )

    @app.post("/webhooks/pagerduty")
    async def route(request: Request) -> Response:
        body = await request.body()
        expected = "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-pagerduty-signature", "")):
            return Response(status_code=401)
        async with pool.connection() as connection:
            await connection.execute("INSERT INTO bare (body) VALUES (%s)", (body,))
        return Response(status_code=202)

    return app, pool


async def main(kind: str, url: str, secret: str) -> None:
    """Serve one of the two until standard input closes."""
    listener = listen("127.0.0.1", 0)
    stop = asyncio.Event()
    print(listener.getsockname()[1], flush=True)
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    closed.add_done_callback(lambda _: stop.set())
    if kind == "ours":
        async with Database(url, max_size=CONNECTIONS) as database:
            ports = WebPorts(PostgresStore(database), SystemClock(), Metrics(), {"": secret})
            await serve(create_app(ports), listener, stop)
        return
    app, pool = bare(url, secret)
    async with pool:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        await stop.wait()
        server.should_exit = True
        await running


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
