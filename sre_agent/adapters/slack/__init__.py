"""Slack: the Web API (client), what its refusals mean (failure), and Socket Mode (socket). Text sent must be redacted before."""
