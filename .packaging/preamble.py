#!/usr/bin/env python3
"""Runs before anything is loaded from the single file: its compiled modules are for one version of Python."""

import sys

WANTED = "@PYTHON@"
if ".".join(map(str, sys.version_info[:2])) != WANTED:
    sys.exit(f"helpdesk-listen: this file is for Python {WANTED}, and this is {sys.version.split()[0]}")
