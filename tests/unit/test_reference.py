"""The reference of the settings: its meanings, its pages, and `check --explain`."""

import re
import tomllib
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from typer.testing import CliRunner

from listener.cli.main import app
from listener.settings import page
from listener.settings.config import template
from listener.settings.reference import DESCRIPTIONS, Setting, description, settings, shared
from listener.sinks import TYPES
from listener.sinks.network import NetworkConfig, SinkType
from tests.unit.test_config_example import EXAMPLES, uncommented

EVERY = {one.key: one for one in settings()}
SHARED = {one.key: one for group in shared().values() for one in group}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def explain(key: str) -> Any:
    return CliRunner().invoke(app, ["check", "--explain", key])


@pytest.mark.parametrize("key", [*EVERY, *SHARED])
def test_every_setting_has_its_meaning_in_both_languages(key: str) -> None:
    told = (EVERY | SHARED)[key].description
    where = f"{key} has no description: write [{key}] with en and zh into {DESCRIPTIONS}, then run: {page.MADE_BY}"
    assert told.en, where
    assert told.zh, where
    assert not CHINESE.search(told.en), key
    assert CHINESE.search(told.zh), key
    assert (".", "。") == (told.en[-1], told.zh[-1]), f"{key}: a meaning is a sentence"


def entries(table: dict[str, Any], key: str = "") -> Iterator[str]:
    if key and not {"en", "zh"}.isdisjoint(table):
        yield key
    for name, value in table.items():
        if isinstance(value, dict):
            yield from entries(value, f"{key}.{name}" if key else name)


def test_no_meaning_is_left_of_a_setting_that_is_gone() -> None:
    known = EVERY | SHARED
    assert [] == [key for key in entries(tomllib.loads(DESCRIPTIONS.read_text())) if key not in known]


@pytest.mark.parametrize("language", [page.EN, page.ZH], ids=["en", "zh"])
def test_the_pages_are_up_to_date(language: page.Language) -> None:
    file = DESCRIPTIONS.with_name(language.file)
    assert page.page(language) == file.read_text(encoding="utf-8"), f"run: {page.MADE_BY}"


def test_both_pages_have_the_same_settings() -> None:
    cells = [re.findall(r"^\| (`[^|]*`) \|", page.page(language), re.MULTILINE) for language in (page.EN, page.ZH)]
    assert cells[0] == cells[1]
    assert len(cells[0]) > 70


def value_at(key: str) -> object:
    """What config.example.toml has there, all that is commented out in force."""
    place: Any = tomllib.loads(uncommented(template()))
    place["sinks"] = {sink["type"]: sink for sink in place["sinks"]}
    for name in key.split("."):
        place = place[name]
    return place


@pytest.mark.parametrize("key", [key for key, one in EVERY.items() if one.default])
def test_the_example_agrees_with_the_defaults(key: str) -> None:
    try:
        there = value_at(key)
    except KeyError:
        return  # of a sink: what all types share stands in the example once
    if not set(key.split(".")) & set(EXAMPLES) or key in ("journal.path", "source.path"):
        assert tomllib.loads(f"x = {EVERY[key].default}")["x"] == there


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("feishu.renew_every", 'duration, "10s" to "7d", or "never"', '"30m"'),
        ("feishu.app_secret_file", "path; a relative one starts beside config.toml", ""),
        ("journal.max_size", 'size, "1MiB" to "16TiB"', '"1GiB"'),
        ("sinks.stdout.retry.give_up_after", 'duration, "1s" to "3650d", or "never"', '"never"'),
        ("sinks.http.retry.give_up_after", 'duration, "1s" to "3650d", or "never"', '"1d"'),
        ("sinks.file.rotate.every", 'duration, "1m" to "3650d"', ""),
        ("sinks.http.in_flight", "whole number, 1 to 1024", "16"),
        ("sinks.http.headers", "table of texts", ""),
        ("sinks.exec.command", "list of texts", ""),
        ("log.level", '"debug", "info", "warning", "error"', '"info"'),
    ],
)
def test_types_and_defaults(key: str, kind: str, default: str) -> None:
    assert (kind, default) == (EVERY[key].kind.en, EVERY[key].default)


def test_explains_a_setting_without_a_configuration() -> None:
    done = explain("feishu.renew_every")
    assert 0 == done.exit_code
    assert '"30m"' in done.stdout
    assert EVERY["feishu.renew_every"].description.zh in done.stdout


@pytest.mark.parametrize("key", ["journal", "[journal]", "sinks", "sinks.http", "feishu.slow_retry"])
def test_explains_a_table_with_what_stands_in_it(key: str) -> None:
    done = explain(key)
    assert 0 == done.exit_code
    below = [one for one in EVERY if one.startswith(key.strip("[]") + ".") and one.count(".") == key.count(".") + 1]
    assert [] == [one for one in below if one not in done.stdout and not EVERY[one].is_table]


@pytest.mark.parametrize(
    ("key", "near"), [("feishu.renew", "feishu.renew_every"), ("sinks.htp.url", "sinks.http.url"), ("zzz", "journal")]
)
def test_an_unknown_setting_is_a_usage_error_with_the_nearest(key: str, near: str) -> None:
    done = explain(key)
    assert 2 == done.exit_code
    assert near in done.stderr
    assert "" == done.stdout


def test_what_is_no_setting_is_shown_fit_for_a_terminal() -> None:
    done = explain("\x1b[2Jx" + "y" * 1000)
    assert "\x1b" not in done.stderr
    assert "y" * 100 not in done.stderr


class PlugConfig(NetworkConfig, frozen=True, kw_only=True):
    """A plug-in's settings."""

    type: str = "plug"
    colour: Annotated[str, msgspec.Meta(description="What it is painted with.")] = "red"
    plain: int = 5


def test_a_plug_in_tells_of_its_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, "plug", SinkType(PlugConfig, object))
    found: dict[str, Setting] = {one.key: one for one in settings()}
    assert ("What it is painted with.", '"red"') == (
        found["sinks.plug.colour"].description.en,
        found["sinks.plug.colour"].default,
    )
    assert ("", "5") == (found["sinks.plug.plain"].description.en, found["sinks.plug.plain"].default)
    assert description("network_sink.timeout") == found["sinks.plug.timeout"].description
    assert 0 == explain("sinks.plug").exit_code
