"""The JSON Schema of the wire, made from the code: `python -m whoplays.stream.pubsub.schema` writes it again."""

from pathlib import Path
from typing import Any, Final

import msgspec

from whoplays.stream.pubsub.messages import VERSION, Message

SCHEMA_PATH: Final = Path(__file__).with_name("protocol.schema.json")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one message of any kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"whoplays results, protocol version {VERSION}",
        **msgspec.json.schema(Message),
    }


if __name__ == "__main__":
    SCHEMA_PATH.write_bytes(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
