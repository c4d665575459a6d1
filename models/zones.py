"""The contract's address of the zones (they live in ``models.crop.zones``)."""

from models.crop.zones import Zone, zone_mask

__all__ = ["Zone", "zone_mask"]
