"""The fixtures of the commands."""

from tests.inprocess import commands, stand_in

__all__ = ["commands", "stand_in"]
