"""Tells what the daemon's state is: one snapshot, for systemd, for `status`, and over HTTP.

facts.py gathers the snapshot, health.py judges it (pure), watchdog.py reports to systemd, control.py and
status_query.py answer `status`. serving.py listens for HTTP, http_server.py serves it, site.py holds the probes,
metrics.py and page/. observer.py ties all of them to the running daemon.
"""
