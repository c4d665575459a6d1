"""What the training commands share: preparing a bundle or a trunk, scores, progress."""
