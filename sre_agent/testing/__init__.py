"""Shipped doubles and stand-in servers: used by the tests, the demo and anybody who extends the agent."""
