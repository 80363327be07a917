"""Stand-ins of the chat services on loopback: they check what the real ones check, and answer as documented."""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

SECRET = "SEC-of-the-bot"
REFUSALS: dict[str, dict[str, dict[str, Any]]] = {
    "feishu": {
        "throttled": {"code": 11232, "msg": "frequency limited"},
        "bad signature": {"code": 19021, "msg": "sign match fail or timestamp is not within one hour"},
        "too long": {"code": 9499, "msg": "Bad Request"},
        "keyword": {"code": 19024, "msg": "Key Words Not Found"},
    },
    "dingtalk": {
        "throttled": {"errcode": 130101, "errmsg": "send too fast"},
        "bad signature": {"errcode": 310000, "errmsg": "sign not match"},
        "too long": {"errcode": 460101, "errmsg": "message too long"},
        "keyword": {"errcode": 310000, "errmsg": "keywords not in content"},
    },
    "wecom": {
        "throttled": {"errcode": 45009, "errmsg": "api freq out of limit"},
        "bad signature": {"errcode": 93000, "errmsg": "invalid webhook url"},
        "too long": {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"},
    },
}


class StandIn:
    """One service's bot: `texts` are the messages that the group sees, `refusals` are given first, in order."""

    def __init__(self, service: str, signed: bool = False, keyword: str = "") -> None:
        self.service, self.signed, self.keyword = service, signed, keyword
        self.texts: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.refusals: list[web.Response] = []
        self.url = ""

    def refuse(self, why: str) -> None:
        """The next post is answered like this."""
        if self.service == "slack":
            throttled = web.Response(status=429, text="rate_limited", headers={"Retry-After": "7"})
            named = {"throttled": throttled, "bad signature": web.Response(status=403, text="invalid_token")}
            self.refusals.append(named.get(why) or web.Response(status=400, text="invalid_payload"))
        else:
            self.refusals.append(web.json_response(REFUSALS[self.service][why]))

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.times.append(time.monotonic())
        if self.refusals:
            return self.refusals.pop(0)
        if why := self._problem(request, body):
            return web.json_response(REFUSALS[self.service][why])
        self.bodies.append(body)
        self.texts.append(self._text(body))
        name = "code" if self.service == "feishu" else "errcode"
        return web.Response(text="ok") if self.service == "slack" else web.json_response({name: 0, "msg": "ok"})

    def _text(self, body: dict[str, Any]) -> str:
        place = {"feishu": "content", "slack": ""}.get(self.service, "text")
        text = body[place] if place else body
        return str(text["text"] if "text" in text else text["content"])

    def _problem(self, request: web.Request, body: dict[str, Any]) -> str:
        if self.signed and not self._is_signed(request, body):
            return "bad signature"
        limit = {"feishu": 20_480, "wecom": 2048, "dingtalk": 20_000, "slack": 40_000}[self.service]
        if len(self._text(body).encode()) > limit:
            return "too long"
        return "" if self.keyword in self._text(body) else "keyword"

    def _is_signed(self, request: web.Request, body: dict[str, Any]) -> bool:
        if self.service == "feishu":
            key, message, given = f"{body.get('timestamp')}\n{SECRET}", "", body.get("sign")
            at = float(body.get("timestamp", 0))
        else:
            key, message, given = SECRET, f"{request.query.get('timestamp')}\n{SECRET}", request.query.get("sign")
            at = float(request.query.get("timestamp", 0)) / 1000
        right = base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()
        return given == right and abs(time.time() - at) < 3600


@asynccontextmanager
async def serving(stand_in: StandIn) -> AsyncIterator[StandIn]:
    """With the stand-in's `url` answering."""
    app = web.Application()
    app.router.add_post("/bot/{token}", stand_in.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    stand_in.url = f"http://127.0.0.1:{port}/bot/hook-of-the-group?access_token=t0ken-of-the-bot"
    try:
        yield stand_in
    finally:
        await runner.cleanup()
