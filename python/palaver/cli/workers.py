"""Supervisor of `palaver serve --workers N`: starts N nodes on one port, passes signals on, and starts again those that die.

Its own sockets only keep the ports: they are bound and never listen, so that a worker which is started again finds its port
free, and a second start on the same port fails.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from palaver.errors import PalaverError, StartError
from palaver.ledger import SqliteLedger
from palaver.settings import Settings, Worker
from palaver.settings.workers import own_port, rulings_file, side_port

log = logging.getLogger(__name__)

FIRST_WAIT: Final = 0.5
"""Seconds until a worker that died is started again; doubles each time that it does not live for CALM seconds."""
LONGEST_WAIT: Final = 30.0
CALM: Final = 60.0


class WorkerFailed(PalaverError):
    """A worker did not come to serve. It has said why itself."""

    def __init__(self, number: int, code: int) -> None:
        super().__init__(f"worker {number} did not start")
        self.code = code


def supervise(
    settings: Settings, command: Sequence[str], announce: Callable[[list[dict[str, Any]]], None]
) -> int:
    """Runs workers until SIGTERM or SIGINT, and returns the exit code.

    `command` starts a node when `--worker …` follows; it prints a line of JSON once it serves. `announce` is called with these
    lines, in order, once all serve for the first time. Raises StartError for a port that is taken.
    """
    from palaver.observe.logs import configure

    configure(settings.log)
    # Workers share it: it is made here, once, before they open it at the same moment.
    SqliteLedger(rulings_file(settings)).close()
    with ExitStack() as stack:
        gateway, http = settings.gateway, settings.http
        numbers = range(1, gateway.workers + 1)
        shared = _keep(stack, "gateway", gateway.host, gateway.port)
        own = tuple(_keep(stack, "gateway", gateway.host, own_port(settings, each)) for each in numbers)
        side = tuple(_keep(stack, "http", http.host, side_port(settings, each)) for each in numbers)
        workers = [Worker(number, shared, own, side) for number in numbers]
        return asyncio.run(_Supervisor(workers, command, announce).run())


class _Supervisor:
    def __init__(
        self,
        workers: Sequence[Worker],
        command: Sequence[str],
        announce: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        self._workers = workers
        self._command = command
        self._announce = announce
        self._processes: dict[int, Process] = {}
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._tell, signal.SIGHUP)
        try:
            starts = await asyncio.gather(*map(self._start, self._workers), return_exceptions=True)
            failed = [each for each in starts if isinstance(each, BaseException)]
            if failed and not self._stopping.is_set():
                self._tell(signal.SIGTERM)
                await asyncio.gather(*(process.wait() for process in self._processes.values()))
                if isinstance(failed[0], WorkerFailed):
                    return failed[0].code
                raise failed[0]
            if not failed:
                self._announce([each for each in starts if isinstance(each, dict)])
            await asyncio.gather(*map(self._look_after, self._workers))
            return 0
        finally:
            for process in self._processes.values():
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    async def _start(self, worker: Worker) -> dict[str, Any]:
        """Starts one; returns what it says once it serves. Raises WorkerFailed."""
        own, side = (",".join(map(str, each)) for each in (worker.own_ports, worker.side_ports))
        told = f"{worker.number}:{worker.port}:{own}:{side}"
        process = self._processes[worker.number] = await asyncio.create_subprocess_exec(
            *self._command,
            "--worker",
            told,
            # Its end is how a worker knows that we are gone, however that came about.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us, and we pass it on once
        )
        assert process.stdout is not None, "it was asked for"
        line = await process.stdout.readline()
        if not line:
            raise WorkerFailed(worker.number, await process.wait())
        where: dict[str, Any] = json.loads(line)
        return {"worker": worker.number, "pid": process.pid, **where}

    async def _look_after(self, worker: Worker) -> None:
        """Waits for its end, and starts it again unless that was wanted."""
        loop = asyncio.get_running_loop()
        wait, began = FIRST_WAIT, loop.time()
        while True:
            code = await self._processes[worker.number].wait()
            if self._stopping.is_set():
                return
            if loop.time() - began >= CALM:
                wait = FIRST_WAIT
            facts = {"worker": worker.number, "code": code, "againInSeconds": wait}
            log.error("a worker has ended; its rooms are gone", extra=facts)
            try:
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
                return
            except TimeoutError:
                wait = min(LONGEST_WAIT, 2 * wait)
            began = loop.time()
            try:
                where = await self._start(worker)
            except WorkerFailed:
                continue
            log.warning("a worker serves again", extra={"worker": worker.number, "pid": where["pid"]})

    def _stop(self) -> None:
        """The first signal lets the workers drain, the second ends them at once: each sees them as they came."""
        self._stopping.set()
        self._tell(signal.SIGTERM)

    def _tell(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(number)


def _keep(stack: ExitStack, settings: str, host: str, port: int) -> int:
    """Takes a port of these settings for ourselves and our workers, and returns it.

    Raises StartError where another program has it.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            # Once without sharing: with it, another palaver's workers and ours would take turns.
            socket.create_server((address[0], port, *address[2:]), family=family).close()
            keeper = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                keeper.setsockopt(
                    socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1
                )  # as asyncio's and our servers do
            keeper.bind((address[0], port, *address[2:]))
            port = keeper.getsockname()[1]
    except OSError as error:
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; stop the program that has the port, or set "
            f"another {settings}.port"
        ) from error
    return port


def worker_of(text: str) -> Worker:
    """Reads what a supervisor has told."""
    number, port, own, side = text.split(":")
    return Worker(int(number), int(port), *(tuple(map(int, each.split(","))) for each in (own, side)))


def end_with_supervisor() -> None:
    """Stops this worker, as by SIGTERM, when the supervisor is gone. Call it on the running loop."""
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(0, 64):
            loop.remove_reader(0)
            signal.raise_signal(signal.SIGTERM)

    loop.add_reader(0, readable)
