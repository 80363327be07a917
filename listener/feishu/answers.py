"""Reads an API's answer. Pure. Sources: the helpdesk API's error table, the open platform's common error codes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from listener.base.errors import ConfigError, ListenError, Unavailable
from listener.base.redact import redact
from listener.base.text import peers_words
from listener.event import Unparsable, read_json

THROTTLED = 99991400
QUOTA_USED_UP = 99991403  # the tenant's, for this month: no wait within it helps
GONE = {154002, 154004, 154404}  # no such ticket, no such image in the message, the image was deleted
BAD_TOKENS = {99991661, 99991663, 99991668, 99991671}
DEFAULT_WAIT = 5.0  # seconds, where it does not say how long
_SHORT = 4096  # bytes; an error is no longer
_SAID = 300  # characters of the platform's own words that are repeated

CREDENTIALS = "check feishu.app_id and the app secret in the console: 凭证与基础信息 / Credentials & Basic Info"
HELPDESK = (
    "check feishu.helpdesk_id and the helpdesk token: 服务台管理后台 / helpdesk admin → 设置中心 → API 凭证. "
    "A reset ends the old token, and app and helpdesk must be of one tenant"
)
SCOPE = (
    "add the scope helpdesk:all:readonly (获取服务台资源详情) in the console: 权限管理 / Permissions & Scopes; "
    "then create and publish a version: 版本管理与发布 / Version Management & Release"
)
EVENTS = (
    "add the event in the console: 事件与回调 / Events & Callbacks → 添加事件 / Add Events; "
    "then create and publish a version: 版本管理与发布 / Version Management & Release"
)
PUBLISH = "publish a version of the app (版本管理与发布 / Version Management & Release), and have the admin enable it"
NETWORK = "the network may ask for a sign-in, or a proxy may have answered: try `helpdesk-listen doctor`"
_REMEDIES = {
    10003: CREDENTIALS,
    10012: CREDENTIALS,
    10014: CREDENTIALS,
    10015: CREDENTIALS,
    154000: EVENTS,
    154001: HELPDESK,
    154003: SCOPE,
    99991401: "this machine's address is not allowed: 安全设置 / Security Settings → IP 白名单 / IP allowlist",
    99991662: PUBLISH,
    99991672: SCOPE,
    99991673: PUBLISH,
    99992402: EVENTS,
}


class TokenRefused(ConfigError):
    """The platform refuses the tenant access token; a new one may be accepted."""


class Gone(ConfigError):
    """What was asked for does not exist, or was deleted; other requests can go on."""


def read(status: int, content: bytes, *, hide: str = "") -> dict[str, Any]:
    """Returns the decoded answer. Raises ConfigError where a person must act, Unavailable where time may help.

    `hide` is a secret of the request that an error must not repeat.
    """
    try:
        answer = read_json(content)  # guests' texts hold what is no JSON, such as half a surrogate pair
    except Unparsable:
        answer = None
    if isinstance(answer, dict) and type(answer.get("code")) is int:
        if answer["code"] != 0:
            raise _refusal(status, _hidden(answer, hide) if hide else answer)
        return answer
    if status >= 500:
        raise Unavailable(f"the platform answered HTTP {status}", hint="its own trouble: try again in a while")
    raise Unavailable(f"the answer (HTTP {status}, {len(content)} bytes) is not the platform's", hint=NETWORK)


def wait_of(status: int, headers: Mapping[str, str], content: bytes) -> float | None:
    """Returns the seconds that the platform asks to wait, None where it does not."""
    if is_quota(content) or (status != 429 and not (status == 400 and str(THROTTLED).encode() in content)):
        return None
    told = headers.get("x-ogw-ratelimit-reset", "")
    return float(told) if told.isdecimal() and len(told) < 7 and int(told) else DEFAULT_WAIT


def is_quota(content: bytes) -> bool:
    """Returns whether the answer says that the tenant's calls of this month are used up."""
    if len(content) > _SHORT or str(QUOTA_USED_UP).encode() not in content:
        return False
    try:
        answer = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("code") == QUOTA_USED_UP  # a guest may write the number, too


def _hidden(answer: dict[str, Any], secret: str) -> dict[str, Any]:
    """Returns the answer without the secret, even where it was written with escapes such as `\\u0074`."""
    hidden: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer).replace(secret.encode(), b"***"))
    return hidden


def _refusal(status: int, answer: dict[str, Any]) -> ListenError:
    number = answer["code"]
    said = f"the platform answered code {number}: {_words(answer)}"
    if number in GONE:
        return Gone(said)
    if number in BAD_TOKENS:
        return TokenRefused(said, hint=CREDENTIALS)
    if remedy := _REMEDIES.get(number):
        return ConfigError(said, hint=_link(answer) or remedy)
    if status >= 500 or number in (1, THROTTLED, QUOTA_USED_UP) or 155000 <= number < 156000:
        return Unavailable(said, hint="its own trouble: try again in a while")
    return ConfigError(said, hint=_link(answer) or "look the code up in the open platform's list of error codes")


def _words(answer: dict[str, Any]) -> str:
    """Returns the message, with the fields that a gateway complains of, and the log id that its support asks for."""
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    fields = [_violation(item) for item in _list(error.get("field_violations"))]
    log_id = [f"log id {error['log_id']}"] if isinstance(error.get("log_id"), str) else []
    words = "; ".join(filter(None, [str(answer.get("msg", "")), *fields, *log_id]))
    return redact(peers_words(words))[:_SAID]


def _violation(item: object) -> str:
    return f"{item.get('field')}: {item.get('description')}" if isinstance(item, dict) else ""


def _link(answer: dict[str, Any]) -> str:
    """Returns the address that the platform names for granting a missing scope by one click."""
    error = answer.get("error")
    helps = _list(error.get("helps")) if isinstance(error, dict) else []
    urls = [str(item.get("url")) for item in helps if isinstance(item, dict)]
    ours = [url for url in urls if url.startswith("https://open.") and url.isascii() and url.isprintable()]
    return f"grant it at {ours[0][:_SAID]}, then publish a version of the app" if ours else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
