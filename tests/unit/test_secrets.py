"""A secret's source: read afresh, said where, shown nowhere."""

import os
import traceback
from pathlib import Path

import msgspec
import pytest

from listener.base.errors import ConfigError
from listener.settings.secrets import LIMIT, Secret, SecretKind, SecretSource, exposure, is_open_address, outside_source

HUSH = "hush-9f5343c580712544"


def in_file(path: Path, content: bytes) -> SecretSource:
    path.write_bytes(content)
    path.chmod(0o600)
    return SecretSource(SecretKind.FILE, str(path))


@pytest.mark.parametrize("content", [HUSH, HUSH + "\n", HUSH + "\r\n", f"  {HUSH} \n\n", "\ufeff" + HUSH])
def test_a_file_gives_the_secret_without_what_surrounds_it(tmp_path: Path, content: str) -> None:
    assert in_file(tmp_path / "app_secret", content.encode()).read() == HUSH


def test_a_file_is_read_at_each_use(tmp_path: Path) -> None:
    source = in_file(tmp_path / "app_secret", b"old")
    before = source.read()
    in_file(tmp_path / "app_secret", b"new")
    assert (before, source.read()) == ("old", "new")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (HUSH.encode() + b"\x00", "holds more than a secret"),
        (HUSH.encode() + b"\nsecond line", "holds more than a secret"),
        (b"two words", "holds more than a secret"),
        (b"x" * (LIMIT + 1), "is longer than 4096 bytes"),
        (HUSH.encode() + b"\xff", "is not text in UTF-8"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(tmp_path: Path, content: bytes, problem: str) -> None:
    source = in_file(tmp_path / "app_secret", content)
    with pytest.raises(ConfigError, match=problem) as caught:
        source.read()
    assert str(tmp_path / "app_secret") in str(caught.value)
    assert "write the secret" in caught.value.hint
    assert HUSH not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    source = SecretSource(SecretKind.FILE, str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match=r"file .*/gone does not exist"):
        source.read()
    assert f"file {tmp_path}/gone (no such file or directory)" == source.describe()


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "app_secret"
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(ConfigError, match="can't be read"):
        SecretSource(SecretKind.FILE, str(path)).read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    source = in_file(tmp_path / "app_secret", HUSH.encode())
    (tmp_path / "app_secret").chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        source.read()


def test_the_environment_comes_before_the_credential(tmp_path: Path) -> None:
    in_file(tmp_path / "app_secret", b"from-credential")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path), "FEISHU_APP_SECRET": "from-env"}
    both = outside_source("app_secret", "FEISHU_APP_SECRET", env)
    one = outside_source("app_secret", "FEISHU_APP_SECRET", env | {"FEISHU_APP_SECRET": ""})
    none = outside_source("app_secret", "FEISHU_APP_SECRET", {})
    assert both
    assert one
    assert (both.read(), one.read(), none) == ("from-env", "from-credential", None)
    assert (both.describe(), one.describe()) == ("environment FEISHU_APP_SECRET", "systemd credential app_secret")


def test_a_file_is_described_with_its_mode(tmp_path: Path) -> None:
    source = in_file(tmp_path / "app_secret", HUSH.encode())
    assert f"file {tmp_path}/app_secret (0600)" == source.describe()


@pytest.mark.parametrize(
    ("mode", "warns"), [(0o400, False), (0o600, False), (0o640, False), (0o660, True), (0o644, True), (0o604, True)]
)
def test_a_file_open_to_others_is_warned_of(tmp_path: Path, mode: int, warns: bool) -> None:
    in_file(tmp_path / "app_secret", HUSH.encode())
    (tmp_path / "app_secret").chmod(mode)
    assert warns == (f"chmod 600 {tmp_path}/app_secret" in exposure(tmp_path / "app_secret"))


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("postgresql://helpdesk@/helpdesk?host=/var/run/postgresql", True),
        ("rediss://redis.example:6379/0", True),
        (f"postgresql://helpdesk:{HUSH}@db1:5432,db2:5432/helpdesk", False),
        (f"postgresql://db.example/helpdesk?password={HUSH}", False),
        (f"redis://:{HUSH}@localhost", False),
        (f"https://open.feishu.cn/open-apis/bot/v2/hook/{HUSH}", False),
        ("redis://[broken", False),
        (HUSH, False),
    ],
)
def test_a_databases_address_without_a_password_is_no_secret(text: str, is_open: bool) -> None:
    assert is_open == is_open_address(text)


def test_nothing_shows_a_secret() -> None:
    secret = Secret(HUSH)
    source = SecretSource(SecretKind.INLINE, "config.toml: feishu.app_secret", secret)
    assert HUSH == secret.reveal() == source.read()
    assert HUSH not in f"{secret} {secret!r} {source} {source!r} {[source]} {source.describe()} %s" % secret
    with pytest.raises(TypeError):
        msgspec.json.encode(source)


def test_secrets_compare_by_what_they_hide() -> None:
    assert Secret("a") == Secret("a", shown="x")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
