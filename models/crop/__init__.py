"""The canonical crop: its pose, what can be worn on it, and the zones that are hidden of it."""
