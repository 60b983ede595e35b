"""MQTT: who plays as retained topics, a last will, and what Home Assistant discovers."""

import re
import ssl
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Self

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from whoplays.stream.common.paths import slug
from whoplays.stream.page.state import StreamView
from whoplays.stream.pubsub.messages import Alert, Event, Gap, Message, to_json
from whoplays.stream.relay.options import MqttOptions
from whoplays.stream.relay.relay import Link, Target, anybody, playing_by_label

TICK_S: Final = 0.25
KEEPALIVE_S: Final = 15
CONNECT_S: Final = 5.0
LONGEST_PAUSE_S: Final = 30
MOST_WAITING: Final = 1_000
LEAVE_S: Final = 1.0
LONGEST_ANSWER_BYTES: Final = 65_536
"""More than a broker has to say to a client that subscribes to nothing."""
ON_OFF: Final = {True: "ON", False: "OFF", None: "None"}
"""What Home Assistant takes for on, off and unknown."""


class _BoundedClient(Client):
    """Ends the connection to a broker that announces a huge packet: the library would keep all of it."""

    def _sock_recv(self, bufsize: int) -> bytes:
        if bufsize > LONGEST_ANSWER_BYTES:
            raise ConnectionAbortedError(f"a packet must have up to {LONGEST_ANSWER_BYTES} bytes, got {bufsize}")
        return super()._sock_recv(bufsize)


class MqttTarget(Target):
    """A broker, which keeps how things are: it is told all of it at each connection, and then what changes."""

    tick_s = TICK_S

    def __init__(self, options: MqttOptions) -> None:
        self.link = Link(f"mqtt {options.shown}", "messages")
        self._options: Final = options
        self._kept: Final[dict[str, str]] = {}
        """By topic, what the broker was told to keep."""
        self._alerts: Final[dict[str, str]] = {}
        self._greet = False
        """Whether a new connection was made, and nothing was told by it."""
        self._unanswered: Final[set[int]] = set()
        """Events, gaps and alerts that the broker has not acknowledged, by their message ids."""
        self._asked_s = time.monotonic()
        self._client: Final = self._make_client()

    def __enter__(self) -> Self:
        self._client.connect_async(self._options.host, self._options.port, KEEPALIVE_S)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._client.is_connected():
            self._await_answers()
            told = self._client.publish(self._status, "offline", 1, retain=True)
            # It may be gone since; its last will says the same then.
            if told.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                told.wait_for_publish(LEAVE_S)
            self._client.disconnect()
            self._client.loop_stop()
        self.link.lose(len(self._unanswered))

    def take(self, message: Message) -> None:
        """Publish events, gaps and alerts as they come over the wire."""
        match message:
            case Alert():
                # Kept, like all that lasts.
                self._alerts[f"{self._base(message.stream)}/alert/{slug(message.rule)}"] = to_json(message)
            case Event() | Gap():
                self._tell(f"{self._base(message.stream)}/{message.kind}", to_json(message))

    def show(self, views: Sequence[StreamView]) -> None:
        """Publish what has changed, to be kept."""
        if not self._client.is_connected():
            self._complain()
            return
        if self._greet:
            self._greet = False
            self._kept.clear()
        topics = {self._status: "online", **self._alerts}
        if views:
            topics[f"{self._options.prefix}/anybody"] = ON_OFF[anybody(views)]
        for view in views:
            topics |= dict(self._topics(view))
        # Labels of a model that does not listen any more are forgotten.
        topics |= dict.fromkeys(self._kept.keys() - topics.keys(), "")
        for topic, payload in topics.items():
            if self._kept.get(topic) != payload and self._publish(topic, payload, retain=True):
                self._kept[topic] = payload
        for topic in [topic for topic, payload in self._kept.items() if not payload]:
            del self._kept[topic]

    def _complain(self) -> None:
        """Say so if nothing has come of a connection for a while."""
        if time.monotonic() - self._asked_s > CONNECT_S:
            self.link.failed("does not answer")

    @property
    def _status(self) -> str:
        return f"{self._options.prefix}/status"

    def _base(self, stream: str) -> str:
        return f"{self._options.prefix}/{stream}"

    def _tell(self, topic: str, payload: str) -> None:
        """Publish what is told once, if the broker takes it."""
        told = self._client.publish(topic, payload, 1) if self._client.is_connected() else None
        if told and told.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._unanswered.add(told.mid)
            # It may have been answered already.
            if told.is_published():
                self._unanswered.discard(told.mid)
        else:
            self.link.lose()

    def _await_answers(self) -> None:
        until_s = time.monotonic() + LEAVE_S
        while self._unanswered and time.monotonic() < until_s:
            time.sleep(TICK_S / 10)

    def _publish(self, topic: str, payload: str, *, retain: bool = False) -> bool:
        # Acknowledged, for then what waits for a slow broker is bounded.
        return self._client.publish(topic, payload, 1, retain=retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _topics(self, view: StreamView) -> Iterator[tuple[str, str]]:
        base = self._base(view.stream)
        yield f"{base}/state", view.state
        yield f"{base}/playing", msgspec.json.encode(view.playing).decode()
        for label, plays in playing_by_label(view).items():
            yield f"{base}/{slug(label)}", ON_OFF[plays]
            if self._options.discovery:
                name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{base}_{slug(label)}")
                yield (
                    f"{self._options.discovery}/binary_sensor/{name}/config",
                    msgspec.json.encode(self._discovered(view.stream, label, name)).decode(),
                )

    def _discovered(self, stream: str, label: str, name: str) -> Mapping[str, object]:
        """What Home Assistant is told of a label."""
        return {
            "name": label,
            "unique_id": name,
            "device_class": "sound",
            "state_topic": f"{self._base(stream)}/{slug(label)}",
            "availability_topic": self._status,
            "device": {"identifiers": [self._base(stream)], "name": f"{self._options.prefix} {stream}"},
            "origin": {"name": "whoplays"},
        }

    def _make_client(self) -> Client:
        client = _BoundedClient(CallbackAPIVersion.VERSION2)
        if self._options.username:
            client.username_pw_set(self._options.username, self._options.password or None)
        if self._options.tls:
            client.tls_set_context(ssl.create_default_context())
        client.will_set(self._status, "offline", 1, retain=True)
        client.max_queued_messages_set(MOST_WAITING)
        client.reconnect_delay_set(1, LONGEST_PAUSE_S)
        client.connect_timeout = CONNECT_S
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if code.is_failure:
            self.link.failed(f"refused: {code}")
        else:
            self._greet = True
            self.link.succeeded()

    def _on_publish(
        self, _client: Client, _data: Any, number: int, _code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._unanswered.discard(number)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        # It is called where the error is handled, which it is not given.
        error = sys.exception()
        self.link.failed(f"cannot be reached: {getattr(error, 'strerror', None) or error}")

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._asked_s = time.monotonic()
        if code.is_failure:
            self.link.failed(f"connection lost: {code}")
