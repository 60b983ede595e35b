import json
import re
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest

from models.errors import OptionError
from stream.security.settings import Security
from stream.serve.config import Config, HistoryConfig, MetricsConfig, StreamConfig, read_config
from stream.serve.schema import SCHEMA_PATH, schema

WHOLE = """
publish = "tcp://127.0.0.1:9999"

[security]
mode = "required"
keys = "server.key_secret"

[history]
path = "history.db"
keep_windows = true

[metrics]
address = "127.0.0.1:0"

[[stream]]
name = "hall"
source = "rtp://239.0.0.1:5004"
hop_s = 1.0
gain_db = -6
channels = [3, 4]
thresholds = { violin = 0.4, "acoustic guitar" = 0.5 }

[[stream]]
name = "stage"
source = "device:"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "concert.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, WHOLE))
    hall, stage = config.stream
    assert (hall.habits.hop_samples, hall.intake.channels, hall.intake.gain_db) == (44_100, (3, 4), -6.0)
    assert hall.thresholds == {"violin": 0.4, "acoustic guitar": 0.5}
    assert stage == StreamConfig(name="stage", source="device:")
    assert config.history is not None
    assert config.metrics is not None
    assert config.security.mode == "required"


def test_two_lines_are_enough(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, '[[stream]]\nname = "hall"\nsource = "device:"\n'))
    assert config == Config(stream=(StreamConfig(name="hall", source="device:"),))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "concert.toml: Object missing required field `stream`"),
        ("stream = []", "concert.toml: there is no [[stream]]; give one or more"),
        ("= 3", "concert.toml is no TOML: Invalid statement (at line 1, column 1)"),
        ('[[stream]]\nname = "a"', "concert.toml: stream[0]: Object missing required field `source`"),
        ('[[stream]]\nname = "a"\nsource = 3', "concert.toml: stream[0].source: Expected `str`, got `int`"),
        ('[[stream]]\nname = "a"\nsource = "device:"\nhop = 1', "stream[0]: Object contains unknown field `hop`"),
        ('[[stream]]\nname = "a"\nsource = "device:"\nhop_s = 4', "stream[0]: a hop of 4.0 s makes no sense"),
        ('[[stream]]\nname = "a b"\nsource = "device:"', "stream[0]: stream name 'a b' makes no sense"),
        ('[[stream]]\nname = "a"\nsource = "device:"\nchannels = [1, 2, 3]', "stream[0]: channels 1,2,3 make no sense"),
        ('[[stream]]\nname = "a"\nsource = "device:"\n' * 2, "2 streams are named a; give each its own name"),
        (
            '[history]\nmax_mb = nan\n[[stream]]\nname = "a"\nsource = "device:"',
            "concert.toml: a history of at most nan MB makes no sense",
        ),
        (
            '[security]\nmode = "on"\n[[stream]]\nname = "a"\nsource = "device:"',
            "security.mode: Invalid enum value 'on'",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_key_and_what_was_expected(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(OptionError) as refused:
        read_config(write(tmp_path, text))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"nothing\.toml cannot be read: No such file"):
        read_config(tmp_path / "nothing.toml")


def test_the_shipped_schema_is_that_of_the_code_and_knows_a_whole_configuration() -> None:
    assert json.loads(SCHEMA_PATH.read_bytes()) == schema(), "run: python -m stream.serve.schema"
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(WHOLE))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate({"stream": [{"name": "a", "source": "device:", "hop": 1}]})


PAGE = Path(__file__).parents[3] / "docs" / "daemon.md"


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
def test_every_documented_example_is_one(tmp_path: Path, example: str) -> None:
    assert read_config(write(tmp_path, example)).stream
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(example))


def test_every_key_is_documented() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for kind in (Config, StreamConfig):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in text or f"[{field.name}]" in text, field.name
    for prefix, section in (("security", Security), ("history", HistoryConfig), ("metrics", MetricsConfig)):
        for field in msgspec.structs.fields(section):
            assert f"`{prefix}.{field.name}`" in text, field.name
