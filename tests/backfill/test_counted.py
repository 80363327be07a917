"""Every call of the API is counted, whichever command makes it, and a person's own calls are never refused."""

from pathlib import Path

import pytest

from listener.backfill.command import calls_so_far
from listener.simulator import PlatformThread
from tests.backfill.missed import CONFIG, talk
from tests.inprocess import Commands

CHAT = '[[sinks]]\nname = "team"\ntype = "chat"\nservice = "feishu"\nchat_id = "oc_1"\n'


@pytest.fixture(autouse=True)
def _with_a_journal(tmp_path: Path, stand_in: PlatformThread, commands: Commands) -> None:
    (tmp_path / "config.toml").write_text(CONFIG + CHAT)
    (tmp_path / "config.toml").chmod(0o600)
    for directory in ("state", "logs"):
        (tmp_path / directory).mkdir()
    talk(stand_in, tickets=1, messages=1)
    assert 0 == commands.run("backfill", "--since", "2d", domain=stand_in.url).rc


def counts(home: Path) -> dict[str, int]:
    return calls_so_far(home / "state" / "helpdesk.db")[0]


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (["subscribe"], {"others": 1, "token": 1}),
        (["unsubscribe"], {"others": 1, "token": 1}),
        (["check", "--online"], {"token": 1}),
        (["doctor"], {"clients": 1, "tickets": 1, "token": 1}),
        (["backfill", "--since", "2d", "--dry-run"], {"tickets": 2, "token": 1}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_commands_calls_are_counted(
    tmp_path: Path, stand_in: PlatformThread, commands: Commands, command: list[str], made: dict[str, int]
) -> None:
    before = counts(tmp_path)
    commands.run(*command, domain=stand_in.url)
    after = counts(tmp_path)
    assert made == {api: after[api] - before.get(api, 0) for api in after if after[api] > before.get(api, 0)}


def test_a_used_up_month_refuses_no_command_of_a_person(stand_in: PlatformThread, commands: Commands) -> None:
    stand_in.platform.api.quota = 0
    assert 69 == commands.run("backfill", "--since", "2d", domain=stand_in.url).rc
    stand_in.platform.api.quota = None
    assert 69 == commands.run("backfill", "--since", "2d", domain=stand_in.url).rc
    assert 0 == commands.run("subscribe", domain=stand_in.url).rc


def test_a_journal_that_can_not_be_written_keeps_nobody_from_subscribing(
    tmp_path: Path, stand_in: PlatformThread, commands: Commands
) -> None:
    (tmp_path / "state" / "helpdesk.db").write_bytes(b"no database" * 1000)
    assert 0 == commands.run("subscribe", domain=stand_in.url).rc
