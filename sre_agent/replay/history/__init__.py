"""Past incidents of the pager as cases: what was known at the time, put together from what the account still knows. No I/O."""
