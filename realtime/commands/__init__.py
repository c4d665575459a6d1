"""What the command line runs beside the pipeline itself: the demo, one picture, a camera's check."""
