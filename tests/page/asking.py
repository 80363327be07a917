"""The page's API asked over real sockets, as a browser does and as others do."""

import json
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from tests.page.serving import TOKEN, Served

JSON = {"Content-Type": "application/json"}


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), named)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def status(port: int, method: str, path: str, body: Any = None, **headers: str) -> int:
    return ask(port, method, path, body, **headers)[0].status


def log_in(page: Served) -> str:
    answer, _ = ask(page.port, "POST", "/api/login", {"token": TOKEN}, Origin=page.url, **JSON)
    assert 200 == answer.status
    return str(answer.getheader("Set-Cookie"))


def told(page: Served, path: str) -> Any:
    """What a GET is answered, as JSON."""
    answer, body = ask(page.port, "GET", f"/api/{path}")
    assert 200 == answer.status, body
    return json.loads(body)


class Person:
    """Who has given the token and presses buttons."""

    def __init__(self, page: Served) -> None:
        self._page = page
        self._headers = {"Origin": page.url, "Cookie": log_in(page).partition(";")[0]} | JSON

    def does(self, action: str, **asked: Any) -> tuple[int, Any]:
        """(HTTP status, how many events it concerned, or else why it was refused)."""
        answer, body = ask(self._page.port, "POST", f"/api/{action}", asked, **self._headers)
        return answer.status, json.loads(body)["done"] if answer.status == 200 else body.decode().rstrip()
