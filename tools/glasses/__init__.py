"""What ``python -m tools.make_glasses`` is made of."""
