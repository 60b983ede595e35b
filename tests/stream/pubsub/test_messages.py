"""The wire against its schema, and the documentation against both."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.stream.make_messages import make_gap, make_status
from whoplays.stream.pubsub.messages import KINDS, SCHEMA_PATH, Message, decode, encode, schema, to_json, topic_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"
EXAMPLES = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def validate(message: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema()).validate(message)


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA_PATH.read_bytes()) == schema(), "run: python -m whoplays.stream.pubsub.messages"


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documented_examples_are_messages(example: str) -> None:
    validate(json.loads(example))
    message = decode(example.encode())
    assert json.loads(encode(message)) == json.loads(example)


def test_every_kind_and_every_field_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [decode(example.encode()).kind for example in EXAMPLES] == list(KINDS)
    for name, kind in KINDS.items():
        for field in msgspec.structs.fields(kind):
            assert f"`{field.encode_name}`" in text, f"{name}.{field.encode_name}"


def test_a_message_that_lacks_something_is_none() -> None:
    message = json.loads(encode(make_gap(0)))
    validate(message)
    del message["cause"]
    with pytest.raises(jsonschema.ValidationError):
        validate(message)


@pytest.mark.parametrize("message", [make_gap(3), make_status(1, window=4)])
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert decode(encode(message)) == message
    assert json.loads(to_json(message))["kind"] == message.kind
    assert to_json(message).encode() == encode(message)


def test_topics_end_in_a_slash() -> None:
    assert topic_of("violin", "window") == "whoplays/1/violin/window/"
    assert not topic_of("violin2", "window").startswith(topic_of("violin"))
