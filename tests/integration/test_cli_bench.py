"""`palaver bench` as a process, against a node in the test's own loop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from harness.node import RunningNode, running_node
from harness.process import serving_process
from harness.settings import KEY_ID, SECRET


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node() as node:
        yield node


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "palaver.toml"
    path.write_text(f"[auth.keys]\n{KEY_ID} = '{SECRET}'\n")
    return str(path)


async def started(*arguments: str) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PALAVER_")}
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "palaver.cli", "bench", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=kept)


def certificates(folder: Path) -> dict[str, str]:
    """Files with a certificate of localhost, its key, and the authority that a client must trust."""
    authority = trustme.CA()
    names = {name: str(folder / f"{name}.pem") for name in ("certificate", "key", "ca")}
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(names["certificate"])
    issued.private_key_pem.write_to_path(names["key"])
    authority.cert_pem.write_to_path(names["ca"])
    return names


async def bench(*arguments: str) -> tuple[int | None, str, str]:
    process = await started(*arguments)
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def told(figures: Any) -> list[str]:
    """Its notes, but for those that a busy machine gives."""
    return [note for note in figures["notes"] if "the load side" not in note]


FAST = ("--duration", "1", "--warm-up", "0", "--rate", "20")
"""Slow enough for the limits of a node as it comes."""


async def test_it_prints_figures_as_json_and_draws_them(
    node: RunningNode, config: str, tmp_path: Path
) -> None:
    plot = tmp_path / "out.svg"
    options = ("--pairs", "2", "--url", node.url, "--config", config, "--json", "--plot", str(plot))
    code, out, err = await bench("relay", *FAST, *options)
    assert (code, err) == (0, "")
    figures = json.loads(out)
    (stage,) = figures["stages"]
    assert stage["arrived"] >= 18 and stage["lost"] == 0 and told(figures) == []
    assert figures["server"]["pids"] == [os.getpid()]
    assert plot.read_text().startswith("<svg")


async def test_a_table_has_the_latencies_and_the_servers_cpu(node: RunningNode, config: str) -> None:
    code, out, err = await bench("trickle", *FAST, "--pairs", "2", "--url", node.url, "--config", config)
    assert (code, err) == (0, "")
    assert "p99.9" in out and "µs CPU per message" in out and "load side" in out


async def test_a_scenario_of_ones_own_is_a_file(node: RunningNode, config: str, tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text('seconds = 0.2\nwarm-up = 0\n[[stage]]\nkind = "fanout"\nroom-size = 3\nrate = 50\n')
    code, out, _ = await bench(str(scenario), "--url", node.url, "--config", config, "--json")
    assert code == 0
    assert json.loads(out)["stages"][0]["arrived"] >= 16


async def test_ctrl_c_ends_it_with_the_figures_until_then(node: RunningNode, config: str) -> None:
    process = await started(
        "relay", *FAST, "--duration", "1h", "--pairs", "2", "--url", node.url, "--config", config, "--json"
    )
    sessions = node.node.plane.sessions.sessions
    async with asyncio.timeout(30):
        while len(sessions) < 4:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["notes"][0].startswith("it was stopped early")
    assert not sessions, "the clients said goodbye"


async def test_it_speaks_tls(config: str, tmp_path: Path) -> None:
    names = certificates(tmp_path)
    tls: dict[str, Any] = {"tls_certificate": names["certificate"], "tls_key": names["key"]}
    async with running_node(gateway=tls) as node:
        url = node.url.replace("ws://127.0.0.1", "wss://localhost")
        options = (*FAST, "--pairs", "2", "--url", url, "--config", config, "--json")
        trusting = json.loads((await bench("relay", *options, "--ca", names["ca"]))[1])
        doubting = json.loads((await bench("relay", *options))[1])
    assert trusting["sessions"] == 4 and trusting["stages"][0]["lost"] == 0
    assert (doubting["sessions"], doubting["failed"]) == (0, 4)
    assert "certificate" in doubting["refusals"][0]["reason"]


PAIRS = 32
"""So many rooms that both workers have some, but for one time in two billion."""


async def test_it_follows_to_the_worker_that_has_the_room(tmp_path: Path) -> None:
    with serving_process(tmp_path, "", "--workers", "2") as node:
        options = ("--pairs", str(PAIRS), "--url", node.url, "--config", str(tmp_path / "palaver.toml"))
        figures = json.loads((await bench("relay", *FAST, *options, "--json"))[1])
        table = (await bench("joins", *FAST, *options[2:], "--clients", "32"))[1]
        workers = [worker["pid"] for worker in node.where["workers"]]
    assert (figures["sessions"], figures["failed"], told(figures)) == (2 * PAIRS, 0, [])
    assert figures["stages"][0]["lost"] == 0 and figures["stages"][0]["arrived"] >= 18
    assert len(figures["redirects"]) == 2 and 0 < sum(figures["redirects"].values()) < 2 * PAIRS
    assert figures["server"]["pids"] == sorted(workers)
    assert "redirects (4001): " in table and table.count("note") == table.count("the load side")


async def test_it_follows_under_tls_as_well(tmp_path: Path) -> None:
    names = certificates(tmp_path)
    more = f"[gateway]\ntls_certificate = '{names['certificate']}'\ntls_key = '{names['key']}'\n"
    with serving_process(tmp_path, more, "--workers", "2") as node:
        url = node.url.replace("127.0.0.1", "localhost")
        options = ("--pairs", str(PAIRS), "--url", url, "--config", str(tmp_path / "palaver.toml"))
        figures = json.loads((await bench("relay", *FAST, *options, "--ca", names["ca"], "--json"))[1])
    assert (figures["sessions"], figures["refusals"]) == (2 * PAIRS, [])
    assert all(url.startswith("wss://localhost:") for url in figures["redirects"])
    assert len(figures["redirects"]) == 2


async def test_a_node_that_is_spoken_to_in_the_wrong_scheme_is_told(
    node: RunningNode, config: str, tmp_path: Path
) -> None:
    names = certificates(tmp_path)
    tls: dict[str, Any] = {"tls_certificate": names["certificate"], "tls_key": names["key"]}
    async with running_node(gateway=tls) as encrypted:
        wrong = {node.url: "wss://", encrypted.url: "ws://"}
        for right, scheme in wrong.items():
            url = scheme + right.partition("://")[2]
            code, out, err = await bench("relay", *FAST, "--url", url, "--config", config)
            other = "ws://" if scheme == "wss://" else "wss://"
            assert (code, out) == (1, "")
            assert f"say {other}{right.partition('://')[2]}" in err


async def test_a_process_that_is_not_there_is_told_before_the_run(node: RunningNode, config: str) -> None:
    code, out, err = await bench("relay", "--url", node.url, "--config", config, "--pid", str(2**22 + 1))
    assert (code, out) == (1, "")
    assert "there is no process 4194305" in err


async def test_where_nobody_listens_it_says_so_and_fails(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"ws://127.0.0.1:{port}/v1"
    code, out, err = await bench("relay", *FAST, "--pairs", "1", "--url", url, "--state-dir", str(tmp_path))
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"palaver: nobody listens at 127.0.0.1:{port}: start a node with `palaver dev` or `palaver serve`, or name one with --url"
    ]


async def test_a_key_that_the_node_does_not_have_is_told(node: RunningNode, tmp_path: Path) -> None:
    code, out, _ = await bench(
        "relay", *FAST, "--pairs", "1", "--url", node.url, "--state-dir", str(tmp_path)
    )
    assert code == 1
    assert "does not know the key" in out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("relai",), "did you mean relay?"),
        (("nowhere.toml",), "cannot be read"),
        (("relay", "--pairs", "0"), "`int` >= 1"),
        (("relay", "--sessions", "5"), "no stage has sessions"),
        (("relay", "--url", "http://127.0.0.1"), "must be ws://"),
        (("relay", "--duration", "soon"), "--duration"),
        (("relay", "--plot", "/nonexistent/x.svg"), "cannot be written"),
        (("relay", "--token-key", "k"), "name that with --config"),
        (("relay", "--window", "2", "--rate", "5"), "goes without a window"),
        (("idle", "--sessions", "5"), "an even number"),
        (("joins", "--window", "2"), "joins has no window"),
        (("storm", "--rate", "2"), "storm has no rate"),
    ],
)
async def test_a_wrong_command_line_is_told(arguments: tuple[str, ...], what: str, tmp_path: Path) -> None:
    code, out, err = await bench(*arguments, "--state-dir", str(tmp_path))
    assert code in (1, 2) and out == "" and "Traceback" not in err
    assert what in " ".join(err.split())
