"""What the daemon says of itself: one snapshot of facts, told to systemd, to `status`, and over HTTP.

facts.py gathers, health.py judges (pure), pulse.py feeds the watchdog, control.py and inquiry.py answer `status`,
serving.py puts probes, metrics.py and page/ on http_server.py's server; observer.py ties them to the running daemon.
"""
