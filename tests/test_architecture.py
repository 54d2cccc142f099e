"""The walls of the project, read off its source: who may import whom, what the core may not know, what is too long."""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for folder in ("schemas", "streams") for path in (ROOT / folder).rglob("*.py"))

#: Modules of the standard library that let the world in: clocks, chance, files, networks, threads, logs.
WORLDLY = {
    "asyncio",
    "concurrent",
    "ctypes",
    "fileinput",
    "glob",
    "http",
    "importlib",
    "io",
    "locale",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "queue",
    "random",
    "sched",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "warnings",
    "zoneinfo",
}
PURE = (set(sys.stdlib_module_names) - WORLDLY) | {"pydantic", "pydantic_core", "schemas", "streams"}

#: Calls that give another answer tomorrow, here and there.
UNREPEATABLE = {"now", "utcnow", "today", "uuid1", "uuid4", "getenv", "urandom", "input", "open", "print", "hash", "id"}

#: A module that outgrows a few screens has two subjects. The rules with their lint are the longest, with a reason.
LONGEST_MODULE = 450
#: A function longer than a screen hides its steps.
LONGEST_FUNCTION = 45


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    return imports_in(path, ast.walk(tree(path)))


def imports_that_run(path: Path) -> Iterator[str]:
    """The same without those that only a type checker reads."""
    nodes = list(ast.walk(tree(path)))
    unread = {
        node
        for block in nodes
        if isinstance(block, ast.If) and name_of(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    return imports_in(path, (node for node in nodes if node not in unread))


def imports_in(path: Path, nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module(path)} imports relatively"
            yield from (imported(node.module or "", alias.name) for alias in node.names)


def imported(package: str, name: str) -> str:
    """What ``from package import name`` imports: a module, or something in one."""
    inner = f"{package}.{name}"
    return inner if inner in MODULES else package


MODULES = {module(path): path for path in SOURCES}
CORE = [path for path in SOURCES if module(path).startswith("streams.core")]
SCHEMAS = [path for path in SOURCES if module(path).startswith("schemas")]
#: The one module of the contracts that writes files: the generator of their JSON Schemas.
CONTRACTS = [path for path in SCHEMAS if module(path) != "schemas.published"]

each = pytest.mark.parametrize("path", SOURCES, ids=module)


def test_the_sources_are_found() -> None:
    """An empty list would make every test here pass."""
    assert {"schemas.check_result", "streams.core.decide", "streams.core.decision_table"} <= MODULES.keys()
    assert "streams.core.classify" in set(imports(MODULES["streams.core.decide"]))


@pytest.mark.parametrize("path", CORE, ids=module)
def test_the_core_imports_only_what_is_pure(path: Path) -> None:
    for name in imports(path):
        assert name.split(".")[0] in PURE, f"{module(path)} imports {name}"
        if name.startswith("streams"):
            assert name.startswith("streams.core."), f"the core knows {name}"


@pytest.mark.parametrize("path", CONTRACTS, ids=module)
def test_the_contracts_import_only_what_is_pure_and_each_other(path: Path) -> None:
    for name in imports(path):
        assert name.split(".")[0] in PURE - {"streams"}, f"{module(path)} imports {name}"


@pytest.mark.parametrize("path", SCHEMAS, ids=module)
def test_the_contracts_do_not_know_who_uses_them(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"pydantic", "schemas"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed


@pytest.mark.parametrize("path", [*CORE, *CONTRACTS], ids=module)
def test_the_core_calls_nothing_that_is_different_tomorrow(path: Path) -> None:
    called = {name_of(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
    assert called & UNREPEATABLE == set()


def name_of(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("path", [*CORE, *CONTRACTS], ids=module)
def test_the_core_keeps_nothing_between_two_calls(path: Path) -> None:
    keeping = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Global | ast.Nonlocal)]
    assert keeping == []
    assert {"lru_cache", "cache", "ContextVar"} & names_used(path) == set()


def names_used(path: Path) -> set[str]:
    return {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: {other for other in imports_that_run(path) if other in MODULES} for name, path in MODULES.items()}
    assert cycle(graph) == []


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that are left when those at either end of the imports are taken away, again and again."""
    left = set(graph)
    while ends := {name for name in left if not graph[name] & left or not any(name in graph[other] for other in left)}:
        left -= ends
    return sorted(left)


def test_a_cycle_would_be_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": {"e"}, "e": set()}) == ["b", "c"]


@each
def test_only_the_worker_knows_faust(path: Path) -> None:
    knows = {name.split(".")[0] for name in imports(path)} & {"faust", "mode"}
    assert not knows or module(path).startswith("streams.worker")


@each
def test_the_connector_is_known_to_the_command_line_alone(path: Path) -> None:
    """But for its tables of what exchanges tell about a key: they are pure, and other tables are made from them."""
    if not module(path).startswith(("streams.connector", "streams.cli")):
        knows = {name for name in imports(path) if name.startswith("streams.connector")}
        assert {name for name in knows if not name.startswith("streams.connector.key_info")} == set()


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if module(path).startswith("streams.connector.key_info")], ids=module
)
def test_reading_an_exchanges_answer_is_pure(path: Path) -> None:
    for name in imports(path):
        assert name.split(".")[0] in PURE, f"{module(path)} imports {name}"
        if name.startswith("streams"):
            assert name.startswith("streams.connector.key_info"), f"{module(path)} knows {name}"


@each
def test_ccxt_is_an_extra_that_no_module_needs_to_be_imported(path: Path) -> None:
    """It is loaded where a command needs it, which then says what to install."""
    assert "ccxt" not in {name.split(".")[0] for name in imports(path)}


@each
def test_a_module_is_named_after_what_it_does(path: Path) -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "base", "lib"}
    assert not vague & {part for name in module(path).split(".") for part in name.split("_")}


@each
def test_a_module_tells_in_its_first_line_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@each
def test_a_module_has_one_subject(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


@each
def test_a_function_fits_on_a_screen(path: Path) -> None:
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
