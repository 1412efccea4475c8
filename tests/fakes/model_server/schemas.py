"""Whether tools are what a model service takes: names, descriptions, and JSON Schemas that say what they mean."""

import re
from collections.abc import Iterator

from tests.fakes.model_server.turns import Body

_TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_COUNTS = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
_MANY = {"anyOf", "oneOf", "allOf", "prefixItems"}
_ONE = {"items", "additionalProperties", "not", "propertyNames", "contains"}
_NAMED = {"properties", "$defs", "definitions", "patternProperties"}
_TEXTS = {"title", "description", "format", "pattern", "$schema", "$ref", "$id", "$comment"}
_FREE = {"default", "examples", "const", "uniqueItems", "deprecated", "readOnly"}


def faults_of_tools(tools: list[Body]) -> Iterator[str]:
    names = [tool.get("name") for tool in tools]
    for n, tool in enumerate(tools):
        name = tool.get("name")
        if tool.get("type") not in (None, "custom"):
            continue  # run by the service itself; it has no schema
        if not isinstance(name, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
            yield f"tools.{n}.name: {name!r} does not match ^[a-zA-Z0-9_-]{{1,64}}$"
        elif names.index(name) < n:
            yield f"tools: Tool names must be unique: {name}"
        if not isinstance(tool.get("description"), str) or not tool["description"].strip():
            yield f"tools.{n} ({name}): nothing says what it does"
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            yield f"tools.{n}.input_schema ({name}): not the schema of an object"
        else:
            yield from _faults(schema, f"tools.{n}.input_schema")


def _faults(schema: object, place: str) -> Iterator[str]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield f"{place}: a schema is an object"
        return
    kinds = schema.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _TYPES:
            yield f"{place}.type: {kind!r} is no type"
    for key, value in schema.items():
        yield from _fault_of(key, value, f"{place}.{key}")
    yield from _fault_of_required(schema, place)


def _fault_of(key: str, value: object, place: str) -> Iterator[str]:
    if key in _NAMED:
        if not isinstance(value, dict):
            yield f"{place}: not an object"
            return
        for name, one in value.items():
            yield from _faults(one, f"{place}.{name}")
    elif key in _MANY:
        if not isinstance(value, list) or not value:
            yield f"{place}: not a list of schemas"
            return
        for n, one in enumerate(value):
            yield from _faults(one, f"{place}.{n}")
    elif key in _ONE:
        yield from _faults(value, place)
    elif key == "enum" and (not isinstance(value, list) or not value):
        yield f"{place}: an enum lists at least one value"
    elif key in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
        yield f"{place}: not a number"
    elif key in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        yield f"{place}: not a count"
    elif key in _TEXTS and not isinstance(value, str):
        yield f"{place}: not a text"
    elif key == "pattern" and isinstance(value, str):
        try:
            re.compile(value)
        except re.error as e:
            yield f"{place}: {e}"
    elif key not in {"type", "enum", "required"} | _NUMBERS | _COUNTS | _TEXTS | _FREE:
        yield f"{place}: no such keyword"


def _fault_of_required(schema: Body, place: str) -> Iterator[str]:
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield f"{place}.required: not a list of names"
        return
    known = schema.get("properties", {})
    if isinstance(known, dict):
        for name in required:
            if name not in known and schema.get("additionalProperties", True) is False:
                yield f"{place}.required: {name!r} is no property"
            elif name not in known and "properties" in schema:
                yield f"{place}.required: {name!r} is not described"
