"""Alerting rules at their source: check the tags that the agent trusts, write burn-rate rules that carry them. Pure but for
reading the files that it is given.
"""
