"""One file per command group; heavy imports happen when a command runs."""
