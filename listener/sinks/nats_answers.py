"""Reads what a JetStream stream answers to messages that were published."""

import asyncio

import msgspec

from listener.sinks.results import TryAgain


class Refusal(msgspec.Struct):
    """The reason why a stream did not take a message."""

    description: str = ""
    err_code: int = 0


class PubAck(msgspec.Struct):
    """A stream's answer to a message."""

    error: Refusal | None = None


_decode = msgspec.json.Decoder(PubAck).decode


def read(answer: bytes) -> PubAck | None:
    """Returns the stream's answer, None where it is not a stream that speaks."""
    try:
        return _decode(answer)
    except msgspec.MsgspecError:
        return None


class Answers:
    """The answers to messages that went out together; they share a future, since one each would double the costs.

    `all_known` is done with the last answer.
    """

    def __init__(self, count: int) -> None:
        self._found: list[PubAck | TryAgain | None] = [None] * count
        self._left = count
        self.all_known: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def known(self) -> list[PubAck | TryAgain]:
        """Returns the answers, in the order of the messages."""
        return [one for one in self._found if one is not None]

    def set(self, n: int, answer: PubAck | TryAgain) -> None:
        """Takes the answer to a message; the first one counts."""
        if self._found[n] is not None:
            return
        self._found[n] = answer
        self._left -= 1
        if self._left == 0 and not self.all_known.done():
            self.all_known.set_result(None)

    def set_rest(self, answer: TryAgain) -> None:
        """Takes this for the answer to every message that has none yet."""
        for n in range(len(self._found)):
            self.set(n, answer)
