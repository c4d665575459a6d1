"""From a track's decisions over time to the verdict that is shown."""
