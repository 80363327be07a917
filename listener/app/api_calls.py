"""Makes the daemon's calls of the platform's API, apart from the connection, with one client and one meter for all.

The check for other clients, backfills, and enriching make their calls here.
"""

from collections.abc import Callable

from listener.backfill.backfiller import Backfiller
from listener.backfill.budget import restored
from listener.backfill.command import api_maker
from listener.enrich.stage import Stage
from listener.feishu.http_api import Api
from listener.feishu.meter import Meter
from listener.feishu.tickets import TicketsApi
from listener.feishu.transport import network_of
from listener.journal import Journal
from listener.settings.config import Settings


class ApiCalls:
    """The daemon's one client and one meter of API calls. Raises JournalError where earlier counts can't be read."""

    def __init__(self, settings: Settings, journal: Journal, connected: Callable[[], bool]) -> None:
        self._settings = settings
        self.meter = restored(Meter(settings.feishu.max_calls_per_month), journal)
        self._api: Api | None = None
        self.backfiller = Backfiller(settings, journal, self.meter, self.tickets, connected)
        self.stage = Stage(settings, journal, lambda: self.tickets(settings.feishu.helpdesk_id or ""))

    def start(self) -> None:
        """Starts the enriching of events and the backfilling of missed ones. Raises JournalError."""
        self.stage.start()
        self.backfiller.start()

    def stop(self) -> None:
        """Stops enriching; the next start takes up what was under way."""
        self.stage.stop()

    def reload(self, settings: Settings) -> None:
        """Has the secrets read again at the next call, and what they have held up asked for again."""
        self._settings, self._api = settings, None
        self.stage.reload()
        self.backfiller.reload()

    def online_clients(self) -> int:
        """Asks how many clients are online; blocks."""
        return self._client().online_clients()

    def tickets(self, helpdesk_id: str, token_file: str = "") -> TicketsApi:
        """Returns the API of this helpdesk. Raises ConfigError where its credentials can't be read."""
        return api_maker(self._settings.feishu, self._client())(helpdesk_id, token_file)

    def _client(self) -> Api:
        if (api := self._api) is None:
            feishu = self._settings.feishu
            api = self._api = Api(feishu, network_of(feishu), meter=self.meter)
        return api
