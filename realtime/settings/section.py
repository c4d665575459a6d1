"""What all sections of the configuration have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Common to all sections: no unknown key, no silent conversion, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
