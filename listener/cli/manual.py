"""Writes the manual pages: helpdesk-listen(1) from the commands' own help, helpdesk-listen.toml(5) from the settings.

    python -m listener.cli.manual DIRECTORY

writes them there as man1/…, man5/… and, of the settings, zh_CN/man5/…; packages carry them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from listener import __version__
from listener.base import errors
from listener.cli.main import app
from listener.settings.reference import Setting, settings

NAME = "helpdesk-listen"
EXIT_STATUS = {
    errors.EX_OK: "Done, or stopped by SIGTERM or SIGINT.",
    errors.EX_FOUND: "`doctor` or `status` found something wrong; another command failed for a reason that it names.",
    errors.EX_USAGE: "Wrong usage of the command line.",
    errors.EX_NOT_RUNNING: "`status`: the daemon does not run.",
    errors.EX_UNAVAILABLE: "A bounded command gave up on a network or a peer; the daemon itself never does.",
    errors.EX_IOERR: "Input or output failed: journal, sink or standard output.",
    errors.EX_TEMPFAIL: "Only a restart helps, such as one that refreshes credentials.",
    errors.EX_CONFIG: "Configuration or credentials are refused; a restart with the same ones can't help.",
}
ENVIRONMENT = {
    "HELPDESK_LISTEN_CONFIG": "The configuration file, where --config is not given.",
    "STATE_DIRECTORY": "Where a relative journal.path starts; systemd sets it.",
    "LOGS_DIRECTORY": "Where relative paths of file sinks start; systemd sets it.",
    "CREDENTIALS_DIRECTORY": "systemd's credentials, each a secret by the name of its setting.",
    "HTTPS_PROXY, NO_PROXY": "The proxy, where no setting names one.",
    "SSL_CERT_FILE": "Certificates to trust, where no setting names any.",
}
FILES = {
    "./config.toml": "The settings, if it is there.",
    "/etc/helpdesk-listen/config.toml": "Else these.",
    "/var/lib/helpdesk-listen/helpdesk.db": "The journal of the system service.",
    "/var/log/helpdesk-listen/": "What its file sinks write.",
}


def pages() -> dict[str, str]:
    """Returns every page by its path below a directory of manuals."""
    return {
        f"man1/{NAME}.1": "\n".join(_program()) + "\n",
        f"man5/{NAME}.toml.5": "\n".join(_settings("en", "the settings of helpdesk-listen")) + "\n",
        f"zh_CN/man5/{NAME}.toml.5": "\n".join(_settings("zh", "helpdesk-listen 的配置文件")) + "\n",
    }


def _program() -> Iterator[str]:
    root: Any = typer.main.get_command(app)
    yield _head(NAME, 1, root.help.partition("\n")[0])
    yield from (".SH SYNOPSIS", rf"\fB{_safe(NAME)}\fP [\fB\-c\fP \fICONFIG\fP] \fICOMMAND\fP [\fIOPTIONS\fP]")
    yield from (".SH DESCRIPTION", *_prose(root.help), ".SH OPTIONS", *_options(root, NAME), ".SH COMMANDS")
    for name, command in _leaves(root, NAME):
        yield from _command(name, command)
    variables = {one.variable: f"Goes before {one.key}." for one in settings() if one.variable}
    yield from _listed("EXIT STATUS", {str(code): about for code, about in EXIT_STATUS.items()})
    yield from _listed("ENVIRONMENT", variables | ENVIRONMENT)
    yield from _listed("FILES", FILES)
    yield from (".SH EXAMPLES", *_prose(root.epilog.replace("Examples / 示例:\n", "")))
    yield from (".SH SEE ALSO", rf"\fB{_safe(NAME)}.toml\fP(5), \fBsystemctl\fP(1), \fBjq\fP(1)")


def _settings(language: str, about: str) -> Iterator[str]:
    yield _head(f"{NAME}.toml", 5, about)
    for one in settings():
        told = _safe(getattr(one.description, language))
        if one.is_table:
            yield from (f".SH {_safe(one.key)}" if _is_top(one) else f".SS {_safe(one.key)}", told)
        else:
            kind = _safe(getattr(one.kind, language))
            default = f" = {_safe(one.default)}" if one.default else ""
            yield from (".TP", rf"\fB{_safe(one.key)}\fP{default}", told, ".br", rf"\fI{kind}\fP")


def _is_top(table: Setting) -> bool:
    return "." not in table.key or (table.key.startswith("sinks.") and table.key.count(".") == 1)


def _head(name: str, section: int, about: str) -> str:
    title = f'.TH "{_safe(name.upper())}" {section} "" "{NAME} {__version__}"'
    return f"{title}\n.ad l\n.SH NAME\n{_safe(name)} \\- {_safe(about)}"


def _leaves(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yields the commands that do something, not the groups, with their whole names."""
    for word, command in group.commands.items():
        whole = f"{name} {word}"
        if getattr(command, "invoke_without_command", False) or not hasattr(command, "commands"):
            yield whole, command
        if hasattr(command, "commands"):
            yield from _leaves(command, whole)


def _command(name: str, command: Any) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(_context(command, name)))
    yield rf".SS {_safe(name)} {_safe(usage)}"
    yield from _prose(command.help or "")
    yield from _options(command, name)
    yield from _prose(command.epilog or "")


def _options(command: Any, name: str) -> Iterator[str]:
    context = _context(command, name)
    for one in command.get_params(context):
        if one.name != "help" and (record := one.get_help_record(context)):
            yield from (".TP", rf"\fB{_safe(record[0])}\fP", _safe(record[1]))


def _context(command: Any, name: str) -> typer.Context:
    return typer.Context(command, info_name=name)


def _listed(title: str, entries: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, about in entries.items():
        yield from (".TP", rf"\fB{_safe(name)}\fP", _safe(about))


def _prose(text: str) -> Iterator[str]:
    r"""Returns the text as paragraphs; one that begins with \b keeps its lines, as in --help."""
    for paragraph in filter(None, (part.strip("\n") for part in text.split("\n\n"))):
        lines = paragraph.split("\n")
        if "\b" in lines[0]:
            yield from (".PP", ".nf", *(_safe(line) for line in lines[1:]), ".fi")
        else:
            yield from (".PP", *(_safe(line.strip()) for line in lines))


def _safe(text: str) -> str:
    """Returns text that groff takes for text: no macro, no escape, and hyphens that stay hyphens when copied."""
    text = " ".join(text.split("\n")).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def write(directory: Path) -> None:
    """Writes every page below the directory."""
    for name, text in pages().items():
        directory.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        directory.joinpath(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
