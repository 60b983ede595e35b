"""What a check finds without serving; and that the daemon itself says of it where it is."""

import socket
from pathlib import Path

import pytest

from tests.stream.daemon.daemon import stream, write
from whoplays.models.errors import WhoplaysError
from whoplays.stream.common.logging import log
from whoplays.stream.daemon.check import check
from whoplays.stream.daemon.daemon import Daemon
from whoplays.stream.pubsub.publisher import Publisher

HALL = stream("hall", "device:")
PUBLISH = "tcp://127.0.0.1:9460"


def refused(path: Path) -> str:
    """What a check says of it, but for the folder that it is in."""
    with pytest.raises(WhoplaysError) as refusal:
        check(path)
    return str(refusal.value).removeprefix(f"{path.parent}/")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/proc/x/history.db", ""),
        ("notes", "Is a directory"),
        ("c.toml", "file is not a database"),
        ("c.toml/history.db", "Not a directory"),
        (300 * "x", "File name too long"),
    ],
)
def test_where_no_history_can_be_kept_is_said(tmp_path: Path, model: Path, place: str, reason: str) -> None:
    (tmp_path / "notes").mkdir()
    history = tmp_path / place
    path = write(tmp_path / "c.toml", model, HALL, extra=f'[history]\npath = "{history}"')
    assert refused(path).startswith(f"c.toml: history.path: cannot keep a history in {history}: {reason}")


def test_a_check_makes_no_history(tmp_path: Path, model: Path) -> None:
    path = write(tmp_path / "c.toml", model, HALL, extra=f'[history]\npath = "{tmp_path}/a/b/history.db"')
    check(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_history_that_is_there_is_left_as_it_is(tmp_path: Path, model: Path) -> None:
    history = tmp_path / "history.db"
    history.touch()
    check(write(tmp_path / "c.toml", model, HALL, extra=f'[history]\npath = "{history}"'))
    assert history.read_bytes() == b""


@pytest.mark.parametrize(
    ("extra", "streams", "complaint"),
    [
        ('[metrics]\naddress = "127.0.0.1:9460"', HALL, "metrics.address: port 9460 is taken by publish; give another"),
        ('[metrics]\naddress = "localhost:9460"', HALL, "metrics.address: port 9460 is taken by publish"),
        ("", stream("hall", "zmq://127.0.0.1:9460"), "stream hall: source: port 9460 is taken by publish"),
        ("", stream("hall", "zmq://*:9460?insecure=1"), "stream hall: source: port 9460 is taken by publish"),
        (
            "",
            stream("hall", "rtp://:5004") + stream("stage", "rtp://127.0.0.1:5004"),
            "stream stage: source: port 5004 is taken by stream hall; give another",
        ),
        ("", stream("hall", "zmq://*:9461"), "stream hall: source: zmq://*:9461 is open to the network"),
        ("", stream("hall", "rtp://"), "stream hall: source: rtp: has no port"),
    ],
)
def test_addresses_that_are_one_or_none_are_said(
    tmp_path: Path, model: Path, extra: str, streams: str, complaint: str
) -> None:
    path = write(tmp_path / "c.toml", model, streams, extra=extra, endpoint=PUBLISH)
    assert refused(path).startswith(f"c.toml: {complaint}")


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
def test_addresses_that_can_both_be_had_make_sense(tmp_path: Path, model: Path, extra: str, streams: str) -> None:
    check(write(tmp_path / "c.toml", model, streams, extra=extra, endpoint=PUBLISH))


def test_the_daemon_names_the_key_of_what_it_cannot_have(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "c.toml"
    with Publisher("tcp://127.0.0.1:*") as publisher, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for key, extra, endpoint in (
            ("publish", "", publisher.endpoint),
            ("history.path", '[history]\npath = "/proc/x/history.db"', "tcp://127.0.0.1:*"),
            ("metrics.address", f'[metrics]\naddress = "{address}"', "tcp://127.0.0.1:*"),
        ):
            write(path, model, HALL, extra=extra, endpoint=endpoint)
            with pytest.raises(WhoplaysError) as refusal:
                Daemon(path, log()).run()
            assert str(refusal.value).startswith(f"{path}: {key}: ")
