"""The live page: all cameras, and events as they happen, in a browser. Needs the extra ``web``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.errors import BadInput

if TYPE_CHECKING:
    from realtime.outputs.web.live_pictures import LivePictures, Picture, Sources
    from realtime.outputs.web.server import WebPage

__all__ = ["LivePictures", "Picture", "Sources", "WebPage"]


def __getattr__(name: str) -> Any:
    """Loaded on first use, so that only who wants the page needs its packages."""
    if name not in __all__:
        raise AttributeError(name)
    try:
        from realtime.outputs.web import live_pictures, server
    except ModuleNotFoundError as error:
        raise BadInput(f"the live page needs {error.name}; pip install 'spectaclear[web]'") from None
    return getattr(server if name == "WebPage" else live_pictures, name)
