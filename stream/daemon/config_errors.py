"""What is wrong with a configuration: every mistake at once, each with its key and what was expected."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import msgspec

from whoplays.models.errors import OptionError, WhoplaysError, naming
from whoplays.stream.common.constraints import require, shown


class ConfigErrors:
    """Collects the mistakes of a file."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._mistakes: Final[list[str]] = []

    @property
    def any(self) -> bool:
        """Whether there is a mistake."""
        return bool(self._mistakes)

    def check(self) -> None:
        """Refuse the file if there is a mistake.

        Raises:
            OptionError: with a line for each of them.
        """
        if self._mistakes:
            raise OptionError("\n".join(self._mistakes))

    @contextmanager
    def collect(self, *places: str) -> Iterator[None]:
        """Collect the error that ends the block, with where it is."""
        try:
            with naming(str(self._path), *places):
                yield
        except WhoplaysError as error:
            self._mistakes.append(" ".join(str(error).split()))


class SectionReader:
    """Makes structs of sections, whatever mistakes are in them.

    Args:
        sections: by heading, such as `[history]`, the struct with the keys of a section.
        errors: where mistakes are collected.
    """

    def __init__(self, sections: Mapping[str, type[msgspec.Struct]], errors: ConfigErrors) -> None:
        self._sections: Final = sections
        self._collect: Final = errors.collect

    def read(self, table: object, heading: str, prefix: str) -> Any:
        """The struct of a section, in which a key that is missing or wrong has its default, or None.

        Args:
            table: what the file has in that section.
            heading: whose struct it is.
            prefix: what stands before a key in a message, such as `history.`.
        """
        fields = {field.name: field for field in msgspec.structs.fields(self._sections[heading])}
        values: dict[str, Any] = {key: None for key, field in fields.items() if field.required}
        with self._collect():
            if not isinstance(table, dict):
                raise OptionError(f"{prefix.rstrip(': .')} must be a section {heading}, got {shown(table)}")
            for key, value in table.items():
                with self._collect():
                    if key not in fields:
                        raise OptionError(f"{prefix}{key} not found in {heading}; {self._hint(key, heading)}")
                    values[key] = self._value(f"{prefix}{key}", value, fields[key].type)
            for key in [key for key in values if key not in table]:
                with self._collect():
                    raise OptionError(f"{prefix}{key} is missing; add it to {heading}")
        return self._sections[heading](**values)

    def _value(self, place: str, value: object, kind: Any) -> object:
        if not (get_origin(kind) is dict and isinstance(value, dict)):
            require(place, value, kind)
            return msgspec.convert(value, kind)
        values = {}
        for key, each in value.items():
            with self._collect():
                values[key] = self._value(f"{place}.{key}", each, get_args(kind)[1])
        return values

    def _hint(self, key: str, heading: str) -> str:
        known = {name: kind.__struct_fields__ for name, kind in self._sections.items()}
        meant = get_close_matches(key, known[heading], n=1)
        if meant:
            return f"did you mean {meant[0]}?"
        others = [name for name, keys in known.items() if key in keys]
        return f"it belongs in {' or '.join(others)}" if others else f"it has: {', '.join(known[heading])}"
