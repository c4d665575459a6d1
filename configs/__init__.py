"""Shipped configurations; ``--config webcam`` finds them in an installed package too."""
