"""Calls the open platform's HTTP APIs through the SDK's client, every call bounded in time and size.

What of the SDK runs: its requests, builders, token manager and transport. What is replaced: the `requests` under its
transport, which would wait up to 30 s, follow redirects with the secret, and read answers of any size; and its token
cache, which outlives a changed secret. An answer is judged where it comes in, before the SDK parses it.
"""

import base64
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from listener.base.errors import ConfigError, ListenError, Unavailable
from listener.base.redact import remember
from listener.base.threads import DaemonExecutor
from listener.feishu import answers
from listener.feishu.meter import Meter
from listener.feishu.sdk import OpenApi
from listener.feishu.transport import ANSWER_LIMIT, BoundedRequests, Network, Response
from listener.settings.config import FeishuSettings

ONLINE_PATH = "/open-apis/event/v1/connection"
TICKETS_PATH = "/open-apis/helpdesk/v1/tickets"
MESSAGES_PATH = "/open-apis/im/v1/messages"
HELPDESK_HEADER = "X-Lark-Helpdesk-Authorization"
FIELDS_PATH = "/open-apis/helpdesk/v1/ticket_customized_fields"
IMAGES_PATH = "/open-apis/helpdesk/v1/ticket_images"
TOKEN_PATH = "/open-apis/auth/v3/tenant_access_token"  # noqa: S105 a path
LIST_LIMIT, IMAGE_LIMIT = 8 * 2**20, 20 * 2**20  # bytes of an answer
_APIS = (
    (TICKETS_PATH, "tickets", LIST_LIMIT),
    (FIELDS_PATH, "fields", LIST_LIMIT),
    (IMAGES_PATH, "images", IMAGE_LIMIT),
    (MESSAGES_PATH, "chat", ANSWER_LIMIT),
    (ONLINE_PATH, "clients", ANSWER_LIMIT),
    (TOKEN_PATH, "token", ANSWER_LIMIT),
)
"""(how an API's path begins, its name on the meter, the longest answer in bytes)."""
REQUEST_SECONDS = 10.0  # for one request, however slowly the answer drips in
PATIENCE = 60.0  # seconds of waiting that the platform may ask for
T = TypeVar("T")


@dataclass(frozen=True)
class Helpdesk:
    """A helpdesk and its token, which the helpdesk's own admin page shows."""

    id: str
    token: str = field(repr=False)

    @property
    def header(self) -> dict[str, str]:
        """Returns the header that the helpdesk APIs want: base64(id:token)."""
        credential = base64.b64encode(f"{self.id}:{self.token}".encode()).decode()
        remember(credential)
        return {HELPDESK_HEADER: credential}


def helpdesk_of(feishu: FeishuSettings) -> Helpdesk:
    """Returns the configured helpdesk. Raises ConfigError where id or token are missing."""
    if feishu.helpdesk_id is None or feishu.helpdesk_token is None:
        missing = "helpdesk_id" if feishu.helpdesk_id is None else "helpdesk_token"
        raise ConfigError(
            f"feishu.{missing} is not set",
            hint="both are in the helpdesk's admin page: 服务台管理后台 / helpdesk admin → 设置中心 → API 凭证",
        )
    return Helpdesk(feishu.helpdesk_id, feishu.helpdesk_token.read())


class Api:
    """Makes one app's calls, which block and raise ConfigError, Unavailable or Unreachable."""

    def __init__(
        self,
        feishu: FeishuSettings,
        network: Network,
        *,
        patience: float = PATIENCE,
        tell: Callable[[str], None] = lambda line: None,
        meter: Meter | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.meter = meter or Meter()
        requests = _Requests(network, patience, tell, self.meter, sleep)
        self._new_sdk = partial(OpenApi, feishu.app_id, feishu.app_secret.read(), feishu.domain, requests)
        self._sdk = self._new_sdk()

    def tenant_token(self) -> None:
        """Asks for a tenant access token, which shows whether app id and secret open the APIs."""
        with _documented():
            self._sdk.tenant_token()

    def online_clients(self) -> int:
        """Returns how many long connections of the app are open, ours among them."""
        data = self.get(ONLINE_PATH).get("data")
        count = data.get("online_instance_cnt") if isinstance(data, dict) else None
        if type(count) is not int:
            raise Unavailable("the answer does not say how many clients are online", hint=answers.NETWORK)
        return count

    def check_helpdesk(self, helpdesk: Helpdesk) -> None:
        """Reads one ticket, which shows whether scope, helpdesk id and token are right. Changes nothing."""
        self.get(TICKETS_PATH, helpdesk, page_size=1)

    def subscribe(self, helpdesk: Helpdesk, events: Collection[str]) -> None:
        """Has the helpdesk's events of these types sent to the app; doing it again is no error."""
        self._change("subscribe", helpdesk, events)

    def unsubscribe(self, helpdesk: Helpdesk, events: Collection[str]) -> None:
        """Ends `subscribe`; doing it again is no error."""
        self._change("unsubscribe", helpdesk, events)

    def send_message(self, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Sends a message; returns HTTP status, headers and content as they came, for the sender to judge."""
        with _documented():
            return self._sdk.post(MESSAGES_PATH, body, receive_id_type="chat_id")

    def _change(self, verb: str, helpdesk: Helpdesk, events: Collection[str]) -> None:
        pairs = [_pair(event) for event in events]
        self._with_token(lambda: self._sdk.change_subscription(verb, pairs, helpdesk.header))

    def get(self, path: str, helpdesk: Helpdesk | None = None, **query: Any) -> dict[str, Any]:
        """Returns the decoded answer of a GET. Raises as the class says."""
        return answers.read(*self.get_bytes(path, helpdesk, **query))

    def get_bytes(self, path: str, helpdesk: Helpdesk | None = None, **query: Any) -> tuple[int, bytes]:
        """Returns HTTP status and content of an answer that is not an error."""
        return self._with_token(lambda: self._sdk.get(path, helpdesk.header if helpdesk else {}, **query))

    def _with_token(self, call: Callable[[], T]) -> T:
        """Makes a call, and makes it once more with a new tenant access token where the one in the cache is refused.

        The SDK goes by the wall clock: after that was set back, a token that has expired looks valid for as long.
        """
        with _documented():
            try:
                return call()
            except answers.TokenRefused:
                self._sdk = self._new_sdk()
                return call()


@contextmanager
def _documented() -> Iterator[None]:
    """Translates what the SDK raises on an answer that is not as documented, such as one without a token."""
    try:
        yield
    except ListenError:
        raise
    except Exception as e:
        raise Unavailable(f"the answer is not the documented one ({type(e).__name__})", hint=answers.NETWORK) from None


def _pair(event: str) -> tuple[str, str]:
    """Returns ("helpdesk.ticket_message", "ticket_message.created_v1") of "helpdesk.ticket_message.created_v1"."""
    return event.rpartition(".")[0], event.partition(".")[2]


class _Requests(BoundedRequests):
    """Stands where the SDK's transport expects the `requests` module; it judges answers, and waits as they ask."""

    def __init__(
        self,
        network: Network,
        patience: float,
        tell: Callable[[str], None],
        meter: Meter,
        sleep: Callable[[float], object],
    ) -> None:
        super().__init__(network)
        self._patience, self._tell, self._meter, self._sleep = patience, tell, meter, sleep

    def request(self, method: str, url: str, **kwargs: Any) -> Response:
        until = time.monotonic() + self._patience
        api, limit = kind_of(url)
        while True:
            self._meter.take(api, self._sleep)
            answer = self._bounded(method, url, limit=limit, **kwargs)
            if answers.is_quota(answer.content):
                self._meter.quota_used_up("the platform answered 99991403: the tenant's monthly quota is used up")
            if url.endswith(MESSAGES_PATH):
                return answer
            wait = answers.wait_of(answer.status_code, answer.headers, answer.content)
            if wait is None:
                if api != "images" or answer.status_code != 200 or answer.content[:1] == b"{":
                    answers.read(answer.status_code, answer.content, hide=_bearer(kwargs))
                return answer
            if time.monotonic() + wait > until:
                raise Unavailable(f"the platform asks to wait {wait:g} s: too many requests", hint="try again later")
            self._tell(f"the platform asks to wait {wait:g} s")
            self._sleep(wait)

    def _bounded(self, method: str, url: str, **kwargs: Any) -> Response:
        pending = DaemonExecutor().submit(super().request, method, url, **kwargs)
        try:
            answer: Response = pending.result(REQUEST_SECONDS)
        except TimeoutError:
            raise Unavailable(f"no answer within {REQUEST_SECONDS:g} s", hint=answers.NETWORK) from None
        return answer


def kind_of(url: str) -> tuple[str, int]:
    """Returns the API's name on the meter, and its longest answer in bytes."""
    path = urlsplit(url).path
    if path.startswith(f"{TICKETS_PATH}/"):
        return "messages" if path.endswith("/messages") else "ticket", LIST_LIMIT
    return next(((api, limit) for begin, api, limit in _APIS if path.startswith(begin)), ("others", ANSWER_LIMIT))


def _bearer(kwargs: dict[str, Any]) -> str:
    """Returns the tenant token of a request, which lives for two hours and which no message may repeat."""
    return str(kwargs.get("headers", {}).get("Authorization", "")).removeprefix("Bearer ")
