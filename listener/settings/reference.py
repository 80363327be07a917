"""Lists every setting with what it takes, its default and its description, from the structs and descriptions.toml.

A new setting is a field of `Settings`, or of a sink's config, and an entry in descriptions.toml; the page, the JSON
Schema of config.toml and `check --explain` follow from these two.
"""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import FieldInfo

from listener.settings.config import Settings
from listener.settings.convert import unwrap
from listener.settings.kinds import SECRET, TABLE, Kind, choice_of, is_table, kind_of, path_from, written
from listener.settings.paths import BaseDirectory
from listener.settings.reader import settings_of
from listener.settings.rules import Env
from listener.sinks import TYPES
from listener.sinks.base import SinkConfig
from listener.sinks.network import NetworkConfig

DESCRIPTIONS = Path(__file__).with_name("descriptions.toml")
ANY, NETWORK = "any_sink", "network_sink"  # in descriptions.toml: the settings that types of sinks share


class Description(msgspec.Struct, frozen=True):
    """What a setting does, in a sentence or two of each language; "" where nobody wrote it."""

    en: str = ""
    zh: str = ""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A setting, or a table of them. `default` is as in config.toml, "" for none; `variable` beats the file."""

    key: str
    kind: Kind
    description: Description
    default: str = ""
    required: bool = False
    variable: str = ""

    @property
    def is_table(self) -> bool:
        return self.kind is TABLE

    @property
    def is_secret(self) -> bool:
        return self.kind is SECRET


def settings() -> Iterator[Setting]:
    """Yields every table and every setting, in their order; those of a sink type are `sinks.TYPE.…`."""
    for field in msgspec.structs.fields(Settings):
        hint = unwrap(field.type)[0]
        if is_table(hint):
            yield from table(hint, field.name)
        elif field.name == "sinks":
            yield Setting(key="sinks", kind=TABLE, description=description("sinks"))
            for name, kind in TYPES.items():
                yield from table(kind.config, f"sinks.{name}")


def shared() -> dict[str, list[Setting]]:
    """Returns the settings that all sinks have, and those of every sink behind a network."""
    return {ANY: list(table(SinkConfig, ANY)), NETWORK: list(table(NetworkConfig, NETWORK))}


def table(cls: type[msgspec.Struct], key: str, base: msgspec.Struct | None = None) -> Iterator[Setting]:
    """Yields the table itself, then what may stand in it; defaults are those of `base` where there is one."""
    yield Setting(key=key, kind=TABLE, description=description(key))
    for field in msgspec.structs.fields(cls):
        default = _default(field, base)
        hint = unwrap(field.type)[0]
        if is_table(hint):
            yield from table(hint, f"{key}.{field.name}", default if isinstance(default, hint) else None)
        else:
            yield from _settings(field, f"{key}.{field.name}", default)


def _settings(field: FieldInfo, key: str, default: object) -> Iterator[Setting]:
    """Yields one setting, or two for a secret that may lie in a file."""
    required = default is msgspec.NODEFAULT
    told = Setting(
        key=key,
        kind=kind_of(field.type),
        description=description(key) if description(key).en else Description(_plug_in_description(field)),
        default="" if required else written(default, field.type),
        required=required,
        variable=next((mark.name for mark in unwrap(field.type)[1] if isinstance(mark, Env)), ""),
    )
    is_type = key.startswith(("sinks.", ANY, NETWORK)) and key.endswith(".type")
    yield msgspec.structs.replace(told, kind=choice_of(tuple(TYPES)), default="", required=True) if is_type else told
    for name in settings_of(field)[1:]:
        beside = key.rpartition(".")[0] + "." + name
        yield Setting(key=beside, kind=path_from(BaseDirectory.CONFIG), description=_description_of_file(field.name))


def _default(field: FieldInfo, base: msgspec.Struct | None) -> Any:
    if base is not None:
        return getattr(base, field.name)
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _plug_in_description(field: FieldInfo) -> str:
    """Returns what a plug-in says of its own setting, with `msgspec.Meta(description="…")` in the annotation."""
    said = (mark.description for mark in unwrap(field.type)[1] if isinstance(mark, msgspec.Meta))
    return next(filter(None, said), "")


def description(key: str) -> Description:
    """Returns the key's own meaning, else that of the setting which types of sinks share."""
    for each in _where(key):
        found = _entry(each)
        if isinstance(found.get("en"), str):
            return msgspec.convert({"en": found["en"], "zh": found.get("zh", "")}, Description)
    return Description()


def _where(key: str) -> tuple[str, ...]:
    """Returns the places in descriptions.toml that may tell of a setting, the best first."""
    top, _, rest = key.partition(".")
    rest = rest.partition(".")[2] if top == "sinks" else rest
    if not rest or top not in ("sinks", ANY, NETWORK):
        return (key,)
    return (key, f"{NETWORK}.{rest}", f"{ANY}.{rest}")


def _entry(key: str) -> dict[str, Any]:
    place: Any = _descriptions()
    for name in key.split("."):
        place = place.get(name, {}) if isinstance(place, dict) else {}
    return place if isinstance(place, dict) else {}


def _description_of_file(name: str) -> Description:
    return Description(
        f"A file that holds `{name}` alone, mode 0600. It is read again at each use, and comes before `{name}`.",
        f"存放 `{name}` 的文件，只含密钥本身，权限 0600。每次使用时重新读取，优先于 `{name}`。",
    )


@cache
def _descriptions() -> dict[str, Any]:
    return tomllib.loads(DESCRIPTIONS.read_text(encoding="utf-8"))
