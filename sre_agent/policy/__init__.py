"""The guard: may this be done? Pure: no I/O, no clock, no model (loading the bundle aside).

Verdict order: hand_back > deny > needs_approval > allow > default deny. A check that raises refuses.
Only `guard` mints permits; only execution opens them.
"""
