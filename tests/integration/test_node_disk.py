"""Disks that fail under a real process: what cannot be kept is not acknowledged, calls go on, readiness says why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.failing_disk import FailingDisk
from harness.media import eventually
from harness.operator import ADMIN_SETTINGS, Operator, operator_of
from harness.process import NodeProcess, serving_process, write_settings
from harness.settings import KEY_ID, SECRET
from palaver.client import Client, connect
from palaver.errors import StartError
from palaver.ledger import SqliteLedger
from palaver.signaling.rulings import Ruling
from palaver.signaling.tokens import mint


def token(identity: str) -> str:
    return mint(KEY_ID, SECRET, identity=identity, now=time.time())


@asynccontextmanager
async def call_under_way(node: NodeProcess) -> AsyncIterator[tuple[Client, Operator]]:
    async with operator_of(node) as operator, connect(node.url, token("alice")) as alice:
        await alice.join("room")
        yield alice, operator


async def goes_on_without_durable_rulings(node: NodeProcess, alice: Client, operator: Operator) -> None:
    """The node is up, refuses a ban with `unavailable`, does not apply it, says it is not ready, and serves."""
    assert await operator.ban("bob") == (503, "unavailable")
    status, why = await operator.readiness()
    assert (status, why.startswith("rulings cannot be kept: ")) == (503, True)
    assert (await alice.call("heartbeat", t=1))["t"] == 1
    async with connect(node.url, token("bob")) as bob:
        await bob.join("room")  # what was not acknowledged does not hold
    assert await operator.banned() == set()

    def errors() -> list[str]:
        return [each["event"] for each in node.logs if each["level"] not in ("info", "debug")]

    await eventually(lambda: "rulings cannot be kept" in errors(), "it says so")
    assert errors().count("rulings cannot be kept") == 1, "one line, however often it fails"
    assert set(errors()) <= {"rulings cannot be kept", "events cannot be kept"}


async def is_ready_again(operator: Operator) -> None:
    async with asyncio.timeout(20):
        while (await operator.readiness())[0] != 200:
            pass


async def test_an_error_of_fsync_is_no_acknowledgement_and_no_end(
    tmp_path: Path, failing_disk_library: Path
) -> None:
    disk = FailingDisk.make(failing_disk_library, tmp_path / "state", tmp_path / "disk")
    with serving_process(tmp_path, ADMIN_SETTINGS, environ=disk.environ) as node:
        async with call_under_way(node) as (alice, operator):
            disk.fail("fsync", "fdatasync")
            await goes_on_without_durable_rulings(node, alice, operator)
            disk.mend("fsync", "fdatasync")
            await is_ready_again(operator)
            assert (await operator.ban("bob"))[0] == 201
            assert await operator.banned() == {"bob"}


async def test_a_full_disk_is_no_acknowledgement_and_no_end(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the next page of the journal does not fit."""
    with serving_process(tmp_path, ADMIN_SETTINGS) as node:
        async with call_under_way(node) as (alice, operator):
            pid = node.process.pid
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            journal = tmp_path / "state" / "rulings.sqlite-wal"
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (journal.stat().st_size + 100, before[1]))
            await goes_on_without_durable_rulings(node, alice, operator)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
            await is_ready_again(operator)
            assert (await operator.ban("bob"))[0] == 201


def test_a_read_only_disk_is_one_sentence_at_the_start(tmp_path: Path) -> None:
    """In a mount namespace of its own, so that it is read-only for root, too."""
    state = tmp_path / "state"
    state.mkdir()
    mounts = f"mount -t tmpfs -o ro none '{state}'"
    try:
        if subprocess.run(
            ["unshare", "-rm", "sh", "-c", mounts], capture_output=True, check=False
        ).returncode:
            pytest.skip("needs to make a mount namespace")
    except FileNotFoundError:
        pytest.skip("needs unshare")
    config = write_settings(tmp_path)
    serve = (
        f"{sys.executable} -m palaver.cli serve -c '{config}' --port 0 --http-port 0 --state-dir '{state}'"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mounts} && exec {serve}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert (
        "cannot keep rulings in" in done.stderr and "set node.state_dir to a writable folder" in done.stderr
    )
    assert "Traceback" not in done.stderr


async def test_every_acknowledged_ban_outlives_a_kill(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for life in range(3):
        with serving_process(tmp_path, ADMIN_SETTINGS) as node:
            async with operator_of(node) as operator:
                assert await operator.banned() >= acknowledged
                enough = asyncio.Event()

                async def ban(
                    life: int = life, operator: Operator = operator, enough: asyncio.Event = enough
                ) -> None:
                    for number in range(10_000):
                        identity = f"{life}-{number}"
                        assert (await operator.ban(identity))[0] == 201
                        acknowledged.add(identity)
                        if number == 20 * (life + 1):
                            enough.set()

                banning = asyncio.create_task(ban())
                await asyncio.wait(
                    {banning, waiting := asyncio.create_task(enough.wait())},
                    return_when=asyncio.FIRST_COMPLETED,
                )
                waiting.cancel()
                assert enough.is_set()
                os.kill(node.process.pid, signal.SIGKILL)  # in the middle of the next one
                with contextlib.suppress(Exception):
                    await banning
    with serving_process(tmp_path, ADMIN_SETTINGS) as node:
        async with operator_of(node) as operator:
            assert await operator.banned() >= acknowledged


def ruling(number: int) -> Ruling:
    return Ruling(
        id=f"b_{number}",
        kind="ban",
        identity=f"somebody-{number}",
        made_at=1.0,
        by="operator",
        until=4e9 + number,
    )


def test_no_flipped_bit_changes_a_ruling_unseen(tmp_path: Path) -> None:
    """One bit in every byte that matters: the file is refused, or says what it said. No ban is altered or lost."""
    path = tmp_path / "rulings.sqlite"
    written = [ruling(number) for number in range(5)]
    ledger = SqliteLedger(path)
    ledger.record(written)
    ledger.close()
    whole = path.read_bytes()
    assert not path.with_name("rulings.sqlite-wal").exists(), "a ledger that was closed is one file"
    used = [at for at in range(len(whole)) if whole[at]]
    refused = 0
    for at in used:
        path.write_bytes(whole[:at] + bytes((whole[at] ^ (1 << at % 8),)) + whole[at + 1 :])
        try:
            again = SqliteLedger(path)
            try:
                assert sorted(again.load(), key=lambda each: each.id) == written, f"byte {at}"
            finally:
                again.close()
        except StartError as error:
            refused += 1
            assert str(path) in str(error)
        for name in ("rulings.sqlite-wal", "rulings.sqlite-shm"):
            path.with_name(name).unlink(missing_ok=True)
    assert refused > len(used) / 2


def test_a_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    import sqlite3

    import msgspec

    path = tmp_path / "rulings.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as old, old:
        old.execute("CREATE TABLE rulings (id TEXT PRIMARY KEY, until REAL, body BLOB NOT NULL) STRICT")
        one = ruling(1)
        old.execute("INSERT INTO rulings VALUES (?, ?, ?)", (one.id, one.until, msgspec.json.encode(one)))
    ledger = SqliteLedger(path)
    assert list(ledger.load()) == [one]
    ledger.record([ruling(2)])
    ledger.close()
    again = SqliteLedger(path)
    assert {each.id for each in again.load()} == {"b_1", "b_2"}
    again.close()


async def test_damaged_rulings_are_one_sentence_at_the_start(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "rulings.sqlite").write_bytes(b"this is no database" * 100)
    with (
        pytest.raises(AssertionError, match=r"are damaged: .*restore the file") as caught,
        serving_process(tmp_path),
    ):
        pass
    assert "Traceback" not in str(caught.value)
