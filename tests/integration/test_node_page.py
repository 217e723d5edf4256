"""Where the page of a node finds its gateway."""

from __future__ import annotations

import aiohttp

from harness.node import running_node


async def config(http: str, host: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{http}/config.json", headers={"Host": host}) as answer,
    ):
        gateway: str = (await answer.json())["gateway"]
        return gateway


async def test_a_gateway_on_all_interfaces_is_where_the_page_came_from() -> None:
    async with running_node(gateway={"host": "0.0.0.0"}, media={"embedded": False}) as node:
        port = node.node.gateway_address[1]
        assert await config(node.http, "calls.example:7881") == f"ws://calls.example:{port}/v1"
        assert await config(node.http, "[2001:db8::7]:7881") == f"ws://[2001:db8::7]:{port}/v1"
        assert await config(node.http, "no host/") == f"ws://127.0.0.1:{port}/v1"


async def test_a_gateway_on_one_interface_is_there_whatever_the_page_was_called() -> None:
    async with running_node(media={"embedded": False}) as node:
        port = node.node.gateway_address[1]
        assert await config(node.http, "calls.example:7881") == f"ws://127.0.0.1:{port}/v1"
