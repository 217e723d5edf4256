from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palaver.cli.options import Config, Json, StateDir, Verbose
from palaver.cli.output import FAILED, say_json

if TYPE_CHECKING:
    from palaver.bench.run import Measurement, Runner
    from palaver.bench.scenario import Scenario
    from palaver.bench.wire import TokenMaker


def bench(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="relay, trickle, fanout, joins, storm, idle, slow-reader, mixed, or a TOML file.",
        ),
    ] = "relay",
    url: Annotated[str, typer.Option(help="The node's gateway.")] = "ws://127.0.0.1:7880/v1",
    duration: Annotated[
        str | None,
        typer.Option(help="How long is measured: 5, 30s, 1m. Without: as the scenario says, 10 s for most."),
    ] = None,
    warm_up: Annotated[
        str | None, typer.Option(help="How long before that, uncounted. Without: 2 s for most.")
    ] = None,
    sessions: Annotated[int | None, typer.Option(help="Of idle (5,000) and storm (300): how many.")] = None,
    pairs: Annotated[int | None, typer.Option(help="Of relay and trickle (64): rooms of two.")] = None,
    clients: Annotated[
        int | None, typer.Option(help="Of joins (64): how many are on their way at once.")
    ] = None,
    rooms: Annotated[int | None, typer.Option(help="Of fanout (1): how many rooms.")] = None,
    room_size: Annotated[
        int | None, typer.Option(help="Of fanout (100) and joins (1): how many in each room.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Closed loop (1): messages under way in each room.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Open loop: so many per second over all, whatever comes back.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--bytes", help="Of each SDP (2,048), candidate (200) or event (2,048).")
    ] = None,
    replies: Annotated[
        bool | None, typer.Option("--replies", help="Of relay: requests, not notifications.")
    ] = None,
    config: Config = None,
    token_key: Annotated[
        str | None, typer.Option(metavar="ID", help="Which key of auth.keys signs; --config names the file.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Certificates (PEM) to trust of a wss:// node.", exists=True),
    ] = None,
    pid: Annotated[
        list[int] | None,
        typer.Option(
            help="The node's process, to read its CPU and memory; once for each worker. Found by the port if local."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the latencies as SVG.", dir_okay=False)
    ] = None,
    state_dir: StateDir = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Load a running node, and say what it does.

    The clients are native, on one thread beside Python. Tokens are signed as `palaver token` does: with the
    development key of the state directory, or with a key of --config. A node has rate limits: for figures of
    the node rather than of its limits run it with those of benches/gateway.toml. Stops early on Ctrl-C.

    \b
    Examples:
      palaver bench relay
      palaver bench fanout --room-size 1000 --duration 5 --json
      palaver bench relay --rate 2000 --plot latency.svg
      palaver bench my-scenario.toml --url wss://node.example/v1 --config palaver.toml
    """
    import secrets

    from palaver.bench.figures import figures_of
    from palaver.bench.plot import latency_plot
    from palaver.bench.run import Runner
    from palaver.bench.scenario import adjusted
    from palaver.bench.server_process import ServerProcess, find_listener
    from palaver.bench.target import check_reachable, target_of
    from palaver.bench.wire import plan_of

    chosen = adjusted(
        _scenario(scenario),
        scenario,
        seconds=_seconds("--duration", duration),
        warm_up=_seconds("--warm-up", warm_up),
        sessions=sessions,
        pairs=pairs,
        clients=clients,
        rooms=rooms,
        room_size=room_size,
        window=window,
        rate=rate,
        bytes=size,
        replies=replies,
    )
    _check_options(chosen, config, token_key, plot)
    target = target_of(url, ca)
    check_reachable(target)
    server = None
    if pid:
        server = ServerProcess(*pid)
        server.check()
    elif target.is_loopback:
        server = find_listener(target.port, target.host)
    token = token_maker(config, token_key, state_dir)
    with _preparing(quiet=json):
        plan = plan_of(chosen, target, token, f"bench-{secrets.token_hex(3)}")
    measured = _watched(Runner(plan, server), chosen, quiet=json)
    figures = figures_of(scenario, url, chosen, measured, () if server is None else server.pids)
    if json:
        import msgspec

        say_json(msgspec.to_builtins(figures))
    else:
        from rich.console import Console

        from palaver.bench.table import show

        show(figures, Console())
    if plot is not None:
        plot.write_text(latency_plot(figures), "utf-8")
    if figures.is_empty:
        raise typer.Exit(FAILED)


def _scenario(name: str) -> Scenario:
    from palaver.bench.scenario import PRESETS, load_scenario, preset

    if name in PRESETS:
        return preset(name)
    if name.endswith(".toml"):
        return load_scenario(Path(name))
    import difflib

    near = difflib.get_close_matches(name, PRESETS, n=1)
    hint = (
        f"; did you mean {near[0]}?"
        if near
        else f": one of {', '.join(PRESETS)}, or a file that ends in .toml"
    )
    raise typer.BadParameter(f"there is no scenario {name!r}{hint}", param_hint="SCENARIO")


def _check_options(scenario: Scenario, config: Path | None, key: str | None, plot: Path | None) -> None:
    """Refuses what would be of no use, before anything is loaded."""
    from palaver.bench.scenario import Idle, Joins, Storm

    if key is not None and config is None:
        raise typer.BadParameter(
            "names a key of a settings file; name that with --config", param_hint="--token-key"
        )
    if plot is not None and not (
        plot.parent.is_dir() and os.access(plot if plot.exists() else plot.parent, os.W_OK)
    ):
        raise typer.BadParameter(f"{plot} cannot be written", param_hint="--plot")
    for stage in scenario.stage:
        if stage.rate is not None and stage.window > 1:
            raise typer.BadParameter(
                f"{stage.label} has a rate, which sends whatever is under way: it goes without a window",
                param_hint="--window",
            )
        if isinstance(stage, Idle | Joins | Storm) and stage.window > 1:
            raise typer.BadParameter(f"{stage.label} has no window", param_hint="--window")
        if isinstance(stage, Idle | Storm) and stage.rate is not None:
            raise typer.BadParameter(f"{stage.label} has no rate", param_hint="--rate")
        if isinstance(stage, Idle) and stage.sessions % 2:
            raise typer.BadParameter(
                f"{stage.sessions} sessions of {stage.label}: they are in rooms of two, so say an even number",
                param_hint="--sessions",
            )


def _seconds(option: str, text: str | None) -> float | None:
    from palaver.cli.duration import seconds

    if text is None:
        return None
    try:
        return seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def token_maker(config: Path | None, key: str | None, state_dir: Path | None) -> TokenMaker:
    """Signs with the key that `palaver token` would sign with."""
    import time

    from palaver import settings as sources
    from palaver.bench.minting import Mint
    from palaver.cli.token import signing_key

    environ = os.environ
    settings = sources.load(config, environ=environ, dev=config is None, files=False)
    auth = settings.auth
    if config is None:
        key_id, secret = sources.dev_keys(sources.state_dir(state_dir, environ=environ, settings=settings))
    else:
        key_id, secret = signing_key(auth, key)
    ttl = min(86_400.0, auth.max_ttl_seconds)
    return Mint(key_id, secret, now=time.time(), ttl_seconds=ttl, audience=auth.audience or None)


def _watched(runner: Runner, scenario: Scenario, *, quiet: bool) -> Measurement:
    """Goes with the run to its end; Ctrl-C ends it early, a second one at once."""
    with _bar(scenario, quiet) as update:
        while True:
            try:
                for progress in runner.watch():
                    update(progress)
                return runner.finish()
            except KeyboardInterrupt:
                runner.stop()


@contextmanager
def _preparing(*, quiet: bool) -> Iterator[None]:
    """Tokens and messages of some ten thousand clients take a second."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("preparing clients and their tokens"):
        yield


@contextmanager
def _bar(scenario: Scenario, quiet: bool) -> Iterator[Any]:
    import sys
    import time

    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("connecting", total=scenario.warm_up + scenario.seconds, facts="")
        state = {"began": 0.0, "shown": 0.0}

        def update(progress: Any) -> None:
            now = time.monotonic()
            if progress.phase in ("warming", "measuring") and not state["began"]:
                state["began"] = now
            # Drawing takes the interpreter a millisecond or two: not more often than people see.
            if now - state["shown"] < 0.25:
                return
            state["shown"] = now
            facts = f"{progress.ready:,} in, {progress.arrived + progress.cycles:,} messages"
            done = now - state["began"] if state["began"] else 0.0
            bar.update(task, description=progress.phase, completed=done, facts=facts, refresh=True)

        yield update
