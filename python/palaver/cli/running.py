"""Runs one node until it is told to stop. Used by `dev` and `serve`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from palaver.errors import StartError

if TYPE_CHECKING:
    from palaver.node import SignalingNode
    from palaver.settings import Settings, Worker

GARBAGE_THRESHOLDS: Final = (10_000, 10, 20)
"""Net new objects until the youngest generation is collected, and how often before the next one is (gc.set_threshold)."""
LARGE_BYTES: Final = 64 * 1024
"""Blocks of this size and more go back to the system when they are freed. The largest are the tails of rooms' logs."""
M_MMAP_THRESHOLD: Final = -3
"""mallopt(3)."""


def run(
    settings: Settings,
    announce: Callable[[SignalingNode], None],
    source: Callable[[], Settings] | None = None,
    worker: Worker | None = None,
) -> None:
    """Starts a node, calls `announce` once it listens, and comes back when it has stopped and closed.

    The node itself listens to SIGTERM and SIGINT and, where there is a `source` to read the settings from again, to
    SIGHUP. Raises StartError where it cannot start.
    """
    import asyncio

    import uvloop

    from palaver.cli.local_node import noted
    from palaver.node import SignalingNode
    from palaver.observe.logs import configure

    configure(settings.log)
    token = settings.http.admin_token
    take_descriptors()
    give_memory_back()

    async def live() -> None:
        node = SignalingNode(settings, source, worker)
        collect_garbage_rarely()
        try:
            try:
                await node.start()
            except OSError as error:
                raise StartError(f"the node cannot start: {error.strerror or error}") from error
            stopped = asyncio.create_task(node.run_until_stopped(), name="node")
            await asyncio.sleep(
                0
            )  # one step, in which it begins to listen to signals: who reads may send one
            with noted(settings.node.state_dir, f"http://{visible(node.http_address)}", token):
                announce(node)
                await stopped
        finally:
            await node.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live())


def collect_garbage_rarely() -> None:
    """Takes what the start has made out of garbage collection, and lets the collector look at the rest less often.

    A node keeps very many objects that are no garbage, and a full collection looks at all of them: with 15,000 sessions
    one stalled the loop for 0.2 s. What ends is freed by its reference count; cycles can wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def give_memory_back() -> None:
    """Keeps glibc from raising, with each large block that is freed, the size from which blocks are mapped by themselves.

    Else the logs of rooms that were busy stay in the heap among smaller things: after 500 rooms of 1 MiB each had ended, a node
    held 380 MB instead of 150. Where there is no mallopt, nothing happens.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def take_descriptors() -> None:
    """Raises the limit of open files as far as this process may: each client is one."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def gossip_of(node: SignalingNode) -> dict[str, str]:
    """What --json says of a node's place in a cluster: nothing where it has none."""
    if node.cluster is None:
        return {}
    return {"gossip": node.cluster.address, "nodeId": node.cluster.node_id}


def visible(address: tuple[str, int]) -> str:
    """host:port as a client on this machine would write it; a node on all interfaces is on loopback too."""
    from palaver.settings.dev import ANY, LOOPBACK, url_host

    host, port = address[:2]
    return f"{url_host(LOOPBACK if host in ANY else host)}:{port}"
