"""What a check finds without serving."""

from pathlib import Path

import pytest

from tests.stream.daemon.daemon import stream, write
from whoplays.models.errors import OptionError
from whoplays.stream.common.logging import log
from whoplays.stream.daemon.check import check
from whoplays.stream.daemon.daemon import Daemon
from whoplays.stream.sources.device.names import Input

HALL = stream("hall", "device:")
PUBLISH = "tcp://127.0.0.1:9460"


def mistakes(path: Path) -> list[str]:
    """What a check refuses, but for the file's name."""
    with pytest.raises(OptionError) as refusal:
        check(path)
    lines = str(refusal.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_a_configuration_that_can_be_served_is_ok(
    tmp_path: Path, model: Path, concert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.toml"
    check(write(path, model, stream("hall", str(concert)) + stream("stage", "device:USB")))
    check(write(path, model, stream("hall", str(concert))))
    two, one = capsys.readouterr().out.splitlines()
    assert two.startswith(f"{path}: configuration OK: 2 streams (hall, stage)")
    assert one.startswith(f"{path}: configuration OK: 1 stream (hall)")


def test_a_device_that_is_not_there_is_told_and_waited_for(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Input(hostapi="ALSA", name="mic", channels=2, rate_hz=48_000, default=True)
    monkeypatch.setattr("whoplays.stream.sources.device.probe.list_inputs", lambda: (here,))
    path = tmp_path / "c.toml"
    check(
        write(
            path, model, stream("a", "device:mic") + stream("b", "device:Nope") + stream("c", "device:mic?channels=3")
        )
    )
    out, err = capsys.readouterr()
    assert "configuration OK" in out
    assert [line.partition(f"{path}: ")[2] for line in err.splitlines()] == [
        "stream b: source: sound input 'Nope' not found; there are: device:ALSA:mic; it is waited for",
        "stream c: source: channel must be between 1 and 2 of mic, got 3; it is waited for",
    ]


@pytest.mark.parametrize(
    ("streams", "mistake"),
    [
        (stream("hall", "gopher://x"), "source: source must be a file or an address"),
        (stream("hall", "missing.wav"), "source: file missing.wav not found"),
        (stream("hall", "device:", "thresholds = { kazoo = 0.5 }"), "thresholds.kazoo not found in the labels of tiny"),
        (stream("hall", "device:").replace("MODEL", "tuba"), "model: model 'tuba' not found"),
        (
            stream("hall", "device:").replace('"cpu"', '"abacus"'),
            "provider: provider must be cpu or cuda, got 'abacus'",
        ),
        (stream("hall", "device:", "frames = true"), "model tiny gives no frames; leave frames out"),
        (stream("hall", "zmq://*:9461"), "source: zmq://*:9461 is open to the network"),
        (stream("hall", "rtp://"), "source: rtp: has no port"),
    ],
)
def test_a_stream_that_cannot_be_served_is_refused(tmp_path: Path, model: Path, streams: str, mistake: str) -> None:
    (found,) = mistakes(write(tmp_path / "c.toml", model, streams))
    assert found.startswith(f"stream hall: {mistake}")


def test_all_mistakes_are_found_at_once(tmp_path: Path, model: Path) -> None:
    streams = stream("hall", "missing.wav", "thresholds = { kazoo = 0.5 }") + stream("stage", "gopher://x")
    extra = '[history]\npath = "/proc/x/history.db"\n[security]\nmode = "required"'
    found = mistakes(write(tmp_path / "c.toml", model, streams, extra=extra))
    keys = {"security.keys is missing", "history.path: cannot write", "stream stage: source"}
    keys |= {"stream hall: thresholds.kazoo not found", "stream hall: source"}
    assert len(found) == len(keys)
    assert all(any(line.startswith(key) for line in found) for key in keys)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("/proc/x/history.db", ""),
        ("notes", "Is a directory"),
        ("c.toml", "file is not a database"),
        ("c.toml/history.db", "Not a directory"),
        (300 * "x", "File name too long"),
        ("/dev/full", "it is not a regular file"),
    ],
)
def test_a_history_that_cannot_be_written_is_refused(tmp_path: Path, model: Path, file: str, reason: str) -> None:
    (tmp_path / "notes").mkdir()
    history = tmp_path / file
    (found,) = mistakes(write(tmp_path / "c.toml", model, HALL, extra=f'[history]\npath = "{history}"'))
    assert found.startswith(f"history.path: cannot write a history in {history}: {reason}")


def test_a_check_makes_and_changes_no_file(tmp_path: Path, model: Path) -> None:
    path, history = tmp_path / "c.toml", tmp_path / "history.db"
    check(write(path, model, HALL, extra=f'[history]\npath = "{tmp_path}/a/b/history.db"'))
    assert list(tmp_path.iterdir()) == [path]
    history.touch()
    check(write(path, model, HALL, extra=f'[history]\npath = "{history}"'))
    assert history.read_bytes() == b""


@pytest.mark.parametrize(
    ("extra", "streams", "mistake"),
    [
        ('[metrics]\naddress = "127.0.0.1:9460"', HALL, "metrics.address: port 9460 is taken by publish"),
        ('[metrics]\naddress = "localhost:9460"', HALL, "metrics.address: port 9460 is taken by publish"),
        ("", stream("hall", "zmq://127.0.0.1:9460"), "stream hall: source: port 9460 is taken by publish"),
        ("", stream("hall", "zmq://*:9460?insecure=1"), "stream hall: source: port 9460 is taken by publish"),
        (
            "",
            stream("hall", "rtp://:5004") + stream("stage", "rtp://127.0.0.1:5004"),
            "stream stage: source: port 5004 is taken by stream hall",
        ),
    ],
)
def test_conflicting_ports_are_refused(tmp_path: Path, model: Path, extra: str, streams: str, mistake: str) -> None:
    (found,) = mistakes(write(tmp_path / "c.toml", model, streams, extra=extra, endpoint=PUBLISH))
    assert found.startswith(mistake)


@pytest.mark.parametrize(
    ("extra", "streams"),
    [
        ('[metrics]\naddress = "127.0.0.2:9460"', HALL),
        ('[metrics]\naddress = "[::1]:9460"', HALL),
        ("", stream("hall", "rtp://:9460")),
        ("", stream("hall", "rtp://239.0.0.1:5004") + stream("stage", "rtp://239.0.0.1:5004")),
        ("", stream("hall", "zmq://127.0.0.1:0") + stream("stage", "zmq://127.0.0.1:0")),
    ],
)
def test_ports_without_conflict_are_accepted(tmp_path: Path, model: Path, extra: str, streams: str) -> None:
    check(write(tmp_path / "c.toml", model, streams, extra=extra, endpoint=PUBLISH))


def test_mistakes_of_every_kind_are_told_together(tmp_path: Path, model: Path) -> None:
    """A wrong key hides no wrong address, model or label, and neither does a name that is there twice."""
    streams = (
        stream("hall", "rtp://:5004?rate=5", "hop_s = 9", "thresholds = { kazoo = 0.5, tuba = 0.5 }")
        + stream("hall", "gopher://x").replace("MODEL", "nobody")
        + stream("stage", "missing.wav", "colour = 1")
    )
    found = mistakes(write(tmp_path / "c.toml", model, streams, extra="colour = 1"))
    for mistake in (
        "colour not found",
        "stream hall: hop_s must be",
        "stream stage: colour not found",
        "stream hall: name must be unique, got it 2 times",
        "stream hall: thresholds.kazoo not found",
        "stream hall: thresholds.tuba not found",
        "stream hall: model: model 'nobody' not found",
        "stream hall: source: rate must be between 1000 and 1000000 Hz, got 5",
        "stream hall: source: source must be a file or an address",
        "stream stage: source: file missing.wav not found",
    ):
        assert [line for line in found if line.startswith(mistake)], (mistake, found)
    with pytest.raises(OptionError) as refusal:
        Daemon(tmp_path / "c.toml", log())
    assert "hop_s must be" in str(refusal.value)
    assert "thresholds.tuba not found" in str(refusal.value)


def test_a_relay_of_a_stream_that_is_not_there_is_told(
    tmp_path: Path, model: Path, concert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = '[[relay]]\nkind = "webhook"\ntarget = "https://example.org/"\nstream = "hal"\n'
    check(write(tmp_path / "c.toml", model, stream("hall", str(concert)), extra=extra))
    assert "relay 1: there is no stream hal; it tells nothing until there is one" in capsys.readouterr().err


def test_the_port_of_the_page_is_one_of_those_that_are_bound(tmp_path: Path, model: Path, concert: Path) -> None:
    path = write(
        tmp_path / "c.toml", model, stream("hall", str(concert)), extra="[page]\nport = 9460\n", endpoint=PUBLISH
    )
    assert mistakes(path) == ["page.port: port 9460 is taken by publish; give another"]


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("nowhere/whoplays", "there is no folder {folder}/nowhere"),
        ("notes", "a file is there"),
        (200 * "x", "a path must have at most 107 bytes"),
    ],
)
def test_a_socket_that_cannot_be_bound_is_refused(tmp_path: Path, model: Path, place: str, problem: str) -> None:
    (tmp_path / "notes").touch()
    endpoint = f"ipc://{tmp_path}/{place}"
    (found,) = mistakes(write(tmp_path / "c.toml", model, HALL, endpoint=endpoint))
    expected = problem.format(folder=tmp_path)
    assert found == f"publish: cannot publish on {endpoint}: {expected}; give another path"
