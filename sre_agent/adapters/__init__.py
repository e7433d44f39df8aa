"""Doors to systems the agent writes to, each SDK in one file; plain values in, plain values out."""
