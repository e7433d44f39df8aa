"""What other tools printed, read back as what the cluster itself would have answered: one file per form of text.

SAFETY: this is text that somebody handed over. Whoever reads objects from it must say less than of an object that was read:
TEXT evidence corroborates nothing, and no target is ever resolved from it. No I/O here.
"""
