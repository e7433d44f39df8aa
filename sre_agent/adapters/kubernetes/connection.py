"""One API server, asked through one write kubeconfig: connection, deadline, and what each answer or silence is called.

Uses the write kubeconfig it is given and nothing else: no default file, no in-cluster identity, no fallback. Retries are
off; a redirect is not followed.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre_agent.evidence.kubernetes.kept import OUR_HAND
from sre_agent.evidence.kubernetes.loading import LOADING
from sre_agent.incident.errors import ConfigurationError, OutcomeUnknown, Permanent, Refused, SreAgentError, Transient

FIELD_MANAGER = OUR_HAND
"""Written into managedFields with every change: whose hand it was."""


@dataclass(frozen=True)
class Call:
    """What is being asked, for messages: "evict pod voice/api-1", the right it needs, and the `object` it is done to."""

    what: str
    right: str
    may_have_happened: bool
    object: str = "pod"


class ApiServer:
    """Asks one API server, off the event loop. Timeouts in seconds: `connect_s` to connect, `answer_s` for the whole answer.

    ConfigurationError at the first call when the kubeconfig is missing or unreadable.
    """

    def __init__(self, kubeconfig: Path, *, context: str | None = None, connect_s: float = 3.0, answer_s: float = 15.0) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self.timeouts = (connect_s, answer_s)
        self._lock = threading.Lock()
        self._client: Any = None

    async def ask(self, call: Call, api: str, ask: Callable[[Any], bytes]) -> bytes:
        """Run `ask` with the SDK's API class of that name. Errors are ours; OutcomeUnknown only for a real write."""
        # Loading the SDK takes seconds on a busy machine; they are not the API server's.
        await asyncio.to_thread(self._api, api)
        try:
            async with asyncio.timeout(sum(self.timeouts) + 1.0):
                return await asyncio.to_thread(self._in_thread, call, api, ask)
        except TimeoutError:
            raise unanswered(call, "no complete answer in time") from None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _in_thread(self, call: Call, api: str, ask: Callable[[Any], bytes]) -> bytes:
        connected = self._api(api)
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

        try:
            return ask(connected)
        except ApiException as error:
            raise _translated(call, error.status or 0, error.body or "", dict(error.headers or {})) from error
        except (NewConnectionError, ConnectTimeoutError) as error:
            raise Transient(f"could not {call.what}: no connection to the API server ({type(error).__name__})") from error
        except (HTTPError, OSError) as error:
            raise unanswered(call, type(error).__name__) from error

    def _api(self, name: str) -> Any:
        """One of the SDK's API classes over the connection, which is made at the first use."""
        with LOADING:
            from kubernetes import client

            kind, *_ = [getattr(client, part) for part in (name, "ApiClient", "Configuration")]
        with self._lock:
            if self._client is None:
                self._client = _client(self._kubeconfig, self._context)
            return kind(self._client)


class NoLog(SreAgentError):
    """The container has no previous run."""


def _client(kubeconfig: Path, context: str | None) -> Any:
    """An ApiClient (untyped in the SDK where we need it)."""
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import ConfigException, load_kube_config
    from yaml import YAMLError

    if not kubeconfig.is_file():
        raise ConfigurationError(f"write kubeconfig {kubeconfig} does not exist; set SRE_AGENT_WRITE_KUBECONFIG to a readable file")
    load: Any = load_kube_config
    configuration = Configuration()
    try:
        load(str(kubeconfig), context, client_configuration=configuration, persist_config=False)
    except (ConfigException, YAMLError, OSError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(f"write kubeconfig {kubeconfig} cannot be used: {error}") from error
    # SAFETY: a write is sent at most once. False also makes urllib3 raise what really happened.
    configuration.retries = False
    return ApiClient(configuration)


def unanswered(call: Call, why: str) -> Transient:
    """No answer: OutcomeUnknown when it may have happened, else Transient."""
    if call.may_have_happened:
        return OutcomeUnknown(f"{call.what} was sent and not answered ({why}): it may or may not have happened")
    return Transient(f"could not {call.what}: {why}")


def _object(body: str, kinds: tuple[str, ...]) -> dict[str, Any] | None:
    """The object of an answer; None when something other than an API server wrote it."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and answer.get("kind") in kinds else None


def expect(raw: bytes, call: Call, *kinds: str) -> dict[str, Any]:
    """The answered object, which must be of one of these kinds: a sign-in page is no success."""
    answer = _object(raw.decode(errors="replace"), kinds)
    if answer is not None:
        return answer
    why = "the answer is not from a Kubernetes API server (a proxy or a sign-in page?)"
    if call.may_have_happened:
        raise unanswered(call, why)
    raise Permanent(f"could not {call.what}: {why}")


def _translated(call: Call, code: int, body: str, headers: dict[str, str]) -> SreAgentError:
    """An HTTP error as ours. What provably was not applied is Refused or Permanent; 5xx of a real write is unknown."""
    status = _object(body, ("Status",))
    message = str((status or {}).get("message") or f"HTTP {code}")[:500]
    if status is None and code and call.may_have_happened:
        return unanswered(call, f"HTTP {code} that is not from a Kubernetes API server")
    if code >= 500 or code == 0:
        return unanswered(call, message)
    match code:
        case 400 if "pods/log" in call.right and ("not found" in message or "waiting to start" in message):
            return NoLog(message)
        case 401:
            return Permanent(f"could not {call.what}: the API server does not accept the write kubeconfig's credentials")
        case 403 if " cannot " in message:
            return Permanent(f"could not {call.what}: the write identity lacks the right to {call.right}")
        case 403 | 422:
            return Refused("k8s-admission-denied", message)
        case 404 if "pods/log" in call.right:
            return NoLog(message)
        case 404:
            return Refused("k8s-gone", f"the {call.object} is gone: {message}")
        case 409:
            return Refused("k8s-precondition-conflict", f"the {call.object} changed since it was looked at: {message}")
        case 429 if _budget_exhausted(status):
            return Refused("k8s-pdb-exhausted", message)
        case 429:
            wait = headers.get("Retry-After", "")
            return Transient(f"could not {call.what}: {message}", retry_after=float(wait) if wait.isdigit() else None)
        case _:
            return Permanent(f"could not {call.what}: {message}")


def _budget_exhausted(status: dict[str, Any] | None) -> bool:
    details = (status or {}).get("details") or {}
    return any(cause.get("reason") == "DisruptionBudget" for cause in details.get("causes") or [])
