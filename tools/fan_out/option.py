"""The option ``--ray [ADDRESS]``, which several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from tools.fan_out.fan import HERE, checked_address

Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help=f"Fan out with Ray: on this machine ({HERE}, also where no address is given), or on a cluster (auto, "
        "HOST:PORT).",
        show_default=False,
        callback=checked_address,
    ),
]


class WithRay(TyperCommand):
    """A command whose ``--ray`` may stand alone. (Typer's options have a value or have none.)"""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = []
        for place, word in enumerate(args):
            given.append(word)
            if word == "--ray" and (place + 1 == len(args) or args[place + 1].startswith("-")):
                given.append(HERE)
        return super().parse_args(ctx, given)
