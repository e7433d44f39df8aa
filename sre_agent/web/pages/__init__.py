"""The pages people read at night. What is shown is made by pure functions; routes only fetch, ask and answer.

SAFETY: every value passes the look's `finalize` (redacted, made visible) and autoescape; nothing here marks text as safe but
charts, which escape what they draw.
"""
