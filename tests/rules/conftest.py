"""The tests of commands on this page share the environment without settings of tests/cli."""

from tests.cli.conftest import bare_environment

__all__ = ["bare_environment"]
