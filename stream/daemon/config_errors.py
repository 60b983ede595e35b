"""What msgspec says of a configuration, in the words of those who write one."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

import msgspec

from whoplays.stream.pipeline.options import NAME

Sections = Mapping[str, type[msgspec.Struct]]
"""By name, what can be in each; the file itself has the name ""."""

NO_STREAM: Final = "there is no [[stream]]; give one or more"
_WHERE: Final = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)
_STREAM: Final = re.compile(r"stream\[(?P<index>\d+)\]\.?")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_CHOICE: Final = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_KIND: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_KINDS: Final = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list in [ ]",
    "object": "a table in { }",
}


def explained(error: msgspec.ValidationError, document: Mapping[str, Any], sections: Sections) -> str:
    """What is wrong, and what to write instead, in one line that begins with the key.

    Args:
        error: what was raised.
        document: the configuration, as it was read.
        sections: what it can hold.
    """
    found = _WHERE.fullmatch(str(error))
    what, where = (found["what"], found["where"] or "") if found else (str(error), "")
    place, section, key = _taken_apart(where, document)
    text = _reworded(what, section, key, sections)
    return " ".join(": ".join(filter(None, (place, text))).split())


def stream_place(name: object, number: int) -> str:
    """A stream by its name; by its number, from 1, if that is none."""
    return f"stream {name if isinstance(name, str) and NAME.fullmatch(name) else number}"


def _taken_apart(where: str, document: Mapping[str, Any]) -> tuple[str, str, str]:
    """How a place is told, and the section and the key that it is in; either can be empty."""
    stream = _STREAM.match(where)
    if stream is None:
        section, _, key = where.partition(".")
        return where, section, key
    given = document["stream"][int(stream["index"])]
    name = given.get("name") if isinstance(given, dict) else None
    key = where[stream.end() :].partition("[")[0]
    place = stream_place(name, int(stream["index"]) + 1)
    return (f"{place}: {key}" if key else place), "stream", key


def _reworded(what: str, section: str, key: str, sections: Sections) -> str:
    if found := _MISSING.fullmatch(what):
        return f"{found[1]} is missing; give it below {_heading(section)}" if section else NO_STREAM
    if found := _UNKNOWN.fullmatch(what):
        return f"{found[1]} is no key {_of(section)}; {_hint(found[1], section, sections)}"
    if found := _CHOICE.fullmatch(what):
        return f"{found[1]} makes no sense; give {_choices(sections[section], key)}"
    if found := _KIND.fullmatch(what):
        if section in sections and not key:
            return f"write {_heading(section)} on a line of its own, and what belongs to it below"
        return f"expected {_kinds(found[1])}, not {_kinds(found[2])}"
    return what


def _heading(section: str) -> str:
    return "[[stream]]" if section == "stream" else f"[{section}]"


def _of(section: str) -> str:
    return f"of {_heading(section)}" if section else "that stands before all sections"


def _hint(key: str, section: str, sections: Sections) -> str:
    known = _keys(sections[section])
    meant = get_close_matches(key, known, n=1)
    if meant:
        return f"did you mean {meant[0]}?"
    elsewhere = [_heading(name) for name, kind in sections.items() if name and key in _keys(kind)]
    return f"it belongs below {' or '.join(elsewhere)}" if elsewhere else f"known are: {', '.join(known)}"


def _keys(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind)]


def _choices(kind: type[msgspec.Struct], key: str) -> str:
    (wanted,) = (field.type for field in msgspec.structs.fields(kind) if field.name == key)
    return ", ".join(map(str, get_args(wanted)))


def _kinds(names: str) -> str:
    return " or ".join(_KINDS.get(name, f"a {name}") for name in names.split(" | ") if name != "null")
