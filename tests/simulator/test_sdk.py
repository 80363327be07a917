"""The SDK's unmodified clients against the stand-in: what both understand is the platform's protocol."""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from listener.simulator import Delivery, Platform, PlatformThread, faults
from listener.simulator.conversation import EXAMPLE
from listener.simulator.openapi import SUBSCRIBE_PATH
from tests.lines import whole_lines

pytestmark = pytest.mark.slow  # the whole SDK takes seconds to import


def typed_example(text: str) -> dict[str, Any]:
    """The document's example in the one shape that the SDK's typed handler takes: `comments` as a list."""
    event = deepcopy(EXAMPLE)
    event["event"]["ticket"]["comments"] = [event["event"]["ticket"]["comments"]]
    event["event"]["text"] = text
    return event


class Running(NamedTuple):
    """The stand-in, the SDK's client connected to it, and the file of what its handler saw."""

    stand_in: PlatformThread
    process: "subprocess.Popen[bytes]"
    output: Path

    @property
    def platform(self) -> Platform:
        return self.stand_in.platform

    def push(self, payload: Any, **settings: Any) -> Delivery:
        return self.stand_in.call(self.platform.push, payload, **settings)

    def seen(self) -> list[str]:
        """The texts that the handler got."""
        return [json.loads(line)["text"] for line in whole_lines(self.output)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    output = tmp_path_factory.mktemp("sdk") / "events.jsonl"
    output.touch()
    with PlatformThread(schedule=(0.05, 0.05)) as stand_in:
        stand_in.platform.gateway.client_config = {
            "ReconnectCount": -1,
            "ReconnectInterval": 1,
            "ReconnectNonce": 0,
            "PingInterval": 1,
        }
        command = [sys.executable, "-W", "ignore", "-m", "tests.simulator.sdk_client", stand_in.url, str(output)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                stand_in.call(stand_in.platform.connected, within=30)
                yield Running(stand_in, process, output)
            finally:
                process.kill()


def test_the_typed_handler_gets_the_event_and_acks_it(running: Running) -> None:
    delivery = running.push(typed_example("请问vpn怎么下载"))
    ack = running.stand_in.call(delivery.acked)
    assert "请问vpn怎么下载" in running.seen()
    assert (200, 1) == (ack.code, delivery.pushes)
    assert ack.biz_rt is not None
    keys = ["type", "message_id", "sum", "seq", "trace_id", "timestamp", "instance_id", "biz_rt"]
    assert keys == [key for key, _ in ack.headers]


def test_a_split_event_is_put_together_and_acked_once(running: Running) -> None:
    delivery = running.push(typed_example("in three parts"), parts=3, order=[1, 0, 2])
    ack = running.stand_in.call(delivery.acked)
    assert "in three parts" in running.seen()
    assert (("sum", "3"), 1) == (ack.headers[2], len(delivery.acks))


def test_the_documents_own_example_is_refused_and_comes_again(running: Running) -> None:
    delivery = running.push(EXAMPLE)
    running.stand_in.call(delivery.answered, 3)
    assert [500, 500, 500] == delivery.codes


def test_pings_come_at_the_interval_that_the_endpoint_told(running: Running) -> None:
    running.stand_in.call(running.platform.watch.until, lambda: running.platform.counts["pongs"] >= 3, "3 pongs")
    assert not running.platform.garbage


def test_it_comes_back_after_a_cut_and_gets_what_it_missed(running: Running) -> None:
    running.stand_in.call(running.platform.cut)
    delivery = running.push(typed_example("while it was away"))
    running.stand_in.call(delivery.acked)
    assert "while it was away" in running.seen()
    assert 2 <= len(running.platform.endpoint_calls)


def test_the_endpoint_call_is_the_documented_one(running: Running) -> None:
    call = running.platform.endpoint_calls[0]
    assert {"AppID": "cli_a5ca1ab1e0ddba11", "AppSecret": "demo-secret"} == call.json()
    assert "zh" == call.headers["locale"]


API_SCRIPT = """
import base64, json, sys
import lark_oapi as lark
from lark_oapi.api.helpdesk.v1 import *

def attempt(call, request, helpdesk):
    option = lark.RequestOption()
    option.headers = {"X-Lark-Helpdesk-Authorization": base64.b64encode(helpdesk.encode()).decode()}
    response = call(request, option)
    print(json.dumps([response.code, response.raw.status_code, response.raw.headers.get("x-ogw-ratelimit-reset")]))

client = lark.Client.builder().app_id("cli_a5ca1ab1e0ddba11").app_secret("demo-secret").domain(sys.argv[1]).build()
events = [Event.builder().type("helpdesk.ticket_message").subtype("ticket_message.created_v1").build()]
subscribe = lambda: SubscribeEventRequest.builder().request_body(
    SubscribeEventRequestBody.builder().events(events).build()).build()
unsubscribe = lambda: UnsubscribeEventRequest.builder().request_body(
    UnsubscribeEventRequestBody.builder().events(events).build()).build()
api, right = client.helpdesk.v1.event, "6626871355780366331:ht-demo-token"
attempt(api.subscribe, subscribe(), right)
attempt(api.subscribe, subscribe(), right)
attempt(api.subscribe, subscribe(), "6626871355780366331:wrong")
attempt(api.unsubscribe, unsubscribe(), right)
online = lark.BaseRequest.builder().http_method(lark.HttpMethod.GET).uri("/open-apis/event/v1/connection") \\
    .token_types({lark.AccessTokenType.TENANT}).build()
print(client.request(online).raw.content.decode())
"""


def test_the_api_client_subscribes_and_reads_the_errors() -> None:
    with PlatformThread() as stand_in:
        api = stand_in.platform.api
        stand_in.platform.faults.api[SUBSCRIBE_PATH] = [faults.throttled(2)]
        command = [sys.executable, "-W", "ignore", "-c", API_SCRIPT, stand_in.url]
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        *answers, online = [json.loads(line) for line in result.stdout.splitlines()]
    assert [[99991400, 429, "2"], [0, 200, None], [154001, 401, None], [0, 200, None]] == answers
    assert {"online_instance_cnt": 0} == online["data"]
    assert {"6626871355780366331": set()} == api.subscriptions
