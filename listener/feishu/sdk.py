"""The official SDK, in a private copy that loads without the SDK's 60 API packages.

`import lark_oapi` takes 1.3–2.3 s and 168 MB, because its `__init__` and `event.dispatcher_handler` import every
API. Both are stood in for while a module is imported, then all of it leaves `sys.modules` again: a plain
`import lark_oapi` elsewhere in the process gets its own, whole SDK, and what is replaced here is seen by nobody else.

`PRIVATE` names what of it this project touches although nobody promised it; tests/contract holds the SDK to that list.
"""

import importlib
import importlib.util
import logging
import sys
import threading
import warnings
from functools import cache
from types import ModuleType
from typing import Any, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from listener.base.redact import redact

PRIVATE = {
    "ws.client": "loop requests websockets Frame ExpiringCache LogLevel Client"
    " _ws_connect_kwargs _new_ping_frame _parse_ws_conn_exception",
    "ws.client.Client": "_get_conn_url _connect _receive_message_loop _handle_control_frame _configure"
    " _conn _conn_id _service_id _event_handler",
    "ws.client.Frame": "DESCRIPTOR",  # .file.serialized_pb
    "core.http.transport": "requests",
    "core.token.manager.TokenManager": "cache",
}  # and that an event handler is called by `_do_without_validation(payload)`, which we call ourselves

_PACKAGE = "lark_oapi"
_DISPATCHER = "lark_oapi.event.dispatcher_handler"
_NAMESPACES = "pkg_resources"  # asked by the vendored protobuf for a namespace that it does not need: 6 MB
_HELPDESK = "lark_oapi.api.helpdesk.v1"
_LEAN = (_PACKAGE, _HELPDESK, f"{_HELPDESK}.resource", f"{_HELPDESK}.model")  # loaded without their __init__
_copy: dict[str, ModuleType] = {}  # what the private copy has loaded so far
_importing = threading.Lock()
log = logging.getLogger(__name__)


@cache
def ws_client() -> ModuleType:
    """The private copy of `lark_oapi.ws.client`. Call it inside a running loop: the module looks for one."""
    module = private("ws.client")
    module.Frame = _c_frame(module.Frame)
    return cast("ModuleType", module)


def private(name: str) -> Any:
    """The private copy of `lark_oapi.{name}`, such as "core.http.transport"; blocks."""
    with _importing:
        try:
            module = _import(f"{_PACKAGE}.{name}", _stand_ins())
        except Exception:
            log.warning("the SDK's layout has changed: loading all of it (slower, 130 MB more)", exc_info=True)
            _copy.clear()
            module = _import(f"{_PACKAGE}.{name}", {})
    _tame(logging.getLogger("Lark"))
    return module


def _stand_ins() -> dict[str, ModuleType]:
    """Empty modules for those whose import would load every API, and more."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{_PACKAGE} is not a package")
    root = spec.submodule_search_locations[0]
    modules = {name: ModuleType(name) for name in (*_LEAN, _DISPATCHER, _NAMESPACES)}
    for name in _LEAN:
        modules[name].__path__ = [root + name.removeprefix(_PACKAGE).replace(".", "/")]
    modules[_DISPATCHER].EventDispatcherHandler = object  # type: ignore[attr-defined]  # named in an annotation only
    modules[_NAMESPACES].declare_namespace = lambda name: None  # type: ignore[attr-defined]
    return modules


def _import(name: str, stand_ins: dict[str, ModuleType]) -> ModuleType:
    others = _take_out()
    sys.modules.update(stand_ins | _copy)
    try:
        with warnings.catch_warnings(action="ignore"):  # the SDK's own, such as of utcfromtimestamp since Python 3.12
            return importlib.import_module(name)
    finally:
        _copy.update(_take_out())
        sys.modules.update(others)


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in list(sys.modules) if name.partition(".")[0] in (_PACKAGE, _NAMESPACES)]
    return {name: sys.modules.pop(name) for name in names}


def _c_frame(frame: Any) -> Any:
    """The SDK's own frame schema, compiled for protobuf's C parser (its vendored one is pure Python)."""
    schema = descriptor_pb2.FileDescriptorProto.FromString(frame.DESCRIPTOR.file.serialized_pb)
    del schema.dependency[:]  # gogo.proto: options for Go's generator only
    schema.ClearField("options")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(schema)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{schema.package}.Frame"))


def _tame(logger: logging.Logger) -> None:
    """The SDK logs to stdout, and its INFO and DEBUG lines hold the connection's secrets."""
    logger.handlers.clear()
    logger.addFilter(_redacted)


def _redacted(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact(record.getMessage()), None
    return True
