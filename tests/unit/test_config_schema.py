"""The JSON Schema of config.toml: right files pass it, wrong ones do not, and `check` agrees."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from listener.base.errors import ConfigError
from listener.cli.main import app
from listener.settings.config import load, template
from listener.settings.config_schema import config_schema
from listener.settings.reference import settings
from tests.unit.test_config_example import uncommented

SCHEMA: dict[str, Any] = config_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
APP = '[feishu]\napp_id = "cli_a"\napp_secret = "x"\n'
SINK = APP + '[[sinks]]\nname = "a"\n'
HTTP = SINK + 'type = "http"\nurl = "https://example.com"\n'


def test_it_is_json_schema_2020_12() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA == json.loads(json.dumps(SCHEMA))


@pytest.mark.parametrize("text", [template(), uncommented(template())], ids=["as it is", "all in force"])
def test_the_example_is_valid(text: str) -> None:
    VALIDATOR.validate(tomllib.loads(text.replace('app_id = ""', 'app_id = "cli_a"')))


RIGHT = [
    APP,
    "",  # the environment may give all of it
    HTTP + 'headers = { "X-A" = "b" }\nretry.give_up_after = "never"\nbatch.max_bytes = 4096',
    HTTP + 'token_file = "t"\nonly.sender = ["guest"]\nonly.status = ["queued", "created"]',
    SINK + 'type = "file"\npath = "x"\nrotate.size = "1.5GiB"\nretry.max_delay = "1h30m"',
    SINK + 'type = "exec"\ncommand = ["a", "b c"]',
    APP + 'renew_every = "never"',
]


@pytest.mark.parametrize("text", RIGHT)
def test_right_files_pass_and_check_takes_them(text: str, tmp_path: Path) -> None:
    VALIDATOR.validate(tomllib.loads(text))
    read(text, tmp_path)


WRONG = [
    APP + "renew_evry = '5m'",
    APP + "renew_every = 5",
    APP + "renew_every = '5 minutes'",
    APP + "renew_every = ''",
    APP + "expected_clients = 0",
    APP + "events = []",
    APP + "events = ['helpdesk']",
    APP + "slow_retry = 5",
    APP + "slow_retry.min = '5s'",
    APP + "[jurnal]",
    APP + "[journal]\nkeep = 'never'",
    APP + "[journal]\nmax_size = '1 GB'",
    APP + "[log]\nlevel = 'loud'",
    APP + "[source]\ntype = 'carrier pigeon'",
    APP + "[sinks]\nname = 'a'",
    SINK,
    SINK + 'type = "htp"\nurl = "https://example.com"',
    SINK + 'type = "http"',
    SINK.replace('"a"', '"a b"') + 'type = "stdout"',
    SINK + 'type = "stdout"\nurl = "https://example.com"',
    HTTP + 'method = "GET"',
    HTTP + "headers = { a = 1 }",
    HTTP + "in_flight = true",
    HTTP + 'only.sender = ["gest"]',
    HTTP + "omit = 'event'",
    SINK + 'type = "exec"\ncommand = "notify"',
]


@pytest.mark.parametrize("text", WRONG)
def test_wrong_files_fail_and_check_refuses_them_too(text: str, tmp_path: Path) -> None:
    assert not VALIDATOR.is_valid(tomllib.loads(text))
    with pytest.raises(ConfigError):
        read(text, tmp_path)


def read(text: str, directory: Path) -> None:
    (directory / "config.toml").write_text(text)
    environment = {"HOME": str(directory), "FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x"}
    load(directory / "config.toml", environment)


def test_every_setting_is_described_in_both_languages() -> None:
    text = json.dumps(SCHEMA, ensure_ascii=False)
    missing = [one.key for one in settings() if json.dumps(one.description.zh, ensure_ascii=False)[1:-1] not in text]
    assert [] == missing


def test_the_command_prints_it_and_the_record_stays_the_default() -> None:
    done = CliRunner().invoke(app, ["schema", "--config"])
    assert (0, SCHEMA) == (done.exit_code, json.loads(done.stdout))
    assert "helpdesk-listen record" == json.loads(CliRunner().invoke(app, ["schema"]).stdout)["title"]
