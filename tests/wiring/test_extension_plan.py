"""What an installation decides, without any I/O: addresses that PagerDuty can send to, and what to do about what is there."""

import pytest

from sre_agent.adapters.pagerduty.subscriptions import EVENTS, UNFINISHED, Reach, Scope, Subscription
from sre_agent.incident.errors import ConfigurationError, Refused
from sre_agent.wiring.extension_plan import Place, checked_url, planned, same_address, scope_of

URL = "https://sre.example.com/webhooks/pagerduty"
SCOPE = Scope(Reach.SERVICE, "PSVC001")
PLACE = Place(URL, SCOPE)

WRONG = {
    "http://sre.example.com/webhooks/pagerduty": "not https",
    "https://sre.example.com": "has no path; .*https://sre.example.com/webhooks/pagerduty",
    "https://sre.example.com/": "has no path",
    "https://localhost/webhooks/pagerduty": "cannot be reached",
    "https://127.0.0.1/webhooks/pagerduty": "cannot be reached",
    "https://[::1]/webhooks/pagerduty": "cannot be reached",
    "https://10.1.2.3:8443/webhooks/pagerduty": "cannot be reached",
    "https://sre/webhooks/pagerduty": "cannot be reached",
    "https://agent.sre.svc.cluster.local/webhooks/pagerduty": "cannot be reached",
    "https://ana:secret@sre.example.com/webhooks/pagerduty": "user or password",
    "https://sre.example.com/webhooks/pagerduty#x": "fragment",
    "https://sre.example.com:port/webhooks/pagerduty": "no address",
    "https://[::1/webhooks/pagerduty": "no address",
    "ftp://sre.example.com/webhooks/pagerduty": "no address",
    "sre.example.com/webhooks/pagerduty": "no address",
    "": "no address",
}


@pytest.mark.parametrize(("url", "why"), WRONG.items())
def test_an_address_that_cannot_work_is_refused_with_what_is_wrong(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        checked_url(url, local=False)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", [URL, "https://sre.example.com:8443/pd", " https://8.8.8.8/webhooks/pagerduty "])
def test_an_address_on_the_internet_is_taken(url: str) -> None:
    assert checked_url(url, local=False) == url.strip()


def test_a_pagerduty_on_this_machine_may_send_to_this_machine() -> None:
    assert checked_url("http://127.0.0.1:8080/webhooks/pagerduty", local=True)
    with pytest.raises(ConfigurationError):
        checked_url("http://127.0.0.1:8080", local=True)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (URL + "/", True),
        ("https://SRE.example.com:443/webhooks/pagerduty", True),
        ("https://sre.example.com:8443/webhooks/pagerduty", False),
        ("http://sre.example.com/webhooks/pagerduty", False),
        (URL + "?x=1", False),
        (URL + "/investigate", False),
        ("https://sre.example.com:port/webhooks/pagerduty", False),
        ("", False),
    ],
)
def test_two_addresses_are_one_door_or_not(other: str, same: bool) -> None:
    assert same_address(other, URL) is same


def there(identity: str, **more: object) -> Subscription:
    return Subscription(**{"id": identity, "url": URL, "scope": SCOPE, "events": frozenset(EVENTS), **more})


def test_nothing_there_is_made() -> None:
    assert planned([], PLACE, {}, recreate=False).keep is None
    assert planned([there("PELSE01", url="https://elsewhere.example/x")], PLACE, {"PELSE01": "s"}, recreate=False).keep is None


def test_ours_is_kept_the_working_one_before_the_others() -> None:
    off, on = there("POFF001", active=False), there("PON0001")
    plan = planned([off, on], PLACE, {"POFF001": "s", "PON0001": "s"}, recreate=False)
    assert (plan.keep, plan.beside, plan.remove, plan.to_activate) == (on, (off,), (), False)


def test_the_secret_of_any_subscription_may_be_its_secret_and_the_ping_will_tell() -> None:
    assert planned([there("PSUB001")], PLACE, {"": "of any"}, recreate=False).keep == there("PSUB001")


@pytest.mark.parametrize("state", [{}, {"active": False}, {"disabled": True}])
def test_one_without_its_secret_is_refused_unless_it_may_be_made_anew(state: dict[str, bool]) -> None:
    with pytest.raises(Refused, match="PSUB001"):
        planned([there("PSUB001", **state)], PLACE, {"POTHER1": "s"}, recreate=False)
    plan = planned([there("PSUB001", **state)], PLACE, {}, recreate=True)
    assert (plan.keep, [s.id for s in plan.remove]) == (None, ["PSUB001"])


def test_what_an_installation_left_behind_is_removed_and_what_it_had_kept_is_finished() -> None:
    left = there("PLEFT01", active=False, description=UNFINISHED)
    assert planned([left], PLACE, {}, recreate=False).remove == (left,)
    kept = planned([left], PLACE, {"PLEFT01": "s"}, recreate=False)
    assert (kept.keep, kept.to_activate) == (left, True)


def test_an_active_one_that_calls_itself_unfinished_is_somebody_s() -> None:
    with pytest.raises(Refused):
        planned([there("PSUB001", description=UNFINISHED)], PLACE, {}, recreate=False)


@pytest.mark.parametrize(("service", "team", "account"), [("", "", False), ("P1", "P2", False), ("P1", "", True)])
def test_exactly_one_scope_is_named(service: str, team: str, account: bool) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        scope_of(service, team, account=account)
