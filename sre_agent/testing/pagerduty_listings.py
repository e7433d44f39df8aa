"""Lists of the stand-in PagerDuty that only say what there is: services, priorities; and whose key this is."""

from collections.abc import Callable, Mapping

from sre_agent.testing.pagerduty_account import Account, ApiError, Json
from sre_agent.testing.pagerduty_marks import able


def key_owner(account: Account) -> Json:
    """The user that the API key belongs to. A key of the whole account is told that it has none."""
    if account.key_owner is None:
        raise ApiError(400, 2001, "Invalid Input Provided: the API key is not a user's")
    return {"user": account.user(account.key_owner)}


def policy(account: Account, identity: str) -> Json:
    """One escalation policy."""
    if identity not in account.policies:
        raise ApiError(404, 2100, "Not Found")
    return {"escalation_policy": account.policies[identity]}


def _services(account: Account) -> list[Json]:
    return list(account.services.values())


def _priorities(account: Account) -> list[Json]:
    """Most severe first."""
    able(account, "priorities")
    return account.priorities


LISTINGS: Mapping[str, tuple[str, Callable[[Account], list[Json]]]] = {
    "/services": ("services", _services),
    "/priorities": ("priorities", _priorities),
}
"""Path to the name of the list, and what is in it."""
