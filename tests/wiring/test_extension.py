"""Installing, rotating and removing the PagerDuty extension, against the stand-in, the real door and a real database."""

import pytest

from sre_agent.adapters.pagerduty import subscriptions as calls
from sre_agent.adapters.pagerduty.subscriptions import EVENTS, UNFINISHED, Reach, Scope
from sre_agent.incident.errors import ConfigurationError, Permanent, Refused, Transient
from sre_agent.testing.pagerduty_faults import Fault
from sre_agent.wiring.extension_plan import Place
from tests.wiring.extension_stage import SERVICE, Stage, foreign

pytestmark = pytest.mark.slow


async def test_an_installation_keeps_the_secret_activates_pings_and_sees_the_ping_arrive(stage: Stage) -> None:
    assert await stage.extension().install(stage.place) is True
    ((identity, (active, secret)),) = stage.there().items()
    assert (stage.file.read(), active) == ({identity: secret}, True)
    assert await stage.heard() == [(identity, "pagey.ping")]
    root = "/webhook_subscriptions"
    assert stage.sent() == [f"POST {root} 201", f"PUT {root}/{identity} 200", f"POST {root}/{identity}/ping 202"]


async def test_what_is_installed_brings_incidents_of_its_service_and_no_others(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    stage.pagerduty.add_service("PSVC002", "another", "PPLAT01")
    stage.pagerduty.trigger(stage.pagerduty.add_incident("ours", [{"alertname": "A"}]))
    stage.pagerduty.trigger(stage.pagerduty.add_incident("theirs", [{"alertname": "A"}], service="PSVC002"))
    await stage.settled()
    assert [kind for _, kind in await stage.heard()] == ["pagey.ping", "incident.triggered"]


async def test_no_secret_is_ever_said_or_logged(stage: Stage, caplog) -> None:
    caplog.set_level("DEBUG")
    await stage.extension().install(stage.place)
    await stage.extension().rotate(stage.place)
    secrets = [secret for _, secret in stage.there().values()]
    told = "\n".join(stage.said) + caplog.text + str([r.__dict__ for r in caplog.records]) + repr(stage.extension())
    assert secrets
    assert not [s for s in secrets if s in told]


async def test_a_second_installation_changes_nothing_and_proves_it_again(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    before, writes = stage.there(), len(stage.sent())
    assert await stage.extension().install(Place(stage.door + "/", SERVICE)) is True
    assert stage.there() == before
    assert [s.split()[1].rsplit("/", 1)[1] for s in stage.sent()[writes:]] == ["ping"]
    assert len(await stage.heard()) == 2


async def test_one_whose_secret_we_do_not_hold_is_refused_with_the_way_out(stage: Stage) -> None:
    foreign(stage)
    with pytest.raises(Refused, match=r"PFOREIGN .*--recreate"):
        await stage.extension().install(stage.place)
    assert stage.sent() == []


async def test_a_lost_secret_is_made_anew_and_the_old_subscription_removed_last(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    ((old, _),) = stage.there().items()
    stage.file.path.unlink()
    assert await stage.extension().install(stage.place, recreate=True) is True
    ((new, (active, secret)),) = stage.there().items()
    assert (new != old, active, stage.file.read()) == (True, True, {new: secret})
    assert stage.sent()[-2:] == [f"DELETE /webhook_subscriptions/{old} 204", f"POST /webhook_subscriptions/{new}/ping 202"]


async def test_a_disabled_one_is_enabled_and_one_switched_off_or_half_deaf_is_set_right(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    (one,) = stage.pagerduty.webhooks.subscriptions.values()
    one.temporarily_disabled = True
    assert await stage.extension().install(stage.place) is True
    assert not one.temporarily_disabled
    one.active, one.events = False, frozenset({"incident.triggered", "incident.responder.added"})
    assert await stage.extension().install(stage.place) is True
    assert (one.active, one.events) == (True, frozenset({*EVENTS, "incident.responder.added"}))


async def test_three_deliveries_that_a_wrong_secret_drops_disable_it_and_a_new_installation_mends_it(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    (one,) = stage.pagerduty.webhooks.subscriptions.values()
    stage.file.keep(one.id, "another secret")
    incident = stage.pagerduty.trigger(stage.pagerduty.add_incident("ours", [{"alertname": "A"}]))
    stage.pagerduty.annotate(incident, "one")
    stage.pagerduty.annotate(incident, "two")
    await stage.settled()
    assert one.temporarily_disabled
    assert await stage.extension(wait_s=0.5).install(stage.place) is False
    assert await stage.extension().install(stage.place, recreate=True) is True


async def test_a_dry_run_tells_the_requests_and_changes_nothing(stage: Stage) -> None:
    for verb in ("install", "rotate", "uninstall"):
        await stage.extension(wait_s=0).preview(stage.place, verb)
    told = "\n".join(stage.said)
    assert (stage.sent(), stage.there(), stage.file.path.exists()) == ([], {}, False)
    assert '"url": "' + stage.door in told
    assert told.count("nothing was changed") == 3
    await stage.extension().install(stage.place)
    writes, (identity,) = stage.sent(), stage.there()
    stage.said.clear()
    await stage.extension(wait_s=0).preview(stage.place, "rotate")
    lines = [s.split("\n")[0] for s in stage.said]
    root = "would send {} /webhook_subscriptions"
    assert lines[1:] == [
        root.format("POST"),
        root.format("PUT") + "/{id}",
        root.format("DELETE") + f"/{identity}",
        root.format("POST") + "/{id}/ping",
        "nothing was changed",
    ]
    assert stage.sent() == writes


async def test_a_ping_that_does_not_arrive_is_said_and_what_was_made_stays(stage: Stage) -> None:
    nowhere = Place(stage.door.replace("/webhooks/", "/nobody/"), SERVICE)
    assert await stage.extension(wait_s=0.5).install(nowhere) is False
    assert list(stage.file.read()) == list(stage.there())


async def test_an_older_ping_is_not_taken_for_this_one(stage: Stage) -> None:
    await stage.extension().install(stage.place)
    stage.file.keep(next(iter(stage.there())), "another secret")
    assert await stage.extension(wait_s=0.5).install(stage.place) is False


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (Fault("POST", "/webhook_subscriptions", 403, {"error": {"message": "Access Denied", "code": 2010}}), Permanent, "manager"),
        (Fault("GET", "/webhook_subscriptions", 403, {"error": {"message": "Access Denied", "code": 2010}}), Permanent, "manager"),
        (Fault("GET", "/services/.*", 404, {"error": {"message": "Not Found", "code": 2100}}), Permanent, "the id of a service"),
        (Fault("GET", ".*", 401, {"error": {"message": "Unauthorized", "code": 2006}}), ConfigurationError, "PAGERDUTY_API_TOKEN"),
        (Fault("GET", ".*", 503, None, times=9), Transient, "in trouble"),
    ],
)
async def test_what_pagerduty_refuses_is_explained_and_leaves_nothing(
    stage: Stage, fault: Fault, error: type[Exception], said: str
) -> None:
    stage.pagerduty.faults.add(fault)
    with pytest.raises(error, match=said):
        await stage.extension().install(stage.place)
    assert (stage.there(), stage.file.read()) == ({}, {})


async def test_a_service_that_is_not_there_is_told_as_such(stage: Stage) -> None:
    with pytest.raises(Permanent, match="PNOSUCH"):
        await stage.extension().install(Place(stage.door, Scope(Reach.SERVICE, "PNOSUCH")))
    with pytest.raises(Permanent, match="not the id"):
        await stage.extension().install(Place(stage.door, Scope(Reach.SERVICE, "../users")))


async def test_without_the_right_to_look_at_a_service_its_name_is_left_out(stage: Stage) -> None:
    stage.pagerduty.faults.add(Fault("GET", "/services/.*", 403, {"error": {"code": 2010}}))
    assert await stage.extension().install(stage.place) is True
    assert stage.said[0] == f"service PSVC001, {stage.door}"


async def test_the_limit_of_ten_is_explained_and_recreating_makes_room_first(stage: Stage) -> None:
    for n in range(10):
        foreign(stage, f"PFULL{n:02d}").url = f"https://elsewhere.example/{n}"
    with pytest.raises(Permanent, match="allows ten for service PSVC001"):
        await stage.extension().install(stage.place)
    stage.pagerduty.webhooks.subscriptions["PFULL00"].url = stage.door
    with pytest.raises(Permanent, match="takes a second one"):
        await stage.extension().rotate(stage.place)
    assert await stage.extension().install(stage.place, recreate=True) is True
    assert "PFULL00" not in stage.there()
    assert len(stage.there()) == 10


async def test_a_team_and_the_account_are_scopes_of_their_own(stage: Stage) -> None:
    stage.pagerduty.add_team("PTEAM01", "Platform")
    stage.pagerduty.add_service("PSVC002", "another", "PPLAT01", team="PTEAM01")
    for scope in (Scope(Reach.TEAM, "PTEAM01"), Scope(Reach.ACCOUNT), SERVICE):
        assert await stage.extension().install(Place(stage.door, scope)) is True
    assert sorted(s.filter["type"] for s in stage.pagerduty.webhooks.subscriptions.values()) == [
        "account_reference",
        "service_reference",
        "team_reference",
    ]
    stage.pagerduty.trigger(stage.pagerduty.add_incident("of the team", [{"alertname": "A"}], service="PSVC002"))
    await stage.settled()
    # Team and account both heard of it; it counts once.
    assert [kind for _, kind in await stage.heard()].count("incident.triggered") == 1


async def test_the_list_says_whose_secret_is_held(stage: Stage) -> None:
    foreign(stage)
    await stage.extension().install(Place(stage.door + "?x=1", SERVICE))
    assert sorted(held for _, held in await stage.extension(wait_s=0).listed()) == [False, True]


def test_an_unfinished_one_is_told_by_its_description_and_being_inactive() -> None:
    request = calls.made("https://sre.example/webhooks/pagerduty", SERVICE)
    body = request.body["webhook_subscription"]
    assert (body["active"], body["description"]) == (False, UNFINISHED)
