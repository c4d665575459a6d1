"""How many cameras a machine carries: ``python -m tools.capacity STAGES.json [--live LIVE.json]``.

From the measured cost of each stage (``tools.benchmark --what stages``) it reckons cameras per node, simulates sites
of 10 to 100,000 cameras in a calm hour, in a rush and with a node lost, and says how far the same sums are from live
runs that were measured (``tools.benchmark --what live``).
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import datetime
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypedDict

import typer
from rich.table import Table

from models.errors import BadInput
from tools.common.provenance import command_line, commit_of_this_tree
from tools.planning.costs import Costs, Reckoned, Scene, against_cluster, against_live, read_costs

if TYPE_CHECKING:  # needs SimPy
    from tools.planning.site import PlannedPart, PlannedSite

NODES = (2, 4, 8, 16, 32, 64)
SITES = (10, 100, 1_000, 10_000, 100_000)
NEAR_ENOUGH = 0.15
PARTS: Final[tuple[Literal["calm", "rush", "node_lost"], ...]] = ("calm", "rush", "node_lost")
app = typer.Typer(add_completion=False, help="Cameras per node, and sites of many nodes, from measured costs.")


class PerNode(TypedDict):
    cores: int
    cameras: int


class Checked(Reckoned):
    """A live run of a file."""

    file: str


class Capacity(TypedDict):
    """Everything that was reckoned, ready for JSON."""

    command: str
    commit: str
    date: str
    costs_measured_on: str | None
    assumptions: dict[str, object]
    per_node: list[PerNode]
    sites: list[PlannedSite]
    live: list[Checked]


@app.command()
def main(  # noqa: PLR0913 - a command's options
    stages: Annotated[Path, typer.Argument(help="JSON of tools.benchmark --what stages.")],
    live: Annotated[
        list[Path] | None, typer.Option(help="JSON of tools.benchmark --what live or cluster, to check with.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, max=1024, help="Of one node.")] = 16,
    faces: Annotated[float, typer.Option(min=0, max=100, help="Before a camera at once in the rush, mean.")] = 0.5,
    fps: Annotated[float, typer.Option(min=1, max=120, help="Frames a second of a camera.")] = 25.0,
    alarms: Annotated[float, typer.Option(min=0, max=1, help="Share of decisions that end in an alarm.")] = 0.02,
    calm: Annotated[float, typer.Option(min=0, max=1, help="Faces outside the rush, as a share of the rush's.")] = 0.25,
    stay: Annotated[float, typer.Option(min=1, max=3600, help="Seconds that a face stays, mean.")] = 8.0,
    busy: Annotated[float, typer.Option(min=0.05, max=1, help="Share of the cores that may work in the rush.")] = 0.7,
    spare: Annotated[int, typer.Option(min=0, max=100, help="Nodes more than the rush needs.")] = 1,
    failover: Annotated[float, typer.Option(min=0, max=600, help="Seconds until a lost node's cameras go on.")] = 10.0,
    cameras: Annotated[list[int] | None, typer.Option(min=1, max=1_000_000, help="Sites (repeat).")] = None,
    seconds: Annotated[float, typer.Option(min=10, max=7200, help="Of each part of the simulation.")] = 120.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json_file: cli.JsonFile = None,
) -> None:
    """Reckon, simulate, compare."""
    cli.check_writable(json_file)
    if importlib.util.find_spec("simpy") is None:
        raise BadInput("tools.capacity needs SimPy; python -m pip install 'spectaclear[cluster]'")
    from tools.planning.site import Wishes, assumptions, per_node, planned

    costs = read_costs(stages)
    scene = Scene(faces, fps, alarms)
    wishes = Wishes(cores, scene, calm, stay, busy, spare, failover, seconds, seed)
    sites = []
    for count in cameras or SITES:
        sites.append(planned(costs, wishes, count))
    checks = checked(costs, live or [])
    result: Capacity = {
        "command": command_line("tools.capacity"),
        "commit": commit_of_this_tree(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "costs_measured_on": measured_on(stages),
        "assumptions": assumptions(wishes),
        "per_node": [{"cores": count, "cameras": per_node(costs, wishes, count)} for count in NODES],
        "sites": sites,
        "live": checks,
    }
    cli.write_json(json_file, result)
    shown(result)


def measured_on(stages: Path) -> str | None:
    """When the costs were measured; None where the file does not say."""
    machine = json.loads(stages.read_text(encoding="utf-8")).get("machine", {})
    return str(machine["date"]) if "date" in machine else None


def checked(costs: Costs, files: Sequence[Path]) -> list[Checked]:
    """The reckoned rates beside those of live runs; where the machine was busy, with the cores that each run got.

    Raises:
        BadInput: a file holds no live runs.
    """
    rows: list[Checked] = []
    for file in files:
        try:
            measured = json.loads(file.read_text(encoding="utf-8"))
            cores, results = float(measured["machine"]["cores"]), measured["results"]
            if "one_process" in results:
                reckoned = against_cluster(costs, results)
            else:
                reckoned = against_live(costs, results, cores if measured["machine"]["quiet"] else None)
            rows += [{"file": file.name, **row} for row in reckoned]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"--live {file}: holds no live runs ({error}); measure them: python -m tools.benchmark --what live"
                f" --json {file}"
            ) from None
    return rows


def shown(result: Capacity) -> None:
    """Tables for people."""
    carried = Table(title="cameras per node")
    carried.add_column("cores")
    carried.add_column("cameras")
    for row in result["per_node"]:
        carried.add_row(str(row["cores"]), str(row["cameras"]))
    sites = Table(title="seconds until a verdict, p50 / p95; of faces that left without one, %")
    for column in ("cameras", "nodes", "calm", "rush", "a node lost"):
        sites.add_column(column)
    for site in result["sites"]:
        sites.add_row(str(site["cameras"]), str(site["nodes"]), *(_words(site[part]) for part in PARTS))
    cli.console.print(carried)
    cli.console.print(sites)
    if result["live"]:
        live = Table(title=f"decisions a second, reckoned and measured (near enough: {100 * NEAR_ENOUGH:.0f} %)")
        for column in ("where", "faces", "cameras", "cores", "reckoned", "measured", "error"):
            live.add_column(column)
        for run in result["live"]:
            error = "-" if run["error"] is None else f"{100 * run['error']:+.0f} %"
            figures = (run["where"], run["faces"], run["cameras"], run["cores"], run["reckoned"], run["measured"])
            live.add_row(*map(str, figures), error)
        cli.console.print(live)


def _words(part: PlannedPart) -> str:
    p50, p95, gone = part["until_verdict"]["p50"], part["until_verdict"]["p95"], part["left_without_verdict"]
    if p50 is None or p95 is None or gone is None:
        return "nobody"
    return f"{p50:.2f} / {p95:.2f}; {100 * gone:.0f}"


if __name__ == "__main__":
    cli.run_app(app)
