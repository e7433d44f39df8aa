"""One night on call, played on real parts: what `sre-agent demo` runs and the end-to-end test asserts.

Real: the agent (its own process, embedded PostgreSQL), a Sentinel-managed Redis made sick for real, a writer that
counts, signed webhooks, signed presses of buttons. Stand-ins, on loopback: PagerDuty, Slack, and the Prometheus API fed by a
probe.
"""
