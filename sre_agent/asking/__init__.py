"""Puts questions about plans to people where they are, and takes their answers. It decides nothing: approval judges a wish."""
