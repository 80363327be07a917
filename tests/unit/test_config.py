"""The settings: where they come from, which comes first, and where relative paths start."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from listener.base.errors import EX_CONFIG, ConfigError
from listener.settings import config
from listener.settings.config import Settings, load
from listener.settings.secrets import SecretKind
from listener.sinks.base import Retry
from listener.sinks.file import FileConfig
from listener.sinks.log import LogConfig
from listener.sinks.stdout import StdoutConfig

MINIMAL = '[feishu]\napp_id = "cli_file"\napp_secret = "file-secret"\n'
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "etc/given.toml", mode: int = 0o600) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def test_the_least_that_works(write: Write, env: dict[str, str], tmp_path: Path) -> None:
    settings = load(write(MINIMAL), env)
    assert settings.feishu.app_id == "cli_file"
    assert settings.feishu.app_secret.read() == "file-secret"
    assert settings.feishu.domain == "https://open.feishu.cn"
    assert settings.feishu.events == ("helpdesk.ticket_message.created_v1",)
    assert tmp_path / "home/.local/state/helpdesk-listen/helpdesk.db" == settings.journal.path
    assert (settings.journal.keep, settings.journal.max_size) == (604800.0, 2**30)
    assert (StdoutConfig(name="stdout"),) == settings.sinks
    assert (str(tmp_path / "etc/given.toml"), ()) == (settings.origin, settings.warnings)


def test_a_full_file(write: Write, env: dict[str, str]) -> None:
    text = f"""{MINIMAL}
    slow_retry = {{ min_delay = "50ms", max_delay = "1s" }}
    [journal]
    keep = "30d"
    max_size = 5_000_000
    [[sinks]]
    name = "archive"
    type = "file"
    path = "/srv/tickets.jsonl"
    fsync = "never"
    rotate = {{ size = "10MB", keep = 3, compress = true }}
    retry.max_delay = "10s"
    [[sinks]]
    name = "log"
    type = "log"
    level = "debug"
    format = "raw"
    start = "earliest"
    retry.give_up_after = "2h"
    """
    settings = load(write(text), env)
    archive, log = settings.sinks
    assert isinstance(archive, FileConfig)
    assert isinstance(log, LogConfig)
    assert (settings.feishu.slow_retry.min_delay, settings.feishu.slow_retry.max_delay) == (0.05, 1.0)
    assert (settings.journal.keep, settings.journal.max_size) == (30 * 86400.0, 5_000_000)
    assert archive.rotate
    assert (
        archive.rotate.size,
        archive.rotate.every,
        archive.rotate.keep,
        archive.rotate.compress,
    ) == (10**7, None, 3, True)
    assert (log.format, log.start, log.level, log.retry.give_up_after) == ("raw", "earliest", "debug", 7200.0)
    assert Retry(max_delay=10.0, give_up_after=None) == archive.retry, "what is not said stays the type's own"


def test_the_environment_alone(env: dict[str, str]) -> None:
    own = {"FEISHU_APP_ID": "cli_env", "FEISHU_APP_SECRET": "env-secret", "FEISHU_DOMAIN": "http://127.0.0.1:8080/"}
    settings = load(None, env | own)
    assert (
        settings.origin,
        settings.feishu.app_id,
        settings.feishu.domain,
    ) == ("environment", "cli_env", "http://127.0.0.1:8080")
    assert (StdoutConfig(name="stdout"),) == settings.sinks


def test_the_environment_without_credentials_says_what_is_missing(env: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, env)
    first, second = str(caught.value).splitlines()
    assert first.startswith("environment: FEISHU_APP_ID: missing")
    assert second.startswith("environment: FEISHU_APP_SECRET: missing")
    assert "helpdesk-listen init" in caught.value.hint


def test_which_file_is_taken(write: Write, env: dict[str, str]) -> None:
    system = write(MINIMAL, "etc/config.toml")
    taken = [load(None, env).origin]
    local = write(MINIMAL, "work/config.toml")
    taken.append(load(None, env).origin)
    named = write(MINIMAL, "etc/named.toml")
    env["HELPDESK_LISTEN_CONFIG"] = str(named)
    taken.append(load(None, env).origin)
    given = write(MINIMAL)
    taken.append(load(Path("../etc/given.toml"), env).origin)
    env["HELPDESK_LISTEN_CONFIG"] = ""
    taken.append(load(None, env).origin)
    assert [str(path) for path in (system, local, named, given, local)] == taken


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_named_file_that_is_missing_is_an_error(env: dict[str, str], tmp_path: Path, by_variable: bool) -> None:
    path = tmp_path / "gone.toml"
    with pytest.raises(ConfigError, match=r"gone\.toml: can't be read: No such file") as caught:
        load(None, env | {"HELPDESK_LISTEN_CONFIG": str(path)}) if by_variable else load(path, env)
    assert caught.value.exit_code == EX_CONFIG


def test_a_file_that_is_found_but_not_readable_is_an_error(env: dict[str, str]) -> None:
    Path("config.toml").mkdir()
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(None, env)


def test_the_environment_beats_the_file(write: Write, env: dict[str, str]) -> None:
    own = {"FEISHU_APP_ID": "cli_env", "FEISHU_APP_SECRET": "env-secret", "FEISHU_DOMAIN": "https://open.larksuite.com"}
    text = MINIMAL.replace("cli_file", "") + 'domain = "https://open.feishu.cn"\n'
    feishu = load(write(text), env | own).feishu
    assert (
        feishu.app_id,
        feishu.app_secret.read(),
        feishu.domain,
    ) == ("cli_env", "env-secret", "https://open.larksuite.com")


def test_which_secret_is_taken(write: Write, env: dict[str, str], tmp_path: Path) -> None:
    inline = write(MINIMAL, "etc/inline.toml")
    with_file = write(MINIMAL + 'app_secret_file = "app_secret"\n', "etc/with_file.toml")
    write("from-file\n", "etc/app_secret")
    write("from-credential\n", "credentials/app_secret")
    credentials = env | {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    sources = [
        load(inline, env).feishu.app_secret,
        load(with_file, env).feishu.app_secret,
        load(with_file, credentials).feishu.app_secret,
        load(with_file, credentials | {"FEISHU_APP_SECRET": "from-env"}).feishu.app_secret,
    ]
    expected = [SecretKind.INLINE, SecretKind.FILE, SecretKind.CREDENTIAL, SecretKind.ENV]
    assert expected == [source.kind for source in sources]
    assert [source.read() for source in sources] == ["file-secret", "from-file", "from-credential", "from-env"]
    assert f"file {tmp_path}/etc/app_secret (0600)" == sources[1].describe()


def test_relative_paths(write: Write, env: dict[str, str], tmp_path: Path) -> None:
    text = MINIMAL + 'ca_file = "ca.pem"\n[[sinks]]\nname = "a"\ntype = "file"\npath = "tickets.jsonl"\n'

    def paths(settings: Settings) -> list[str]:
        (sink,) = settings.sinks
        assert isinstance(sink, FileConfig)
        return [
            str(path.relative_to(tmp_path))
            for path in (settings.feishu.ca_file or Path(), settings.journal.path, sink.path)
        ]

    file = write(text)
    systemd = env | {"STATE_DIRECTORY": f"{tmp_path}/lib:{tmp_path}/other", "LOGS_DIRECTORY": f"{tmp_path}/log"}
    xdg = env | {"XDG_STATE_HOME": f"{tmp_path}/state"}
    assert paths(load(file, systemd)) == ["etc/ca.pem", "lib/helpdesk.db", "log/tickets.jsonl"]
    assert paths(load(file, xdg)) == ["etc/ca.pem", "state/helpdesk-listen/helpdesk.db", "work/tickets.jsonl"]
    assert paths(load(file, env | {"XDG_STATE_HOME": "relative"}))[1] == "home/.local/state/helpdesk-listen/helpdesk.db"


def test_home_expands(write: Write, env: dict[str, str], tmp_path: Path) -> None:
    settings = load(write(MINIMAL + '[journal]\npath = "~/mine/../helpdesk.db"\n'), env)
    assert tmp_path / "home/helpdesk.db" == settings.journal.path


@pytest.mark.parametrize(
    ("mode", "more", "warns"),
    [
        (0o644, "", True),
        (0o640, "", False),
        (0o644, 'proxy = "http://proxy:3128"', False),
        (0o644, 'proxy = "http://u:p@proxy:3128"', True),
        (0o644, '[[sinks]]\nname = "p"\ntype = "postgresql"\ndsn = "postgresql://u@/d?host=/run"', False),
        (0o644, '[[sinks]]\nname = "p"\ntype = "postgresql"\ndsn = "postgresql://u:p@/d?host=/run"', True),
    ],
)
def test_a_file_with_a_secret_that_others_can_read(
    write: Write, env: dict[str, str], mode: int, more: str, warns: bool
) -> None:
    text = f'[feishu]\napp_id = "x"\n{more}\n' if more else MINIMAL
    settings = load(write(text, mode=mode), env | {"FEISHU_APP_SECRET": "x"})
    assert warns == ("chmod 600" in "".join(settings.warnings))


def test_a_secret_file_that_others_can_read(write: Write, env: dict[str, str]) -> None:
    secret = write("x", "etc/app_secret", mode=0o644)
    settings = load(write(MINIMAL + 'app_secret_file = "app_secret"\n'), env)
    exposed, unused = settings.warnings
    assert f"chmod 600 {secret}" in exposed
    assert unused.endswith("feishu.app_secret: not used, since app_secret_file comes first")


def test_no_repr_holds_a_secret(write: Write, env: dict[str, str]) -> None:
    settings = load(write(MINIMAL + 'proxy = "http://user:sesame@proxy:3128"\n'), env)
    assert settings.feishu.proxy
    assert settings.feishu.proxy.reveal() == "http://user:sesame@proxy:3128"
    assert "http://***@proxy:3128" in repr(settings)
    assert not [secret for secret in ("file-secret", "sesame") if secret in f"{settings}{settings!r}"]


def test_the_import_is_lean() -> None:
    code = "import sys, listener.settings.config; print(*sys.modules)"
    command, environment = [sys.executable, "-c", code], {"PYTHONPATH": os.pathsep.join(sys.path)}  # coverage stays out
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    modules = done.stdout.split()
    assert set() == {"typer", "lark_oapi", "pydantic", "requests", "websockets", "sqlite3"} & set(modules)
