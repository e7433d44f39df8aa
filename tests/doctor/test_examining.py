"""How checks are run: side by side, each with a deadline, whatever one of them does; and nothing secret comes out."""

import asyncio
import inspect

import pytest

from sre_agent.incident.errors import ConfigurationError, Permanent, Transient
from sre_agent.settings import fixed
from sre_agent.wiring.doctor.check import Check
from sre_agent.wiring.doctor.connections import Connections, Terms
from sre_agent.wiring.doctor.examine import Hush, chosen, examine
from sre_agent.wiring.doctor.registry import CHECKS
from sre_agent.wiring.doctor.verdict import SETTINGS, ok, skipped, warning
from tests.doctor.examined import BROKEN, OK, SKIPPED, WARNING

SECRETS = {
    "DATABASE_URL": "postgresql://agent:hush-hush-pw@db.internal/sre",
    "PAGERDUTY_API_TOKEN": "pd-hush",
    "PAGERDUTY_FROM_EMAIL": "agent@example.test",
    "PAGERDUTY_WEBHOOK_SECRETS": '{"PSUB01": "whsec-hush"}',
    "SRE_AGENT_HEARTBEAT_URL": "https://monitor.example/ping/cap-hush",
}


def check(name, look, **more) -> Check:
    return Check("test", name, "it works", look, "Mend it.", **more)


async def results(*checks: Check, timeout_s: float = 5.0, settings=None, closing_s: float = 3.0):
    found = await examine(checks, Connections(fixed(settings or {}), Terms(timeout_s)), closing_s)
    return {r.check: r for r in found}


async def fine(_):
    return ok("fine")


async def test_one_that_hangs_holds_up_nobody_and_says_for_how_long_it_was_waited():
    done = asyncio.Event()

    async def hangs(_):
        await asyncio.Event().wait()

    async def quick(_):
        done.set()
        return ok("quick")

    found = await results(check("hangs", hangs), check("quick", quick), timeout_s=0.2)
    assert done.is_set()
    assert found["quick"].status is OK
    assert (found["hangs"].status, found["hangs"].found, found["hangs"].todo) == (BROKEN, "no answer within 0.2 s", "Mend it.")


async def test_one_that_ignores_its_deadline_is_left_behind():
    released = asyncio.Event()

    async def stubborn(_):
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        return ok("too late")

    found = await results(check("stubborn", stubborn), check("fine", fine), timeout_s=0.1, closing_s=0.1)
    released.set()
    assert found["fine"].status is OK
    assert (found["stubborn"].status, found["stubborn"].found) == (BROKEN, "it did not stop when its time was over")


@pytest.mark.parametrize("error", [Transient("no route"), Permanent("no route"), ConfigurationError("no route")])
async def test_what_it_raises_of_ours_is_what_was_found(error):
    async def raises(_):
        raise error

    found = await results(check("raises", raises), check("fine", fine))
    assert (found["raises"].status, found["raises"].found, found["raises"].todo) == (BROKEN, "no route", "Mend it.")
    assert found["fine"].status is OK


async def test_a_defect_in_one_takes_no_others_result_away():
    async def defect(_):
        raise KeyError("status")

    found = await results(check("defect", defect), check("fine", fine), check("after", fine, after="test.defect"))
    assert found["defect"].status is BROKEN
    assert "defect: KeyError" in found["defect"].found
    assert found["fine"].status is OK
    assert (found["after"].status, found["after"].found) == (SKIPPED, "not asked, because test.defect is broken")


async def test_what_needs_something_broken_or_unset_is_not_asked():
    asked = []

    async def notes(_):
        asked.append(1)
        return ok("asked")

    async def fails(_):
        raise Transient("down")

    async def absent(_):
        return skipped("there is none")

    async def odd(_):
        return warning("odd", "look")

    found = await results(
        check("fails", fails),
        check("absent", absent),
        check("odd", odd),
        check("behind", notes, after="test.fails"),
        check("further", notes, after="test.behind"),
        check("without", notes, after="test.absent"),
        check("unset", notes, needs=("LOKI_URL", "KUBECONFIG")),
        check("on", notes, after="test.odd"),
    )
    assert found["behind"].found == "not asked, because test.fails is broken"
    assert found["further"].found == "not asked, because test.fails is broken"
    assert found["without"].found == "there is none"
    assert found["unset"].found == "LOKI_URL and KUBECONFIG are not set"
    assert {found[n].status for n in ("behind", "further", "without", "unset")} == {SKIPPED}
    assert (found["odd"].status, found["on"].status, asked) == (WARNING, OK, [1])


async def test_what_is_opened_for_several_is_opened_once_and_survives_the_deadline_of_the_first():
    opened, slow = [], asyncio.Event()

    class Shared(Connections):
        async def _read_books(self):
            opened.append(1)
            await slow.wait()
            return "books"

    async def impatient(connections):
        async with asyncio.timeout(0.05):
            await connections.books()

    async def patient(connections):
        asyncio.get_running_loop().call_later(0.1, slow.set)
        return ok(str(await connections.books()))

    found = await examine((check("impatient", impatient), check("patient", patient)), Shared(fixed({}), Terms(5.0)))
    assert [r.status for r in found] == [BROKEN, OK]
    assert opened == [1]


async def test_no_secret_comes_out_whatever_a_server_repeats():
    async def echo(_):
        raise Permanent(f"the server said:\n {' '.join(SECRETS.values())} hush-hush-pw\x1b[2J bob@corp.example")

    found = (await results(check("echo", echo), settings=SECRETS))["echo"]
    for secret in ("hush-hush-pw", "pd-hush", "whsec-hush", "cap-hush", "bob@corp.example"):
        assert secret not in found.found
    assert "\n" not in found.found


def test_a_long_answer_is_cut():
    assert len(Hush(fixed({})).text("x" * 5000)) == 500


def test_every_check_stands_behind_the_one_it_needs_and_has_a_name_of_its_own():
    seen: list[str] = []
    for each in CHECKS:
        assert each.full_name not in seen
        assert not each.after or each.after in seen, each.full_name
        seen.append(each.full_name)


def test_every_check_says_what_to_do_when_it_cannot_be_asked():
    assert [c.full_name for c in CHECKS if len(c.remedy) < 10 or not c.what.endswith(".")] == []


def test_choosing_takes_connections_and_checks_with_what_they_need():
    assert [c.full_name for c in chosen(CHECKS, ["agent.audit"])] == ["database.reachable", "database.schema", "agent.audit"]
    assert {c.connection for c in chosen(CHECKS, ["loki", "prometheus.fresh"])} == {"loki", "prometheus"}
    assert chosen(CHECKS, []) == CHECKS
    with pytest.raises(ConfigurationError, match="no check 'grafana'"):
        chosen(CHECKS, ["loki", "grafana"])


def test_the_settings_are_a_connection_of_their_own():
    assert SETTINGS in {c.connection for c in CHECKS}


def test_checks_that_read_the_books_say_so_for_loading_them_is_nobodys_delay():
    reading = {c.full_name for c in CHECKS if "books" in inspect.getsource(c.look) or "_people_of(" in inspect.getsource(c.look)}
    assert reading - {c.full_name for c in CHECKS if c.books} == set()


async def test_books_that_take_long_to_load_cost_no_check_its_time():
    class Slow(Connections):
        async def _read_books(self):
            await asyncio.sleep(0.3)
            return "books"

    async def reads(connections):
        return ok(str(await connections.books()))

    (found,) = await examine((check("reads", reads, books=True),), Slow(fixed({}), Terms(0.1)))
    assert (found.status, found.found) == (OK, "books")
