"""Secrets and personal data out of text and JSON: what is recognised, and what stands in its place.

One file a family (`keyed`, `addresses`, `vendors`, `numbers`, `mail`, `blocks`), each a function from text to text;
`text` runs them, `structure` knows JSON. Pure but for the key of the tags (`placeholder`), which is a context like decimal's.
"""
