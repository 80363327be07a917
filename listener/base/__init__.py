"""Holds what every layer uses: errors, logs, redaction, clock, files, threads."""
