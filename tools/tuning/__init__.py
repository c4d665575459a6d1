"""Grid search for the parameters of the saliency mask."""
