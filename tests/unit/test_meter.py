"""The meter of API calls: limits, the month, the budget, and what is told once."""

import threading
import time

import pytest

from listener.feishu import answers, http_api
from listener.feishu.meter import LIMITS, CallsHalted, Meter

NOVEMBER, DECEMBER = 1_795_500_000.0, 1_796_200_000.0


def test_calls_are_counted_by_api_and_month() -> None:
    now = [NOVEMBER]
    meter = Meter(clock=lambda: now[0])
    meter.take("ticket")
    meter.take("token")
    assert ("2026-11", {"ticket": 1, "token": 1}) == (meter.month, meter.counts())
    now[0] = DECEMBER
    meter.take("ticket")
    assert ("2026-12", {"ticket": 1}) == meter.unkept()


def test_the_limit_ends_calls_until_next_month_and_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = [NOVEMBER]
    meter = Meter(2, clock=lambda: now[0])
    meter.take("ticket")
    meter.take("images")
    for _ in range(3):
        with pytest.raises(CallsHalted, match=r"max_calls_per_month \(2\) is reached"):
            meter.take("ticket")
    assert 1 == capsys.readouterr().out.count("no more calls")
    assert 2 == meter.total()
    now[0] = DECEMBER
    meter.take("ticket")


def test_the_tenants_quota_halts_what_is_optional_alone() -> None:
    meter = Meter(clock=lambda: NOVEMBER)
    meter.quota_used_up("99991403")
    with pytest.raises(CallsHalted):
        meter.take("ticket")
    meter.optional = False
    meter.take("others")


def test_what_an_earlier_run_counted_is_added() -> None:
    meter = Meter(10, clock=lambda: NOVEMBER)
    meter.take("ticket")
    meter.restore("2026-11", {"ticket": 9}, "")
    with pytest.raises(CallsHalted):
        meter.take("ticket")
    meter.kept("2026-11", {"ticket": 1})
    assert ("2026-11", {}) == meter.unkept()


def test_what_was_halted_stays_so_in_its_month() -> None:
    meter = Meter(clock=lambda: NOVEMBER)
    meter.restore("2026-10", {}, "of last month")
    meter.take("ticket")
    meter.restore("2026-11", {}, "used up")
    with pytest.raises(CallsHalted, match="used up"):
        meter.take("ticket")


def test_an_apis_limit_makes_calls_wait_from_however_many_threads() -> None:
    meter, taken, guard = Meter(), list[float](), threading.Lock()

    def take() -> None:
        meter.take("ticket")
        with guard:
            taken.append(time.monotonic())

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (calls, seconds) = LIMITS["ticket"][0]
    taken.sort()
    waits = [later - earlier for earlier, later in zip(taken, taken[calls:], strict=False)]
    assert min(waits) > 0.9 * seconds


@pytest.mark.parametrize(
    ("content", "is_quota"),
    [
        (b'{"code":99991403,"msg":"used up"}', True),
        (b'{"code":0,"data":{"messages":[{"content":"99991403"}]}}', False),
        (b'99991403 {"code', False),
        (b'{"code":0}', False),
    ],
)
def test_only_the_platforms_own_code_is_the_quota(content: bytes, is_quota: bool) -> None:
    assert is_quota == answers.is_quota(content)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/open-apis/auth/v3/tenant_access_token/internal", "token"),
        ("/open-apis/helpdesk/v1/tickets?page=1", "tickets"),
        ("/open-apis/helpdesk/v1/tickets/70", "ticket"),
        ("/open-apis/helpdesk/v1/tickets/70/messages?page=1", "messages"),
        ("/open-apis/helpdesk/v1/ticket_customized_fields", "fields"),
        ("/open-apis/helpdesk/v1/ticket_images?index=0", "images"),
        ("/open-apis/im/v1/messages?receive_id_type=chat_id", "chat"),
        ("/open-apis/event/v1/connection", "clients"),
        ("/open-apis/helpdesk/v1/events/subscribe", "others"),
    ],
)
def test_each_api_has_its_name_on_the_meter(path: str, name: str) -> None:
    assert name == http_api.kind_of(f"https://open.feishu.cn{path}")[0]
