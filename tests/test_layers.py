"""The plan of the house as data: who may import whom, who may touch which library, and how big a room may be.

Imports are read from the syntax tree, also those inside functions, under TYPE_CHECKING, and
`import_module("literal")`, so a rule cannot be slipped past by importing late.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DAEMON = ROOT / "daemon" / "nightclaw"
CLIENT = ROOT / "client" / "clawctl"

ALL = frozenset({"*"})
DOOR = frozenset({"core", "protocol", "store", "policy"})
HALF = frozenset({"core", "store", "policy"})
LEAF = frozenset({"core"})

# Room of the daemon (file or package directly under nightclaw/) -> rooms it may import besides itself.
MAY_IMPORT: dict[str, frozenset[str]] = {
    "app": ALL,
    "__main__": ALL,
    "listening": ALL,  # the sources, composed
    "panel": ALL,  # the control API's view of the daemon
    "agent": ALL,  # models, wall, git and tools, composed
    "house": frozenset({"core", "config", "problems", "store"}),
    "answering": DOOR | {"api"},  # the owner's word on what was asked
    "desk": ALL,  # the owner's requests, composed
    "degraded": ALL,
    "housekeeping": DOOR | {"config"},
    "glance": DOOR | {"problems", "providers"},  # what the offline provider tells from
    "stance": frozenset({"config", "initiative"}),
    "boot": ALL,
    "api": DOOR,
    "server": DOOR | {"ingress"},
    "ingress": DOOR,
    "doors": frozenset({"core", "config", "sources", "ingress"}),  # composes the ingress from the config
    "supervise": DOOR | {"sdnotify"},
    "sdnotify": LEAF,
    "diary": DOOR,
    "outbox": DOOR,
    "memory": DOOR,
    "redaction": DOOR | {"admin", "configfile"},  # our own backups are opened as `restore` opens them
    "remembering": ALL,  # memory, its files, recall and dreams, composed
    "dream": DOOR,
    "mcp": DOOR,
    "initiative": HALF,
    "execution": HALF,
    "sources": LEAF,
    "tools": LEAF,
    "providers": LEAF,
    "notifiers": LEAF,
    "sandbox": LEAF,
    "vcs": LEAF,
    "service": LEAF,
    "extend": LEAF,
    "clock": LEAF,
    "problems": LEAF,
    "config": frozenset({"core", "policy"}),
    "configfile": frozenset({"core", "config"}),
    "admin": frozenset({"core", "policy", "config", "configfile", "service", "clock", "diary"}),
    "store": frozenset({"core", "protocol"}),
    "policy": frozenset({"core"}),
    "core": frozenset(),
    "protocol": frozenset(),
    "migrations": frozenset(),  # a migration outlives the code it was written with
}

# Third-party name -> the rooms, or single modules, that may import it. Names not listed are free.
FENCES: dict[str, frozenset[str]] = {
    "sqlalchemy": frozenset({"store", "migrations"}),
    "aiosqlite": frozenset({"store"}),
    "alembic": frozenset({"store", "migrations", "boot"}),
    "fastapi": frozenset({"api", "ingress", "server", "app"}),
    "starlette": frozenset({"api", "ingress", "server", "app"}),
    "uvicorn": frozenset({"api", "ingress", "server", "app"}),
    "anthropic": frozenset({"providers"}),
    "openai": frozenset({"providers"}),
    "apscheduler": frozenset({"sources"}),
    "apprise": frozenset({"notifiers"}),
    "watchfiles": frozenset({"sources.files"}),
    "mcp": frozenset({"mcp"}),
    "tree_sitter": frozenset({"policy"}),
    "tree_sitter_bash": frozenset({"policy"}),
    "rich": frozenset(),
    "prompt_toolkit": frozenset(),
    "clawctl": frozenset(),
}

STANDARD_LIBRARY_ONLY = ("core", "protocol")
HEAVY = (
    "anthropic",
    "openai",
    "mcp",
    "apprise",
    "alembic",
    "httpx2",
    "tree_sitter",
    "tree_sitter_bash",
)  # imported on first use, never at start
CLIENT_LIBRARIES = ("rich", "prompt_toolkit")  # chat only, and only once a chat opens

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60


@dataclass(frozen=True, slots=True)
class Import:
    module: str  # dotted and absolute
    line: int
    at_start: bool  # runs when the module is loaded


@dataclass(frozen=True, slots=True)
class Source:
    path: Path
    name: str  # dotted, without the top package: "store.db"
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


def _nodes(node: ast.AST, at_start: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        inner = at_start and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inner = False
        yield child, inner
        yield from _nodes(child, inner)


def _imports(tree: ast.Module, package: tuple[str, ...]) -> Iterator[Import]:
    for node, at_start in _nodes(tree, True):
        match node:
            case ast.Import(names=names):
                yield from (Import(alias.name, node.lineno, at_start) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = [*package[: len(package) - level + 1]] if level else []
                target = ".".join([*base, *([module] if module else [])])
                # `from nightclaw import store` names a room, `from x import y` may name a module
                yield from (Import(f"{target}.{alias.name}", node.lineno, at_start) for alias in names)
            case ast.Call(func=func, args=args) if "import_module" in ast.unparse(node):
                words = [arg.value for arg in args if isinstance(arg, ast.Constant)]
                called = [ast.unparse(callee) for callee in (func, *args)]
                if any(callee.split(".")[-1] == "import_module" for callee in called):
                    yield from (Import(w, node.lineno, at_start) for w in words if isinstance(w, str))
            case _:
                pass


def _python_files(top: Path) -> list[Path]:
    return (
        sorted(path for path in top.rglob("*.py") if "__pycache__" not in path.parts) if top.is_dir() else []
    )


def _read(path: Path, top: Path) -> Source:
    parts = path.relative_to(top).with_suffix("").parts
    package = (top.name, *parts[:-1])
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
    return Source(path, name, tree, tuple(_imports(tree, package)))


@cache
def daemon() -> tuple[Source, ...]:
    inside = [path for path in _python_files(DAEMON) if "migrations" not in path.relative_to(DAEMON).parts]
    migrations = [_read(path, ROOT) for path in _python_files(ROOT / "migrations")]
    return tuple(_read(path, DAEMON) for path in inside if path != DAEMON / "__init__.py") + tuple(migrations)


@cache
def client() -> tuple[Source, ...]:
    return tuple(_read(path, CLIENT) for path in _python_files(CLIENT))


def _within(name: str, rooms: frozenset[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


def layer_faults(source: Source) -> Iterator[str]:
    allowed = MAY_IMPORT.get(source.room)
    if allowed is None:
        yield f"{source.at(1)}: {source.room!r} has no place in the plan: add it to MAY_IMPORT"
        return
    for found in source.imports:
        top, _, rest = found.module.partition(".")
        room = rest.partition(".")[0]
        if top == "nightclaw" and room != source.room and "*" not in allowed and room not in allowed:
            yield f"{source.at(found.line)}: {source.room} may not import nightclaw.{room}"


def fence_faults(source: Source) -> Iterator[str]:
    for found in source.imports:
        top = found.module.partition(".")[0]
        if source.room in STANDARD_LIBRARY_ONLY and top != "nightclaw" and top not in sys.stdlib_module_names:
            yield f"{source.at(found.line)}: {source.room} is standard library only, not {top}"
        elif top in FENCES and not _within(source.name, FENCES[top]):
            home = ", ".join(sorted(FENCES[top])) or "the client"
            yield f"{source.at(found.line)}: {top} belongs to {home} only"
        elif top in HEAVY and found.at_start and source.room != "migrations":
            yield f"{source.at(found.line)}: {top} is heavy: import it on first use, in a thread"


def client_faults(source: Source) -> Iterator[str]:
    for found in source.imports:
        top = found.module.partition(".")[0]
        if (
            top == "clawctl"
            or top in sys.stdlib_module_names
            or found.module.startswith("nightclaw.protocol")
        ):
            continue
        if top not in CLIENT_LIBRARIES:
            yield f"{source.at(found.line)}: standard library and nightclaw.protocol only, not {top}"
        elif found.at_start and source.room != "chat":
            yield f"{source.at(found.line)}: import {top} when it is needed, the fast path pays for it"


def size_faults(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT).as_posix()
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{name}: {lines} lines, over {MAX_FILE_LINES}: it asks for a better cut"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {size} lines, over {MAX_FUNCTION_LINES}"


def _report(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


def test_every_room_imports_only_what_the_plan_allows() -> None:
    _report([fault for source in daemon() for fault in layer_faults(source)])


def test_libraries_stay_behind_their_fences() -> None:
    _report([fault for source in daemon() for fault in fence_faults(source)])


def test_the_client_stays_thin() -> None:
    _report([fault for source in client() for fault in client_faults(source)])


def test_top_packages_are_empty() -> None:
    assert (DAEMON / "__init__.py").read_text() == ""
    assert (CLIENT / "__init__.py").read_text() == ""


def test_files_and_functions_stay_readable() -> None:
    tops = (DAEMON, CLIENT, ROOT / "tests", ROOT / "bench")
    paths = [
        path for top in tops for path in _python_files(top) if "migrations" not in path.relative_to(top).parts
    ]
    assert Path(__file__) in paths
    _report([fault for path in paths for fault in size_faults(path)])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("store/x.py", "from nightclaw.initiative import loop"),
        ("store/x.py", "from nightclaw import initiative"),
        ("execution/x.py", "from ..initiative.loop import run"),
        ("execution/x.py", "def f():\n    import nightclaw.tools.bash"),
        ("tools/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..store import db"),
        ("core/x.py", "import pydantic"),
        ("api/x.py", "import sqlalchemy.exc"),
        ("sources/ticks.py", "import watchfiles"),
        ("providers/x.py", "import anthropic"),
        ("tools/x.py", "import importlib\nimportlib.import_module('anthropic')"),
        (
            "tools/x.py",
            "async def f(to_thread, import_module):\n    await to_thread(import_module, 'apprise')",
        ),
        ("attic/x.py", "import os"),
    ],
)
def test_a_breach_is_seen(name: str, code: str) -> None:
    path = DAEMON / name
    parts = path.relative_to(DAEMON).with_suffix("").parts
    tree = ast.parse(code)
    source = Source(path, ".".join(parts), tree, tuple(_imports(tree, ("nightclaw", *parts[:-1]))))
    assert [*layer_faults(source), *fence_faults(source)]
