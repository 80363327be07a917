"""One name, one thing: no two classes of the package have one name, and no two modules have one file name."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import listener

ROOT = Path(listener.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

FILES_THAT_MAY = {
    "__init__.py": "each package has one",
    "__main__.py": "what `python -m` runs has this name",
}


def repeated(pairs: Iterable[tuple[str, Path]], allowed: Iterable[str] = ()) -> dict[str, list[str]]:
    """The names that stand in more than one place, with these places."""
    places = defaultdict(list)
    for name, path in pairs:
        places[name].append(str(path.relative_to(ROOT)))
    return {name: where for name, where in places.items() if len(where) > 1 and name not in allowed}


def test_no_two_classes_have_the_same_name() -> None:
    trees = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in FILES]
    classes = [(node.name, path) for path, tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert len(classes) > 300, "it looks at the whole package"
    assert {} == repeated(classes)


def test_no_two_modules_have_the_same_file_name() -> None:
    assert {} == repeated([(path.name, path) for path in FILES], FILES_THAT_MAY)
