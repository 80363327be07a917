"""Defines the settings: config.toml, the environment and systemd's credentials, checked before anything starts.

The environment beats the file. All that is wrong is told in one ConfigError, a line each.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from listener.settings.convert import shown
from listener.settings.paths import BaseDirectory
from listener.settings.reader import Reader
from listener.settings.rules import Address, Count, Duration, Env, Origin, Proxy, Size, Text
from listener.settings.secrets import Secret, SecretSource
from listener.settings.toml import read_toml
from listener.sinks import TYPES, load_plug_in, missing_extra
from listener.sinks.base import DAY, EventType, SinkConfig
from listener.sinks.file import FileConfig
from listener.sinks.stdout import StdoutConfig

SYSTEM_CONFIG = Path("/etc/helpdesk-listen/config.toml")
MAX_SINKS = 64
DEFAULT_SINKS: tuple[SinkConfig, ...] = (StdoutConfig(name="stdout"),)


class SlowRetry(msgspec.Struct, frozen=True, kw_only=True):
    """The pace where trying again soon is useless (credentials refused): seconds, doubling up to `max`."""

    min_delay: Annotated[float, Duration("10ms", "1d")] = 5.0
    max_delay: Annotated[float, Duration("10ms", "1d")] = 300.0

    def __post_init__(self) -> None:
        if self.min_delay > self.max_delay:
            raise ValueError("min_delay is longer than max_delay")


class FeishuSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The app, and the way to the platform."""

    app_id: Annotated[
        str,
        Env("FEISHU_APP_ID"),
        Text(r"[!-~]{1,128}", 'the App ID, such as "cli_a1b2c3d4e5f6a7b8" (developer console, Credentials)'),
    ]
    app_secret: Annotated[SecretSource, Env("FEISHU_APP_SECRET")]
    domain: Annotated[str, Env("FEISHU_DOMAIN"), Origin()] = "https://open.feishu.cn"
    proxy: Annotated[Secret | None, Proxy()] = None
    ca_file: Annotated[Path | None, BaseDirectory.CONFIG] = None
    events: tuple[EventType, ...] = ("helpdesk.ticket_message.created_v1",)
    helpdesk_id: Annotated[
        str | None,
        Env("FEISHU_HELPDESK_ID"),
        Text(r"[0-9A-Za-z_-]{1,64}", 'the helpdesk\'s id, such as "6626871355780366331" (helpdesk admin, API 凭证)'),
    ] = None
    helpdesk_token: Annotated[SecretSource | None, Env("FEISHU_HELPDESK_TOKEN")] = None
    expected_clients: Annotated[int, Count(1, 50)] = 1
    check_clients_every: Annotated[float | None, Duration("10m", "30d", never=True)] = 12 * 3600.0
    max_calls_per_month: Annotated[int | None, Count(100, 1_000_000_000)] = None
    renew_every: Annotated[float | None, Duration("10s", "7d", never=True)] = 1800.0
    slow_retry: SlowRetry = SlowRetry()


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How events come in. All but the type is for the webhook: where it listens, and how it knows the platform."""

    type: Literal["long-connection", "webhook"] = "long-connection"
    listen: Annotated[str, Address()] = "127.0.0.1:8080"
    path: Annotated[str, Text(r"/[A-Za-z0-9/_.~-]{0,200}", 'a path such as "/webhook/event"')] = "/webhook/event"
    verification_token: Annotated[SecretSource | None, Env("FEISHU_VERIFICATION_TOKEN")] = None
    encrypt_key: Annotated[SecretSource | None, Env("FEISHU_ENCRYPT_KEY")] = None

    def __post_init__(self) -> None:
        if self.type == "webhook" and self.verification_token is None and self.encrypt_key is None:
            raise ValueError("a webhook needs verification_token or encrypt_key, better both: anyone could post events")


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are kept, for `keep` seconds, in at most `max_size` bytes."""

    path: Annotated[Path, BaseDirectory.STATE] = Path("helpdesk.db")
    keep: Annotated[float, Duration("1m", "3650d")] = 7 * DAY
    max_size: Annotated[int, Size("1MiB", "16TiB")] = 2**30


class EnrichSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is fetched for an event on its way to the sinks: the ticket as it is then, the images of a message.

    `ticket_cache` and `wait` are in seconds, sizes in bytes.
    """

    ticket: bool = False
    ticket_cache: Annotated[float, Duration("1s", "1h")] = 10.0
    wait: Annotated[float, Duration("100ms", "30s")] = 1.0
    attachments: Annotated[Path | None, BaseDirectory.LOGS] = None
    attachment_max_size: Annotated[int, Size("1KiB", "20MiB")] = 10 * 2**20
    attachments_max_size: Annotated[int, Size("1MiB", "16TiB")] = 2**30


class BackfillSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When missed messages are fetched unasked: after an outage; at the first start, from `since` seconds ago on."""

    after_outage: bool = False
    since: Annotated[float | None, Duration("1m", "90d")] = None


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where /healthz, /readyz, /metrics and the page are served; None: nowhere. `token` is for the page's buttons."""

    listen: Annotated[str | None, Address()] = None
    token: SecretSource | None = None


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's own log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked; paths are absolute. `origin` is the file's path or "environment"."""

    feishu: FeishuSettings
    journal: JournalSettings
    sinks: tuple[SinkConfig, ...] = DEFAULT_SINKS
    source: SourceSettings = SourceSettings()
    http: HttpSettings = HttpSettings()
    enrich: EnrichSettings = EnrichSettings()
    backfill: BackfillSettings = BackfillSettings()
    log: LogSettings = LogSettings()
    origin: str = "environment"
    warnings: tuple[str, ...] = ()


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """Reads the settings from `path`, else from where `find` finds them, else from the environment alone."""
    file = find(path, env)
    return _settings(Reader(file, env), read_toml(file) if file else {})


def find(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """Returns the configuration file: `path`, $HELPDESK_LISTEN_CONFIG, ./config.toml or the system's; else None."""
    if given := path or env.get("HELPDESK_LISTEN_CONFIG"):
        return Path(os.path.abspath(os.path.expanduser(given)))
    return next((Path(os.path.abspath(file)) for file in ("config.toml", SYSTEM_CONFIG) if _exists(file)), None)


def calling_settings(enrich: EnrichSettings, backfill: BackfillSettings) -> list[str]:
    """Returns the names of the settings that make the daemon call the helpdesk's APIs by itself."""
    wanted = {
        "enrich.ticket": enrich.ticket,
        "enrich.attachments": enrich.attachments is not None,
        "backfill.after_outage": backfill.after_outage,
        "backfill.since": backfill.since is not None,
    }
    return [name for name, is_on in wanted.items() if is_on]


def template() -> str:
    """Returns the commented config.toml that `init` writes; config.example.toml is the same text."""
    return Path(__file__).parents[1].joinpath("config.example.toml").read_text(encoding="utf-8")


def _exists(file: str | Path) -> bool:
    try:
        os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # it can't be seen: reading it will say why
    return True


def _settings(reader: Reader, root: dict[str, object]) -> Settings:
    reader.refuse_unknown(root, ("feishu", "source", "journal", "enrich", "backfill", "sinks", "http", "log"))
    feishu = reader.table(FeishuSettings, root.get("feishu", {}), "feishu")
    source = reader.table(SourceSettings, root.get("source", {}), "source")
    journal = reader.table(JournalSettings, root.get("journal", {}), "journal")
    enrich = reader.table(EnrichSettings, root.get("enrich", {}), "enrich")
    backfill = reader.table(BackfillSettings, root.get("backfill", {}), "backfill")
    http = reader.table(HttpSettings, root.get("http", {}), "http")
    log = reader.table(LogSettings, root.get("log", {}), "log")
    sinks = _sinks(reader, root.get("sinks", []))
    _refuse_twins(reader, [(f"{key}.name", sink.name) for key, sink in sinks])
    _refuse_twins(reader, _files(journal, sinks))
    if feishu:
        _refuse_what_never_comes(reader, feishu, sinks)
    if feishu and enrich and backfill:
        _refuse_calls_without_helpdesk(reader, feishu, enrich, backfill)
    reader.warn_if_exposed()
    if not (feishu and source and journal and enrich and backfill and http and log) or reader.problems:
        raise reader.error()
    return Settings(
        feishu=feishu,
        source=source,
        journal=journal,
        sinks=tuple(sink for _, sink in sinks) or DEFAULT_SINKS,
        enrich=enrich,
        backfill=backfill,
        http=http,
        log=log,
        origin=reader.origin,
        warnings=tuple(reader.warnings),
    )


def _sinks(reader: Reader, raw: object) -> list[tuple[str, SinkConfig]]:
    if not isinstance(raw, list):
        reader.wrong("sinks", "tables that each begin with [[sinks]]", raw)
        return []
    if len(raw) > MAX_SINKS:
        reader.problem("sinks", f"expected at most {MAX_SINKS}, found {len(raw)}")
        return []
    read = [(f"sinks[{i}]", _sink(reader, item, f"sinks[{i}]")) for i, item in enumerate(raw)]
    return [(key, sink) for key, sink in read if sink]


def _sink(reader: Reader, raw: object, key: str) -> SinkConfig | None:
    if isinstance(raw, dict) and isinstance(raw.get("type"), str) and raw["type"] not in TYPES:
        load_plug_in(raw["type"])
    kind = reader.choice(raw, "type", tuple(TYPES), key)
    if kind and (command := missing_extra(kind)):
        reader.problem(f"{key}.type", f'"{kind}" needs a library that is not installed: {command}')
    return reader.table(TYPES[kind].config, raw, key) if kind else None


def _files(journal: JournalSettings | None, sinks: list[tuple[str, SinkConfig]]) -> list[tuple[str, str]]:
    """Returns every file that is written, by its real path: two names for one would tear each other's lines."""
    own = [("journal.path", os.path.realpath(journal.path))] if journal else []
    return own + [(f"{key}.path", os.path.realpath(sink.path)) for key, sink in sinks if isinstance(sink, FileConfig)]


def _refuse_what_never_comes(reader: Reader, feishu: FeishuSettings, sinks: list[tuple[str, SinkConfig]]) -> None:
    """Refuses an `only` that names what no event of `feishu.events` has: such a sink would get nothing."""
    messages = "helpdesk.ticket_message.created_v1" in feishu.events
    for key, sink in sinks:
        only = sink.only
        if only is None:
            continue
        for name in only.event_type:
            if name not in feishu.events:
                reader.problem(f"{key}.only.event_type", f'"{name}" is not in feishu.events, so it never comes')
        if only.sender and not messages:
            reader.problem(f"{key}.only.sender", "no event in feishu.events has a sender")
        if only.helpdesk_id and messages:
            reader.warnings.append(
                f"{reader.origin}: {key}.only.helpdesk_id: most ticket messages name no helpdesk; those are passed over"
            )


def _refuse_calls_without_helpdesk(
    reader: Reader, feishu: FeishuSettings, enrich: EnrichSettings, backfill: BackfillSettings
) -> None:
    """Refuses settings that call the helpdesk's API where its two credentials are not set."""
    if feishu.helpdesk_id is not None and feishu.helpdesk_token is not None:
        return
    for key in calling_settings(enrich, backfill):
        reader.problem(key, "needs feishu.helpdesk_id and feishu.helpdesk_token (helpdesk admin, API 凭证)")


def _refuse_twins(reader: Reader, values: list[tuple[str, str]]) -> None:
    first: dict[str, str] = {}
    for key, value in values:
        if first.setdefault(value, key) != key:
            reader.problem(key, f"{shown(value)} is already {first[value]}; each must be its own")
