"""What is known, and how: evidence, findings, diagnoses, and the protocols of who gathers them.

No I/O here. Every string inside an Evidence is untrusted data: it never sets a class, a target, an
action, an approval or a confidence.
"""
