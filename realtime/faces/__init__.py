"""Faces in a frame: detection, tracking, alignment, quality, and worn accessories."""
