"""Posts events as messages in a team's chat, by a group bot of Feishu, Lark, DingTalk, WeCom or Slack, or by the app's.

A batch is one message. While the service's limits allow no post, events gather in the next batch: the first texts, and
how many more there are in how many tickets. chat_services.py says what each service wants.
"""

import hashlib
import time
from collections.abc import Sequence
from typing import Annotated, Literal, Protocol
from urllib.parse import urlsplit

import msgspec

from listener.base.errors import ConfigError
from listener.settings.rules import Count, Duration, Text, is_loopback
from listener.settings.secrets import SecretSource
from listener.sinks.chat_services import APP_BOT, SERVICES, ChatService, PostOutcome
from listener.sinks.chat_text import Language, Said, clean, default_text, gathered, ticket_id
from listener.sinks.network import Batch, BatchLimits, NetworkConfig, Outgoing
from listener.sinks.posting_rate import PostingRate
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

_decode = msgspec.json.Decoder().decode


class ChatConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings: `url` is a group bot's address, a credential; to the chat `chat_id` the app's own bot writes.

    `text` is a jq expression for the message's text.
    """

    type: Literal["chat"] = "chat"
    service: Literal["feishu", "lark", "dingtalk", "wecom", "slack"]
    url: SecretSource | None = None
    chat_id: Annotated[str | None, Text(r"[0-9A-Za-z_-]{1,100}", 'a chat\'s id, such as "oc_a0553eda9014c201"')] = None
    secret: SecretSource | None = None
    text: str | None = None
    language: Language = "zh"
    keyword: Annotated[str | None, Text(r"\S.{0,63}", "the word that the bot wants in each message")] = None
    batch: BatchLimits = BatchLimits(max_events=500, linger=1.0)
    in_flight: Annotated[int, Count(1, 1024)] = 1
    timeout: Annotated[float, Duration("100ms", "10m")] = 10.0

    def __post_init__(self) -> None:
        if (self.url is None) == (self.chat_id is None):
            raise ValueError("set one of url (or url_file), for a group bot, and chat_id, for the app's own bot")
        if self.chat_id is not None and SERVICES[self.service].code != "code":
            raise ValueError(f"chat_id is of Feishu and Lark: for {self.service}, set url")
        if self.chat_id is not None and (self.proxy or self.ca_file):
            raise ValueError("the app's bot goes the way that [feishu] says: leave proxy and ca_file out")
        if self.text is not None and self.transform is not None:
            raise ValueError("text and transform are two names for the message here: set one of them")
        if self.format != "record" and self.text is None and self.transform is None:
            raise ValueError('the default text is made of the format "record": leave format out, or set text')
        if self.secret is not None and (self.chat_id or SERVICES[self.service].sign is None):
            raise ValueError(f"{'the app' if self.chat_id else self.service} does not sign: leave secret out")


class Bot(Protocol):
    """Posts a text. `uuid` is the same whenever the same events are posted again."""

    async def post(self, text: str, uuid: str) -> PostOutcome: ...

    async def close(self) -> None: ...


class ChatSink:
    """Posts by a group bot or, where the settings name a `chat_id`, by `app_bot`, which the daemon sets."""

    def __init__(self, config: ChatConfig) -> None:
        self._config = config
        self._service = APP_BOT if config.chat_id else SERVICES[config.service]
        self._pace = PostingRate(self._service.per_minute, self._service.spacing, avoids_rush=self._service.avoids_rush)
        self._bot: Bot | None = None
        self.app_bot: Bot | None = None

    async def open(self) -> None:
        """Makes the bot. Raises ConfigError where the address can't be used."""
        await self.close()
        if self._config.url:
            self._bot = GroupBot(self._config, self._service)
        elif self.app_bot:
            self._bot = self.app_bot
        else:
            raise ConfigError("chat_id needs the app that the daemon runs for")

    def pause(self) -> float:
        """Returns the seconds before the service may be posted to again; meanwhile events gather."""
        return self._pace.wait()

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        """Posts one message of all events; if it is refused, the worker halves the batch to find the one at fault."""
        assert self._bot is not None, "opened first"  # noqa: S101 the worker's promise
        self._pace.count()
        answer = await self._bot.post(self._message([self._said(one) for one in batch]), uuid_of(batch))
        return [_result(answer)] * len(batch)

    def reopen(self) -> None:
        """Does nothing: address and secret are read at each post."""

    async def close(self) -> None:
        if self._bot:
            await self._bot.close()
            self._bot = None

    def _said(self, one: Outgoing) -> Said:
        record = _decode(one.data)
        if type(record) is dict:
            ticket, text = ticket_id(record), default_text(record, self._config.language)
        else:
            ticket, text = one.event.event_id, record if type(record) is str else one.data.decode()
        return Said(ticket, self._service.neutral(clean(text)))

    def _message(self, said: Sequence[Said]) -> str:
        keyword, size = self._config.keyword, self._service.size
        if keyword is None:
            return gathered(said, self._service.fits, size, self._config.language)
        room = self._service.fits - size(keyword) - size("\n")
        text = gathered(said, room, size, self._config.language)
        return text if keyword in text else f"{keyword}\n{text}"


class GroupBot:
    """The bot of one group. Its address is itself the credential; address and secret are read at each post."""

    def __init__(self, config: ChatConfig, service: ChatService) -> None:
        """Reads the address. Raises ConfigError where it can't be used, OSError where `ca_file` can't be read."""
        from listener.sinks.http_client import HttpClient

        self._config, self._service = config, service
        self._client = HttpClient(config, self._url())

    async def post(self, text: str, uuid: str) -> PostOutcome:
        """Posts a text; returns the outcome. A group bot takes no `uuid`."""
        body, url = self._service.body(text), self._url()
        if self._config.secret and self._service.sign:
            url = self._service.sign(url, body, self._config.secret.read(), time.time())
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = await self._client.send("POST", url, msgspec.json.encode(body), headers)
        if isinstance(answer, TryAgain):
            return PostOutcome("again", answer.reason)
        return self._service.read(*answer)

    async def close(self) -> None:
        await self._client.close()

    def _url(self) -> str:
        assert self._config.url is not None  # noqa: S101 for the reader of types
        return _checked(self._config.url.read())


def uuid_of(batch: Batch) -> str:
    """Returns at most 50 characters, the same ones whenever the same events go out together, after a crash too."""
    if len(batch) > 1:
        return batch.id
    return hashlib.sha256(batch[0].event.event_id.encode("utf-8", "replace")).hexdigest()[:32]


def _result(answer: PostOutcome) -> Result:
    match answer.meaning:
        case "delivered":
            return Delivered()
        case "rejected":
            return Rejected(answer.reason)
    return TryAgain(answer.reason, answer.after, "endpoint", paused=answer.meaning == "paused")


def _checked(url: str) -> str:
    """Returns the address if it is https or on this machine. Raises ConfigError, which does not repeat it."""
    parts = urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        return url
    raise ConfigError("the chat's url is not an https address", hint="copy the bot's whole address, from https:// on")
