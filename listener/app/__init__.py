"""Composes the daemon: builds, runs, reloads and stops it. Process-wide things are set here and in `cli` only."""
