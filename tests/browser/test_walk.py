"""A night at the pages, in a real browser on a really running agent: the list, the incident, two people's presses, and its end."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from sre_agent.testing.pagerduty import PagerDutyStandIn
from tests.browser.looked_at import by_keyboard, complaints
from tests.browser.stage import NARROW, WIDE, Stage, seen_by

pytestmark = pytest.mark.real

SHOTS = os.environ.get("SCREENSHOTS")
"""A folder: then the pictures of docs/images/ are taken on the way (`make screenshots`)."""

PICTURES = {("light", WIDE): "incident", ("dark", WIDE): "dark", ("light", NARROW): "narrow"}
BOTH = [("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW)]


@pytest.fixture(scope="module")
def waiting(stage: Stage) -> str:
    """The incident, once it waits for people."""
    incident, other = stage.crashing(), stage.answering_worse()
    _until(stage, other, "handed_back")
    _until(stage, incident, "awaiting_approval")
    return incident


def _until(stage: Stage, incident: str, state: str) -> None:
    deadline = time.monotonic() + 30
    while (told := stage.agent.incident(incident)).get("state") != state:
        over = told.get("state") in {"handed_back", "no_action", "cancelled", "recovered"} - {state}
        if over or time.monotonic() > deadline:
            raise AssertionError(f"{told.get('state')}: {told.get('reason')}\n{stage.agent.log_tail()}")
        time.sleep(0.1)


async def _shot(page: Page, name: str) -> None:
    if SHOTS:
        size = page.viewport_size or {}
        await page.set_viewport_size({"width": min(size["width"], 1120), "height": 680})
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


@pytest.mark.parametrize(("theme", "size"), BOTH, ids=["light", "dark", "light-380", "dark-380"])
async def test_every_page_can_be_read_named_and_reached(stage: Stage, waiting: str, chromium: Browser, theme, size):
    paths = ["/", f"/incidents/{waiting}", f"/incidents/{waiting}/evidence/e1", "/approvals", "/switch", "/incidents/none"]
    paths += ["/policies/tier-restart-prod", "/runbooks/restart-pod"] if size == NARROW else ["/policies", "/runbooks"]
    async with seen_by(chromium, stage, "ana", theme, size) as page:
        for path in paths:
            await page.goto(path)
            assert await complaints(page) == {}, path
        if (theme, size) in PICTURES:
            await page.goto(f"/incidents/{waiting}")
            await _shot(page, PICTURES[(theme, size)])
        if (theme, size) == ("light", WIDE):
            await page.goto("/")
            await expect(page.locator(".line")).to_have_count(2)
            await _shot(page, "list")


async def test_the_keyboard_reaches_the_answer_and_shows_where_it_is(stage: Stage, waiting: str, chromium: Browser):
    async with seen_by(chromium, stage, "ana") as page:
        await page.goto(f"/incidents/{waiting}")
        reached = await by_keyboard(page)
    names = [name.strip() for name, _ in reached]
    assert names[0] == "Skip to the page"
    assert names.index("Incidents") < names.index("Approve restart_pod") < names.index("reason") < names.index("Deny")
    assert [name for name, visible in reached if not visible and name != "BODY"] == []


async def test_who_may_not_answer_is_told_why_and_sees_no_button(stage: Stage, waiting: str, chromium: Browser):
    for person, why in (("dev", "Your yes would not count"), ("stranger", "signed in to look")):
        async with seen_by(chromium, stage, person) as page:
            await page.goto(f"/incidents/{waiting}")
            await expect(page.locator("#answer")).to_contain_text(why)
            assert await page.locator("#answer button").count() == 0


async def test_the_chosen_colours_stay(stage: Stage, chromium: Browser):
    async with seen_by(chromium, stage, "ana") as page:
        await page.goto("/policies")
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_role("button", name="Colours").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.url.endswith("/policies")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != light


async def test_what_somebody_is_writing_is_not_taken_from_them(stage: Stage, waiting: str, chromium: Browser):
    async with seen_by(chromium, stage, "ana") as page:
        await page.goto(f"/incidents/{waiting}")
        await page.locator("#reason").fill("I am still writing")
        page_of_its_own = page.locator("#incident")
        await page_of_its_own.evaluate(
            "e => e.setAttribute('hx-get', e.getAttribute('hx-get').replace(/version=\\d+/, 'version=0'))"
        )
        await page.evaluate("e => htmx.process(document.getElementById('incident'))")
        async with page.expect_response(lambda r: "/now" in r.url and r.status == 200):
            await page.evaluate(
                "() => htmx.ajax('GET', location.pathname + '/now?version=0', {target: '#incident', swap: 'outerHTML'})"
            )
        await expect(page.locator("#reason")).to_have_value("I am still writing")


async def test_from_the_list_to_recovered_by_two_people_one_of_them_without_scripts(stage: Stage, waiting: str, chromium: Browser):
    async with seen_by(chromium, stage, "ana") as ana, seen_by(chromium, stage, "ben", "dark", NARROW, scripts=False) as ben:
        await ana.goto("/")
        await ana.get_by_role("link", name="Calls are dropped").click()
        await expect(ana.get_by_role("heading", name="What could go wrong")).to_be_visible()
        await ana.get_by_role("button", name="Approve restart_pod").click()
        await expect(ana.locator("#answer")).to_contain_text("ana approved")
        await expect(ana.locator("#answer")).to_contain_text("another person")
        assert stage.cluster.evictions == []

        await ben.goto("/approvals")
        await ben.get_by_role("button", name="Approve restart_pod").click()
        await expect(ben).to_have_url(f"{stage.agent.url}/incidents/{waiting}")
        await expect(ben.locator("#answer")).to_contain_text("ben approved")
        while not stage.cluster.evictions:
            await asyncio.sleep(0.05)
        _cleared(stage.pagerduty, waiting)

        # Nobody touches ana's page: it tells by itself what becomes of it, and then stops asking.
        await expect(ana.locator("#incident .headline .badge")).to_have_text("Recovered", timeout=30_000)
        await expect(ana.locator("#incident")).not_to_have_attribute("hx-get", "x", timeout=100)
        assert await ana.locator("#incident").get_attribute("hx-get") is None
        await expect(ana.locator("#h-ledger ~ .ledger")).to_contain_text("Done")
        assert await complaints(ana) == {}
        await ana.goto("/?text=calls")
        await expect(ana.locator(".line")).to_contain_text("Recovered")
    assert len(stage.cluster.evictions) == 1


def _cleared(pagerduty: PagerDutyStandIn, incident: str) -> None:
    """The rule no longer fires: Alertmanager resolves its alert."""
    pagerduty.clear_alerts(incident)
