"""`whoplays relay`: telling other machines who plays."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT
from whoplays.stream.pubsub.subscriber import Subscriber
from whoplays.stream.relay.options import MqttOptions, OscOptions, WebhookOptions
from whoplays.stream.relay.relay import Target, read_short, read_target, relay
from whoplays.stream.relay.webhook import WebhookTarget
from whoplays.stream.security.keys import ClientKeys, client_keys

app = App(name="relay", help="Tell other machines who plays: by OSC, MQTT or webhook.")


@app.command
def osc(
    target: str,
    endpoint: str = DEFAULT_ENDPOINT,
    /,
    *,
    stream: str | None = None,
    prefix: str = "whoplays",
    rate: float = 10.0,
    time_tags: bool = True,
    keys: Path | None = None,
    server_key: Path | None = None,
) -> None:
    """Tell a receiver of OSC, such as a lighting desk: /whoplays/STREAM/LABEL 0 or 1, and the probability.

    Args:
        target: Its HOST:PORT, over UDP; @FILE takes it from a file.
        endpoint: The publisher's ZeroMQ address.
        stream: The one stream to tell of; all of them unless given.
        prefix: What every address begins with.
        rate: How many times a second it is told at most.
        time_tags: Say of when bundles are; without it they are of now, for a receiver whose clock is not set.
        keys: Your own secret key file, for a publisher that encrypts.
        server_key: The publisher's public key file.
    """
    own = client_keys(keys, server_key)
    options = OscOptions.read(read_target(target), prefix, rate, time_tags=time_tags)
    from whoplays.stream.relay.osc import OscTarget  # noqa: PLC0415  whose package an extra brings

    _relay(OscTarget(options), endpoint, stream, own)


@app.command
def mqtt(
    target: str,
    endpoint: str = DEFAULT_ENDPOINT,
    /,
    *,
    stream: str | None = None,
    prefix: str = "whoplays",
    discovery: str = "homeassistant",
    password_file: Path | None = None,
    keys: Path | None = None,
    server_key: Path | None = None,
) -> None:
    """Tell a broker of MQTT: whoplays/STREAM/LABEL is ON or OFF, and kept; Home Assistant discovers all labels.

    Args:
        target: Its address, mqtt://[USER@]HOST[:PORT], or mqtts:// for TLS; @FILE takes it from a file.
        endpoint: The publisher's ZeroMQ address.
        stream: The one stream to tell of; all of them unless given.
        prefix: What every topic begins with.
        discovery: What topics for Home Assistant begin with; empty for none.
        password_file: A file with the password.
        keys: Your own secret key file, for a publisher that encrypts.
        server_key: The publisher's public key file.
    """
    own = client_keys(keys, server_key)
    password = read_short(str(password_file), "password") if password_file else None
    options = MqttOptions.read(read_target(target), prefix, discovery, password)
    from whoplays.stream.relay.mqtt import MqttTarget  # noqa: PLC0415  whose package an extra brings

    _relay(MqttTarget(options), endpoint, stream, own)


@app.command
def webhook(
    target: str,
    endpoint: str = DEFAULT_ENDPOINT,
    /,
    *,
    stream: str | None = None,
    secret_file: Path | None = None,
    alerts_only: Annotated[bool, Parameter(negative=())] = False,
    keys: Path | None = None,
    server_key: Path | None = None,
) -> None:
    """Post each event and each alert to an address, as the JSON that goes over the wire.

    Args:
        target: http:// or https://; @FILE takes it from a file.
        endpoint: The publisher's ZeroMQ address.
        stream: The one stream to tell of; all of them unless given.
        secret_file: A file with a secret of 16 characters or more, to sign with: HMAC-SHA256.
        alerts_only: Post no events.
        keys: Your own secret key file, for a publisher that encrypts.
        server_key: The publisher's public key file.
    """
    own = client_keys(keys, server_key)
    secret = read_short(str(secret_file), "secret") if secret_file else ""
    _relay(
        WebhookTarget(WebhookOptions.read(read_target(target), secret, alerts_only=alerts_only)), endpoint, stream, own
    )


def _relay(target: Target, endpoint: str, stream: str | None, keys: ClientKeys | None) -> None:
    with Subscriber(endpoint, stream, keys=keys) as subscriber:
        relay(subscriber, target)
