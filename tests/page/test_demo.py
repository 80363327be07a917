"""`demo --page`: the page on a free port, whose address is told."""

import re
from http.client import HTTPConnection
from pathlib import Path

from tests.daemon import Daemon


def test_it_tells_an_address_that_is_answered(tmp_path: Path) -> None:
    with Daemon(tmp_path, "demo", "--page", "--rate", "2") as demo:
        demo.until(lambda: demo.said("the page, with its buttons, is at"), "the address", within=60.0)
        told = next(line for line in demo.stderr if "the page, with its buttons" in line)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/#token=[\w-]{20,}", told)
        assert found
        connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
        connection.request("GET", "/")
        assert b"helpdesk-listen" in connection.getresponse().read()
        connection.close()
        assert 0 == demo.stop(within=30.0)


def test_with_a_count_it_ends_by_itself(tmp_path: Path) -> None:
    with Daemon(tmp_path, "demo", "--page", "--count", "3") as demo:
        assert 0 == demo.wait(within=60.0)
        assert 3 == len(demo.records)
