"""Engines run a bundle's network on face crops; which ones exist is in ``models.engines.registry``."""

from models.engines.base import Engine
from models.engines.registry import ENGINES, make_engine

__all__ = ["ENGINES", "Engine", "make_engine"]
