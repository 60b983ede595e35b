"""JSON Schemas of structs, with the docstring below each field as its description."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec


def json_schema(kind: Any, title: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a struct, or of a union of structs."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **msgspec.json.schema(kind)}
    for struct in set(_structs(kind)):
        properties, docs = made["$defs"][struct.__name__]["properties"], field_docs(struct)
        for field in msgspec.structs.fields(struct):
            if field.name in docs:
                properties[field.encode_name]["description"] = docs[field.name]
    # As JSON has it: a default that is a tuple is an array.
    return dict(msgspec.json.decode(msgspec.json.encode(made)))


def write_schema(path: Path, schema: dict[str, Any]) -> None:
    """Write a schema as people read it."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n")


def field_docs(struct: type) -> dict[str, str]:
    """By field, the docstring below it, on one line."""
    docs = {}
    for base in reversed(struct.__mro__[: struct.__mro__.index(msgspec.Struct)]):
        source = ast.parse(textwrap.dedent(inspect.getsource(base)))
        for field, doc in itertools.pairwise(ast.iter_child_nodes(source.body[0])):
            match field, doc:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    docs[name] = " ".join(text.split())
    return docs


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Every struct that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from _structs(field.type)
    for argument in get_args(kind):
        yield from _structs(argument)
