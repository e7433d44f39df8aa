"""Pure functions from evidence to typed findings, one family a file, each exporting detect(view)."""
