"""Recordings of what is displayed, as MP4."""
