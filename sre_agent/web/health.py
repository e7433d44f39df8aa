"""Is it alive, is it ready, and its numbers.

`/healthz`: the process answers (restart it when it does not). `/readyz`: deliveries can be kept and worked on (send it
no traffic when not). `/metrics`: for Prometheus on the same machine.
"""

import asyncio

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from sre_agent.incident.errors import SreAgentError
from sre_agent.policy.halt import HaltCause
from sre_agent.web.ports import Probe, WebPorts

PROBE_WITHIN = 2.0
"""Seconds one probe may take; slower counts as not ready."""


_WHY = {
    HaltCause.INSTALL: "a fresh install",
    HaltCause.UPGRADE: "an upgrade",
    HaltCause.CHAIN: "the audit chain is broken",
    HaltCause.PERSON: "halted by a person",
    HaltCause.UNREADABLE: "its state cannot be read",
}


def routes(ports: WebPorts) -> APIRouter:
    """The three endpoints."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"alive": True})

    @router.get("/readyz")
    async def readyz() -> Response:
        answers = await asyncio.gather(*(_ask(probe) for probe in ports.probes))
        failing = {probe.name: wrong for probe, wrong in zip(ports.probes, answers, strict=True) if wrong is not None}
        passing = [probe.name for probe in ports.probes if probe.name not in failing]
        body: dict[str, object] = {"ready": not failing, "passing": passing, "failing": failing}
        told = [(note.name, await _ask(note)) for note in (*ports.notes, *_halt_note(ports))]
        if notes := {name: text for name, text in told if text is not None}:
            body["notes"] = notes
        return JSONResponse(body, status_code=503 if failing else 200)

    @router.get("/metrics")
    async def metrics() -> Response:
        if ports.switch is not None:
            ports.metrics.switch(await ports.switch.state())
        text, content_type = ports.metrics.exposition()
        return Response(text, media_type=content_type)

    return router


def _halt_note(ports: WebPorts) -> tuple[Probe, ...]:
    """An engaged kill switch is told. It makes nothing unready: deliveries are kept, nothing acts.

    Who moved it and their words are not for everybody who can reach this address: `sre-agent status` tells them.
    """
    switch = ports.switch
    if switch is None:
        return ()

    async def engaged() -> str | None:
        state = await switch.state()
        return (
            f"engaged since {state.at:%Y-%m-%d %H:%M} UTC: {_WHY[state.cause]}; sre-agent status says more"
            if state.engaged
            else None
        )

    return (Probe("kill switch", engaged),)


async def _ask(probe: Probe) -> str | None:
    """What is wrong with one condition; None when it holds."""
    try:
        async with asyncio.timeout(PROBE_WITHIN):
            return await probe.check()
    except TimeoutError:
        return f"no answer within {PROBE_WITHIN:g} s"
    except SreAgentError as failed:
        return str(failed)
