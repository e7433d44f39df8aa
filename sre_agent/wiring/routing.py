"""The routing file in force, without the rest of the bundle: looking at it needs no policies."""

from pathlib import Path

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.data_file import opened
from sre_agent.policy.declarations import Problem
from sre_agent.policy.load import data_paths
from sre_agent.routing.expected import Expected
from sre_agent.routing.file import Routing
from sre_agent.settings import Reasoner, load


def routing_in_force(config: Path | None = None) -> Routing:
    """Of SRE_AGENT_POLICY_DATA (or the settings in `config`), else the shipped one. Raises ConfigurationError (file, line, what
    to do) for a wrong one."""
    settings = load(config, past=Reasoner.RULES)
    return routing_at(data_paths(settings.policies_dir, settings.policy_data)["routing.yaml"])


def routing_at(path: Path) -> Routing:
    """The routing file at a path. Raises ConfigurationError as above."""
    file = opened(path)
    routing, wrong = file.checked(Routing)
    faults = [file.complaint(Problem(*fault)) for fault in (routing.problems(None) if routing is not None else ())]
    for complaint in (*wrong, *faults):
        raise ConfigurationError(complaint)
    if routing is None:
        raise ConfigurationError(f"{file.path}: is not a routing file")
    return routing


def expected_at(path: Path) -> tuple[tuple[int, Expected], ...]:
    """The cases of a file, each with its line. Raises ConfigurationError for a file that is wrong or holds no case."""
    file = opened(path)
    cases, wrong = file.checked(list[Expected])
    for complaint in wrong:
        raise ConfigurationError(complaint)
    if not cases:
        raise ConfigurationError(f"{path}: holds no case; write a list of labels and receiver")
    return tuple((file.line((n,)), case) for n, case in enumerate(cases))


def door_url(config: Path | None = None) -> str:
    """Where Alertmanager finds the agent. Raises ConfigurationError when nobody said so."""
    public = load(config, past=Reasoner.RULES).public_url
    if not public:
        raise ConfigurationError("nobody said where Alertmanager finds the agent: give --url, or set SRE_AGENT_PUBLIC_URL")
    return f"{str(public).rstrip('/')}/webhooks/alertmanager"
