"""Makes the JSON Schema 2020-12 of config.toml, by which editors complete and check it, from the settings' reference.

It knows names, types and choices; `check` says what depends on several settings, or on this machine.
"""

import tomllib
from typing import Any

from listener.settings.reference import Setting, settings

Schema = dict[str, Any]


def config_schema() -> Schema:
    """Returns the schema of a whole config.toml, with the sink types that `listener.sinks.TYPES` holds now."""
    root: Schema = _table("Every setting of helpdesk-listen.")
    for setting in settings():
        _put(root, setting)
    sinks = root["properties"].pop("sinks")
    types = [_of_type(name, schema) for name, schema in sinks["properties"].items()]
    array = {"type": "array", "maxItems": 64, "items": {"type": "object", "required": ["name", "type"], "anyOf": types}}
    root["properties"]["sinks"] = {"description": sinks["description"]} | array
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "config.toml of helpdesk-listen"} | root


def _put(root: Schema, setting: Setting) -> None:
    """Puts a setting's schema in its place, below tables that are there already."""
    *above, name = setting.key.split(".")
    for each in above:
        root = root["properties"][each]
    root["properties"][name] = _schema(setting)
    if setting.required and _is_needed_in_the_file(setting):
        root.setdefault("required", []).append(name)


def _is_needed_in_the_file(setting: Setting) -> bool:
    """Returns whether the setting must stand in config.toml: neither the environment nor a file can give it."""
    return not setting.variable and not setting.is_secret


def _schema(setting: Setting) -> Schema:
    about = f"{setting.description.en}\n{setting.description.zh}".strip()
    if setting.is_table:
        return _table(about)
    default = {"default": tomllib.loads(f"x = {setting.default}")["x"]} if setting.default else {}
    return {"description": about} | setting.kind.schema | default


def _table(about: str) -> Schema:
    return {"description": about, "type": "object", "properties": {}, "additionalProperties": False}


def _of_type(name: str, schema: Schema) -> Schema:
    """Returns a sink type's schema with its name fixed, so that an editor completes the settings of that type."""
    this = schema["properties"]["type"] | {"const": name}
    this.pop("enum")
    return {"title": name} | schema | {"properties": schema["properties"] | {"type": this}}
