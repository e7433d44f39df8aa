"""What a replay of many incidents amounts to: tables, a page, rows for other programs. Pure: it reads what was replayed."""
