"""Runs checks one after the other, bounded in time; a check that needs a failed one is skipped and says so."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from listener.base.errors import ListenError
from listener.base.redact import redact
from listener.base.threads import DaemonExecutor

BUDGET = 30.0  # seconds for all checks together
State = Literal["ok", "warning", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """What a check saw, and the remedy for it."""

    state: State
    detail: str
    remedy: str = ""


class StepReport(msgspec.Struct, frozen=True, rename={"detail": "fact", "remedy": "mend"}):
    """A check's finding, under the check's name; `doctor --json` calls its fields `fact` and `mend`."""

    name: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """A step of the examination: `look` returns what it found; where it raises ListenError, the check has failed.

    `needs` names the steps that must not have failed before.
    """

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()
    seconds: float = 5.0


def ok(detail: str) -> Finding:
    """Returns the finding that all is as it should be."""
    return Finding("ok", detail)


def examine(checks: Iterable[Check], *, budget: float = BUDGET) -> Iterator[StepReport]:
    """Yields a report for each check as it is done; all of them have `budget` seconds."""
    until = time.monotonic() + budget
    broken: set[str] = set()
    for check in checks:
        because = [name for name in check.needs if name in broken]
        left = min(check.seconds, until - time.monotonic())
        if because:
            finding = Finding("skipped", f"needs {because[0]}")
        elif left <= 0:
            finding = Finding("skipped", f"the {budget:g} s for all steps are over")
        else:
            finding = _bounded(check, left)
        if finding.state in ("failed", "skipped"):
            broken.add(check.name)
        yield StepReport(check.name, finding.state, redact(finding.detail), redact(finding.remedy))


def found_wrong(steps: Iterable[StepReport]) -> bool:
    """Returns whether a check has failed."""
    return any(step.state == "failed" for step in steps)


def line(step: StepReport) -> str:
    """Returns a report for people, with the remedy below it where there is one."""
    mark = step.state.upper() if step.state == "failed" else step.state
    remedy = f"\n{'':22}→ {step.remedy}" if step.remedy else ""
    detail = step.detail.replace("\n", f"\n{'':22}")
    return f"{mark:<8} {step.name:<12} {detail}{remedy}"


def _bounded(check: Check, seconds: float) -> Finding:
    pending = DaemonExecutor().submit(check.look)
    try:
        finding: Finding = pending.result(seconds)
    except TimeoutError:
        return Finding("failed", f"no answer within {seconds:.0f} s")
    except ListenError as e:
        return Finding("failed", str(e), e.hint)
    return finding
