"""One node of the graph a file; nodes are unaware of each other."""
