"""The schema told to people."""

from __future__ import annotations

from pydantic import BaseModel, Field

from realtime.settings.config import Config
from realtime.settings.reference import sections, settings


class Inner(BaseModel):
    """Inside."""

    wide: float | None = Field(default=None, gt=0, le=2, description="How wide")


class Outer(BaseModel):
    """Outside."""

    one: Inner | None = None
    many: list[Inner] = Field(default_factory=list)
    word: str = "yes"


def test_sections_are_found_alone_in_lists_and_where_they_may_be_left_out() -> None:
    assert [name for name, _ in sections(Outer)] == ["one", "many[]"]


def test_a_setting_says_what_it_takes_and_what_for() -> None:
    (setting,) = settings("one", Inner)
    assert (setting.key, setting.default, setting.description) == ("wide", None, "How wide")
    assert setting.takes == "a number to 2, or empty" or setting.takes == "a number above 0 to 2, or empty"


def test_every_setting_of_the_configuration_says_what_it_is_for() -> None:
    nameless = [
        f"{name}.{one.key}" for name, model in sections(Config) for one in settings(name, model) if not one.description
    ]
    assert nameless == []
