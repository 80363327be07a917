"""Examining is bounded in time, whatever hangs; what a step learns the hard way is told."""

import threading
import time

import pytest

from listener.base.errors import ConfigError
from listener.base.redact import remember
from listener.doctor import Check, Finding, examine, line
from listener.simulator import PlatformThread, faults
from listener.simulator.openapi import TOKEN_PATH
from tests import samples
from tests.doctor.examined import OURS
from tests.doctor.examined import examine as examined
from tests.inprocess import Commands

GOOD = Finding("ok", "fine")


def hang() -> Finding:
    threading.Event().wait(60)
    return GOOD


def refuse() -> Finding:
    raise ConfigError("not so", hint="do this")


def states(*checks: Check, budget: float = 5.0) -> list[tuple[str, str]]:
    return [(step.name, step.state) for step in examine(checks, budget=budget)]


def test_what_hangs_on_a_broken_step_is_skipped_and_the_rest_goes_on() -> None:
    checks = [
        Check("a", refuse),
        Check("b", lambda: GOOD, needs=("a",)),
        Check("c", lambda: GOOD, needs=("b",)),
        Check("d", lambda: Finding("warning", "so so")),
        Check("e", lambda: GOOD, needs=("d",)),
    ]
    assert [("a", "failed"), ("b", "skipped"), ("c", "skipped"), ("d", "warning"), ("e", "ok")] == states(*checks)


def test_a_step_that_hangs_is_a_failure_in_its_time() -> None:
    began = time.monotonic()
    assert [("a", "failed"), ("b", "ok")] == states(Check("a", hang, seconds=0.1), Check("b", lambda: GOOD))
    assert time.monotonic() - began < 2


def test_all_steps_together_have_their_time() -> None:
    began = time.monotonic()
    checks = [Check(name, hang, seconds=0.2) for name in "abcdefgh"]
    assert ["failed", "failed", "failed"] == [state for _, state in states(*checks, budget=0.5)][:3]
    assert time.monotonic() - began < 2


def test_no_secret_gets_into_a_step() -> None:
    remember("hush-hush")
    (step,) = examine([Check("a", lambda: Finding("ok", "it is hush-hush"))])
    assert "it is ***" == step.detail


def test_a_line_for_people() -> None:
    (step,) = examine([Check("a", refuse)])
    assert ["FAILED   a            not so", f"{'':22}→ do this"] == line(step).splitlines()


@pytest.mark.slow
def test_a_platform_that_hangs_everywhere_costs_30_seconds_at_most(
    commands: Commands, stand_in: PlatformThread
) -> None:
    stand_in.platform.faults.api |= {path: [faults.HANG] * 9 for path in (TOKEN_PATH, "/")}
    stand_in.platform.faults.endpoint += [faults.HANG] * 9
    began = time.monotonic()
    found = examined(commands, stand_in.url)
    assert time.monotonic() - began < 31
    assert (1, "tls") == (found.rc, found.named("failed")[0])


@pytest.mark.slow
def test_a_platform_that_is_silent_after_the_handshake(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.connected = "silent"
    began = time.monotonic()
    found = examined(commands, stand_in.url)
    assert time.monotonic() - began < 31
    assert (1, ["connection"]) == (found.rc, found.named("failed"))


def test_the_doctors_own_connection_acks_nothing(commands: Commands, stand_in: PlatformThread) -> None:
    """What is pushed to it is refused, and so pushed again."""
    delivery = stand_in.call(stand_in.platform.push, samples.example())
    commands.run("doctor", domain=stand_in.url, **OURS)
    assert (1, [500]) == (delivery.pushes, delivery.codes)
