"""Checks what is on this machine: settings, secrets, journal, disk, sinks, gaps, the service."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from listener.base.errors import ListenError
from listener.doctor.examination import Examination, as_root
from listener.doctor.report import Check, Finding, ok
from listener.journal.inspect import holder, read_state, writable
from listener.observe import missed
from listener.observe.health import LITTLE_DISK, one_line
from listener.observe.status_query import query_status
from listener.settings.config import Settings
from listener.settings.secrets import SecretKind, SecretSource, exposure
from listener.settings.values import format_size


def local_checks(case: Examination) -> Iterator[Check]:
    """Yields the checks of this machine, in their order."""
    settings = case.settings
    yield Check("settings", lambda: _settings(settings))
    yield Check("secret", lambda: _secrets(settings))
    yield Check("journal", lambda: _journal(settings))
    yield Check("disk", lambda: _disk(settings))
    yield Check("sinks", lambda: _sinks(settings))
    yield Check("gaps", lambda: _gaps(settings), ("journal",))
    yield Check("service", lambda: _service(settings))


def _settings(settings: Settings) -> Finding:
    detail = f"{settings.origin}: app {settings.feishu.app_id} at {settings.feishu.domain}"
    others = [warning for warning in settings.warnings if "holds a secret" not in warning]  # told by the next check
    return Finding("warning", f"{detail}\n" + "\n".join(others), "change the settings named") if others else ok(detail)


def _secrets(settings: Settings) -> Finding:
    """Reads each secret and looks at its file's mode. Raises ConfigError."""
    named = {
        "app secret": settings.feishu.app_secret,
        "helpdesk token": settings.feishu.helpdesk_token,
        "verification token": settings.source.verification_token,
        "encrypt key": settings.source.encrypt_key,
    }
    secrets = {name: source for name, source in named.items() if source is not None}
    for source in secrets.values():
        source.read()
    detail = "; ".join(f"{name}: {source.describe()}" for name, source in secrets.items())
    exposed = list(filter(None, {_exposed(source, settings) for source in secrets.values()}))
    if exposed:
        return Finding("warning", f"{detail}\n" + "\n".join(exposed), "only its owner may read it")
    return ok(detail)


def _exposed(source: SecretSource, settings: Settings) -> str:
    files = {SecretKind.FILE: source.where, SecretKind.INLINE: settings.origin}
    return exposure(files[source.kind]) if source.kind in files else ""


def _journal(settings: Settings) -> Finding:
    path = settings.journal.path
    if not path.exists():
        _try_to_write(path, "journal.path")
        return ok(f"{path} will be made at the first start{as_root()}")
    seen = read_state(path)
    if holder(path) is None:
        writable(path)
    return ok(f"{path}: {format_size(seen.used_bytes)} of at most {format_size(settings.journal.max_size)}{as_root()}")


def _disk(settings: Settings) -> Finding:
    free = {str(path): _free(path) for path in [settings.journal.path, *_sink_files(settings)]}
    where = min(free, key=lambda path: free[path])
    detail = f"{format_size(free[where])} free for {where}"
    if free[where] < LITTLE_DISK:
        remedy = "make room: with a full disk events are refused, and pushed again for 7 h only"
        return Finding("failed", detail, remedy)
    if free[str(settings.journal.path)] < settings.journal.max_size:
        detail += f"; journal.max_size is {format_size(settings.journal.max_size)}"
        return Finding("warning", detail, "make room")
    return ok(detail)


def _sinks(settings: Settings) -> Finding:
    for path in _sink_files(settings):
        _try_to_write(path, "sinks")
    names = ", ".join(f"{sink.name} ({sink.type})" for sink in settings.sinks)
    return ok(names + (as_root() if list(_sink_files(settings)) else ""))


def _gaps(settings: Settings) -> Finding:
    """Tells the times without a connection, and how much of it was fetched."""
    if not settings.journal.path.exists():
        return ok("never listened yet")
    seen = missed.gaps(read_state(settings.journal.path))
    open_ones = [gap for gap in seen if gap.recovered is None]
    if not open_ones:
        return ok("\n".join(map(missed.report, seen)) or "none of 10 minutes or more")
    return Finding("warning", "\n".join(map(missed.report, seen)), "helpdesk-listen backfill fetches what was missed")


def _service(settings: Settings) -> Finding:
    """Tells of the service what `status` does. Raises ListenError where this user may not know."""
    snapshot = query_status(settings)
    if snapshot.state == "stopped":
        return Finding("warning", "not running", "helpdesk-listen start, or: systemctl start helpdesk-listen")
    if snapshot.state == "silent":
        return Finding("failed", f"pid {snapshot.pid} runs, but does not answer", "restart it; its log says why")
    if not snapshot.ready:
        return Finding("failed", "; ".join(snapshot.problems), "helpdesk-listen status, and its log, say more")
    if snapshot.problems:
        return Finding("warning", "; ".join(snapshot.problems), "helpdesk-listen status")
    return ok(f"pid {snapshot.pid}: {one_line(snapshot)}")


def _sink_files(settings: Settings) -> Iterator[Path]:
    for sink in settings.sinks:
        if isinstance(path := getattr(sink, "path", None), Path):
            yield path


def _try_to_write(path: Path, setting: str) -> None:
    """Opens an existing file for appending, or makes and removes one beside it. Raises ListenError."""
    try:
        if path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK))
        else:
            with tempfile.TemporaryFile(dir=_nearest(path)):
                pass
    except OSError as e:
        raise ListenError(
            f"{path} can't be written: {e.strerror}", hint=f"change {setting}, or the owner and mode of what is there"
        ) from e


def _free(path: Path) -> int:
    """Returns the bytes that this user may still use on the disk of `path`."""
    with suppress(OSError):
        disk = os.statvfs(path if path.exists() else _nearest(path))
        return disk.f_bavail * disk.f_frsize
    return 0


def _nearest(path: Path) -> Path:
    """Returns the nearest directory above `path` that is there."""
    return next(parent for parent in path.parents if parent.exists())
