import json
import re
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest

from whoplays.models.errors import OptionError, WhoplaysError
from whoplays.stream.daemon.config import (
    SCHEMA_PATH,
    Config,
    HistoryConfig,
    MetricsConfig,
    StreamConfig,
    read_config,
    schema,
)
from whoplays.stream.daemon.security_policy import Security

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


STREAM = """
[[stream]]
name = "a"
source = "device:"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "concert.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, WHOLE))
    hall, stage = config.stream
    assert (hall.options.hop_samples, hall.selection.channels, hall.selection.gain_db) == (44_100, (3, 4), -6.0)
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
        ("", "concert.toml: there is no [[stream]]; give one or more"),
        ("stream = []", "concert.toml: there is no [[stream]]; give one or more"),
        ("= 3", "concert.toml is no TOML: Invalid statement (at line 1, column 1)"),
        ("[stream]\nname = 'a'", "concert.toml: stream: write [[stream]] on a line of its own"),
        ("stream = [3]", "concert.toml: stream 1: write [[stream]] on a line of its own"),
        ("[[stream]]\nname = 'a'", "concert.toml: stream a: source is missing; give it below [[stream]]"),
        ("[[stream]]\nname = 'a'\nsource = 3", "stream a: source: expected text in quotes, not a whole number"),
        ("[[stream]]\nname = 'a b'\nsource = 'device:'", "concert.toml: stream 1: name: stream name must be"),
        (STREAM * 2, "concert.toml: 2 streams are named a; give each its own name"),
        (STREAM + "hop = 1", "concert.toml: stream a: hop is no key of [[stream]]; did you mean hop_s?"),
        (STREAM + "hop_s = 4", "concert.toml: stream a: hop_s: hop must be between"),
        (STREAM + "hop_s = '3'", "stream a: hop_s: expected a number, not text in quotes"),
        (STREAM + "hop_s = 2026-05-01", "stream a: hop_s: expected a number, not a date"),
        (STREAM + "gain_db = 900", "stream a: gain_db: a gain of 900.0 dB makes no sense"),
        (STREAM + "max_lag_s = 0", "stream a: max_lag_s: max_lag_s must be between"),
        (STREAM + "silence_dbfs = 1", "stream a: silence_dbfs: silence_dbfs must be 0 dBFS or less"),
        (STREAM + "channels = [1, 2, 3]", "stream a: channels: channels 1,2,3 make no sense"),
        (STREAM + "thresholds = { violin = 'x' }", "stream a: thresholds: expected a number, not text in quotes"),
        (STREAM + "[[history]]", "concert.toml: history: write [history] on a line of its own"),
        (STREAM + "[history]\nmax_mb = '1'", "history.max_mb: expected a number, not text in quotes"),
        (STREAM + "[history]\nmax_mb = nan", "history.max_mb: a history of at most nan MB makes no sense"),
        (STREAM + "[history]\nmax_mb = -1", "history.max_mb: a history of at most -1 MB makes no sense; give 1.05 or"),
        (STREAM + "[history]\nmax_age_days = inf", "history.max_age_days: keeping a history for inf days makes no"),
        (STREAM + "[history]\nhop_s = 1", "history: hop_s is no key of [history]; it belongs below [[stream]]"),
        (STREAM + "[metrics]\naddress = '*'", "metrics.address: '*' is no address to serve metrics on"),
        (STREAM + "[metrics]\nport = 9", "metrics: port is no key of [metrics]; known are: address, insecure"),
        (STREAM + "[security]\nmode = 'on'", "security.mode: 'on' makes no sense; give off, auto, required"),
        ("hop_s = 1\n" + STREAM, "hop_s is no key that stands before all sections; it belongs below [[stream]]"),
        ('"a\\nb" = 1\n' + STREAM, "a b is no key that stands before all sections; known are: stream, publish"),
        (
            "publish = 'here'\n" + STREAM,
            "concert.toml: publish: address to publish on must be like tcp://127.0.0.1:9460 or ipc://PATH, got 'here'",
        ),
        (
            "publish = 'tcp://*:9460'\n[security]\nmode = 'off'\n" + STREAM,
            "publish: tcp://*:9460 is open to the network",
        ),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_key_and_what_was_expected(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(WhoplaysError) as refused:
        read_config(write(tmp_path, text))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"nothing\.toml cannot be read: No such file"):
        read_config(tmp_path / "nothing.toml")


def test_the_shipped_schema_is_that_of_the_code_and_knows_a_whole_configuration() -> None:
    assert json.loads(SCHEMA_PATH.read_bytes()) == schema(), "run: python -m whoplays.stream.daemon.config"
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
