"""What happens to the daemon: each fault has one of its own."""

import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
import soundfile

from tests.stream.conftest import make_concert
from tests.stream.daemon.daemon import DaemonProcess, serving, stream, write
from tests.stream.daemon.feeding import Feed
from tests.stream.faults import on_daemon
from tests.stream.faults.acts import Act, Part, perform
from tests.stream.faults.broadcast import Broadcast
from tests.stream.faults.seen import SECOND
from tests.stream.faults.slow_model import write_slow_model
from tests.stream.sources.ffmpeg.servers import free_port
from whoplays.stream.history.query import Query, appearances
from whoplays.stream.pubsub.messages import Event, Window
from whoplays.stream.pubsub.subscriber import Subscriber

pytestmark = pytest.mark.slow

Record = Callable[[str, object], None]

WINDOWS = "SELECT end_sample FROM windows JOIN sessions ON sessions.id = windows.session WHERE sessions.session = ?"
PLAYING = (
    "SELECT count(*) FROM events JOIN sessions ON sessions.id = events.session "
    "WHERE end_ns IS NULL AND sessions.session = ?"
)


class House:
    """A folder to serve from, and an address to publish on."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        self.config = folder / "concert.toml"
        self.history = folder / "history.db"
        self._model = model

    @contextmanager
    def serve(self, part: Part, *more: str) -> Iterator[DaemonProcess]:
        """A daemon that listens to a part as `hall`, and keeps all that it hears."""
        extra = f'[history]\npath = "{self.history}"\nkeep_windows = true\n[metrics]\naddress = "127.0.0.1:0"\n'
        write(self.config, self._model, stream("hall", part.uri, *more), extra=extra, endpoint=self.endpoint)
        with part, serving(self.config) as daemon:
            yield daemon

    def perform(self, act: Act) -> None:
        with Subscriber(self.endpoint) as subscriber:
            perform(subscriber, [act])


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        text: str = answer.read().decode()
    return text


@pytest.fixture
def house(model: Path, tmp_path: Path) -> House:
    return House(tmp_path, model)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_child_killed(house: House, tmp_path: Path, record_property: Record) -> None:
    """The process that listens to a sound device or to HTTP is killed (`kill -9`), or crashes.

    `lost`, with a `detail` that names the signal. It is started again after ¼ s: a `gap` up to the new session.
    """
    concert = make_concert(SECOND)[: 2 * SECOND]
    soundfile.write(tmp_path / "clip.mp3", concert, SECOND, bitrate_mode="CONSTANT", compression_level=0.5)
    broadcast = Broadcast((tmp_path / "clip.mp3").read_bytes())
    with house.serve(broadcast) as daemon:
        act = Act("hall", broadcast, partial(on_daemon.kill_child, daemon))
        house.perform(act)
    act.check(record_property)


def test_daemon_stopped(house: House, record_property: Record) -> None:
    """The daemon stands still for some seconds (`kill -STOP`).

    The subscriber notices silence after 3 s. What the system has not kept for the daemon meanwhile is a `gap`, cause
    `network`; the session goes on.
    """
    feed = Feed()
    with house.serve(feed) as daemon:
        act = Act("hall", feed, partial(on_daemon.stand_still, daemon))
        house.perform(act)
    act.check(record_property)


def test_daemon_killed(house: House, record_property: Record) -> None:
    """The daemon is killed (`kill -9`), and started again when that is noticed.

    The subscriber notices silence after 3 s; then there is a new session. The history opens, and holds all but the last
    second; whoever played at the end left when last heard.
    """
    feed = Feed()
    with house.serve(feed, "hop_s = 0.25") as daemon:
        act = Act("hall", feed, partial(on_daemon.kill_daemon, daemon, house.config), whole=False)
        house.perform(act)
    act.check(record_property)
    first = act.seen.sessions[0]
    told = [window.end for window in act.seen.of(Window, 0)]
    with closing(sqlite3.connect(house.history)) as history:
        assert history.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = [end for (end,) in history.execute(WINDOWS, (first,))]
        ((known,),) = history.execute("SELECT known_sample FROM sessions WHERE session = ?", (first,))
        ((playing,),) = history.execute(PLAYING, (first,))
    assert set(told) >= {end for end in kept if end <= told[-1]}
    assert set(kept) >= {end for end in told if end <= told[-1] - SECOND}
    assert playing == 0
    entered = {event.label for event in act.seen.of(Event, 0) if event.phase == "start"}
    found = list(appearances(house.history, Query(session=first)))
    assert entered >= {each.label for each in found} >= {"piano"}
    assert max(each.last_sample for each in found) <= known


def test_history_locked(house: House, record_property: Record) -> None:
    """The history cannot be written for some seconds: here its database is locked.

    Nothing: results go on. The log says it once, and once more when it is over; what waits, up to 10 000 messages, is
    written then. More would be given up, and counted in `whoplays_history_dropped_messages_total`.
    """
    feed = Feed()
    with house.serve(feed, "hop_s = 0.25") as daemon:
        address = daemon.logged("metrics")["address"]
        act = Act("hall", feed, partial(on_daemon.lock_history, house.history))
        house.perform(act)
        metrics = fetch(f"http://{address}/metrics")
        assert daemon.end() == 0
    act.check(record_property)
    assert "\nwhoplays_history_dropped_messages_total 0.0\n" in metrics
    told = [line["trouble"] for line in daemon.lines if line["event"] == "history"]
    assert [text.split(" the history")[0] for text in told] == ["cannot write", "could write"]
    assert told[1].endswith("again; 0 messages were dropped")
    with closing(sqlite3.connect(house.history)) as history:
        kept = {end for (end,) in history.execute(WINDOWS, (act.seen.sessions[0],))}
    assert kept >= {window.end for window in act.seen.of(Window)}


def test_overload(tmp_path: Path, record_property: Record) -> None:
    """Inference cannot keep up.

    The oldest windows are given up: a `gap`, cause `overload`, of what no window covers. No window waits for longer
    than `max_lag_s` (6 unless given; here 2); when there is less to do, the lag is gone at once.
    """
    house, feed = House(tmp_path, write_slow_model(tmp_path / "slow", 6.0)), Feed()
    with house.serve(feed, "hop_s = 1.0", f"max_lag_s = {on_daemon.MAX_LAG_S}"):
        act = Act("hall", feed, on_daemon.overload)
        house.perform(act)
    act.check(record_property)
