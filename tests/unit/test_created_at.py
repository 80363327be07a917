"""`created_at` is the header's `create_time`, in whichever unit that came."""

import json
from typing import Any

import pytest

from listener.event import FORMATS
from tests import samples


def created(create_time: object) -> Any:
    line = FORMATS["record"](samples.received(samples.encode({"header": samples.header(create_time=create_time)})))
    return json.loads(line)["created_at"]


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("came", [1608725989, 1608725989000, 1608725989000000, 1608725989000000000])
def test_created_at_is_the_same_moment_in_s_ms_us_and_ns(came: int, text: bool) -> None:
    assert "2020-12-23T12:19:49.000Z" == created(str(came) if text else came)


def test_created_at_keeps_the_milliseconds_of_a_finer_time() -> None:
    assert "2020-12-23T12:19:49.123Z" == created("1608725989123456789")
