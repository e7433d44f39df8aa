"""Where the folders are that came with the product."""

from pathlib import Path

from sre_agent.incident.errors import ConfigurationError


def shipped(name: str) -> Path:
    """The folder `policies`, `runbooks` or `incidents` that came with the product: in an installed package or in a
    checkout (where incidents are the tests' golden cases). Raises ConfigurationError when there is none."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / ("tests/incidents" if name == "incidents" else name)
    for folder in (package / "shipped" / name, checkout):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"the shipped {name} are missing: looked in {package / 'shipped' / name} and {checkout}; reinstall the package"
    )
