"""Cameras that fail on demand, and how to measure what a viewer notices of it."""
