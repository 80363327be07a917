"""Adapts the official SDK, in a private copy that loads without the SDK's 60 API packages.

`import lark_oapi` takes 1.3–2.3 s and 168 MB, because its `__init__` and `event.dispatcher_handler` import every API.
Empty modules stand in for both while a module is imported, as they do for its own protobuf and for what no call of ours
uses (12 MB). Then all of it leaves `sys.modules` again: a plain `import lark_oapi` elsewhere in the process gets its
own, whole SDK, and sees nothing of what is replaced here.

Modules that hold state (the ws client's loop and `requests`, the token cache) are loaded anew for each of our clients,
beside the others, which all share: two clients in one process know nothing of each other.

What runs of the ws Client, and what is replaced and why:

| the SDK's               | here                                                                              |
|-------------------------|-----------------------------------------------------------------------------------|
| `_get_conn_url`         | runs, in a daemon thread, over bounded requests: no wait without an end           |
| `_connect`              | runs, with a proxy, bounded; no redirects                                         |
| `_handle_control_frame` | runs                                                                              |
| `_configure`            | replaced: the server's timings inside sane limits                                 |
| `_receive_message_loop` | replaced: frames come by callback, and the end of a connection is the caller's    |
| `_handle_data_frame`    | never called: its ack would leave before the commit (session.py has ours)         |
| `_reconnect`, `start`   | never called: the supervisor decides                                              |

`PRIVATE` lists what this project uses of it although nobody promised it; tests/contract checks the SDK against it.
"""

import asyncio
import importlib
import importlib.util
import logging
import sys
import threading
import warnings
from functools import cache
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlsplit

from google.protobuf import descriptor_pool, message_factory

from listener.base.errors import ListenError
from listener.base.redact import redact
from listener.feishu.client import LongConnection, Timings, checked_url, endpoint_failed, raise_refused
from listener.feishu.transport import BoundedRequests, Network
from listener.feishu.websocket import FrameConnection, OnMessage, Websockets

PRIVATE = {
    "ws.client": "loop requests websockets Frame ExpiringCache LogLevel Client"
    " _ws_connect_kwargs _new_ping_frame _parse_ws_conn_exception",
    "ws.client.Client": "_get_conn_url _connect _receive_message_loop _handle_control_frame _configure"
    " _conn _conn_id _service_id",
    "ws.pb.pbbp2_pb2.Frame": "DESCRIPTOR",  # .file.serialized_pb
    "core.http.transport": "requests",
    "core.token.manager.TokenManager": "cache",
    "ws.pb.pbbp2_pb2": "Frame",
}

_PACKAGE = "lark_oapi"
_DISPATCHER = "lark_oapi.event.dispatcher_handler"
_FRAMES = "lark_oapi.ws.pb.pbbp2_pb2"
_CONTAINERS = "lark_oapi.ws.pb.google.protobuf.internal.containers"
_DECRYPTOR = "lark_oapi.core.utils.decryptor"
_UNUSED = ("pkg_resources", "httpx", "requests_toolbelt")  # of what the SDK imports; together 8 MB
_HELPDESK = "lark_oapi.api.helpdesk.v1"
_LEAN = (_PACKAGE, _HELPDESK, f"{_HELPDESK}.resource", f"{_HELPDESK}.model")  # loaded without their __init__
_WITH_STATE = (  # loaded anew for each OpenApi: their globals hold its requests and tokens
    "core.http",
    "core.http.transport",
    "core.token",
    "core.token.auth",
    "core.token.manager",
    "api.helpdesk.v1.resource.event",
)
_shared: dict[str, ModuleType] = {}  # what all clients' copies have loaded so far and hold in common
_importing = threading.Lock()
log = logging.getLogger(__name__)


class PrivateCopy:
    """The SDK's modules as one client sees them: those named here are its own, with their own globals."""

    def __init__(self, *own: str) -> None:
        self._own = {f"{_PACKAGE}.{name}" for name in own}
        self._modules: dict[str, ModuleType] = {}

    def load(self, name: str) -> Any:
        """Loads the module `lark_oapi.{name}`, such as "core.http.transport"; blocks."""
        with _importing:
            try:
                module = self._import(f"{_PACKAGE}.{name}", _stand_ins())
            except Exception:
                log.warning("the SDK's layout has changed: loading all of it (slower, 130 MB more)", exc_info=True)
                _shared.clear()
                self._modules.clear()
                module = self._import(f"{_PACKAGE}.{name}", {})
        _tame(logging.getLogger("Lark"))
        return module

    def _import(self, name: str, stand_ins: dict[str, ModuleType]) -> ModuleType:
        others = _take_out()
        shared = {known: module for known, module in (stand_ins | _shared).items() if known not in self._own}
        sys.modules.update(shared | self._modules)
        try:
            with warnings.catch_warnings(action="ignore"):  # the SDK's own, as of utcfromtimestamp since Python 3.12
                return importlib.import_module(name)
        finally:
            loaded = _take_out()
            self._modules = {known: loaded.pop(known) for known in self._own & loaded.keys()}
            _shared.update(loaded)
            sys.modules.update(others)


@cache
def frame_type() -> Any:
    """Returns the class of the platform's frames, of the SDK's own schema, for protobuf's C parser."""
    schema = _schema() or PrivateCopy().load("ws.pb.pbbp2_pb2").Frame.DESCRIPTOR.file.serialized_pb
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(b"\n\ngogo.proto")  # what the schema imports, but empty: options for Go's generator only
    return message_factory.GetMessageClass(pool.AddSerializedFile(schema).message_types_by_name["Frame"])


class Cipher(Protocol):
    """Decrypts what the platform sends to a webhook."""

    def decrypt(self, data: bytes) -> bytes:
        """Returns the text. Raises ValueError where it was not encrypted with this key."""


def new_cipher(key: str) -> Cipher:
    """Returns the SDK's own cipher with this key."""
    cipher: Cipher = PrivateCopy("core.utils.decryptor").load("core.utils.decryptor").AESCipher(key)
    return cipher


def new_client(app_id: str, secret: str, domain: str, network: Network, on_message: OnMessage) -> LongConnection:
    """Makes a client for one connection, which shares no state with any other; must be called in a running loop."""
    return _OneConnection(app_id, secret, domain, network, on_message)


class _OneConnection:
    """The SDK's ws Client, cut down to one connection; see the table above."""

    def __init__(self, app_id: str, secret: str, domain: str, network: Network, on_message: OnMessage) -> None:
        self.timings, self._url = Timings(), ""
        self._sdk = sdk = PrivateCopy("ws.client").load("ws.client")
        sdk.loop = asyncio.get_running_loop()
        sdk.requests = BoundedRequests(network)
        sdk.ExpiringCache = lambda **_: None  # its clean-up task would outlive the connection
        sdk.websockets = Websockets(network, on_message)
        sdk.Frame = frame_type()
        sdk._ws_connect_kwargs = lambda _headers: {}
        sdk._parse_ws_conn_exception = raise_refused
        self._plain = domain.startswith("http:")  # to this machine: the settings take it for loopback only
        self._client = client = sdk.Client(app_id, secret, domain=domain, log_level=sdk.LogLevel.WARNING)
        self._ask_url = client._get_conn_url
        client._get_conn_url = lambda: self._url
        client._receive_message_loop = _nothing
        client._configure = self._configure

    @property
    def connection(self) -> FrameConnection | None:
        connection: FrameConnection | None = self._client._conn
        return connection

    @property
    def connection_id(self) -> str:
        return str(self._client._conn_id)

    @property
    def host(self) -> str:
        return urlsplit(self._url).hostname or ""

    def fetch_url(self) -> None:
        try:
            url = self._ask_url()
        except ListenError:
            raise
        except Exception as e:
            raise endpoint_failed(e) from None
        self._url = checked_url(url, plain=self._plain)

    async def connect(self) -> None:
        await self._client._connect()

    def ping(self) -> bytes:
        return bytes(self._sdk._new_ping_frame(int(self._client._service_id)).SerializeToString())

    def control(self, frame: Any) -> None:
        """Runs the SDK's handler, a coroutine that never waits, without a task for it."""
        step = self._client._handle_control_frame(frame)
        try:
            step.send(None)
        except StopIteration:
            return
        step.close()
        raise ValueError("the control frame's handler waits")

    def _configure(self, conf: Any) -> None:
        self.timings.obey(getattr(conf, "PingInterval", None), getattr(conf, "ReconnectNonce", None))


async def _nothing() -> None:
    return


class OpenApi:
    """Makes one app's HTTP calls by the SDK's builders, token manager and transport, over `requests`; all block."""

    def __init__(self, app_id: str, secret: str, domain: str, requests: Any) -> None:
        self._load = PrivateCopy(*_WITH_STATE).load
        self._config = self._load("core.model").Config()
        self._config.app_id, self._config.app_secret, self._config.domain = app_id, secret, domain
        self._tokens = self._load("core.token.manager").TokenManager
        self._tokens.cache = self._load("core.cache.local_cache").LocalCache()
        self._load("core.http.transport").requests = requests

    def tenant_token(self) -> None:
        """Asks for a tenant access token."""
        self._tokens.get_self_tenant_token(self._config)

    def get(self, path: str, headers: dict[str, str], **query: Any) -> tuple[int, bytes]:
        """Returns HTTP status and content of an API whose class in the SDK is not worth loading."""
        response = self._call("GET", path, headers, query)
        return response.status_code, response.content

    def post(self, path: str, body: dict[str, Any], **query: Any) -> tuple[int, dict[str, str], bytes]:
        """Returns HTTP status, headers and content."""
        response = self._call("POST", path, {}, query, body)
        return response.status_code, response.headers, response.content

    def _call(self, method: str, path: str, headers: dict[str, str], query: dict[str, Any], body: Any = None) -> Any:
        enum, model = self._load("core.enum"), self._load("core.model")
        request, option = model.BaseRequest(), self._option(headers)
        request.http_method, request.uri, request.body = enum.HttpMethod[method], path, body
        request.token_types = {enum.AccessTokenType.TENANT}
        request.queries = [(name, str(value)) for name, value in query.items()]
        self._load("core.token").verify(self._config, request, option)
        return self._load("core.http.transport").Transport.execute(self._config, request, option)

    def change_subscription(self, verb: str, events: list[tuple[str, str]], headers: dict[str, str]) -> None:
        """Subscribes or unsubscribes, as `verb` says; `events`: (type, subtype) of each."""
        model, title = f"api.helpdesk.v1.model.{verb}_event_request", verb.capitalize()
        kind = self._load("api.helpdesk.v1.model.event").Event
        pairs = [kind.builder().type(type_).subtype(subtype).build() for type_, subtype in events]
        body = getattr(self._load(f"{model}_body"), f"{title}EventRequestBody").builder().events(pairs).build()
        request = getattr(self._load(model), f"{title}EventRequest").builder().request_body(body).build()
        resource = self._load("api.helpdesk.v1.resource.event").Event(self._config)
        getattr(resource, verb)(request, self._option(headers))

    def _option(self, headers: dict[str, str]) -> Any:
        """Returns a new option for each call, since the SDK writes into it."""
        return self._load("core.model").RequestOption.builder().headers(headers).build()


def _stand_ins() -> dict[str, ModuleType]:
    """Returns empty modules for those whose import would load every API, and more."""
    modules: dict[str, Any] = {name: ModuleType(name) for name in (*_LEAN, _DISPATCHER, _DECRYPTOR, *_UNUSED)}
    for name in _LEAN:
        modules[name].__path__ = [_place(name)]
    modules[_DISPATCHER].EventDispatcherHandler = modules[_DECRYPTOR].AESCipher = object  # named, and never used
    modules["pkg_resources"].declare_namespace = lambda name: None
    modules["requests_toolbelt"].MultipartEncoder = ModuleType  # no body of ours is one
    if _schema():  # else the SDK's generated code runs, over its vendored protobuf
        modules |= {name: ModuleType(name) for name in (_FRAMES, _CONTAINERS)}
        modules[_FRAMES].Frame = frame_type()
        modules[_CONTAINERS].RepeatedCompositeFieldContainer = object  # named in an annotation only
    return modules


def _place(name: str) -> str:
    """Returns where a module of the SDK is, without its suffix."""
    if not (roots := getattr(importlib.util.find_spec(_PACKAGE), "submodule_search_locations", None)):
        raise ImportError(f"{_PACKAGE} is not a package")
    return str(roots[0]) + name.removeprefix(_PACKAGE).replace(".", "/")


@cache
def _schema() -> bytes:
    """Returns the frames' serialized schema: a constant of the SDK's module, which need not run; b"" if it has none."""
    try:
        code: Any = SourceFileLoader(_FRAMES, f"{_place(_FRAMES)}.py").get_code(_FRAMES)
    except (ImportError, OSError):
        return b""
    return next((one for one in code.co_consts if type(one) is bytes and one[2:].startswith(b"pbbp2.proto")), b"")


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in list(sys.modules) if name.partition(".")[0] in (_PACKAGE, *_UNUSED)]
    return {name: sys.modules.pop(name) for name in names}


def _tame(logger: logging.Logger) -> None:
    """Keeps the SDK's logger off stdout, and its lines of INFO and DEBUG, which hold secrets, out of any log."""
    logger.handlers.clear()
    logger.addFilter(_redacted)


def _redacted(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), None
    return True
