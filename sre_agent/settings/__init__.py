"""Every setting of the agent, where it is read from, and where the shipped folders are.

Values come from, lowest first: the defaults, a YAML file (`--config`, keys are the variable names), the environment. An
empty variable counts as unset. Anything wrong is a ConfigurationError naming the variable; a secret's value is never
printed. docs/settings.md is generated from `effective` (`make docs`).
"""

from sre_agent.settings.effective import LogLevel, Reasoner, Settings
from sre_agent.settings.load import fixed, load, variables
from sre_agent.settings.setting import MASK
from sre_agent.settings.shipped import shipped

__all__ = ["MASK", "LogLevel", "Reasoner", "Settings", "fixed", "load", "shipped", "variables"]
