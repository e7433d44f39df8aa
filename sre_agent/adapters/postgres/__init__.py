"""The one store: PostgreSQL. `database` is the only file that knows the driver (psycopg).

`Database` is shared by `PostgresStore`, `PostgresLedger` and `PostgresHalt`; `migrate` makes the tables,
`target_lock` is what keeps two workers off one target.
"""
