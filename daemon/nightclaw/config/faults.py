"""Turns what pydantic found into what the owner should read: the problem, and what would be right."""

from functools import cache
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from nightclaw.config.kinds import Part
from nightclaw.config.model import KINDS, OURS, Config
from nightclaw.config.values import Bad, nearest, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
_TYPES = {
    "string_type": ("a text", 'put it in quotes: "…"'),
    "int_type": ("a whole number", "write digits without quotes"),
    "int_from_float": ("a whole number", "write digits without quotes"),
    "float_type": ("a number", "write digits without quotes"),
    "bool_type": ("true or false", "write true or false, without quotes"),
}


@cache
def tables() -> dict[str, type[BaseModel]]:
    """Every table of the config by its dotted name; the whole config is the empty name."""
    found: dict[str, type[BaseModel]] = {}

    def walk(name: str, model: type[BaseModel]) -> None:
        found[name] = model
        for key, field in model.model_fields.items():
            inner = model_in(field.annotation)
            if inner is not None:
                walk(f"{name}.{key}".lstrip("."), inner)

    walk("", Config)
    return found


def model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((m for m in map(model_in, get_args(annotation)) if m is not None), None)


def keys_of(table: str) -> list[str]:
    return [k for k in tables()[table].model_fields if table or k not in OURS]


def misplaced(key: str, known: list[str], table: str) -> Bad:
    """The answer to a key that does not exist: the nearest right key, or the table it belongs to."""
    near = nearest(key, known, 0.6)
    if near:
        return Bad("unknown key", f'did you mean "{near}"?')
    homes = [name for name in tables() if name and name != table and key in keys_of(name)]
    homes.sort(key=lambda name: header(name).startswith("[["))
    if homes:
        return Bad("unknown key here", f"it belongs in {' or '.join(header(h) for h in homes[:3])}")
    elsewhere = {k: name for name in tables() for k in keys_of(name)}
    if near := nearest(key, elsewhere, 0.7):
        home = elsewhere[near]
        return Bad("unknown key", f'did you mean "{near}"{f" in {header(home)}" if home else " at the top"}?')
    return Bad(
        "unknown key", f"the keys {f'of {header(table)}' if table else 'at the top'} are {', '.join(known)}"
    )


def header(table: str) -> str:
    parent, _, last = table.rpartition(".")
    field = tables()[parent].model_fields[last]
    text = str(field.annotation)
    if text.startswith("list["):
        return f"[[{table}]]"
    return f"[{table}.NAME]" if text.startswith("dict[") else f"[{table}]"


def fault_of(error: "ErrorDetails", raw: dict[str, object]) -> tuple[Path, Bad]:
    """The path of one error and what to say about it."""
    path, kind, given = error["loc"], error["type"], error.get("input")
    ctx = error.get("ctx", {})
    inner = ctx.get("error")
    if isinstance(inner, Bad):
        return path, inner
    if path and path[-1] == "[key]":
        return path[:-1], _choice("unknown key", str(path[-2]), str(ctx.get("expected", "")))
    table = _table_of(path[:-1], raw)
    if kind == "extra_forbidden":
        return path, misplaced(str(path[-1]), keys_of(table), table)
    if kind == "missing":
        if path[-1] == "kind":
            return path[:-1], Bad("does not say its kind", f"add kind = one of {', '.join(KINDS)}")
        return path[:-1], Bad(f'needs "{path[-1]}"', f"add {path[-1]} = … to it")
    if kind == "literal_error":
        return path, _choice(f"{shown(given)} is not possible", str(given), str(ctx.get("expected", "")))
    if kind in ("model_type", "dict_type", "list_type", "model_attributes_type"):
        return path, _shape(path, kind, given, table)
    if kind in _TYPES:
        wanted, remedy = _TYPES[kind]
        return path, Bad(f"{shown(given)} is not {wanted}", remedy)
    bound = next((ctx[k] for k in ("ge", "gt", "le", "lt") if k in ctx), None)
    if bound is not None:
        least = kind.startswith("greater")
        written = _written(raw, path)
        unit = "s" if isinstance(written, str) else ""
        problem = f"{shown(written)} is too {'small' if least else 'big'}"
        return path, Bad(problem, f"write {'at least' if least else 'at most'} {bound:g}{unit}")
    return path, Bad(f"{shown(given)}: {error['msg']}", "see docs/configuration.md")


def _choice(problem: str, given: str, expected: str) -> Bad:
    known = [word.strip("' ") for word in expected.replace(" or ", ",").split(",") if word.strip("' ")]
    near = nearest(given, known)
    return Bad(problem, f'did you mean "{near}"?' if near else f"it is one of {', '.join(known)}")


def _written(raw: object, path: Path) -> object:
    """What stands in the file at `path`."""
    for part in path:
        if isinstance(raw, dict):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int):
            raw = raw[part]
    return raw


def _table_of(path: Path, raw: dict[str, object]) -> str:
    """The dotted name of the table at `path`: entry numbers and the free names of dict tables fall out."""
    name = ""
    for part in path:
        if isinstance(part, str) and f"{name}.{part}".lstrip(".") in tables():
            name = f"{name}.{part}".lstrip(".")
    return name


def _shape(path: Path, kind: str, given: object, table: str) -> Bad:
    name = ".".join(str(p) for p in path if isinstance(p, str))
    is_table = name in tables()
    if kind == "list_type":
        if is_table:
            return Bad("is one table, but there can be several", f"write [[{name}]]")
        return Bad(f"{shown(given)} is not a list", 'write it in brackets: ["…"]')
    if isinstance(given, list) and is_table:
        return Bad("is a list, but there is only one", f"write [{name}]")
    return Bad(
        f"{shown(given)} is not a table",
        f"write {header(name) if is_table else f'[{name}]'} and its keys below",
    )
