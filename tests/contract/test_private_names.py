"""What of the SDK is touched although nobody promised it: `PRIVATE` names all of it, and all of it is there."""

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import listener
from listener.feishu.sdk import PRIVATE, PrivateCopy, frame_type, new_client
from listener.feishu.transport import Network

ROOT = Path(listener.__path__[0])
ADAPTER = (ROOT / "feishu/sdk.py").read_text("utf-8")
NAMES = [(place, name) for place, names in PRIVATE.items() for name in names.split()]
UNMISTAKABLE = re.compile(
    r"_do_without_validation|_event_handler|_service_id|_new_ping_frame|_handle_control_frame|_get_conn_url"
    r"|_receive_message_loop|_conn_id|\._conn\b|_ws_connect_kwargs|TokenManager|(?:import|from) lark_oapi"
)


def private(name: str) -> Any:
    """The module, of an untouched copy."""
    return PrivateCopy("ws.client").load(name)


def found(*patterns: str) -> set[str]:
    """What these patterns' groups match in the adapter."""
    return {name for pattern in patterns for name in re.findall(pattern, ADAPTER)}


def test_the_list_is_whole_and_holds_nothing_more() -> None:
    assert set(PRIVATE["ws.client"].split()) == found(r"\b_?sdk\.(\w+)")
    assert set(PRIVATE["ws.client.Client"].split()) == found(r"\b_?client\.(_\w+)")


def test_no_private_name_of_the_sdk_leaves_the_adapter() -> None:
    texts = {path: path.read_text("utf-8") for path in ROOT.rglob("*.py") if path != ROOT / "feishu/sdk.py"}
    told = {str(path): UNMISTAKABLE.findall(text) for path, text in texts.items() if UNMISTAKABLE.search(text)}
    assert {} == told
    assert UNMISTAKABLE.search(ADAPTER)


@pytest.fixture
def in_a_loop() -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Calls a function there: the SDK's module looks for a loop when it is imported."""
    with asyncio.Runner() as runner:

        async def call(function: Callable[[], Any]) -> Any:
            return function()

        yield lambda function: runner.run(call(function))


@pytest.mark.parametrize(("place", "name"), NAMES)
def test_it_is_there(place: str, name: str, in_a_loop: Any) -> None:
    if place == "ws.client.Client":
        holder = in_a_loop(
            lambda: new_client("cli_a5ca1ab1e0ddba11", "demo-secret", "https://x.test", Network(), lambda *_: None)
        )
        holder = holder._client
    else:
        module, _, attribute = place.rpartition(".") if re.search(r"\.[A-Z]\w+$", place) else (place, "", "")
        holder = in_a_loop(lambda: private(module))
        holder = getattr(holder, attribute) if attribute else holder
    assert hasattr(holder, name)


def test_the_signatures_are_those_that_are_called(in_a_loop: Any) -> None:
    """Of an untouched copy: in ours some are replaced."""
    module = in_a_loop(lambda: private("ws.client"))

    def parameters(function: Any) -> list[str]:
        return list(inspect.signature(function).parameters)

    assert ["service_id"] == parameters(module._new_ping_frame)
    assert 1 == len(parameters(module._ws_connect_kwargs))
    assert 1 == len(parameters(module._parse_ws_conn_exception))
    assert ["self", "frame"] == parameters(module.Client._handle_control_frame)
    assert {"app_id", "app_secret", "domain", "log_level"} <= set(parameters(module.Client.__init__))
    assert {"self"} == set(parameters(module.Client._connect)) == set(parameters(module.Client._get_conn_url))


@pytest.mark.filterwarnings("ignore:.*utcfromtimestamp")  # the SDK's own protobuf, from Python 3.12 on
def test_the_ping_and_the_c_parsers_frame_are_the_documented_ones() -> None:
    from listener.simulator import frames

    async def main() -> None:
        ping = frames.decode(private("ws.client")._new_ping_frame(7).SerializeToString())
        assert (7, frames.CONTROL, [("type", "ping")]) == (ping.service, ping.method, ping.headers)
        full = frames.Frame(
            1, 2, 3, 1, [("type", "event"), ("k", "值")], "json", "text", b"\x00payload", log_id_new="9"
        )
        same = frame_type().FromString(frames.encode(full))
        assert full == frames.decode(same.SerializeToString())

    asyncio.run(main())


def test_a_field_that_nobody_knows_yet_is_echoed() -> None:
    async def main() -> None:
        unknown = b"\x08\x01\x10\x02\x18\x03\x20\x01" + b"\x7a\x03new"  # field 15
        assert unknown == frame_type().FromString(unknown).SerializeToString()

    asyncio.run(main())
