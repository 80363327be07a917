"""Addresses: the secret goes out over https or to this machine only, and passwords stay hidden."""

import pytest

from listener.settings.rules import Origin, Proxy


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://open.feishu.cn", "https://open.feishu.cn"),
        ("https://open.feishu.cn/", "https://open.feishu.cn"),
        ("HTTPS://Open.LarkSuite.com:8443//", "https://open.larksuite.com:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.9.9.9:1", "http://127.9.9.9:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_addresses(given: str, origin: str) -> None:
    assert origin == Origin()(given)


@pytest.mark.parametrize(
    "given",
    [
        "http://open.feishu.cn",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "http://[::2]",
        "http://[::1",
        "https://[zz]",
        "https://[:::]",
        "https://user@open.feishu.cn",
        "http://127.0.0.1@evil.example",
        "http://127.0.0.1\\@evil.example",
        "https://open.feishu.cn/path",
        "https://open.feishu.cn?",
        "https://open.feishu.cn#x",
        "https://open.feishu.cn:0",
        "https://open.feishu.cn:65536",
        "https://open.feishu.cn:",
        "https://open.feishu .cn",
        "https://open.feishu.cn\n",
        "https://",
        "ftp://open.feishu.cn",
        "open.feishu.cn",
        "",
        7,
    ],
)
def test_no_addresses(given: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the reader words it)
        Origin()(given)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://user:p@ss@proxy:3128/", "http://***@proxy:3128"),
        ("https://user@10.0.0.1", "https://***@10.0.0.1"),
    ],
)
def test_proxies(given: str, shown: str) -> None:
    secret = Proxy()(given)
    assert (given.rstrip("/"), shown) == (secret.reveal(), str(secret))


@pytest.mark.parametrize(
    "given", ["proxy:3128", "socks5://proxy:1080", "http://proxy/path", "http://a b@proxy", "", None]
)
def test_no_proxies(given: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the reader words it)
        Proxy()(given)
