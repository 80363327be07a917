"""Fixtures for this directory."""

from tests.inprocess import commands, stand_in

__all__ = ["commands", "stand_in"]
