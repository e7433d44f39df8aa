"""Regular expressions as Alertmanager means them (Go's, called RE2), over the values of labels. No I/O here.

Each is read into a tree; the tree is asked by Python's re where that cannot take long, and by states in linear time where it could.
"""

from sre_agent.routing.expression.fits import Expression, expression

__all__ = ["Expression", "expression"]
