"""From a camera to a verdict, live: cameras, faces, verdicts, outputs."""
