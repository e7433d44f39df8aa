"""The yardstick: the least a FastAPI webhook can do. Check the signature over the raw bytes, insert one row, answer.

Run as `python -m tests.bench.bare_route DATABASE_URL SECRET PORT`; serves until SIGTERM, with the same server, the same
driver and as many connections as the product has.
"""

import hashlib
import hmac
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool

TABLE = """
    CREATE TABLE bare_delivery (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, received_at timestamptz DEFAULT now(), body bytea NOT NULL
    )
"""
CONNECTIONS = 10


def bare_app(url: str, secret: str) -> FastAPI:
    """The app; its pool opens and closes with it."""
    pool = AsyncConnectionPool(url, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False, kwargs={"autocommit": True})

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=life)

    @app.post("/webhooks/pagerduty")
    async def route(request: Request) -> Response:
        body = await request.body()
        expected = "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-pagerduty-signature", "")):
            return Response(status_code=401)
        async with pool.connection() as connection:
            await connection.execute("INSERT INTO bare_delivery (body) VALUES (%s)", (body,))
        return Response(status_code=202)

    return app


if __name__ == "__main__":
    url, secret, port = sys.argv[1:]
    uvicorn.run(bare_app(url, secret), host="127.0.0.1", port=int(port), access_log=False, log_level="warning")
