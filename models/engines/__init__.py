"""Ways to run the network behind one protocol: torch is the reference, ONNX Runtime the default."""

from models.engines.base import Engine, make_engine

__all__ = ["Engine", "make_engine"]
