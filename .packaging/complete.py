"""Says whether a directory holds all that helpdesk-listen requires, at versions that pyproject.toml takes.

    python3 .packaging/complete.py DIRECTORY

Exit code 1, with a line for each distribution that is missing or too old: the lock is to be made anew.
"""

import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement  # pip is there wherever a package is built
from pip._vendor.packaging.utils import canonicalize_name


def missing(directory: str) -> list[str]:
    """A line for each requirement that is not met, extras but `test` included."""
    found: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions(path=[directory])}
    wanted = [(name, Requirement(text)) for name, one in found.items() for text in one.requires or []]
    return [f"{name} needs {each}" for name, each in wanted if applies(name, each) and not met(each, found)]


def applies(name: str, wanted: Requirement) -> bool:
    """Whether it is asked for here: always, or by an extra of our own that the packages carry."""
    if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
        return True
    own = name == "helpdesk-listen"
    return own and "extra" in str(wanted.marker) and "test" not in str(wanted.marker)


def met(wanted: Requirement, found: dict[str, Distribution]) -> bool:
    """Whether a distribution of that name is here, at a version that is taken."""
    one = found.get(canonicalize_name(wanted.name))
    return one is not None and wanted.specifier.contains(one.version, prereleases=True)


def wanted(pyproject: Path, extras: Iterable[str]) -> dict[str, Requirement]:
    """What the project itself asks for, these extras included, by name."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    return {canonicalize_name(one.name): one for one in map(Requirement, lines)}


if __name__ == "__main__":
    lines = missing(sys.argv[1])
    print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)
    sys.exit(bool(lines))
