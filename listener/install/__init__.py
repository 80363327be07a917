"""Installs the daemon as a service of systemd: what is to be done, whether it can work, and doing it."""
