"""The lean private copy, in a process of its own: small, unseen by a plain import, replaceable by the whole SDK."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from listener.simulator import PlatformThread
from tests.connection.listening import event

LISTEN = """
import asyncio, json, logging, os, sys
from listener.base import logs
from listener.feishu import sdk
from listener.feishu.transport import Network
from listener.base.threads import DaemonExecutor

async def an_event(domain, level=logging.WARNING):
    from listener.feishu.session import Session
    asyncio.get_running_loop().set_default_executor(DaemonExecutor())
    seen = asyncio.Event()
    class Handler:
        def receive(self, payload):
            asyncio.get_running_loop().call_later(0, lambda: (self.reply(200), seen.set()))
            return self
    session = Session("cli_a5ca1ab1e0ddba11", "demo-secret", domain, Handler(), network=Network())
    logging.getLogger("Lark").setLevel(level)
    await session.open()
    listening = asyncio.ensure_future(session.listen())
    await asyncio.wait_for(seen.wait(), 20)
    await session.close()
    listening.cancel()

def tell(**facts):
    print(json.dumps(facts))
"""


def told(script: str, *arguments: str) -> tuple[Any, "subprocess.CompletedProcess[str]"]:
    """(the JSON on the last line of stdout, all of it) of a script in a new process."""
    command = [sys.executable, "-W", "ignore", "-c", LISTEN + script, *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    return json.loads(done.stdout.splitlines()[-1]), done


def with_an_event(script: str) -> tuple[Any, "subprocess.CompletedProcess[str]", PlatformThread]:
    """The same while a stand-in, its URL the argument, pushes one event."""
    with PlatformThread() as stand_in:
        delivery = stand_in.call(stand_in.platform.push, event(1))
        facts, done = told(script, stand_in.url)
        stand_in.call(delivery.acked)
        return facts, done, stand_in


def test_the_private_copy_is_lean() -> None:
    facts, _ = told("""
async def main():
    sdk.PrivateCopy("ws.client").load("ws.client")
    sdk.PrivateCopy("core.http.transport").load("core.http.transport")
    sdk.frame_type()
asyncio.run(main())
from listener.feishu import session
loaded = {*sys.modules, *sdk._shared}
apis = [name for name in loaded if name.startswith("lark_oapi.api.") and "helpdesk" not in name]
unused = ("lark_oapi.ws.pb.google.protobuf.descriptor", "Crypto", "httpx.", "requests_toolbelt.")
heavy = [name for name in loaded if name.startswith(unused)]
left = [name for name in sys.modules if name.startswith(("lark_oapi", "httpx", "requests_toolbelt"))]
import httpx
tell(modules=len(loaded), apis=apis, left=left, heavy=heavy, real=hasattr(httpx, "Client"))
""")
    assert facts["modules"] < 600
    assert ([], [], []) == (facts["apis"], facts["left"], facts["heavy"])
    assert facts["real"]  # another import gets the library itself


def test_where_the_schema_is_no_constant_any_more_the_sdks_own_code_runs() -> None:
    facts, done, _ = with_an_event("""
logs.configure("warning", "json")
sdk._schema = lambda: b""
asyncio.run(an_event(sys.argv[1]))
tell(runs="lark_oapi.ws.pb.gogo_pb2" in sdk._shared)
""")
    assert ({"runs": True}, "") == (facts, done.stderr)


PLAIN = """
{0}
import lark_oapi, lark_oapi.ws.client, requests, websockets
{1}
client = lark_oapi.ws.client
handler = lark_oapi.EventDispatcherHandler.builder("", "").register_p2_helpdesk_ticket_message_created_v1(print).build()
tell(
    ours=sdk._shared.get('lark_oapi.ws') is lark_oapi.ws,
    requests=client.requests is requests,
    websockets=client.websockets is websockets,
    cache=isinstance(client.ExpiringCache, type),
    frame=client.Frame is sdk.frame_type(),
    api=lark_oapi.api.helpdesk.v1.__name__,
    handles=list(handler._processorMap)[:1],
)
"""
OURS = "asyncio.run(an_event(sys.argv[1]))"


@pytest.mark.slow
@pytest.mark.parametrize("script", [PLAIN.format(OURS, ""), PLAIN.format("", OURS)], ids=["ours first", "plain first"])
def test_a_plain_import_in_the_same_process_is_the_whole_sdk_and_nothing_of_ours(script: str) -> None:
    facts, _, _ = with_an_event(script)
    assert {
        "ours": False,
        "requests": True,
        "websockets": True,
        "cache": True,
        "frame": False,
        "api": "lark_oapi.api.helpdesk.v1",
        "handles": ["p2.helpdesk.ticket_message.created_v1"],
    } == facts


@pytest.mark.slow
def test_a_layout_that_has_changed_falls_back_to_the_whole_sdk() -> None:
    facts, done, _ = with_an_event("""
logs.configure("warning", "json")
whole = sdk._stand_ins
def changed():
    modules = whole()
    del modules["lark_oapi.event.dispatcher_handler"].EventDispatcherHandler
    return modules
sdk._stand_ins = changed
asyncio.run(an_event(sys.argv[1]))
tell(apis=any(name.startswith("lark_oapi.api.") and "helpdesk" not in name for name in sdk._shared))
""")
    assert {"apis": True} == facts
    assert 1 == done.stderr.count("the SDK's layout has changed")


def test_nothing_of_the_sdks_logger_reaches_stdout_and_no_secret_any_log() -> None:
    """At its most talkative it logs the connection's URL, whose query opens the connection."""
    _, done, stand_in = with_an_event("""
logs.configure("debug", "console")
asyncio.run(an_event(sys.argv[1], logging.DEBUG))
tell()
""")
    assert "{}" == done.stdout.strip()
    assert "/ws/v2?***" in done.stderr
    assert [] == [secret for secret in [*stand_in.platform.gateway.secrets, "demo-secret"] if secret in done.stderr]
