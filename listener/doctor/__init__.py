"""Examines the whole chain from the settings to the sinks, step by step: what is seen, and the remedy.

report.py runs checks and knows none; local_checks.py looks at this machine, platform_checks.py at the way to the
platform and at the platform itself; live.py waits for a real event. Nothing is changed, but a connection is open for a
moment.
"""

from listener.doctor.examination import Examination
from listener.doctor.local_checks import local_checks
from listener.doctor.platform_checks import platform_checks
from listener.doctor.report import BUDGET, Check, Finding, StepReport, examine, found_wrong, line

__all__ = [
    "BUDGET",
    "Check",
    "Examination",
    "Finding",
    "StepReport",
    "examine",
    "found_wrong",
    "line",
    "local_checks",
    "platform_checks",
]
