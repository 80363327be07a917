"""Reads the settings: TOML, environment, secrets and values, with errors that say what would be right.

Which settings there are stands in config.py and in the sinks' own files.
"""
