"""schema: the JSON Schema of the record, or of config.toml."""

from typing import Annotated

import typer

from listener.cli.options import emit_json


def schema(
    config: Annotated[
        bool, typer.Option("--config", help="Of config.toml instead, for editors: #:schema ./config.schema.json.")
    ] = False,
) -> None:
    """Print the JSON Schema (2020-12) of a record. 输出记录的 JSON Schema。"""
    import json

    emit_json(json.dumps(_config_schema() if config else _record_schema(), ensure_ascii=False, indent=2))


def _record_schema() -> dict[str, object]:
    from listener.event.json_schema import record_schema

    return record_schema()


def _config_schema() -> dict[str, object]:
    from listener.settings.config_schema import config_schema
    from listener.sinks import load_plug_ins

    load_plug_ins()
    return config_schema()
