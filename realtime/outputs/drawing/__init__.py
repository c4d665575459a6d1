"""What is drawn into a picture: boxes, panels, text, and several cameras as one picture."""
