"""What all commands share: options, intervals, and where a figure comes from."""
