"""The JSON Schema of the configuration, from the code: `python -m whoplays.stream.daemon.schema` writes it again."""

from pathlib import Path
from typing import Any, Final

import msgspec

from whoplays.stream.daemon.config import Config

SCHEMA_PATH: Final = Path(__file__).with_name("config.schema.json")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a daemon's configuration."""
    made: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "whoplays serve, configuration",
        **msgspec.json.schema(Config),
    }
    # As JSON has it: a default that is a tuple is an array.
    return dict(msgspec.json.decode(msgspec.json.encode(made)))


if __name__ == "__main__":
    SCHEMA_PATH.write_bytes(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
