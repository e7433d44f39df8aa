"""Knows the concrete classes, and nothing else does: settings in, a running agent or a dry run out.

`roles` runs the agent's processes, `brain` puts together what thinks and judges, `state` what remembers, `readers` what
looks, `hands` what acts, `jobs` who does which job, `approvals` takes people's answers, `recorded` is the same rooms over
a past incident. Nothing is imported here: a command pays only for the part it uses.
"""
