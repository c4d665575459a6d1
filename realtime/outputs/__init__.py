"""What a run gives out: pictures, events, recordings, the live page."""
