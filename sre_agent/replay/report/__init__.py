"""What many dry runs say together. No I/O but a spool of details; the same cases give the same report, to the byte."""
