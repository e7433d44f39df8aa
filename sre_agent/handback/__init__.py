"""Tell people: the text of the living note, and who gets the incident back. Text is pure."""
