"""config.example.toml names every setting, at its default, and nothing else."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from listener.settings.config import (
    BackfillSettings,
    EnrichSettings,
    FeishuSettings,
    HttpSettings,
    JournalSettings,
    LogSettings,
    Settings,
    SourceSettings,
    load,
    template,
)
from listener.settings.convert import unwrap
from listener.settings.reader import settings_of
from listener.sinks import TYPES
from listener.sinks.network import NetworkConfig

ROOT = Path(__file__).parents[2]
TABLES: dict[str, type[msgspec.Struct]] = {
    "feishu": FeishuSettings,
    "source": SourceSettings,
    "journal": JournalSettings,
    "enrich": EnrichSettings,
    "backfill": BackfillSettings,
    "http": HttpSettings,
    "log": LogSettings,
}
# Of a sink, what all types share is described once; these are examples, not defaults.
EXAMPLES = (
    "name",
    "path",
    "rotate",
    "url",
    "headers",
    "token",
    "secret",
    "client_cert",
    "client_key",
    "proxy",
    "ca_file",
    "only",
    "omit",
    "mask",
    "filter",
    "transform",
    "service",
    "chat_id",
    "text",
    "keyword",
    "command",
    "env",
    "dsn",
    "servers",
    "brokers",
    "topic",
    "username",
    "password",
    "max_len",
    "credentials_file",
)
REFUSED = {"exec": {".proxy", ".ca_file"}}  # settings of every network sink that say nothing to this one
CONFIGS = {name: kind.config for name, kind in TYPES.items()}
SINKS = {f"sinks.{name}": config for name, config in CONFIGS.items()}


def uncommented(text: str) -> str:
    """The example with every setting in force."""
    return re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)


def settings(cls: type[msgspec.Struct], key: str) -> Iterator[str]:
    for field in msgspec.structs.fields(cls):
        hint, _ = unwrap(field.type)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and len(settings_of(field)) == 1:
            yield from settings(hint, f"{key}.{field.name}")
        else:
            yield from (f"{key}.{name}" for name in settings_of(field))


def keys(table: dict[str, Any], key: str) -> Iterator[str]:
    for name, value in table.items():
        yield from keys(value, f"{key}.{name}") if isinstance(value, dict) and name != "headers" else [f"{key}.{name}"]


def documented() -> dict[str, Any]:
    tables = tomllib.loads(uncommented(template()))
    sinks = tables.pop("sinks")
    merged: dict[str, Any] = {}
    for sink in sinks:  # a type may have two examples, of settings that exclude each other
        merged[f"sinks.{sink['type']}"] = merged.get(f"sinks.{sink['type']}", {}) | sink
    return tables | merged


def test_the_example_is_what_init_writes() -> None:
    assert template() == (ROOT / "config.example.toml").read_text(), "cp listener/config.example.toml ."


@pytest.mark.parametrize("name", TABLES)
def test_every_setting_is_documented(name: str) -> None:
    assert set(settings(TABLES[name], name)) == set(keys(documented()[name], name))


def test_every_sink_setting_is_documented() -> None:
    known = {
        key.rpartition(f"sinks.{name}.")[2] for name, sink in CONFIGS.items() for key in settings(sink, f"sinks.{name}")
    }
    found = {
        key.rpartition(f"sinks.{name}.")[2]
        for name in CONFIGS
        for key in keys(documented()[f"sinks.{name}"], f"sinks.{name}")
    }
    assert known == found
    for name, sink in CONFIGS.items():
        shared = NetworkConfig if issubclass(sink, NetworkConfig) and name != "http" else CONFIGS["stdout"]
        own = set(settings(sink, "")) - set(settings(shared, ""))  # http stands for all sinks behind a network
        assert own - REFUSED.get(name, set()) <= set(keys(documented()[f"sinks.{name}"], "")), name


def load_example(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(0o600)
    return load(tmp_path / "config.toml", {"HOME": "/home/me", "FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x"})


def test_commented_settings_are_the_defaults(tmp_path: Path) -> None:
    bare = load_example(tmp_path, "")
    full = load_example(tmp_path, uncommented(template()))
    assert (bare.journal, bare.log) == (full.journal, full.log)
    examples = dict.fromkeys(("proxy", "ca_file", "helpdesk_id", "helpdesk_token", "max_calls_per_month"))
    assert bare.enrich == msgspec.structs.replace(full.enrich, attachments=None)
    assert bare.backfill == msgspec.structs.replace(full.backfill, since=None)
    assert bare.feishu == msgspec.structs.replace(full.feishu, **examples)
    assert bare.source == msgspec.structs.replace(full.source, verification_token=None, encrypt_key=None)
    assert bare.sinks[0] == full.sinks[0]
    for sink in full.sinks:
        example = msgspec.structs.asdict(sink)
        default = msgspec.structs.asdict(type(sink)(**{k: example[k] for k in example if k in EXAMPLES}))
        assert default == example


def test_the_example_needs_only_credentials(tmp_path: Path) -> None:
    example = load_example(tmp_path, template())
    assert load_example(tmp_path, "") == example
