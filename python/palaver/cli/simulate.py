from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palaver.cli.options import Json
from palaver.cli.output import FAILED, say_json

if TYPE_CHECKING:
    from rich.table import Table


def simulate(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO", help="crash-100, partition, rumour, … or a TOML file; list shows all."
        ),
    ],
    nodes: Annotated[
        int | None,
        typer.Option(help="How many nodes, if not as many as the scenario says.", min=3, max=5_000),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(help="Everything random; the same seed gives the same history.", min=0, max=2**64 - 1),
    ] = 1,
    rules: Annotated[str, typer.Option(help="palaver, or a model of memberlist or swim.")] = "palaver",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw spread and view sizes as SVG.", dir_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Run a cluster in virtual time through the troubles of a scenario, and say what came of it.

    The engine is the real one; network, clocks and crashes are simulated. Fails where a bar of the scenario is missed.

    \b
    Examples:
      palaver simulate list
      palaver simulate crash-100 --seed 7 --plot crash.svg
      palaver simulate partition --nodes 50 --rules memberlist
    """
    from palaver.core import ArgumentError, simulation_scenarios
    from palaver.core import simulate as run

    if scenario == "list":
        import tomllib

        titles = {name: tomllib.loads(text)["title"] for name, text in simulation_scenarios().items()}
        if json:
            say_json(titles)
        else:
            for name, title in titles.items():
                typer.echo(f"{name:<16} {title}")
        return
    text = scenario
    if scenario.endswith(".toml"):
        try:
            text = Path(scenario).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{scenario} cannot be read: {error}", param_hint="SCENARIO") from None
    if plot is not None and not os.access(plot.absolute().parent, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{plot} cannot be written: there is no such directory", param_hint="--plot")
    with _bar(scenario, json) as progress:
        try:
            figures = run(text, nodes, seed, rules=_rules(rules), progress=progress)
        except ArgumentError as error:
            raise typer.BadParameter(str(error)) from None
    if plot is not None:
        from palaver.cli.simulation_plot import simulation_plot

        try:
            plot.write_text(simulation_plot(figures), "utf-8")
        except OSError as error:
            raise typer.BadParameter(f"{plot} cannot be written: {error}", param_hint="--plot") from None
    if json:
        say_json(figures)
    else:
        from rich.console import Console

        typer.echo(
            f"{figures['title']}: {figures['nodes']} nodes, seed {figures['seed']}, rules of {figures['rules']}"
        )
        Console().print(table(figures))
    if not all(met for *_, met in figures["bars"]) and rules == "palaver":
        raise typer.Exit(FAILED)


def _rules(name: str) -> Any:
    if name not in ("palaver", "memberlist", "swim"):
        raise typer.BadParameter("rules are palaver, memberlist or swim", param_hint="--rules")
    return name


def table(figures: dict[str, Any]) -> Table:
    """Each measure, and where the scenario has a bar for it, the bar and whether it is met."""
    from rich.table import Table

    shown = Table("measure", "value", "at most", "met")
    bars = {name: (at_most, met) for name, at_most, _, met in figures["bars"]}
    for name in sorted({*figures["measures"], *bars}):
        value = figures["measures"].get(name)
        at_most, met = bars.get(name, (None, None))
        shown.add_row(
            name,
            "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip("."),
            "" if at_most is None else f"{at_most:g}",
            "" if met is None else ("yes" if met else "NO"),
        )
    return shown


@contextmanager
def _bar(name: str, quiet: bool) -> Iterator[Callable[[float], object]]:
    import sys

    if quiet or not sys.stderr.isatty():
        yield lambda share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0)
        yield lambda share: bar.update(task, completed=share)
