"""Runbooks, and the proposal made of one: which step, on which one live object. Pure but for load.

A runbook matches finding kinds; its target is resolved by code from evidence to one live object. Nobody
outside this room, and no model, writes a target or a parameter.
"""
