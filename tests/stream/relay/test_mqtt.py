"""A relay to a real broker of MQTT: what it keeps, what Home Assistant is told, and what happens without it."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import msgspec
import pytest

from tests.stream.history.make_history import wait_for
from tests.stream.make_messages import make_gap
from tests.stream.page.test_state import T0, S, event, status, window
from tests.stream.relay.relaying import JOIN_S, Concert, relaying
from whoplays.stream.pubsub.messages import Alert, Playing
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.relay.options import MqttOptions

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from whoplays.stream.relay import mqtt
from whoplays.stream.relay.mqtt import MqttTarget

VIOLIN = (Playing(id=0, label="violin", since=0, since_ns=1),)
ALERT = Alert(
    stream="hall",
    session="one",
    seq=0,
    published_ns=T0,
    rule="stage silent",
    when="silent",
    instrument=None,
    since=0,
    since_ns=T0,
    recovered=False,
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def broker(folder: Path, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    config = folder / "mosquitto.conf"
    lines = (f"listener {port} 127.0.0.1", *(more or ("allow_anonymous true",)))
    config.write_text("\n".join((*lines, "")), encoding="utf-8")
    with subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: answers(port))
            yield process
        finally:
            process.kill()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Home:
    """A client of the broker that has subscribed to everything."""

    def __init__(self) -> None:
        self.told: Queue[tuple[str, str]] = Queue()
        self.kept: dict[str, str] = {}
        """By topic, what the broker had kept when it was asked."""

    def await_told(self, topic: str, payload: str) -> None:
        seen = []
        while (told := self.told.get(timeout=JOIN_S)) != (topic, payload):
            seen.append(told)
            assert len(seen) < 500, seen


@contextmanager
def at_home(port: int) -> Iterator[Home]:
    home, client = Home(), Client(CallbackAPIVersion.VERSION2)

    def on_message(_client: object, _data: object, message: object) -> None:
        topic, payload, kept = message.topic, message.payload.decode(), message.retain  # type: ignore[attr-defined]
        if kept:
            home.kept[topic] = payload
        home.told.put((topic, payload))

    def on_connect(*_: object) -> None:
        client.subscribe("#", 1)

    client.on_message = on_message
    client.on_connect = on_connect
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield home
    finally:
        client.disconnect()
        client.loop_stop()


def test_the_broker_keeps_who_plays_and_home_assistant_finds_it(tmp_path: Path, publisher: Publisher) -> None:
    concert, port = Concert(publisher), free_port()
    with broker(tmp_path, port), at_home(port) as home:
        with relaying("mqtt", f"mqtt://127.0.0.1:{port}", publisher.endpoint):
            assert publisher.wait_for_subscriber(JOIN_S)
            concert.send(status(0), window(0, violin=0.75))
            home.await_told("whoplays/hall/state", "listening")
            home.await_told("whoplays/hall/violin", "OFF")
            concert.send(event(1, "violin", "start"), make_gap(0), ALERT)
            home.await_told("whoplays/anybody", "ON")
            home.await_told("whoplays/hall/violin", "ON")
            with at_home(port) as late:
                wanted = {"whoplays/hall/violin": "ON", "whoplays/status": "online"}
                wait_for(
                    lambda: wanted.items() <= late.kept.items() and "whoplays/hall/alert/stage_silent" in late.kept
                )
                wait_for(lambda: "homeassistant/binary_sensor/whoplays_hall_violin/config" in late.kept)
            assert json.loads(late.kept["whoplays/hall/playing"]) == [
                {"label": "violin", "since_ns": T0 + S, "probability": 0.75}
            ]
            found = json.loads(late.kept["homeassistant/binary_sensor/whoplays_hall_violin/config"])
            assert found["state_topic"] in late.kept
            assert found["availability_topic"] in late.kept
            assert "whoplays/hall/gap" not in late.kept
            concert.send(status(2, state="lost"))
            home.await_told("whoplays/hall/violin", "None")
        home.await_told("whoplays/status", "offline")


def test_its_last_will_says_that_it_is_gone(tmp_path: Path, publisher: Publisher) -> None:
    port = free_port()
    with broker(tmp_path, port), at_home(port) as home:
        with relaying("mqtt", f"mqtt://127.0.0.1:{port}", publisher.endpoint, killed=True):
            home.await_told("whoplays/status", "online")
        home.await_told("whoplays/status", "offline")


def test_a_broker_that_comes_back_is_told_everything_anew(tmp_path: Path, publisher: Publisher) -> None:
    concert, port = Concert(publisher), free_port()
    name = f"whoplays: mqtt 127.0.0.1:{port}"
    with relaying("mqtt", f"mqtt://127.0.0.1:{port}", publisher.endpoint, "--discovery", "") as notes:
        assert notes.next() == f"{name}: cannot be reached: Connection refused; it is tried again"
        assert publisher.wait_for_subscriber(JOIN_S)
        concert.send(status(0, *VIOLIN), event(1, "piano", "start"), status(1, *VIOLIN))
        with broker(tmp_path, port), at_home(port) as home:
            assert notes.next() == f"{name}: reached again; 1 messages were lost"
            home.await_told("whoplays/status", "online")
            concert.send(status(2, *VIOLIN))
            home.await_told("whoplays/hall/violin", "ON")
            assert not any(topic.startswith("homeassistant/") for topic in home.kept)
        assert notes.next().startswith(f"{name}: connection lost: ")
        with broker(tmp_path, port), at_home(port) as home:
            home.await_told("whoplays/status", "online")
            concert.send(status(3, *VIOLIN))
            home.await_told("whoplays/hall/violin", "ON")
        assert notes.next() == f"{name}: reached again; 0 messages were lost"


def test_a_broker_that_refuses_is_told_once(tmp_path: Path, publisher: Publisher) -> None:
    port = free_port()
    target, password = f"mqtt://me@127.0.0.1:{port}", tmp_path / "password"
    password.write_text("wrong\n")
    with (
        broker(tmp_path, port, "allow_anonymous false"),
        relaying("mqtt", target, publisher.endpoint, "--password-file", str(password)) as notes,
    ):
        assert notes.next() == f"whoplays: mqtt 127.0.0.1:{port}: refused: Not authorized; it is tried again"


def test_a_broker_that_goes_while_a_relay_ends_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody has noticed yet that the connection is gone.
    monkeypatch.setattr(Client, "is_connected", lambda _: True)
    with MqttTarget(MqttOptions("127.0.0.1", free_port())) as target:
        assert not target.link.lost


def test_a_broker_that_announces_a_huge_packet_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(JOIN_S)
        with MqttTarget(MqttOptions("127.0.0.1", server.getsockname()[1])):
            connection, _ = server.accept()
            with connection:
                connection.settimeout(JOIN_S)
                assert connection.recv(1024)
                connection.sendall(b"\x20\x02\x00\x00" + b"\x30\xff\xff\xff\x7f")
                with suppress(ConnectionResetError):
                    while connection.recv(1024):
                        pass


def test_what_waits_for_a_broker_is_counted() -> None:
    target = MqttTarget(MqttOptions("127.0.0.1", 9))
    for number in range(1000):
        target.take(msgspec.structs.replace(event(1, "violin", "start"), seq=number))
    assert target.link.lost == 1000


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (["broker"], "target must be like mqtt://broker.example, its port between 1 and 65535, got 'broker'"),
        (
            ["mqtt://me:secret@broker:1x"],
            "target must be like mqtt://broker.example, its port between 1 and 65535, got 'mqtt://…'",
        ),
        (["mqtt://broker/path"], "target must be like mqtt://broker.example, got 'mqtt://broker/path'"),
        (["mqtt://broker", "--password-file", "none"], "password file none cannot be read: No such file or directory"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], mistake: str) -> None:
    command = [sys.executable, "-m", "whoplays", "relay", "mqtt", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"whoplays: {mistake}\n")


@contextmanager
def mute_broker(first: bytes) -> Iterator[int]:
    """One that says something once it is connected to, and nothing more; its port."""

    ended = Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.sendall(first)
                ended.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        thread = Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def test_what_a_broker_never_acknowledges_is_counted() -> None:
    accepted = bytes([0x20, 2, 0, 0])
    with mute_broker(accepted) as port, MqttTarget(MqttOptions("127.0.0.1", port)) as target:
        wait_for(target._client.is_connected)
        target.take(event(1, "violin", "start"))
        assert target.link.lost == 0
    assert target.link.lost == 1


def test_a_broker_that_does_not_answer_is_told() -> None:
    told = list[str]()
    with mute_broker(b"") as port, MqttTarget(MqttOptions("127.0.0.1", port)) as target:
        target.link._tell = told.append  # type: ignore[misc]
        target._asked_s -= mqtt.CONNECT_S
        target.show(())
    assert told == [f"mqtt 127.0.0.1:{port}: does not answer; it is tried again"]
