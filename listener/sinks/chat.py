"""Events as messages of a team's chat: the group bots of Feishu, Lark, DingTalk, WeCom and Slack.

One message an event while the service's limit leaves room for it; when more comes, one message that gathers the whole
batch: the first texts, and how many more there are in how many tickets. chat_services.py says what each service wants.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from listener.base.errors import ConfigError
from listener.settings.rules import Duration, Text
from listener.settings.secrets import SecretSource
from listener.sinks.base import Line, SinkConfig
from listener.sinks.chat_services import SERVICES, Answer
from listener.sinks.chat_text import Language, Said, clean, default_text, gathered, ticket_id
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

if TYPE_CHECKING:
    from aiohttp import ClientSession

MINUTE = 60.0
MAX_ANSWER = 2**14  # bytes of an answer that are read
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_decode = msgspec.json.Decoder().decode


class ChatConfig(SinkConfig, frozen=True, kw_only=True):
    """`url` is the bot's address, which is a credential; `text` is a jq expression for the message's text."""

    type: Literal["chat"] = "chat"
    service: Literal["feishu", "lark", "dingtalk", "wecom", "slack"]
    url: SecretSource
    secret: SecretSource | None = None
    text: str | None = None
    language: Language = "zh"
    keyword: Annotated[str | None, Text(r"\S.{0,63}", "the word that the bot wants in each message")] = None
    timeout: Annotated[float, Duration("100ms", "5m")] = 10.0

    def __post_init__(self) -> None:
        if self.text is not None and self.transform is not None:
            raise ValueError("text and transform are two names for the message here: set one of them")
        if self.format != "record" and self.text is None and self.transform is None:
            raise ValueError('the default text is made of the format "record": leave format out, or set text')
        if self.secret is not None and SERVICES[self.service].sign is None:
            raise ValueError(f"{self.service} does not sign: leave secret out")


class Pace:
    """Keeps posts below what the service allows: so many in a minute, and so many seconds apart."""

    def __init__(self, per_minute: int, spacing: float) -> None:
        self._per_minute, self._spacing = per_minute, spacing
        half = per_minute // 2  # another run may have just used its share
        self._posts = deque([time.monotonic()] * half, maxlen=per_minute)

    def free(self) -> int:
        """How many posts this minute still has room for."""
        now = time.monotonic()
        while self._posts and self._posts[0] <= now - MINUTE:
            self._posts.popleft()
        return self._per_minute - len(self._posts)

    async def turn(self) -> None:
        """Waits until the next post may go, and counts it."""
        now = time.monotonic()
        due = self._posts[-1] + self._spacing if self._posts else now
        if not self.free():
            due = max(due, self._posts[0] + MINUTE)
        if due > now:
            await asyncio.sleep(due - now)
        self.free()
        self._posts.append(time.monotonic())


class ChatSink:
    def __init__(self, config: ChatConfig) -> None:
        self._config, self._service = config, SERVICES[config.service]
        self._pace = Pace(self._service.per_minute, self._service.spacing)
        self._session: ClientSession | None = None

    async def open(self) -> None:
        """Raises ConfigError where the address can't be used."""
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar

        _checked(self._config.url.read())
        await self.close()
        timeout = ClientTimeout(total=self._config.timeout)
        self._session = ClientSession(timeout=timeout, cookie_jar=DummyCookieJar())

    async def deliver(self, batch: Sequence[Line]) -> list[Result]:
        said = [self._said(line) for line in batch]
        if len(said) > max(1, self._pace.free() // 4):
            return await self._together(said)
        results: list[Result] = []
        for one in said:
            results += await self._together([one])
            if isinstance(results[-1], TryAgain):
                return results + [results[-1]] * (len(said) - len(results))
        return results

    def reopen(self) -> None:
        """Address and secret are read at each post."""

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    def _said(self, line: Line) -> Said:
        record = _decode(line.data)
        if type(record) is dict:
            ticket, text = ticket_id(record), default_text(record, self._config.language)
        else:
            ticket, text = line.event.event_id, record if type(record) is str else line.data.decode()
        return Said(ticket, self._service.neutral(clean(text)))

    async def _together(self, said: Sequence[Said]) -> list[Result]:
        """In one message; one that is refused for what it says is halved until the event at fault is alone."""
        answer = await self._post(self._message(said))
        match answer.meaning:
            case "delivered":
                return [Delivered()] * len(said)
            case "rejected" if len(said) == 1:
                return [Rejected(answer.reason)]
            case "rejected":
                half = len(said) // 2
                first = await self._together(said[:half])
                if isinstance(first[-1], TryAgain):
                    return first + [first[-1]] * (len(said) - half)
                return first + await self._together(said[half:])
            case "paused":
                return [TryAgain(answer.reason, scope="endpoint", paused=True)] * len(said)
        return [TryAgain(answer.reason, answer.after, "endpoint")] * len(said)

    def _message(self, said: Sequence[Said]) -> str:
        keyword, size = self._config.keyword, self._service.size
        if keyword is None:
            return gathered(said, self._service.fits, size, self._config.language)
        room = self._service.fits - size(keyword) - size("\n")
        text = gathered(said, room, size, self._config.language)
        return text if keyword in text else f"{keyword}\n{text}"

    async def _post(self, text: str) -> Answer:
        from aiohttp import ClientError
        from yarl import URL

        await self._pace.turn()
        body, url = self._service.body(text), _checked(self._config.url.read())
        if self._config.secret and self._service.sign:
            url = self._service.sign(url, body, self._config.secret.read(), time.time())
        if self._session is None:
            return Answer("again", "the sink is closed")
        data = msgspec.json.encode(body)
        json = {"Content-Type": "application/json; charset=utf-8"}
        try:
            async with self._session.post(
                URL(url, encoded=True), data=data, headers=json, allow_redirects=False
            ) as answer:
                return self._service.read(answer.status, answer.headers, await answer.content.read(MAX_ANSWER))
        except (ClientError, TimeoutError, OSError) as e:
            why = getattr(e, "strerror", None)  # never str(e): it may hold the URL
            return Answer("again", f"{type(e).__name__}: {why}" if why else type(e).__name__)


def _checked(url: str) -> str:
    """The address, if it is https or on this machine. Raises ConfigError, which does not repeat it."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url
    raise ConfigError("the chat's url is not an https address", hint="copy the bot's whole address, from https:// on")
