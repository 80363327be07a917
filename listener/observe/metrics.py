"""Writes the snapshot as Prometheus metrics. Names and units: https://prometheus.io/docs/practices/naming/.

Labels are a sink's name, an ack's code, an outcome, a cause, a version: nothing of an event.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from listener.observe.health import ConnectionStatus, EventsStatus, JournalStatus, SinkStatus, Snapshot, is_stuck
from listener.observe.measure import Latencies

PREFIX = "helpdesk_listen_"
CONTENT_TYPE = CONTENT_TYPE_LATEST


def page(snapshot: Snapshot, timings: Latencies) -> bytes:
    """Returns the text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(_Collected([*_of_snapshot(snapshot), *_of_timings(timings)]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_timings(timings: Latencies) -> Iterator[Metric]:
    acks = HistogramMetricFamily(f"{PREFIX}ack_duration_seconds", "From an event's arrival to its ack.")
    if timings.acks:
        acks.add_metric([], timings.acks.buckets(), timings.acks.sum)
    yield acks
    delays = HistogramMetricFamily(
        f"{PREFIX}delivery_delay_seconds", "From an event's arrival to the sink's confirmation.", labels=["sink"]
    )
    for sink, histogram in timings.delays.copy().items():
        delays.add_metric([sink], histogram.buckets(), histogram.sum)
    yield delays


def _of_snapshot(snapshot: Snapshot) -> Iterator[Metric]:
    yield InfoMetricFamily(f"{PREFIX}build", "The version that runs.", {"version": snapshot.version})
    yield _gauge("ready", "1: events are received, kept and handed on.", snapshot.ready)
    if snapshot.started_at:
        yield _gauge("start_time_seconds", "When the daemon started, Unix time.", snapshot.started_at.timestamp())
    if snapshot.connection:
        yield from _of_connection(snapshot.connection)
    if snapshot.events:
        yield from _of_events(snapshot.events)
    if snapshot.journal:
        yield from _of_journal(snapshot.journal)
    yield from _of_sinks(snapshot.sinks)
    yield from _of_calls(snapshot)
    if snapshot.clients:
        yield _gauge(
            "clients_online", "Clients of the app that the platform counts as online.", snapshot.clients.online
        )
        yield _gauge("clients_expected", "Clients of the app that should be online.", snapshot.clients.expected)


def _of_calls(snapshot: Snapshot) -> Iterator[Metric]:
    if calls := snapshot.calls:
        yield _counters("api_calls", "Calls of the platform's API in this month.", "api", calls.by_api)
        yield _gauge("api_calls_halted", "1: no more calls of the API in this month.", bool(calls.halted))
        if calls.limit is not None:
            yield _gauge("api_calls_limit", "feishu.max_calls_per_month.", calls.limit)
    if snapshot.backfills:
        newest = snapshot.backfills[0]
        yield _gauge(
            "backfill_running", "1: missed messages are being fetched.", newest.state in ("listing", "fetching")
        )
        yield _gauge("backfill_new_messages", "New messages that the newest backfill brought.", newest.new)


def _of_connection(connection: ConnectionStatus) -> Iterator[Metric]:
    yield _gauge(
        "connected", "1: connected, and the platform answers.", connection.phase == "connected" and connection.fresh
    )
    yield _gauge(
        "connection_since_timestamp_seconds", "When the connection came into its state.", connection.since.timestamp()
    )
    yield _counter("connections", "Connections that were opened.", connection.connections)
    yield _counter("connection_renewals", "Connections replaced by a fresh one in time.", connection.renewals)
    yield _counters("connection_failures", "Connections lost or not opened.", "cause", connection.losses)
    if connection.round_trip_seconds is not None:
        yield _gauge("ping_round_trip_seconds", "From the last ping to its answer.", connection.round_trip_seconds)


def _of_events(events: EventsStatus) -> Iterator[Metric]:
    counts = {
        "kept": events.kept,
        "duplicate": events.duplicates,
        "unreadable": events.unreadable,
        "not_forwarded": events.not_forwarded,
    }
    yield _counters("events", "Events that came in, by what became of them.", "result", counts)
    yield _counters("acks", "Answers to the platform; it pushes again what got 500.", "code", events.acks)
    yield _counter("late_commits", "Events that were not on disk in time.", events.late)


def _of_journal(journal: JournalStatus) -> Iterator[Metric]:
    writable = journal.answers and not journal.failing and not journal.full
    yield _gauge("journal_writable", "1: the journal takes events.", writable)
    yield _gauge("journal_used_bytes", "Bytes in use, of journal.max_size.", journal.used_bytes)
    yield _gauge("journal_max_bytes", "journal.max_size.", journal.max_bytes)
    yield _gauge("journal_file_bytes", "Bytes on disk, with the write-ahead log.", journal.file_bytes)
    held = "For how long somebody's read transaction has kept the write-ahead log from being used anew."
    yield _gauge("journal_wal_held_seconds", held, journal.wal_held_seconds)
    left = "Payloads that can't be read and had to leave quarantine for newer ones."
    yield _counter("journal_unreadable_left", left, journal.unreadable_left)
    yield _gauge("journal_waiting", "Items that wait for a commit.", journal.waiting)
    if journal.disk_free_bytes is not None:
        yield _gauge("journal_disk_free_bytes", "Bytes free on the journal's disk.", journal.disk_free_bytes)
    if journal.last_event_at:
        yield _gauge(
            "last_event_timestamp_seconds",
            "When the newest event came in, Unix time.",
            journal.last_event_at.timestamp(),
        )


def _of_sinks(sinks: Sequence[SinkStatus]) -> Iterator[Metric]:
    yield _by_sink(
        "sink_lag_events", "Events in the journal that the sink has not got.", {s.name: s.lag for s in sinks}
    )
    ages = {s.name: s.oldest_undelivered_seconds or 0.0 for s in sinks}
    yield _by_sink("sink_oldest_undelivered_seconds", "Age of the oldest event that the sink has not got.", ages)
    yield _by_sink("sink_stuck", "1: events wait, and the sink gets nowhere.", {s.name: is_stuck(s) for s in sinks})
    yield _by_sink(
        "sink_dead_letters",
        "Dead letters, which wait for somebody's decision.",
        {s.name: s.dead_letters for s in sinks},
    )
    yield _by_sink(
        "sink_waiting_events",
        "Events that wait for their next attempt.",
        {s.name: s.waiting for s in sinks},
    )
    paused = {s.name: float(s.paused is not None) for s in sinks}
    yield _by_sink("sink_paused", "1: the other end refuses us, and somebody must change a setting.", paused)
    outcomes = CounterMetricFamily(f"{PREFIX}sink_outcomes", "What came of deliveries.", labels=["sink", "outcome"])
    for sink in sinks:
        counts = {"delivered": sink.delivered, "retry": sink.retries, "rejected": sink.rejected}
        for outcome, count in (counts | {"filtered": sink.filtered}).items():
            outcomes.add_metric([sink.name, outcome], count)
    yield outcomes


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=float(value))


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[str, int] | Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family


def _by_sink(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=["sink"])
    for sink, value in values.items():
        family.add_metric([sink], float(value))
    return family
