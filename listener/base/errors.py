"""Defines every error of the daemon, its exit code, and what the operator can do about it.

ListenError                     exit code
├── ConfigError             78  the configuration is wrong
├── JournalError            74  the journal can't be opened, read or written
├── SinkFailed              74  a command gave up on a sink that can't be written to
├── Unavailable             69  a bounded command gave up on the network or a peer
├── RestartNeeded           75  only a restart can help (a stale systemd credential)
└── SessionError                why a connection ended or never came to be; the supervisor's input
    ├── Lost                    SOON: it was there and broke
    ├── Unreachable             SOON: it could not be opened
    ├── Refused                 SLOW: refused with a code that nobody knows
    ├── TooManyConnections      SLOW: other clients of the app hold every place
    └── CredentialsRefused  78  FATAL at start, SLOW later
"""

from enum import Enum

from listener.base.text import printable

EX_OK, EX_FOUND, EX_USAGE, EX_NOT_RUNNING = 0, 1, 2, 3
EX_UNAVAILABLE, EX_IOERR, EX_TEMPFAIL, EX_CONFIG = 69, 74, 75, 78


class ListenError(Exception):
    """The operator must know of this: `str()` says what and where, `hint` says what to do."""

    exit_code = EX_FOUND

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(ListenError):
    """The configuration is wrong; restarting with the same one can't help."""

    exit_code = EX_CONFIG


class JournalError(ListenError):
    """The journal can't be opened, read or written."""

    exit_code = EX_IOERR


class SinkFailed(ListenError):
    """A command gave up on a sink that could not be opened or written to."""

    exit_code = EX_IOERR


class Unavailable(ListenError):
    """A bounded command gave up on the network or a peer."""

    exit_code = EX_UNAVAILABLE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(printable(message), hint=hint)  # the peer's words are in it


class RestartNeeded(ListenError):
    """Only a restart can help, such as one that refreshes systemd's copy of a credential."""

    exit_code = EX_TEMPFAIL


class Pace(Enum):
    """How soon the supervisor tries again."""

    SOON = "soon"
    SLOW = "slow"
    FATAL = "fatal"


class SessionError(ListenError):
    """Why a connection ended or never came to be; `cause` is its short stable name, for logs and metrics."""

    exit_code = EX_UNAVAILABLE
    pace = Pace.SOON

    def __init__(self, message: str, *, cause: str, hint: str = "") -> None:
        super().__init__(printable(message), hint=printable(hint))  # a proxy's or the platform's words are in it
        self.cause = cause


class Lost(SessionError):
    """An open connection ended."""


class Unreachable(SessionError):
    """No connection could be opened; the network or the platform may recover by itself."""


class Refused(SessionError):
    """The platform refused with a code that is not documented: never fatal, tried again slowly."""

    pace = Pace.SLOW


class TooManyConnections(SessionError):
    """Code 1000040350: every connection of the app is taken, so another client takes its events."""

    pace = Pace.SLOW


class CredentialsRefused(SessionError):
    """Codes 1000040344 and 1000040345, or a handshake refused with 403."""

    exit_code = EX_CONFIG
    pace = Pace.FATAL
