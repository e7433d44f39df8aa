"""Read-only evidence sources, one file each, unaware of each other."""
