"""The measurements behind ``python -m tools.benchmark``, one kind per file.

Every figure of speed is a ratio to a baseline that ran in turn with it, because a machine's speed changes from one
minute to the next; the milliseconds beside it say where and when only.
"""
