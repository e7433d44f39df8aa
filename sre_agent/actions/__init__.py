"""One file each: preconditions, effect, observation, recovery of one thing the agent can do."""
