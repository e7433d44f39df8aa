"""Remember: audit records in a hash chain. Pure; the store appends them in the transaction they describe."""
