"""Offline work on many cores and machines: what is independent of each other goes out as Ray's tasks."""
