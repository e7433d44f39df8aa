"""Rotating a secret without losing a delivery, and removing what was installed."""

import asyncio
import json

import httpx
import pytest

from sre_agent.incident.errors import Permanent
from sre_agent.testing.pagerduty_faults import Fault
from sre_agent.testing.pagerduty_webhooks import signature
from tests.wiring.extension_stage import Stage, foreign

pytestmark = pytest.mark.real


async def test_a_rotation_loses_no_delivery(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    (old,) = stage.there()
    incident = stage.pagerduty.trigger(stage.pagerduty.add_incident("ours", [{"alertname": "A"}]))
    done = asyncio.Event()
    written = 0

    async def annotate() -> None:
        nonlocal written
        while not done.is_set():
            await asyncio.to_thread(stage.pagerduty.annotate, incident, f"note {written}")
            written += 1
            await asyncio.sleep(0.01)

    writing = asyncio.create_task(annotate())
    await stage.until(lambda: written > 5)
    assert await stage.extension().rotate(stage.place) is True
    during = written
    await stage.until(lambda: written > during + 5)
    done.set()
    await writing
    await stage.settled()
    (new,) = stage.there()
    assert (new != old, list(stage.file.read())) == (True, [new])
    notes = [d for d in stage.pagerduty.webhooks.deliveries if d.event_type == "incident.annotated"]
    by = {name: [d for d in notes if d.subscription.id == name] for name in (old, new)}
    assert by[old]
    assert by[new]
    delivered = {json.loads(d.body)["event"]["id"] for d in notes if d.attempts and d.attempts[-1] == 202}
    assert delivered == {json.loads(d.body)["event"]["id"] for d in notes}
    assert len(delivered) == written
    # Not one was answered with a refusal: what the old one had on its way was still good.
    assert {a for d in notes for a in d.attempts if isinstance(a, int)} == {202}
    assert [kind for _, kind in await stage.heard()].count("incident.annotated") == written


async def test_what_the_old_one_has_on_its_way_when_it_is_removed_is_still_good(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    ((old, (_, secret)),) = stage.there().items()
    rotating = asyncio.create_task(stage.extension().rotate(stage.place))
    await stage.until(lambda: f"DELETE /webhook_subscriptions/{old} 204" in stage.sent())
    body = b'{"event":{"id":"on its way"}}'
    headers = {"x-pagerduty-signature": signature([secret], body), "x-webhook-subscription": old}
    async with httpx.AsyncClient() as client:
        assert (await client.post(stage.door, content=body, headers=headers)).status_code == 202
        assert await rotating is True
        assert (await client.post(stage.door, content=body, headers=headers)).status_code == 503


async def test_a_rotation_that_is_not_proved_leaves_everything_as_it_was(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    before, held = stage.there(), stage.file.read()
    stage.pagerduty.faults.add(Fault("POST", ".*/ping", 202))
    assert await stage.extension(wait_s=0.4).rotate(stage.place) is False
    assert (stage.there(), stage.file.read()) == (before, held)


async def test_an_old_secret_is_worth_nothing_after_a_rotation(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    (leaked,) = stage.pagerduty.webhooks.subscriptions.values()
    await stage.extension().rotate(stage.place)
    leaked.removed = False
    stage.pagerduty.webhooks.subscribe(leaked)
    (forged,) = stage.pagerduty.webhooks.emit("pagey.ping", {"type": "ping"}, None, "pagey", only=leaked.id)
    await stage.until(lambda: bool(forged.attempts))
    assert set(forged.attempts) == {503}


async def test_secrets_of_the_settings_that_a_rotation_makes_old_are_named(stage: Stage) -> None:
    foreign(stage)
    stage.configured.update({"": "of any", "PFOREIGN": "theirs"})
    assert await stage.extension().rotate(stage.place) is True
    told = "\n".join(stage.said)
    assert "PAGERDUTY_WEBHOOK_SECRET still accepts" in told
    assert "PAGERDUTY_WEBHOOK_SECRETS still holds the secret of PFOREIGN" in told


async def test_there_is_nothing_to_rotate_where_nothing_is_installed(stage: Stage) -> None:
    with pytest.raises(Permanent, match="sre-agent pagerduty install"):
        await stage.extension().rotate(stage.place)


async def test_uninstalling_removes_ours_with_its_secret_and_nobody_else_s(stage: Stage) -> None:
    foreign(stage).url = "https://elsewhere.example/hook"
    await stage.extension().install(stage.place)
    stage.file.keep("POTHER1", "of another installation")
    assert await stage.extension().uninstall(stage.place) == 1
    assert list(stage.there()) == ["PFOREIGN"]
    assert stage.file.read() == {"POTHER1": "of another installation"}
    assert await stage.extension().uninstall(stage.place) == 0
