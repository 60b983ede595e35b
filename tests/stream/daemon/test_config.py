import json
import os
import tomllib
from pathlib import Path
from typing import Literal

import jsonschema
import pytest

from tests.stream.security.make_keys import Keyring
from whoplays.models.errors import OptionError
from whoplays.stream.daemon.config import (
    SCHEMA_PATH,
    Config,
    Security,
    read_config,
    schema,
)
from whoplays.stream.daemon.stream_config import StreamConfig
from whoplays.stream.security.allow_list import ServerKeys

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
entry = 0.2
release = 0.5
sensitivity = "low"
frames = true

[[stream]]
name = "stage"
source = "device:"
"""


STREAM = """
[[stream]]
name = "a"
source = "device:"
"""
HISTORY = STREAM + "[history]\n"
LOOPBACK = "[security]\nmode = 'off'\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "concert.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, WHOLE))
    hall, stage = config.stream
    assert (hall.options.hop_samples, hall.selection().channels, hall.selection().gain_db) == (44_100, (3, 4), -6.0)
    assert hall.thresholds == {"violin": 0.4, "acoustic guitar": 0.5}
    assert (hall.options.entry, hall.options.release) == (0.2, 0.5)
    assert (hall.sensitivity, hall.options.frames, stage.options.frames) == ("low", True, False)
    assert stage == StreamConfig(name="stage", source="device:")
    assert (stage.options.entry, stage.options.release) == (None, None)
    assert config.history is not None
    assert config.metrics is not None
    assert config.security.mode == "required"


def test_two_lines_are_enough(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, '[[stream]]\nname = "hall"\nsource = "device:"\n'))
    assert config == Config(stream=(StreamConfig(name="hall", source="device:"),))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "stream must be one or more sections [[stream]], got []"),
        ("stream = []", "stream must be one or more sections [[stream]], got []"),
        ("[stream]\nname = 'a'", "stream must be one or more sections [[stream]], got {'name': 'a'}"),
        ("stream = [3]", "stream 1 must be a section [[stream]], got 3"),
        ("[[stream]]\nname = 'a'", "stream a: source is missing; add it to [[stream]]"),
        ("[[stream]]\nsource = 'a'", "stream 1: name is missing; add it to [[stream]]"),
        ("[[stream]]\nname = 'a'\nsource = 3", "stream a: source must be text in quotes, got 3"),
        ("[[stream]]\nname = 'a b'\nsource = 'device:'", "stream a b: name must be letters, digits, dots,"),
        ('[[stream]]\nname = "a\\n"\nsource = "device:"', "stream 1: name must be letters, digits, dots,"),
        (STREAM * 2, "stream a: name must be unique, got it 2 times"),
        (STREAM + "hop = 1", "stream a: hop not found in [[stream]]; did you mean hop_s?"),
        (STREAM + "hop_s = 4", "stream a: hop_s must be between 0.000023 and 3 s, got 4"),
        (STREAM + "hop_s = '3'", "stream a: hop_s must be between 0.000023 and 3 s, got '3'"),
        (STREAM + "hop_s = 2026-05-01", "stream a: hop_s must be between 0.000023 and 3 s, got datetime.date"),
        (STREAM + "hop_s = true", "stream a: hop_s must be between 0.000023 and 3 s, got true"),
        (STREAM + "gain_db = 900", "stream a: gain_db must be between -60 and 60 dB, got 900"),
        (STREAM + "max_lag_s = 0", "stream a: max_lag_s must be above 0 and at most 3600 s, got 0"),
        (STREAM + "silence_dbfs = 1.5", "stream a: silence_dbfs must be at most 0 dBFS, got 1.5"),
        (STREAM + "channels = [1, 2, 65]", "stream a: channels must be one or more numbers between 1 and 64, or names"),
        (
            STREAM + "[[alert]]\nwhen = 'quiet'",
            "alert 1: when must be clipping, lost, not playing or silent, got 'quiet'",
        ),
        (STREAM + "[[alert]]\nwhen = 'lost'\nfor_s = -1", "alert 1: for_s must be between 0 and 86400 s, got -1"),
        (STREAM + "[[alert]]\nfor_s = 1", "alert 1: when is missing; add it to [[alert]]"),
        (STREAM + "channels = 1", "stream a: channels must be one or more numbers between 1 and 64, or names"),
        (STREAM + "thresholds = 3", "stream a: thresholds must be a table in { }, got 3"),
        (STREAM + "thresholds = { violin = 'x' }", "stream a: thresholds.violin must be above 0 and at most 1"),
        (STREAM + "thresholds = { violin = 0 }", "stream a: thresholds.violin must be above 0 and at most 1, got 0"),
        (STREAM + "entry = 1", "stream a: entry must be at least 0 and below 1, got 1"),
        (STREAM + "release = 0", "stream a: release must be above 0 and at most 1, got 0"),
        (STREAM + "[[history]]", "history must be a section [history], got [{}]"),
        (HISTORY + "max_mb = nan", "history.max_mb must be at least 1.048576 MB, got nan"),
        (HISTORY + "max_mb = -1", "history.max_mb must be at least 1.048576 MB, got -1"),
        (HISTORY + "max_age_days = 0", "history.max_age_days must be above 0 and below 1000000 days, got 0"),
        (HISTORY + "max_age_days = inf", "history.max_age_days must be above 0 and below 1000000 days"),
        (HISTORY + "keep_windows = 1", "history.keep_windows must be true or false, got 1"),
        (HISTORY + "hop_s = 1", "history.hop_s not found in [history]; it belongs in [[stream]]"),
        (STREAM + "[metrics]\naddress = '*'", "metrics.address: address must be HOST:PORT"),
        (STREAM + "[metrics]\ntls = 9", "metrics.tls not found in [metrics]; it has: address, insecure"),
        (STREAM + "[security]\nmode = 'on'", "security.mode must be auto, off or required, got 'on'"),
        ("hop_s = 1\n" + STREAM, "hop_s not found in the head of the file; it belongs in [[stream]]"),
        ('"a\\nb" = 1\n' + STREAM, "a b not found in the head of the file; it has: stream, source, alert, publish"),
        ("publish = 'here'\n" + STREAM, "publish: "),
        ("publish = 'tcp://me:secret@127.0.0.1:x'\n" + STREAM, "publish: address to publish on must be like"),
        ("publish = 'tcp://a:1:2:3'\n" + STREAM, "publish: address to publish on must be like"),
        ("publish = 'tcp://*:9460'\n" + LOOPBACK + STREAM, "publish: tcp://*:9460 is open to the network"),
    ],
)
def test_a_mistake_is_one_line_with_the_file_the_key_and_what_is_allowed(
    tmp_path: Path, text: str, mistake: str
) -> None:
    with pytest.raises(OptionError) as refused:
        read_config(write(tmp_path, text))
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{tmp_path / 'concert.toml'}: {mistake}")


def test_all_mistakes_are_found_at_once(tmp_path: Path) -> None:
    text = """
publish = "here"
[history]
max_mb = "much"
[metrics]
adress = "127.0.0.1:1"
[[stream]]
name = "hall"
hop_s = 4
thresholds = { violin = 0, piano = 2 }
[[stream]]
"""
    with pytest.raises(OptionError) as refused:
        read_config(write(tmp_path, text))
    starts = (
        "history.max_mb must be",
        "metrics.adress not found",
        "stream hall: hop_s must be",
        "stream hall: thresholds.violin must be",
        "stream hall: thresholds.piano must be",
        "stream hall: source is missing",
        "stream 2: name is missing",
        "stream 2: source is missing",
        "publish: ",
    )
    for line, start in zip(str(refused.value).splitlines(), starts, strict=True):
        assert line.startswith(f"{tmp_path / 'concert.toml'}: {start}")


@pytest.mark.parametrize("content", [None, b"= 3", b"\xff"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "concert.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(OptionError, match=r"concert\.toml (cannot be read: No such file|is not valid TOML: )"):
        read_config(path)


def test_the_shipped_schema_is_that_of_the_code_and_knows_a_whole_configuration() -> None:
    assert json.loads(SCHEMA_PATH.read_bytes()) == schema(), "run: python -m whoplays.stream.daemon.config"
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(tomllib.loads(WHOLE))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate({"stream": [{"name": "a", "source": "device:", "hop": 1}]})


@pytest.mark.parametrize(
    ("mode", "endpoint", "encrypted"),
    [
        ("off", "tcp://*:1", False),
        ("off", "tcp://127.0.0.1:1", False),
        ("auto", "tcp://127.0.0.1:1", False),
        ("auto", "ipc:///tmp/x", False),
        ("auto", "tcp://*:1", True),
        ("required", "tcp://127.0.0.1:1", True),
        ("required", "ipc:///tmp/x", True),
    ],
)
def test_the_mode_decides_what_is_encrypted(
    keyring: Keyring, mode: Literal["off", "auto", "required"], endpoint: str, encrypted: bool
) -> None:
    folder = str(keyring.allowed.folder)
    given_keys = Security(mode=mode, keys=str(keyring.secret("hall")), allowed=folder).keys_for(endpoint)
    assert isinstance(given_keys, ServerKeys) == encrypted
    if encrypted:
        with pytest.raises(OptionError, match=r"^security\.keys is missing, which encrypting .* needs"):
            Security(mode=mode).keys_for(endpoint)


def test_unusable_keys_are_refused_with_the_key_that_names_them(keyring: Keyring) -> None:
    with pytest.raises(OptionError, match=r"^security\.keys: the key file nowhere cannot be read"):
        Security(keys="nowhere").keys_for("tcp://*:1")
    with pytest.raises(OptionError, match=r"^security\.allowed: folder of allowed keys nowhere not found"):
        Security(keys=str(keyring.secret("hall")), allowed="nowhere").keys_for("tcp://*:1")


def test_insecure_goes_without_keys_unless_they_are_required() -> None:
    assert Security(insecure=True).keys_for("tcp://*:1") is None
    with pytest.raises(OptionError, match=r"security\.keys is missing"):
        Security(mode="required", insecure=True).keys_for("tcp://*:1")


def test_an_unknown_home_folder_is_refused() -> None:
    with pytest.raises(OptionError, match=r"home folder of ~nobody-such/x not found"):
        Security(mode="required", keys="~nobody-such/x").keys_for("tcp://*:1")


@pytest.mark.parametrize("kind", ["fifo", "device", "large"])
def test_what_could_be_read_for_ever_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "concert.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_text("#" * (5 << 20))
    with pytest.raises(OptionError, match=r"cannot be read: it is not a regular file|must have at most 4194304 bytes"):
        read_config(path)
