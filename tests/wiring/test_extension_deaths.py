"""An installation that dies, or cannot keep a secret: never an active subscription whose secret nobody has."""

import pytest

from sre_agent.adapters.webhook_secrets import SecretsFile
from sre_agent.incident.errors import ConfigurationError, Permanent, Transient
from sre_agent.testing.pagerduty_faults import Drop, Fault
from tests.wiring.extension_stage import Stage

pytestmark = pytest.mark.real


class FullDisk(SecretsFile):
    """A file that can be prepared and not written."""

    def keep(self, subscription: str, secret: str) -> None:
        raise ConfigurationError("no space left on device")


async def test_a_secret_that_cannot_be_kept_takes_its_subscription_with_it(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="no space"):
        await stage.extension(file=FullDisk(stage.file.path)).install(stage.place)
    assert stage.there() == {}


async def test_one_that_cannot_even_be_removed_is_inactive_and_named(stage: Stage) -> None:
    stage.pagerduty.faults.add(Fault("DELETE", ".*", 403, {"error": {"code": 2010}}))
    with pytest.raises(Permanent, match=r"no space.* is left behind, inactive"):
        await stage.extension(file=FullDisk(stage.file.path)).install(stage.place)
    ((_, (active, _)),) = stage.there().items()
    assert active is False


async def test_where_no_secret_can_be_kept_none_is_asked_for(stage: Stage) -> None:
    stage.file.keep("PSUB001", "one")
    stage.file.path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        await stage.extension().install(stage.place)
    assert stage.sent() == []


async def test_an_answer_that_never_came_leaves_no_subscription_behind(stage: Stage) -> None:
    stage.pagerduty.faults.add(Fault("POST", "/webhook_subscriptions", drop=Drop.AFTER))
    with pytest.raises(Transient, match="once more"):
        await stage.extension().install(stage.place)
    assert stage.there() == {}
    assert await stage.extension().install(stage.place) is True


class Killed(BaseException):
    """The process dies here: nothing catches it."""


class Dying(SecretsFile):
    """Dies between PagerDuty's answer and the disk."""

    def keep(self, subscription: str, secret: str) -> None:
        raise Killed


async def test_killed_between_the_answer_and_the_disk_nothing_active_is_left_and_the_next_run_clears_up(stage: Stage) -> None:
    with pytest.raises(Killed):
        await stage.extension(file=Dying(stage.file.path)).install(stage.place)
    ((left, (active, _)),) = stage.there().items()
    assert (active, stage.file.read()) == (False, {})
    assert await stage.extension().install(stage.place) is True
    assert left not in stage.there()
    assert list(stage.file.read()) == list(stage.there())


async def test_killed_after_the_disk_the_next_run_goes_on_with_the_same(stage: Stage) -> None:
    extension = stage.extension()
    fresh = await extension._make(stage.place)
    assert stage.there()[fresh][0] is False
    assert await extension.install(stage.place) is True
    assert (list(stage.there()), stage.there()[fresh][0]) == ([fresh], True)


async def test_every_write_that_loses_its_answer_still_ends_well(stage: Stage) -> None:
    stage.pagerduty.faults.add(Fault("PUT", ".*", drop=Drop.AFTER), Fault("POST", ".*/ping", drop=Drop.AFTER))
    assert await stage.extension().install(stage.place) is True
    stage.pagerduty.faults.add(Fault("DELETE", ".*", drop=Drop.AFTER))
    assert await stage.extension().uninstall(stage.place) == 1
    assert (stage.there(), stage.file.read()) == ({}, {})
