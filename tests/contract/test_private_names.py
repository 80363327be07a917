"""What of the SDK is touched although nobody promised it: `PRIVATE` names all of it, and all of it is there."""

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import listener.feishu
from listener.feishu import sdk
from listener.feishu.client import new_client
from listener.feishu.network import Network
from listener.feishu.sdk import PRIVATE, private, ws_client

SOURCES = {path.stem: path.read_text("utf-8") for path in Path(listener.feishu.__path__[0]).glob("*.py")}
NAMES = [(place, name) for place, names in PRIVATE.items() for name in names.split()]


def found(*patterns: str) -> set[str]:
    """What these patterns' groups match in the package's sources."""
    return {name for pattern in patterns for text in SOURCES.values() for name in re.findall(pattern, text)}


def test_the_list_is_whole_and_holds_nothing_more() -> None:
    of_module = found(r"\bsdk\.(\w+)", r"ws_client\(\)\.(\w+)") - {"sdk"}
    of_client = found(r"\b_?client\.(_\w+)", r"super\(\)\.(_get\w+)")
    overridden = found(r"def (_get_conn_url|_receive_message_loop|_configure)\(")
    assert set(PRIVATE["ws.client"].split()) == of_module
    assert set(PRIVATE["ws.client.Client"].split()) == of_client | overridden


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
    else:
        module, _, attribute = place.rpartition(".") if re.search(r"\.[A-Z]\w+$", place) else (place, "", "")
        holder = in_a_loop(lambda: private(module))
        holder = getattr(holder, attribute) if attribute else holder
    assert hasattr(holder, name)


def test_the_signatures_are_those_that_are_called(in_a_loop: Any) -> None:
    """Of an untouched copy: in ours some are replaced."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sdk, "_copy", {})
        module = in_a_loop(lambda: private("ws.client"))

    def parameters(function: Any) -> list[str]:
        return list(inspect.signature(function).parameters)

    assert ["service_id"] == parameters(module._new_ping_frame)
    assert 1 == len(parameters(module._ws_connect_kwargs))
    assert 1 == len(parameters(module._parse_ws_conn_exception))
    assert ["self", "frame"] == parameters(module.Client._handle_control_frame)
    assert {"app_id", "app_secret", "domain", "log_level"} <= set(parameters(module.Client.__init__))
    assert {"self"} == set(parameters(module.Client._connect)) == set(parameters(module.Client._get_conn_url))


def test_the_ping_and_the_c_parsers_frame_are_the_documented_ones() -> None:
    from listener.simulator import frames

    async def main() -> None:
        ping = frames.decode(ws_client()._new_ping_frame(7).SerializeToString())
        assert (7, frames.CONTROL, [("type", "ping")]) == (ping.service, ping.method, ping.headers)
        full = frames.Frame(
            1, 2, 3, 1, [("type", "event"), ("k", "值")], "json", "text", b"\x00payload", log_id_new="9"
        )
        same = ws_client().Frame.FromString(frames.encode(full))
        assert full == frames.decode(same.SerializeToString())

    asyncio.run(main())


def test_a_field_that_nobody_knows_yet_is_echoed() -> None:
    async def main() -> None:
        unknown = b"\x08\x01\x10\x02\x18\x03\x20\x01" + b"\x7a\x03new"  # field 15
        assert unknown == ws_client().Frame.FromString(unknown).SerializeToString()

    asyncio.run(main())
