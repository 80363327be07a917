"""Reads TOML tables into frozen structs by the structs' own annotations; problems are collected and told at once.

One problem is one line: the file, the setting's path (from 0, as in `sinks[1].path`), what is right, what was found. A
struct's field is a setting of its name; a `SecretSource` named `x` is two, `x` and `x_file`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec.structs import FieldInfo

from listener.base.errors import ConfigError
from listener.settings.convert import WrongValueError, convert, guess, one_of, shown, type_name, unwrap
from listener.settings.paths import BaseDirectory, NoDirectory, resolve
from listener.settings.rules import Env
from listener.settings.secrets import (
    Secret,
    SecretKind,
    SecretSource,
    exposure,
    holds_secrets,
    is_open_address,
    outside_source,
)

S = TypeVar("S", bound=msgspec.Struct)
Table = Mapping[str, Any]

_TOLD = 50  # problems of one configuration; whoever has more gave the wrong file


def settings_of(field: FieldInfo) -> tuple[str, ...]:
    """Returns the names under which TOML gives a struct's field."""
    is_secret = unwrap(field.type)[0] is SecretSource
    return (field.name, f"{field.name}_file") if is_secret else (field.name,)


class Reader:
    """Reads the tables of one configuration, and collects `problems` and `warnings` on the way."""

    def __init__(self, file: Path | None, env: Mapping[str, str]) -> None:
        self.origin = str(file) if file else "environment"
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._file = file
        self._env = env
        self._is_private = False  # whether the file itself holds a secret

    def table(self, cls: type[S], raw: object, key: str, base: S | None = None) -> S | None:
        """Returns `raw` as a `cls`, None if it has a problem; what it leaves out is as in `base`."""
        if not isinstance(raw, dict):
            self.wrong(key, "a table", raw)
            return None
        before = len(self.problems)
        fields = msgspec.structs.fields(cls)
        self.refuse_unknown(raw, [name for field in fields for name in settings_of(field)], key)
        values = {field.name: self._field(field, raw, join(key, field.name)) for field in fields}
        given = {name: value for name, value in values.items() if value is not msgspec.UNSET}
        return self._build(cls, given, key, base) if len(self.problems) == before else None

    def choice(self, raw: object, name: str, choices: tuple[str, ...], key: str) -> str | None:
        """Returns the setting that decides what its table `raw` may hold."""
        if not isinstance(raw, dict):
            self.wrong(key, "a table", raw)
        elif name not in raw:
            self.problem(join(key, name), f"missing; expected {one_of(choices)}")
        elif raw[name] not in choices:
            self.wrong(join(key, name), one_of(choices), raw[name], guess(raw[name], choices))
        else:
            return str(raw[name])
        return None

    def refuse_unknown(self, table: Table, known: Iterable[str], key: str = "") -> None:
        """Notes each unknown setting: a misspelt one that is passed over is worse than a missing one."""
        known = list(known)
        for name in table:
            if name not in known:
                text = f"unknown setting{guess(name, known)}; known here: {', '.join(known)}"
                self.problem(join(key, _harmless(name)), text)

    def wrong(self, key: str, right: str, found: object, guessed: str = "") -> None:
        """Notes a value that isn't what it should be."""
        self.problem(key, f"expected {right}, found {shown(found)}{guessed}")

    def problem(self, key: str, text: str) -> None:
        """Notes what is wrong with a setting of the file."""
        self.problems.append(f"{self.origin}: {key}: {text}")

    def error(self) -> ConfigError:
        """Returns all problems as one error, a line each, unless there are very many."""
        hint = "every setting is described in config.example.toml, which `helpdesk-listen init` writes"
        none = "there is no configuration file: `helpdesk-listen init` writes one, -c names one"
        more = [f"{self.origin}: and {len(self.problems) - _TOLD} more"] if len(self.problems) > _TOLD else []
        return ConfigError("\n".join(self.problems[:_TOLD] + more), hint=hint if self._file else none)

    def warn_if_exposed(self) -> None:
        """Warns if the file holds a secret and others can read it."""
        if self._file and self._is_private:
            self._warn_if_exposed(self._file)

    def _warn_if_exposed(self, path: Path) -> None:
        self.warnings += filter(None, [exposure(path)])

    def _build(self, cls: type[S], given: dict[str, Any], key: str, base: S | None) -> S | None:
        try:
            return cls(**given) if base is None else msgspec.structs.replace(base, **given)
        except ValueError as error:  # of a __post_init__: settings that don't go together
            self.problem(key, str(error))
            return None

    def _field(self, field: FieldInfo, table: Table, key: str) -> object:
        hint, marks = unwrap(field.type)
        variable = next((mark.name for mark in marks if isinstance(mark, Env)), "")
        if hint is SecretSource:
            return self._secret(field, variable, table, key)
        if self._env.get(variable):
            return self._value(field.type, self._env[variable], f"environment: {variable}")
        if field.name not in table:
            return self._default(field, variable, key)
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            base = field.default if isinstance(field.default, hint) else None
            return self.table(hint, table[field.name], key, base)
        return self._value(field.type, table[field.name], f"{self.origin}: {key}")

    def _default(self, field: FieldInfo, variable: str, key: str) -> object:
        if field.required:
            rights = [mark.right for mark in unwrap(field.type)[1] if callable(mark)]
            self._missing(key, variable, "".join(f"; expected {right}" for right in rights))
        if isinstance(field.default, Path):
            return self._value(field.type, str(field.default), f"{self.origin}: {key}")
        return msgspec.UNSET

    def _missing(self, key: str, variable: str, more: str) -> None:
        where = key if self._file or not variable else variable
        aside = f" (here or in ${variable})" if self._file and variable else ""
        self.problem(where, f"missing{aside}{more}")

    def _value(self, annotation: Any, raw: object, where: str) -> object:
        hint, marks = unwrap(annotation)
        place = next((mark for mark in marks if isinstance(mark, BaseDirectory)), None)
        try:
            value = self._path(raw, place) if place else convert(annotation, raw)
        except WrongValueError as error:
            found = f"{type_name(raw)} (not shown)" if holds_secrets(hint) else shown(error.found)
            self.problems.append(f"{where}: expected {error.right}, found {found}{error.guess}")
            return None
        self._is_private |= isinstance(value, Secret) and value.is_hidden
        return value

    def _path(self, raw: object, place: BaseDirectory) -> Path:
        try:
            return resolve(raw if isinstance(raw, str) else "", place, self._env, self._file)
        except NoDirectory as error:
            raise WrongValueError(error.right, raw) from None
        except (ValueError, OSError):
            raise WrongValueError("a path", raw) from None

    def _secret(self, field: FieldInfo, variable: str, table: Table, key: str) -> SecretSource | None:
        name, name_file = settings_of(field)
        outside = outside_source(name, variable, self._env)
        file = self._secret_file(table[name_file], f"{key}_file") if name_file in table else None
        inline = self._inline_secret(table.get(name, ""), key)
        if file and inline:
            self.warnings.append(f"{inline.where}: not used, since {name_file} comes first")
        source = outside or file or inline
        if source is None and field.required and not table.get(name):
            self._missing(key, variable, f'; {name_file} or the systemd credential "{name}" would do as well')
        self._check(source)
        return source

    def _secret_file(self, raw: object, key: str) -> SecretSource | None:
        path = self._value(Annotated[Path, BaseDirectory.CONFIG], raw, f"{self.origin}: {key}")
        if not path:
            return None
        self._warn_if_exposed(Path(str(path)))
        return SecretSource(SecretKind.FILE, str(path))

    def _inline_secret(self, raw: object, key: str) -> SecretSource | None:
        if not isinstance(raw, str):
            self.problem(key, f"expected the secret as a text, found {type_name(raw)} (not shown)")
            return None
        self._is_private |= bool(raw) and not is_open_address(raw)
        return SecretSource(SecretKind.INLINE, f"{self.origin}: {key}", Secret(raw)) if raw else None

    def _check(self, source: SecretSource | None) -> None:
        try:
            if source and source.held:
                source.read()
        except ConfigError as error:
            self.problems.append(f"{error}; {error.hint}")


def join(key: str, name: str) -> str:
    """Returns a setting's path, with what isn't a bare key of TOML, or no reasonable one, in quotes."""
    name = name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else shown(name)
    return f"{key}.{name}" if key else name


def _harmless(name: str) -> str:
    """Returns the name of an unknown setting, unless it may be a secret that was written in a name's place."""
    return name if len(name) <= 30 and not any(map(str.isdigit, name)) else f"(a name of {len(name)} characters)"
