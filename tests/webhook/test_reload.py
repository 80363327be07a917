"""A secret that was changed in the console is taken over at SIGHUP, without a gap in listening."""

import asyncio
from pathlib import Path

from listener.settings.config import Settings, load
from tests.webhook.posts import TOKEN, encrypted, event, signed
from tests.webhook.server import serving

NEW_KEY = "an-encrypt-key-that-was-rotated"


def settings(home: Path, key: str) -> Settings:
    lines = f'[source]\ntype = "webhook"\nverification_token = "{TOKEN}"\nencrypt_key = "{key}"\n'
    (home / "config.toml").write_text(lines)
    (home / "config.toml").chmod(0o600)
    return load(home / "config.toml", {"FEISHU_APP_ID": "a", "FEISHU_APP_SECRET": "s", "STATE_DIRECTORY": str(home)})


def test_a_rotated_secret_is_taken_at_reload(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as served:
            post = signed(encrypted(event(1), NEW_KEY), NEW_KEY)
            assert 401 == (await served.post(post))[0]
            served.webhook.reload(settings(tmp_path, NEW_KEY))
            assert 200 == (await served.post(post))[0]
            assert ["event-000001"] == served.kept()

    asyncio.run(main())
