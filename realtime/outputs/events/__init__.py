"""The event log: which verdicts become events, how they are stored, found, exported and forgotten."""
