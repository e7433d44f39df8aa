"""`sre-agent doctor`: every connection and right the agent needs, looked at without changing anything.

verdict       what a check says, and what all of them together come to: pure
check         one check: its name, the settings it is about, and how to look
connections   what several checks share, opened when first asked for
examine       runs the checks side by side, each with a deadline
registry      the tuple of all checks
the others    one file a connection

Law: nothing here writes to anything it looks at. A new connection is a file here, a line in `registry`, and a test.
"""
