"""Writes the reference of the settings as two pages of Markdown, README.md and README.zh-CN.md beside this file.

    python -m listener.settings.page

writes them anew; a test checks that they are up to date.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from listener.settings.reference import ANY, NETWORK, Setting, settings, shared

MADE_BY = "python -m listener.settings.page"


class Language(msgspec.Struct, frozen=True):
    """The page's own words in one language, and which of a setting's words it takes."""

    file: str
    field: str  # of Kind and Description
    head: str
    columns: str
    required: str
    other: str
    titles: dict[str, str]


EN = Language(
    file="README.md",
    field="en",
    head="""# Every setting of config.toml

中文：[README.zh-CN.md](README.zh-CN.md)

Durations are written "500ms", "30s", "10m", "2h", "7d", or a sum such as "1h30m"; sizes "100MiB", "1GiB", "10MB", or in
bytes. A variable of the environment that is named here beats the file. A secret comes from its variable, else the
systemd credential of its name, else its `_file` setting, else the setting itself.

`helpdesk-listen check --explain journal.keep` prints one setting, and
`helpdesk-listen schema --config` the JSON Schema, for editors that know `#:schema`.
""",
    columns="| setting | type | default | meaning |",
    required="*required*",
    other="or",
    titles={ANY: "[[sinks]]: every type", NETWORK: "[[sinks]]: every type behind a network"},
)
ZH = Language(
    file="README.zh-CN.md",
    field="zh",
    head="""# config.toml 的全部配置项

English: [README.md](README.md)

时长写作 "500ms"、"30s"、"10m"、"2h"、"7d"，或相加如 "1h30m"；大小写作 "100MiB"、"1GiB"、"10MB"，或直接写字节数。
表中列出的环境变量优先于文件。密钥依次取自：环境变量、同名的 systemd 凭证、对应的 `_file` 配置项、配置项本身。

`helpdesk-listen check --explain journal.keep` 显示单个配置项的说明；
`helpdesk-listen schema --config` 输出 JSON Schema，供支持 `#:schema` 的编辑器使用。
""",
    columns="| 配置项 | 类型 | 默认值 | 说明 |",
    required="*必填*",
    other="或",
    titles={ANY: "[[sinks]]：所有类型", NETWORK: "[[sinks]]：所有网络类"},
)


def page(language: Language) -> str:
    """Returns the whole page in one language."""
    parts = [language.head, f"<!-- {MADE_BY} -->\n"]
    for title, table, rows in _sections(language):
        about = getattr(table.description, language.field)
        body = ["", language.columns, "|---|---|---|---|", *(_row(one, table.key, language) for one in rows)]
        parts.append("\n".join([f"## {title}", "", about, *(body if rows else [])]) + "\n")
    return "\n".join(parts)


def _sections(language: Language) -> Iterator[tuple[str, Setting, list[Setting]]]:
    """Yields title, table and rows of a section for each table of the top and each type of sink."""
    common = shared()
    for table, rows in _grouped(settings()):
        if table.key.startswith("sinks."):
            yield f"[[sinks]] type = {table.key.removeprefix('sinks.')}", table, _own(table, rows, common)
        else:
            yield ("[[sinks]]" if table.key == "sinks" else f"[{table.key}]"), table, rows
        if table.key == "sinks":
            yield from ((language.titles[key], one[0], _new(key, common)) for key, one in common.items())


def _grouped(every: Iterable[Setting]) -> Iterator[tuple[Setting, list[Setting]]]:
    """Returns each table of the top level, and each type of sink, with all that may stand in it."""
    groups: list[tuple[Setting, list[Setting]]] = []
    for one in every:
        if one.is_table and one.key.count(".") == one.key.startswith("sinks."):
            groups.append((one, []))
        else:
            groups[-1][1].append(one)
    return iter(groups)


def _new(key: str, common: dict[str, list[Setting]]) -> list[Setting]:
    """Returns the settings that sinks behind a network have beyond those of every sink."""
    known = set() if key == ANY else {_said(one, ANY) for one in common[ANY]}
    return [one for one in common[key][1:] if _said(one, key) not in known]


def _own(table: Setting, rows: list[Setting], common: dict[str, list[Setting]]) -> list[Setting]:
    """Returns the settings that a type has of its own, or means or sets differently from the others."""
    known = {_said(one, key) for key, every in common.items() for one in every}
    return [one for one in rows if _said(one, table.key) not in known]


def _said(one: Setting, table: str) -> tuple[object, ...]:
    return (one.key.removeprefix(table + "."), one.kind.en, one.default, one.required, one.description.en)


def _row(one: Setting, table: str, language: Language) -> str:
    about = getattr(one.description, language.field)
    kind = getattr(one.kind, language.field)
    cells = (f"`{one.key.removeprefix(table + '.')}`", kind, _default(one, language), about)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(one: Setting, language: Language) -> str:
    default = language.required if one.required else f"`{one.default}`" if one.default else ""
    joint = f" {language.other} " if default else ""
    return f"{default}{joint}${one.variable}" if one.variable else default or "–"


def main() -> None:
    """Writes both pages beside this file."""
    for language in (EN, ZH):
        Path(__file__).with_name(language.file).write_text(page(language), encoding="utf-8")


if __name__ == "__main__":
    main()
