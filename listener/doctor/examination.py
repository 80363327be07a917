"""Holds what one examination is about, and what its steps learn on the way."""

import os
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from listener.feishu.http_api import Api, Helpdesk, helpdesk_of
from listener.feishu.meter import Meter
from listener.feishu.transport import Network, Response, network_of
from listener.settings.config import Settings


@dataclass
class Examination:
    """What one run of `doctor` examines; `helpdesks` are those of the options, instead of the configured one."""

    settings: Settings
    meter: Meter
    helpdesks: list[Helpdesk] = field(default_factory=list)
    answer: Response | None = None  # of the platform's address, to a request for its front page

    @cached_property
    def network(self) -> Network:
        """Returns the network settings on the way to the platform. Raises ConfigError."""
        return network_of(self.settings.feishu)

    @cached_property
    def api(self) -> Api:
        """Returns a client that does not wait, even if the platform asks for it. Raises ConfigError."""
        return Api(self.settings.feishu, self.network, patience=0, meter=self.meter)

    @property
    def domain(self) -> str:
        return self.settings.feishu.domain

    @property
    def socket_url(self) -> str:
        """Returns where the long connection most likely goes; the endpoint decides that for each connection anew."""
        address = urlsplit(self.domain)
        if address.scheme == "http":
            return f"ws://{address.netloc}"
        return f"wss://msg-frontier.{(address.hostname or '').removeprefix('open.')}"

    def wanted_helpdesks(self) -> list[Helpdesk]:
        """Returns the helpdesks to examine. Raises ConfigError where the configured one lacks its id or its token."""
        feishu = self.settings.feishu
        if self.helpdesks or (feishu.helpdesk_id is None and feishu.helpdesk_token is None):
            return self.helpdesks
        return [helpdesk_of(feishu)]


def as_root() -> str:
    """Returns a remark for root, who may do what the service's own user may not; "" for anybody else."""
    return " (checked as root: the service's user may have fewer rights)" if os.geteuid() == 0 else ""
