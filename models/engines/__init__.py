"""Engines run a bundle's network on face crops; which ones exist is in ``models.engines.registry``."""

from models.engines.base import Engine
from models.engines.registry import AUTO, ENGINES, engines_for, make_engine

__all__ = ["AUTO", "ENGINES", "Engine", "engines_for", "make_engine"]
