"""The pictures of the documentation, one kind a file: each draws one figure in a theme's colours."""
