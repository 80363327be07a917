"""Describes the chat services: each one's message, signature, limits and answers.

Sources: Feishu https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot, DingTalk
https://open.dingtalk.com/document/robots/custom-robot-access, WeCom
https://developer.work.weixin.qq.com/document/path/91770, Slack
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import quote_plus

from listener.sinks.chat_text import Size, clean, json_size, utf8_size

Meaning = Literal["delivered", "again", "paused", "rejected"]
"""`again`: a later attempt may succeed. `paused`: so it may once somebody changes a setting. `rejected`: never."""


@dataclass(frozen=True)
class PostOutcome:
    """What came of a post; `after` is the seconds before the next attempt, where the service or its rules give them."""

    meaning: Meaning
    reason: str = ""
    after: float | None = None


Sign = Callable[[str, dict[str, Any], str, float], str]
"""(URL, body, secret, Unix seconds) → the URL to post to; what is signed in the body is put there."""


@dataclass(frozen=True)
class ChatService:
    """How one chat service wants a message, and how it answers.

    `per_minute` and `spacing` (seconds) stay below what the service allows; `fits` is in units of `size`.
    """

    body: Callable[[str], dict[str, Any]]
    neutral: Callable[[str], str]
    fits: int
    size: Size
    per_minute: int
    spacing: float
    code: str
    codes: Mapping[int, PostOutcome]
    sign: Sign | None = None
    avoids_rush: bool = False  # whether it asks not to be posted to on full and half hours

    def read(self, status: int, headers: Mapping[str, str], body: bytes) -> PostOutcome:
        """Returns what an answer means. A code that nobody knows means another attempt, which loses nothing."""
        code, message = _code(body, self.code) if self.code and status in (200, 400) else (None, "")
        if code is None:
            return self._without_code(status, headers, body)
        if code == 0:
            return PostOutcome("delivered")
        known = self.codes.get(code, PostOutcome("again", "a code that is not documented"))
        return PostOutcome(known.meaning, f"{code}: {known.reason}{message}", known.after)

    def _without_code(self, status: int, headers: Mapping[str, str], body: bytes) -> PostOutcome:
        if status != 200:
            return _by_status(status, headers, body)
        return PostOutcome("again", "the answer has no code") if self.code else PostOutcome("delivered")


def _code(body: bytes, name: str) -> tuple[int | None, str]:
    try:
        answer = json.loads(body)
        code = answer.get(name, answer.get("StatusCode"))
        message = clean(str(answer.get("msg") or answer.get("errmsg") or "")).replace("\n", " ")[:200]
    except (ValueError, AttributeError, RecursionError):
        return None, ""
    return (code, f" ({message})" if message else "") if type(code) is int else (None, "")


def _by_status(status: int, headers: Mapping[str, str], body: bytes) -> PostOutcome:
    said = clean(body[:200].decode("utf-8", "replace")).replace("\n", " ")
    reason = f"HTTP {status}" + (f": {said}" if said else "")
    if status in (400, 413, 415, 422):
        return PostOutcome("rejected", reason)
    if status in (401, 403, 404, 410) or 300 <= status < 400:
        return PostOutcome("paused", reason)
    return PostOutcome("again", reason, _seconds(headers.get("Retry-After") or headers.get("x-ogw-ratelimit-reset")))


def _seconds(value: str | None) -> float | None:
    return min(float(value), 3600.0) if value and value.isascii() and value.isdigit() and len(value) < 9 else None


def _feishu_sign(url: str, body: dict[str, Any], secret: str, now: float) -> str:
    body["timestamp"] = str(int(now))
    body["sign"] = _hmac(f"{int(now)}\n{secret}", "")
    return url


def _dingtalk_sign(url: str, body: dict[str, Any], secret: str, now: float) -> str:
    ms = int(now * 1000)
    sign = quote_plus(_hmac(secret, f"{ms}\n{secret}"))
    return f"{url}{'&' if '?' in url else '?'}timestamp={ms}&sign={sign}"


def _hmac(key: str, message: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), message.encode(), hashlib.sha256).digest()).decode()


def _no_tags(text: str) -> str:
    """Replaces what Feishu's text takes for tags, links and style by full-width signs, which look alike."""
    for sign, harmless in (("<", "＜"), ("](", "]（"), ("**", "＊＊"), ("~~", "～～")):
        text = text.replace(sign, harmless)
    return text


def _escaped(text: str) -> str:
    """Escapes Slack's control characters: https://docs.slack.dev/messaging/formatting-message-text/#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_body(text: str) -> dict[str, Any]:
    return {"text": text, "mrkdwn": False, "link_names": False, "unfurl_links": False, "unfurl_media": False}


_TOO_OFTEN: Final = PostOutcome("again", "too often", 60.0)
_FEISHU: Final = ChatService(
    body=lambda text: {"msg_type": "text", "content": {"text": text}},
    neutral=_no_tags,
    fits=18_000,  # of a body of 20 KB
    size=json_size,
    per_minute=90,
    spacing=0.22,
    code="code",
    codes=MappingProxyType(
        {
            9499: PostOutcome("rejected", "the request is malformed"),
            11232: _TOO_OFTEN,
            19001: PostOutcome("paused", "the bot's URL is wrong"),
            19021: PostOutcome("paused", "the signature is wrong, or the clock"),
            19022: PostOutcome("paused", "this machine's address is not allowed"),
            19024: PostOutcome("paused", "the bot wants a keyword in each message: set `keyword`"),
        }
    ),
    sign=_feishu_sign,
    avoids_rush=True,
)
APP_BOT: Final = ChatService(
    body=lambda text: {"msg_type": "text", "content": json.dumps({"text": text}, ensure_ascii=False)},
    neutral=_no_tags,
    fits=100_000,  # of a body of 150 KB, in which the content is JSON in JSON
    size=lambda text: json_size(json.dumps(text, ensure_ascii=False)),
    per_minute=200,  # of 1,000 that the app has for everything
    spacing=0.25,  # all bots of a group together have 5 a second
    code="code",
    codes=MappingProxyType(
        {
            230001: PostOutcome("paused", "a parameter is wrong: check `chat_id`"),
            230002: PostOutcome("paused", "the app's bot is not in the chat: add it to the group"),
            230006: PostOutcome("paused", "the app has no bot: enable it in the console, then publish a version"),
            230018: PostOutcome("paused", "the group does not let the bot write"),
            230020: PostOutcome("again", "too often for this group", 5.0),
            230022: PostOutcome("rejected", "the platform's review refuses the text"),
            230025: PostOutcome("rejected", "the message is too long"),
            230027: PostOutcome("paused", "a scope is missing: im:message:send_as_bot"),
            230028: PostOutcome("rejected", "the platform's review refuses the text"),
            99991400: PostOutcome("again", "too many requests of the app", 10.0),
            99991403: PostOutcome("again", "the tenant's monthly quota of API calls is used up", 3600.0),
            99991672: PostOutcome("paused", "a scope is missing: im:message:send_as_bot"),
        }
    ),
    avoids_rush=True,
)
"""The app's own bot, by `chat_id`: https://open.feishu.cn/document/server-docs/im-v1/message/create."""
SERVICES: Final[Mapping[str, ChatService]] = MappingProxyType(
    {
        "feishu": _FEISHU,
        "lark": _FEISHU,
        "dingtalk": ChatService(
            body=lambda text: {"msgtype": "text", "text": {"content": text}, "at": {"isAtAll": False}},
            neutral=_no_tags,
            fits=15_000,
            size=json_size,
            per_minute=18,  # whoever goes over 20 is blocked for 10 minutes
            spacing=0.5,
            code="errcode",
            codes=MappingProxyType(
                {
                    130101: PostOutcome("again", "too often", 600.0),
                    90030: PostOutcome("again", "the quota is used up", 3600.0),
                    300001: PostOutcome("paused", "the bot's URL is wrong"),
                    310000: PostOutcome("paused", "signature, clock, address or keyword (set `keyword`)"),
                    460101: PostOutcome("rejected", "the message is too long"),
                }
            ),
            sign=_dingtalk_sign,
        ),
        "wecom": ChatService(
            body=lambda text: {"msgtype": "text", "text": {"content": text}},
            neutral=_no_tags,
            fits=2048,
            size=utf8_size,
            per_minute=18,
            spacing=0.5,
            code="errcode",
            codes=MappingProxyType(
                {
                    45009: _TOO_OFTEN,
                    93000: PostOutcome("paused", "the bot's URL is wrong"),
                    40058: PostOutcome("rejected", "the message is malformed or too long"),
                    45002: PostOutcome("rejected", "the message is too long"),
                }
            ),
        ),
        "slack": ChatService(
            body=_slack_body,
            neutral=_escaped,
            fits=38_000,
            size=len,
            per_minute=55,
            spacing=1.05,
            code="",
            codes=MappingProxyType({}),
        ),
    }
)
