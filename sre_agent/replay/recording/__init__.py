"""The flight recorder: a live incident written as a case, exact enough to be decided again with the same hash."""
