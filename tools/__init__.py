"""Offline work: prepare, train, attack, tune, evaluate, benchmark. One user command per file at this level."""

from models.no_telemetry import switch_off

switch_off()  # before anything imports ONNX Runtime or OpenVINO
