"""Offline work: prepare, train, attack, tune, evaluate, benchmark. One user command per file at this level."""
