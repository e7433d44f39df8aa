"""A setup that is not in force: other policies, runbooks or model, to replay past incidents under. It never decides anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sre_agent.incident.errors import ConfigurationError
from sre_agent.policy.bundle import Bundle
from sre_agent.policy.load import data_paths, examine
from sre_agent.policy.lock import DATA_FILES, read_text
from sre_agent.runbook.load import load_runbooks
from sre_agent.settings import Reasoner, Settings
from sre_agent.wiring import discovery
from sre_agent.wiring.brain import Books
from sre_agent.wiring.replaying import Setup, setup_of


@dataclass(frozen=True)
class Candidate:
    """What would be different from the settings: a policies folder, a runbooks folder, a model; None: as it is."""

    policies: Path | None = None
    runbooks: Path | None = None
    model: str | None = None


@dataclass(frozen=True)
class Drafted:
    """A candidate, loaded. `remarks` are for people: what is wrong with it and does not keep it from being compared, and which
    data files are its own."""

    setup: Setup
    remarks: tuple[str, ...] = ()


def drafted(settings: Settings, candidate: Candidate) -> Drafted:
    """The settings with the candidate in place of what it names. Raises ConfigurationError naming file and line.

    Neither the lock nor the self-test keeps a draft out: whoever edits wants to know what the edit does before it is locked.
    """
    changed = _settings(settings, candidate)
    remarks: tuple[str, ...] = ()
    if candidate.policies is None:
        bundle = setup_of(settings).books.bundle
    else:
        bundle, remarks = _bundle(settings, candidate.policies)
    runbooks = {r.id: r for r in load_runbooks(changed.runbooks_dir, discovery.parameters())}
    return Drafted(Setup(changed, Books(bundle, runbooks), partial(_setup, settings, candidate)), remarks)


def edited(settings: Settings, policies: Path) -> Setup:
    """The settings with a policies folder and all of its own data, as `sre-agent policy diff` compares them."""
    bundle, _ = _sound(policies, data_paths(policies, None))
    runbooks = {r.id: r for r in load_runbooks(settings.runbooks_dir, discovery.parameters())}
    return Setup(settings, Books(bundle, runbooks), partial(edited, settings, policies))


def _setup(settings: Settings, candidate: Candidate) -> Setup:
    return drafted(settings, candidate).setup


def _settings(settings: Settings, candidate: Candidate) -> Settings:
    changes: dict[str, object] = {}
    if candidate.policies is not None:
        changes["policies"] = candidate.policies
    if candidate.runbooks is not None:
        changes["runbooks"] = candidate.runbooks
    if candidate.model is not None:
        if not candidate.model.strip():
            raise ConfigurationError("the model has no name")
        if not (settings.openai_api_key or settings.openai_base_url):
            raise ConfigurationError(f"the model {candidate.model!r} cannot be asked: set OPENAI_API_KEY or OPENAI_BASE_URL")
        changes |= {"openai_model": candidate.model, "reasoner": Reasoner.OPENAI}
    return settings.model_copy(update=changes)


def _bundle(settings: Settings, folder: Path) -> tuple[Bundle, tuple[str, ...]]:
    """The folder's rules, on its own data where somebody edited them and on the data in force where nobody did.

    A copy of the policies in force brings their shipped data along; were those to stand before the deployment's own
    (SRE_AGENT_POLICY_DATA), no target would be managed any more and nothing could be compared.
    """
    in_force, shipped = data_paths(settings.policies_dir, settings.policy_data), data_paths(settings.policies_dir, None)
    own = {name: folder / "data" / name for name in DATA_FILES if _differs(folder / "data" / name, shipped[name])}
    bundle, wrong = _sound(folder, {**in_force, **own})
    told = (f"{folder}: its own data: {', '.join(sorted(own))}",) if own else ()
    return bundle, (*told, *(f"only a draft: {complaint}" for complaint in wrong))


def _differs(own: Path, shipped: Path) -> bool:
    return own.exists() and (not shipped.exists() or read_text(own) != read_text(shipped))


def _sound(folder: Path, data: Mapping[str, Path]) -> tuple[Bundle, tuple[str, ...]]:
    bundle, wrong = examine(folder, data, locked=False)
    if bundle is None:
        raise ConfigurationError(wrong[0])
    return bundle, wrong
