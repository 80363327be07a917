"""The HTTP APIs: the documented checks, errors and state."""

import asyncio
import base64
from typing import Any

import pytest
import requests

from listener.simulator import Platform, faults
from listener.simulator.openapi import SCOPE, SUBSCRIBE_PATH, TOKEN_PATH, UNSUBSCRIBE_PATH
from tests.simulator.client import connected, post

HELPDESK = "6626871355780366331"
CREATED = {"type": "helpdesk.ticket_message", "subtype": "ticket_message.created_v1"}
RIGHT = {"events": [CREATED]}


async def tenant_token(platform: Platform) -> str:
    response = await post(platform.url + TOKEN_PATH, {"app_id": "cli_a5ca1ab1e0ddba11", "app_secret": "demo-secret"})
    return str(response.json()["tenant_access_token"])


async def change(platform: Platform, path: str, body: Any = RIGHT, **settings: Any) -> requests.Response:
    """Subscribes or unsubscribes; `settings`: token, helpdesk."""
    helpdesk = settings.get("helpdesk", f"{HELPDESK}:ht-demo-token")
    token = settings.get("token") or await tenant_token(platform)
    headers = {
        "Authorization": f"Bearer {token}",
        "X-Lark-Helpdesk-Authorization": base64.b64encode(helpdesk.encode()).decode(),
    }
    return await post(platform.url + path, body, headers=headers)


def test_subscriptions_are_kept_and_ended_twice_over() -> None:
    async def main() -> None:
        async with Platform() as platform:
            for _ in range(2):
                assert 0 == (await change(platform, SUBSCRIBE_PATH)).json()["code"]
            pair = ("helpdesk.ticket_message", "ticket_message.created_v1")
            assert {HELPDESK: {pair}} == platform.api.subscriptions
            for _ in range(2):
                assert 0 == (await change(platform, UNSUBSCRIBE_PATH)).json()["code"]
            assert {HELPDESK: set()} == platform.api.subscriptions

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "body", "status", "code"),
    [
        ({"helpdesk": f"{HELPDESK}:wrong"}, RIGHT, 401, 154001),
        ({"helpdesk": "1:ht-demo-token"}, RIGHT, 401, 154001),
        ({"helpdesk": ""}, RIGHT, 401, 154001),
        ({"token": "t-forged"}, RIGHT, 400, 99991663),
        ({}, {}, 400, 99992402),
        ({}, {"events": [{"type": "helpdesk.ticket_message"}]}, 400, 154000),
        ({}, {"events": ["ticket"]}, 400, 154000),
        ({}, [], 400, 154000),
    ],
)
def test_a_wrong_call_is_refused_as_documented(settings: Any, body: Any, status: int, code: int) -> None:
    async def main() -> tuple[int, int]:
        async with Platform() as platform:
            response = await change(platform, SUBSCRIBE_PATH, body, **settings)
            assert {} == {key: value for key, value in platform.api.subscriptions.items() if value}
            return response.status_code, response.json()["code"]

    assert (status, code) == asyncio.run(main())


def test_without_the_scope_there_is_no_access() -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.api.scopes.remove(SCOPE)
            response = await change(platform, SUBSCRIBE_PATH)
            assert (403, 154003) == (response.status_code, response.json()["code"])

    asyncio.run(main())


def test_faults_are_scripted_per_path() -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.faults.api[SUBSCRIBE_PATH] = [faults.throttled(3), faults.HTML_PAGE]
            throttled = await change(platform, SUBSCRIBE_PATH)
            assert (429, "3") == (throttled.status_code, throttled.headers["x-ogw-ratelimit-reset"])
            assert (await change(platform, SUBSCRIBE_PATH)).text.startswith("<html>")
            assert 0 == (await change(platform, SUBSCRIBE_PATH)).json()["code"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"app_id": "cli_a5ca1ab1e0ddba11", "app_secret": "wrong"}, 10014),
        ({"app_id": "cli_a5ca1ab1e0ddba11"}, 10003),
        ([], 10003),
    ],
)
def test_a_tenant_token_needs_the_credentials(body: Any, code: int) -> None:
    async def main() -> int:
        async with Platform() as platform:
            return int((await post(platform.url + TOKEN_PATH, body)).json()["code"])

    assert code == asyncio.run(main())


def test_the_clients_online_are_counted() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform), connected(platform):
            headers = {"Authorization": f"Bearer {await tenant_token(platform)}"}
            url = f"{platform.url}/open-apis/event/v1/connection"
            found = await asyncio.to_thread(requests.get, url, headers=headers, timeout=5)
            assert 2 == found.json()["data"]["online_instance_cnt"]
            refused = await asyncio.to_thread(requests.get, url, timeout=5)
            assert 99991663 == refused.json()["code"]

    asyncio.run(main())


def test_other_paths_are_not_found() -> None:
    async def main() -> int:
        async with Platform() as platform:
            return (await post(f"{platform.url}/open-apis/im/v1/images")).status_code

    assert 404 == asyncio.run(main())
