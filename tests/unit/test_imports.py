"""The architecture, held by a test: imports point down, and each foreign thing has one importer."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import listener

ROOT = Path(listener.__file__).parent

# From the bottom up; a module imports only from layers below its own, or from its own package.
LAYERS = (
    ("base", "settings.values"),
    ("event", "settings"),
    ("sinks",),
    ("settings.config", "settings.reference", "settings.config_schema", "settings.page", "journal"),
    ("feishu",),
    ("backfill", "enrich"),
    ("delivery", "sources"),
    ("observe",),
    ("app", "sinks.conformance"),
    ("doctor", "install"),
    ("cli",),
    ("__main__",),
)
ONE_IMPORTER = {
    "lark_oapi": {"feishu"},
    "structlog": {"base"},
    "sqlite3": {"journal"},
    "typer": {"cli"},
    "websockets": {"feishu"},
    "requests": {"feishu"},
    "aiohttp": {"base", "sources", "sinks", "observe"},
    "asyncpg": {"sinks"},
    "nats": {"sinks"},
    "redis": {"sinks"},
    "confluent_kafka": {"sinks"},
    "prometheus_client": {"observe"},
    "tenacity": {"sources", "delivery"},
}


def _modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith("simulator"):
            yield name, path


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_walk_imports(path))


def _walk_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer(module: str) -> int:
    """The highest layer that names the module or a package of it."""
    found = [i for i, layer in enumerate(LAYERS) for name in layer if module == name or module.startswith(name + ".")]
    return max(found, default=-1)


MODULES = dict(_modules())


def test_every_module_has_its_layer() -> None:
    homeless = [name for name in MODULES if name not in ("", "__init__") and _layer(name) < 0]
    assert [] == homeless


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("", "__init__")])
def test_imports_point_down(module: str) -> None:
    package = module.partition(".")[0]
    for imported in _imports(MODULES[module]):
        if not imported.startswith("listener."):
            continue
        name = imported.removeprefix("listener.")
        if name.split(".")[0] == package or _layer(name) < 0:
            continue
        assert _layer(name) < _layer(module), f"{module} imports {name}, which is not below it"


def test_the_stand_in_knows_nothing_of_the_listener() -> None:
    for path in (ROOT / "simulator").glob("*.py"):
        foreign = {i for i in _imports(path) if i.startswith("listener") and not i.startswith("listener.simulator")}
        assert set() == foreign, path.name


@pytest.mark.parametrize("library", ONE_IMPORTER)
def test_one_module_per_foreign_thing(library: str) -> None:
    importers = {
        name.split(".")[0]
        for name, path in MODULES.items()
        if any(i == library or i.startswith(library + ".") for i in _imports(path))
    }
    assert importers <= ONE_IMPORTER[library]


def _file_of(name: str) -> str | None:
    path = ROOT.parent / name.replace(".", "/")
    return name if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file() else None


def _graph() -> dict[str, set[str]]:
    """Each module and those that it imports; `from package import module` leads to the module, not its package."""
    graph: dict[str, set[str]] = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = edges = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                edges |= {alias.name for alias in node.names if _file_of(alias.name)}
            elif isinstance(node, ast.ImportFrom) and node.module:
                edges |= {_file_of(f"{node.module}.{alias.name}") or node.module for alias in node.names}
        edges &= {edge for edge in edges if edge.startswith("listener") and edge != name}
    return graph


def test_no_circle_among_files_the_simulator_included() -> None:
    graph = _graph()
    while leaves := {name for name, edges in graph.items() if not edges & graph.keys()}:
        graph = {name: edges for name, edges in graph.items() if name not in leaves}
    assert [] == sorted(graph)


def test_the_top_of_the_package_holds_little_beside_the_folders() -> None:
    usual = {"__init__.py", "__main__.py", "py.typed", "config.example.toml", "README.md", "__pycache__"}
    assert 8 >= len({path.name for path in ROOT.iterdir() if not path.is_dir()} - usual)


def test_functions_are_short() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)]
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in nodes)
    median, ninetieth, longest = (lengths[int((len(lengths) - 1) * part)] for part in (0.5, 0.9, 1))
    assert 6 <= median <= 9
    assert (True, True) == (ninetieth <= 15, longest <= 40)


def test_no_file_is_longer_than_300_lines() -> None:
    everything = [*ROOT.rglob("*.py"), *Path(__file__).parents[1].rglob("*.py")]
    long = {path.name: n for path in everything if (n := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    assert {} == long
