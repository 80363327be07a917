"""The helpdesk's reading APIs: paging, time bounds, limits, errors, and that events and APIs tell the same story."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import requests

from listener.simulator import Platform
from listener.simulator.desk import PNG
from tests.samples import TICKET_ID, example
from tests.simulator.test_openapi import HELPDESK, tenant_token

Get = Callable[..., Awaitable[requests.Response]]


def served(test: Callable[[Platform, Get], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Platform() as platform:
            helpdesk = base64.b64encode(f"{HELPDESK}:ht-demo-token".encode()).decode()
            headers = {"Authorization": f"Bearer {await tenant_token(platform)}"}
            headers["X-Lark-Helpdesk-Authorization"] = helpdesk

            def get(path: str, **query: Any) -> Awaitable[requests.Response]:
                url = f"{platform.url}/open-apis/helpdesk/v1/{path}"
                return asyncio.to_thread(requests.get, url, params=query, headers=headers, timeout=5)

            await test(platform, get)

    asyncio.run(main())


def test_tickets_come_in_pages_and_by_their_times() -> None:
    async def test(platform: Platform, get: Get) -> None:
        for number in range(5):
            platform.api.desk.ticket(str(number), 1000 + number)
        platform.api.desk.ticket("3", 5000)
        found = [(await get("tickets", page=page, page_size=2)).json()["data"] for page in (1, 2, 3, 4)]
        assert [2, 2, 1, 0] == [len(page["tickets"]) for page in found]
        assert {5} == {page["total"] for page in found}
        changed = (await get("tickets", update_time_start=4000, update_time_end=6000)).json()["data"]
        assert ["3"] == [ticket["ticket_id"] for ticket in changed["tickets"]]
        for wrong in ({"page_size": 201}, {"update_time_start": 1}):
            assert 99992402 == (await get("tickets", **wrong)).json()["code"]

    served(test)


def test_no_query_gives_more_than_10000_rows() -> None:
    async def test(platform: Platform, get: Get) -> None:
        platform.api.max_rows = 3
        for number in range(5):
            platform.api.desk.ticket(str(number), 1000)
        data = (await get("tickets", page=2, page_size=2)).json()["data"]
        assert (3, 1) == (data["total"], len(data["tickets"]))

    served(test)


def test_what_is_pushed_is_in_the_apis() -> None:
    async def test(platform: Platform, get: Get) -> None:
        platform.push(example())
        assert 50 == (await get(f"tickets/{TICKET_ID}")).json()["data"]["ticket"]["status"]
        (message,) = (await get(f"tickets/{TICKET_ID}/messages")).json()["data"]["messages"]
        assert ("6949088240624222236", "text") == (message["id"], message["message_type"])

    served(test)


@pytest.mark.parametrize(("unit", "found"), [(1000, 1), (1, 0)])
def test_the_unit_of_a_message_querys_times_is_a_setting(unit: int, found: int) -> None:
    async def test(platform: Platform, get: Get) -> None:
        platform.api.message_time_unit = unit
        platform.api.desk.say("1", "11", "hello", 1_600_000_000_000)
        answer = await get("tickets/1/messages", time_start=1_599_999_999, time_end=1_600_000_001)
        assert found == len(answer.json()["data"]["messages"])

    served(test)


def test_images_and_their_errors() -> None:
    async def test(platform: Platform, get: Get) -> None:
        platform.api.desk.images |= {("1", "11", 0): PNG, ("1", "11", 1): None}
        assert PNG == (await get("ticket_images", ticket_id="1", msg_id="11", index=0)).content
        codes = [(await get("ticket_images", ticket_id="1", msg_id="11", index=i)).json()["code"] for i in (1, 2)]
        assert [154404, 154004] == codes
        assert 404 == (await get("tickets/2")).status_code

    served(test)


def test_limits_and_the_monthly_quota() -> None:
    async def test(platform: Platform, get: Get) -> None:
        platform.api.limits["ticket"] = 2
        platform.api.desk.ticket("1", 1)
        answers = [await get("tickets/1") for _ in range(3)]
        assert [0, 0, 99991400] == [answer.json()["code"] for answer in answers]
        assert "1" == answers[2].headers["x-ogw-ratelimit-reset"]
        platform.api.quota = 1
        assert [0, 99991403] == [(await get("tickets")).json()["code"] for _ in range(2)]

    served(test)
