import socket
import subprocess
import sys
from pathlib import Path

import pytest

import whoplays
from whoplays.models.errors import EndpointError, ModelError, OptionError, SourceError
from whoplays.stream.api import listen
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import End, Status, Window
from whoplays.stream.sources.file import FileSource

HEAVY = {"av", "onnxruntime", "prometheus_client", "sounddevice", "sqlite3", "structlog", "torch"}


def test_the_front_door_has_it() -> None:
    assert whoplays.listen is listen
    assert whoplays.Recognizer is Recognizer


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        ("whoplays", {"numpy", "zmq", "cyclopts", *HEAVY}),
        ("whoplays.stream.cli.listen, whoplays.stream.cli.demo", HEAVY),
        ("whoplays.stream.cli.send, whoplays.stream.cli.devices, whoplays.stream.cli.keys", HEAVY),
        ("whoplays.stream.cli.watch", {"numpy", *HEAVY}),
        ("whoplays.stream.cli.history", {"numpy", *HEAVY} - {"sqlite3"}),
        ("whoplays.stream.cli.serve", HEAVY - {"sqlite3", "structlog", "prometheus_client"}),
    ],
)
def test_nothing_is_loaded_before_it_is_needed(modules: str, unwanted: set[str]) -> None:
    check = f"import sys, {modules}; sys.exit(', '.join({unwanted} & set(sys.modules)) or None)"
    loaded = subprocess.run([sys.executable, "-c", check], check=False, capture_output=True, text=True)
    assert (loaded.returncode, loaded.stderr) == (0, "")


@pytest.mark.parametrize("as_path", [True, False])
def test_a_path_a_model_and_a_hop_are_enough(concert: Path, model: Path, as_path: bool) -> None:
    source = concert if as_path else str(concert)
    messages = list(listen(source, model=model, hop_s=1.5, speed="max", provider="cpu"))
    assert [message.start for message in messages if isinstance(message, Window)] == list(range(0, 400_000, 66_150))
    assert isinstance(messages[-1], End)


def test_frames_and_a_sensitivity_can_be_asked_for(concert: Path, framed_model: Path) -> None:
    messages = list(listen(concert, model=framed_model, speed="max", frames=True, sensitivity="high"))
    assert all(message.frames for message in messages if isinstance(message, Window))
    (thresholds,) = {message.thresholds for message in messages if isinstance(message, Status)}
    assert thresholds == pytest.approx((0.2689, 0.2689), abs=1e-4)


def test_an_own_source_can_be_given(concert: Path, recognizer: Recognizer) -> None:
    messages = list(listen(FileSource(concert, "max"), model=recognizer, stream="hall"))
    assert {message.stream for message in messages} == {"hall"}


def test_it_publishes_as_well(concert: Path, recognizer: Recognizer) -> None:
    messages = listen(concert, model=recognizer, speed="max", publish="tcp://127.0.0.1:*")
    assert isinstance(list(messages)[-1], End)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hop_s": 0.0}, OptionError, "hop must be between 0.000023 and 3 s, got 0$"),
        ({"hop_s": -1.0}, OptionError, "between .* got -1$"),
        ({"hop_s": 3.1}, OptionError, "between .* and 3 s, got 3.1"),
        ({"hop_s": float("nan")}, OptionError, "got nan"),
        ({"stream": "a/b"}, OptionError, "stream must be letters"),
        ({"stream": ""}, OptionError, "stream must be letters"),
        ({"silence_dbfs": 1.0}, OptionError, "must be at most 0 dBFS"),
        ({"silence_dbfs": float("nan")}, OptionError, "must be at most 0 dBFS"),
        ({"sensitivity": "medium"}, OptionError, "sensitivity must be high, low or normal, got 'medium'"),
        ({"frames": True}, OptionError, "model tiny gives no frames"),
        ({"publish": "tcp://0.0.0.0:9460"}, EndpointError, "open to the network"),
    ],
)
def test_options_out_of_range_are_refused_at_once(
    concert: Path, recognizer: Recognizer, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        listen(concert, model=recognizer, **options)  # type: ignore[arg-type]


def test_a_missing_file_is_refused_at_once(recognizer: Recognizer) -> None:
    with pytest.raises(SourceError, match="not found"):
        listen("missing.wav", model=recognizer)


def test_two_hops_of_one_file_agree(concert: Path, recognizer: Recognizer) -> None:
    runs = [listen(FileSource(concert, "max"), model=recognizer, hop_s=hop_s) for hop_s in (3.0, 1.0)]
    coarse, fine = ({m.start: m.probabilities for m in run if isinstance(m, Window)} for run in runs)
    assert coarse == {start: fine[start] for start in coarse}


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def bind(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", port))


def test_closing_before_the_first_message_closes_the_source(recognizer: Recognizer, port: int) -> None:
    messages = listen(f"rtp://127.0.0.1:{port}", model=recognizer)
    with pytest.raises(OSError, match="in use"):
        bind(port)
    messages.close()
    bind(port)
    assert list(messages) == []


def test_a_mistake_closes_the_source(recognizer: Recognizer, port: int) -> None:
    with pytest.raises(OptionError, match="hop"):
        listen(f"rtp://127.0.0.1:{port}", model=recognizer, hop_s=5.0)
    with pytest.raises(ModelError, match="nobody"):
        listen(f"rtp://127.0.0.1:{port}", model="nobody")
    bind(port)


@pytest.mark.parametrize("source", [None, 3, [[0.0, 0.0]], object()])
def test_what_is_no_source_is_refused(recognizer: Recognizer, source: object) -> None:
    with pytest.raises(SourceError, match="source must be an audio file"):
        listen(source, model=recognizer)  # type: ignore[arg-type]
