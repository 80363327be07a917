"""Explains a setting, or a table of them, in a terminal."""

from collections.abc import Iterator

from listener.base.text import peers_words
from listener.settings.convert import guess
from listener.settings.reference import Setting, settings
from listener.sinks import load_plug_ins

SHOWN = 60  # characters of a wrong name that the error repeats


def explanation(key: str) -> str:
    """Returns the text of `check --explain`. Raises LookupError, with a whole sentence, for an unknown setting."""
    key = key.strip("[] ")
    if key.startswith("sinks"):
        load_plug_ins()
    every = {one.key: one for one in settings()}
    if key not in every:
        known = guess(key, every) or f"; tables are {', '.join(name for name in every if '.' not in name)}"
        raise LookupError(f'there is no setting "{peers_words(key[:SHOWN])}"{known}')
    return "\n".join(_lines(every[key], every))


def _lines(one: Setting, every: dict[str, Setting]) -> Iterator[str]:
    yield one.key
    if one.is_table:
        yield from filter(None, (one.description.en, one.description.zh))
        yield from _members(one, every)
        return
    yield f"  type      {one.kind.en} · {one.kind.zh}"
    yield f"  default   {'none, it is required · 必填' if one.required else one.default or 'none · 无'}"
    if one.variable:
        yield f"  variable  ${one.variable}"
    yield from filter(None, (one.description.en, one.description.zh))


def _members(table: Setting, every: dict[str, Setting]) -> Iterator[str]:
    """Yields a line for each setting below the table, or of [[sinks]] for each type."""
    below = [one for key, one in every.items() if key.startswith(f"{table.key}.") and _is_listed(table, one)]
    width = max((len(one.key) for one in below), default=0)
    for one in below:
        yield f"  {one.key:<{width}}  {one.default or ('required' if one.required else '')}".rstrip()


def _is_listed(table: Setting, one: Setting) -> bool:
    return one.key.count(".") == 1 if table.key == "sinks" else not one.is_table
