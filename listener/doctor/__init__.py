"""The whole chain from the settings to the sinks, looked at step by step: what is seen, and how to mend it.

report.py runs checks and knows none; here.py looks at this machine, there.py at the way to the platform and at the
platform; live.py waits for a real event. Nothing is changed, but for one connection that is open for a moment.
"""

from listener.doctor.examination import Examination
from listener.doctor.here import local_checks
from listener.doctor.report import BUDGET, Check, Finding, StepReport, examine, found_wrong, line
from listener.doctor.there import platform_checks

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
