"""From a camera to a verdict, live: cameras, faces, verdicts, outputs."""

from models.no_telemetry import switch_off

switch_off()  # before anything imports ONNX Runtime or OpenVINO
