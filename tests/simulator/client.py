"""A small client for the stand-in's own tests, over the websockets library."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import requests
from websockets.asyncio.client import ClientConnection, connect

from listener.simulator import Platform, frames
from listener.simulator.frames import CONTROL, Frame

CREDENTIALS = {"AppID": "cli_a5ca1ab1e0ddba11", "AppSecret": "demo-secret"}


async def post(url: str, body: Any = None, **settings: Any) -> requests.Response:
    """A POST that the loop does not wait for."""
    settings = {"json": body, "timeout": 5, "allow_redirects": False, "proxies": {"http": ""}, **settings}
    return await asyncio.to_thread(lambda: requests.post(url, **settings))  # noqa: S113 -- it is in there


async def call_endpoint(domain: str, body: Any = None, **settings: Any) -> requests.Response:
    """The endpoint call, with the demo's credentials."""
    return await post(f"{domain}/callback/ws/endpoint", CREDENTIALS if body is None else body, **settings)


async def socket_url(domain: str) -> str:
    """A fresh socket URL."""
    answer: dict[str, Any] = (await call_endpoint(domain)).json()
    return str(answer["data"]["URL"])


@asynccontextmanager
async def connected(platform: Platform, domain: str = "") -> AsyncIterator[ClientConnection]:
    """An open websocket; no keepalive, no timeouts of its own."""
    before = len(platform.connections)
    url = await socket_url(domain or platform.url)
    async with connect(url, ping_interval=None, max_queue=None, close_timeout=0.2, proxy=None) as socket:
        await platform.connected(before + 1)
        yield socket


async def receive(socket: ClientConnection, within: float = 5.0) -> Frame:
    """The next frame."""
    async with asyncio.timeout(within):
        message = await socket.recv()
    assert isinstance(message, bytes)
    return frames.decode(message)


async def answer(socket: ClientConnection, frame: Frame, code: int = 200) -> None:
    """Acks it as the SDK does."""
    frame.headers.append(("biz_rt", "3"))
    frame.payload = json.dumps({"code": code}).encode()
    await socket.send(frames.encode(frame))


async def ping(socket: ClientConnection) -> None:
    """The application's ping."""
    await socket.send(frames.encode(Frame(service=1, method=CONTROL, headers=[("type", "ping")])))
