"""schema: the record's JSON Schema."""

from listener.cli.options import emit


def schema() -> None:
    """Print the JSON Schema (2020-12) of a record. 输出记录的 JSON Schema。"""
    import json

    from listener.event.json_schema import record_schema

    emit(json.dumps(record_schema(), ensure_ascii=False, indent=2))
