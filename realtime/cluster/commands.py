"""``spectaclear cluster up | status | down``: Ray's processes on this machine, and the cluster's parts on them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

import realtime.system.command_line as cli
from models.errors import BadInput
from realtime.cluster.ray_here import (
    HEAD,
    NODE_LABEL,
    address_of,
    environment,
    folder_of,
    make_token,
    ray_module,
    refuse_strangers,
)
from realtime.cluster.settings import ClusterConfig, ClusterSection, load_cluster

app = typer.Typer(no_args_is_help=True, help="Run cameras and recognisers on several machines (extra: cluster).")

ConfigFile = Annotated[Path, typer.Option("--config", help="The cluster's configuration, a YAML file.")]
Node = Annotated[str, typer.Option("--node", help="Add this machine to the cluster under this name.")]
Cores = Annotated[int | None, typer.Option("--cores", min=1, help="Cores that this node gives; none: all it has.")]
IKnow = Annotated[bool, typer.Option("--i-know", help="Listen on a public address all the same.")]
_STARTING = 300.0


@app.command()
def up(config: ConfigFile, node: Node = HEAD, cores: Cores = None, i_know: IKnow = False) -> None:
    """Start the head and the cluster; with --node NAME add this machine to one that is up."""
    settings = load_cluster(config)
    section = settings.cluster
    warning = refuse_strangers(section.host, i_know=i_know)
    ray_module(section)
    make_token(section, head=node == HEAD)
    if warning is not None:
        cli.console.print(warning)
    start_ray(section, node, cores)
    if node != HEAD:
        cli.console.print(f"node {node} has joined; its cameras come within seconds")
        return
    _bring_up(settings)


def _bring_up(settings: ClusterConfig) -> None:
    from realtime.cluster import deploy

    deploy.connect(settings.cluster)
    deploy.deploy(settings, cli.console.print)
    found = deploy.wait_until_placed(60.0)
    _print(found, deploy.page())


@app.command()
def status(config: ConfigFile, json_file: cli.JsonFile = None) -> None:
    """Say which nodes there are, and how every camera is."""
    from realtime.cluster import deploy

    cli.check_writable(json_file)
    deploy.connect(load_cluster(config).cluster)
    found, page = deploy.overview(), deploy.page()
    cli.write_json(json_file, as_dict(found, page))
    _print(found, page)


@app.command()
def down(config: ConfigFile, node: Node = HEAD) -> None:
    """End the cluster and Ray's processes on this machine; with --node NAME those of this node only."""
    section = load_cluster(config).cluster
    if node == HEAD:
        from realtime.cluster import deploy

        try:
            deploy.connect(section)
            deploy.take_down()
        except BadInput as error:
            cli.console.print(str(error))
    ended = stop_ray(section, None if node == HEAD else node)
    cli.console.print(f"{ended} processes of Ray were ended")


def as_dict(found: Any, page: str | None) -> dict[str, Any]:
    """An overview, ready for JSON."""
    cameras = [{**one.figures(), "node": one.node} for report in found.reports for one in report.on_its_node()]
    return {
        "nodes": [
            {"name": name, "cores": cores, "metrics_port": found.metrics.get(name)}
            for name, cores in found.nodes.items()
        ],
        "cameras": cameras,
        "waiting": list(found.waiting),
        "moves": found.moves,
        "page": page,
    }


def _print(found: Any, page: str | None) -> None:
    for name, cores in sorted(found.nodes.items()):
        cameras = [one for report in found.reports if report.node == name for one in report.cameras]
        port = f", figures on 127.0.0.1:{found.metrics[name]}" if found.metrics.get(name) else ""
        cli.console.print(f"node {name}: {cores:g} cores, {len(cameras)} cameras{port}")
        for one in cameras:
            cli.console.print(f"  {one.name}: {one.state.value}{f', {one.message}' if one.message else ''}")
    for line in found.waiting:
        cli.console.print(f"waits: {line}")
    if page is not None:
        cli.console.print(f"live page: {page}")


def start_ray(section: ClusterSection, node: str, cores: int | None = None) -> None:
    """Start Ray's processes of this node.

    Raises:
        BadInput: they do not start, or run already.
    """
    if own_processes(section, node):
        raise BadInput(f"node {node} runs already; end it with cluster down --node {node}")
    host = address_of(section.host)
    command = [
        sys.executable,
        "-m",
        "realtime.cluster.start_ray",
        "start",
        "--node-ip-address",
        host,
        "--disable-usage-stats",
    ]
    command += ["--labels", f"{NODE_LABEL}={node}", "--object-store-memory", str(200 << 20)]
    command += ["--temp-dir", str(folder_of(section, node))]
    command += ["--head", "--port", str(section.port)] if node == HEAD else ["--address", f"{host}:{section.port}"]
    command += ["--include-log-monitor", "false"]  # logs stay in the node's files
    command += (
        ["--include-dashboard", "false", "--no-monitor"] if node == HEAD else []
    )  # nobody adds machines by itself
    command += ["--num-cpus", str(cores)] if cores is not None else []
    if node == HEAD:  # left by a head that was killed: Ray would take a node's process for a head that still runs
        (folder_of(section, node) / "ray_current_cluster").unlink(missing_ok=True)
    surroundings = {**os.environ, **environment(section)}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=_STARTING)
    if done.returncode != 0:
        from realtime.cluster.deploy import why_not_connected

        said = " ".join((done.stderr or done.stdout).split())
        if "ersion mismatch" in said or node != HEAD:
            raise BadInput(why_not_connected(said, f"{host}:{section.port}"))
        raise BadInput(f"Ray's head does not start on {host}:{section.port}: {said[-300:]}")


def own_processes(section: ClusterSection, node: str | None) -> list[psutil.Process]:
    """Ray's processes of this cluster on this machine, of one node or of all."""
    marks = f"spectaclear-{section.port}-" if node is None else str(folder_of(section, node)) + "/"
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and any(marks in word for word in process.cmdline())
                and "ray" in " ".join(process.cmdline())
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def stop_ray(section: ClusterSection, node: str | None) -> int:
    """End those processes, and what they have started; gives how many there were."""
    whole: dict[int, psutil.Process] = {}
    for process in own_processes(section, node):
        try:
            whole |= {one.pid: one for one in (process, *process.children(recursive=True))}
        except psutil.Error:
            continue
    server = [process for process in whole.values() if _named(process) == "gcs_server"]
    others = [process for process in whole.values() if process not in server]
    for process in others:
        _quietly(process.terminate)
    alive = still_running(others, 5.0)
    for process in (*alive, *server):  # the head's server last: the others tell it that they end
        _quietly(process.kill)
    still_running([*alive, *server], 2.0)
    time.sleep(0.1)
    return len(whole)


def still_running(processes: Sequence[psutil.Process], patience: float) -> list[psutil.Process]:
    """Those of them that have not ended in that time; one that its parent has yet to take note of has ended."""
    end = time.monotonic() + patience
    while (alive := [process for process in processes if _runs(process)]) and time.monotonic() < end:
        time.sleep(0.05)
    return alive


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _named(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _quietly(call: Any) -> None:
    try:
        call()
    except psutil.Error:
        return
