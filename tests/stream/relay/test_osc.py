"""A relay to a receiver of OSC: what it is told, what happens while nobody receives, and what is no receiver."""

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Thread

import pytest

from tests.stream.make_messages import make_gap
from tests.stream.page.test_state import event, status, window
from tests.stream.relay.relaying import JOIN_S, Concert, relaying
from whoplays.stream.pubsub.messages import Playing
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.relay.options import OscOptions

pytest.importorskip("pythonosc", reason="python-osc is not installed")

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_server import BlockingOSCUDPServer

from whoplays.stream.relay import osc
from whoplays.stream.relay.osc import BUNDLE_BYTES, Line, OscTarget, bundles

Told = tuple[object, ...]
VIOLIN = (Playing(id=0, label="violin", since=0, since_ns=1),)


class Desk:
    """A receiver of OSC."""

    def __init__(self) -> None:
        self.told: Queue[Told] = Queue()

    def await_told(self, *line: object) -> None:
        """Wait until it is told that."""
        seen = []
        while (told := self.told.get(timeout=JOIN_S)) != line:
            seen.append(told)
            assert len(seen) < 500, seen


@contextmanager
def receiving(port: int = 0) -> Iterator[tuple[Desk, int]]:
    desk, dispatcher = Desk(), Dispatcher()
    dispatcher.set_default_handler(lambda address, *values: desk.told.put((address, *values)))
    with BlockingOSCUDPServer(("127.0.0.1", port), dispatcher) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield desk, server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_desk_is_told_who_plays_and_of_gaps(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with receiving() as (desk, port), relaying("osc", f"localhost:{port}", publisher.endpoint, "--rate", "50"):
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(status(0), window(0, violin=0.75, piano=0.25))
        desk.await_told("/whoplays/hall/state", "listening")
        desk.await_told("/whoplays/hall/piano", 0, 0.25)
        concert.send(event(1, "violin", "start"))
        desk.await_told("/whoplays/hall/violin", 1, 0.75)
        desk.await_told("/whoplays/anybody", 1)
        concert.send(make_gap(0))
        desk.await_told("/whoplays/hall/gap", "overload", pytest.approx(100 / 44_100))
        concert.send(status(2, *VIOLIN, state="lost"))
        desk.await_told("/whoplays/hall/violin", 0, -1.0)
        desk.await_told("/whoplays/hall/state", "lost")


def test_a_label_with_a_blank_is_told_as_a_slug(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with receiving() as (desk, port), relaying("osc", f"127.0.0.1:{port}", publisher.endpoint, "--prefix", "a/b"):
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(status(0, labels=("acoustic guitar",), thresholds=(0.5,)))
        desk.await_told("/a/b/hall/acoustic_guitar", 0, 0.0)


def test_a_desk_that_is_switched_off_is_told_all_when_it_is_back(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with receiving() as (_, port):
        pass
    with relaying("osc", f"127.0.0.1:{port}", publisher.endpoint, "--rate", "50") as notes:
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(status(0, *VIOLIN))
        name = f"whoplays: osc 127.0.0.1:{port}"
        assert notes.next() == f"{name}: cannot be reached: nobody listens there; it is tried again"
        concert.send(status(1, *VIOLIN), window(0, violin=0.75))
        with receiving(port) as (desk, _):
            desk.await_told("/whoplays/hall/violin", 1, 0.75)
            concert.send(status(2, *VIOLIN))
            assert re.fullmatch(rf"{re.escape(name)}: reached again; [1-9]\d* bundles were lost", notes.next())
        assert notes.waiting == 0


def test_bundles_have_a_time_and_fit_into_packets() -> None:
    lines = [Line(f"/whoplays/hall/label_{number}", (number % 2, 0.5)) for number in range(100)]
    packets = list(bundles(lines, 1_700_000_000.5))
    assert max(map(len, packets)) <= BUNDLE_BYTES
    read = [OscBundle(packet) for packet in packets]
    assert {bundle.timestamp for bundle in read} == {1_700_000_000.5}
    assert [message.address for bundle in read for message in bundle] == [line.address for line in lines]


def test_what_waits_for_a_desk_is_bounded() -> None:
    target = OscTarget(OscOptions("127.0.0.1", 9))
    for number in range(1000):
        target.take(make_gap(number))
    assert target.link.lost == 900


def test_a_host_that_is_not_known_is_told_once() -> None:
    told: list[str] = []
    target = OscTarget(OscOptions("nowhere.invalid", 9))
    target.link._tell = told.append  # type: ignore[misc]
    for number in range(3):
        target.take(make_gap(number))
        target.show(())
    assert len(told) == 1
    assert told[0].startswith("osc nowhere.invalid:9: cannot be reached: ")


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (["desk"], "target must be like desk.example:9000, got 'desk'"),
        (["osc://me:secret@desk:9000"], "target must be like desk.example:9000, got 'osc://desk:9000'"),
        (["desk:99999"], "target must be like desk.example:9000, its port between 1 and 65535, got 'desk:99999'"),
        (["desk:9000", "--rate", "1000"], "rate must be between 0.1 and 50 per second, got 1000"),
        (
            ["desk:9000", "--prefix", "a b"],
            "prefix must be letters, digits, dots, dashes, underscores or slashes, got 'a b'",
        ),
        (["@missing"], "target file missing cannot be read: No such file or directory"),
        (
            ["desk:9000", "nonsense"],
            "address to connect to must be like tcp://127.0.0.1:9460 or ipc://PATH, got 'nonsense'",
        ),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], mistake: str) -> None:
    command = [sys.executable, "-m", "whoplays", "relay", "osc", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"whoplays: {mistake}\n")


def test_a_name_that_is_looked_up_for_ever_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found, told = threading.Event(), list[str]()

    def look_up(*_: object, **__: object) -> None:
        found.wait(60)
        raise OSError("not found")

    monkeypatch.setattr(osc, "PATIENCE_S", 0.01)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    target = OscTarget(OscOptions("desk.example", 9))
    target.link._tell = told.append  # type: ignore[misc]
    target.take(make_gap(0))
    target.show(())
    found.set()
    assert told == ["osc desk.example:9: cannot be reached: its name is still being looked up; it is tried again"]


def test_a_stream_that_has_a_name_of_no_stream_is_not_relayed(publisher: Publisher) -> None:
    concert = Concert(publisher)
    with receiving() as (desk, port), relaying("osc", f"127.0.0.1:{port}", publisher.endpoint) as notes:
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(status(0, stream="a/#+\0"), make_gap(0, stream="a/#+\0"), status(0, *VIOLIN))
        assert notes.next() == (
            f"whoplays: osc 127.0.0.1:{port}: stream 'a/#+\\x00' is not relayed: no stream can have that name"
        )
        desk.await_told("/whoplays/hall/violin", 1, 0.0)
