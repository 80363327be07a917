"""Posts as the app's own bot: texts to one chat, which the platform sends at most once an hour for each `uuid`."""

import asyncio
from collections.abc import Callable

from listener.base.errors import ConfigError, ListenError
from listener.feishu.answers import BAD_TOKENS
from listener.feishu.http_api import Api
from listener.feishu.meter import Meter
from listener.feishu.transport import network_of
from listener.settings.config import FeishuSettings
from listener.sinks.chat_services import APP_BOT, PostOutcome


class AppBot:
    """Posts to one chat as the app's own bot.

    `feishu` returns the settings as they are now; id, secret and the way to the platform are the daemon's own.
    """

    def __init__(self, feishu: Callable[[], FeishuSettings], chat_id: str, meter: Meter | None = None) -> None:
        self._feishu, self._chat_id, self._meter = feishu, chat_id, meter
        self._api: Api | None = None

    async def post(self, text: str, uuid: str) -> PostOutcome:
        """Posts a text; returns the outcome."""
        return await asyncio.to_thread(self._post, text, uuid)

    async def close(self) -> None:
        """Forgets the tenant token; there is no connection to end."""
        self._api = None

    def _post(self, text: str, uuid: str) -> PostOutcome:
        body = APP_BOT.body(text) | {"receive_id": self._chat_id, "uuid": uuid}
        try:
            api = self._api = self._api or self._new_api()
            status, headers, content = api.send_message(body)
        except ListenError as e:
            self._api = None  # with it goes a secret that may have changed
            return PostOutcome("paused" if isinstance(e, ConfigError) else "again", str(e))
        answer = APP_BOT.read(status, headers, content)
        if any(answer.reason.startswith(str(token)) for token in BAD_TOKENS):
            self._api = None
        return answer

    def _new_api(self) -> Api:
        feishu = self._feishu()
        return Api(feishu, network_of(feishu), patience=0, meter=self._meter)
