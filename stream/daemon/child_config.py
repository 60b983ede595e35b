"""What `serve` runs beside itself: relays and the page, as the configuration says them."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from whoplays.models.errors import OptionError, install_hint, naming
from whoplays.stream.common.paths import expanded
from whoplays.stream.page.options import PageOptions, read_token
from whoplays.stream.pubsub.messages import StreamName
from whoplays.stream.relay.options import FASTEST_HZ, SLOWEST_HZ, MqttOptions, OscOptions, WebhookOptions
from whoplays.stream.relay.relay import read_short

_OPTIONS: Final = {
    "osc": ("prefix", "rate", "time_tags"),
    "mqtt": ("prefix", "discovery", "password_file"),
    "webhook": ("secret_file", "alerts_only"),
}
"""By kind, the keys that are options of it alone."""
_PACKAGES: Final = {"osc": "pythonosc", "mqtt": "paho", "page": "uvicorn"}


class RelayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom the daemon tells who plays, as `[[relay]]` says it."""

    kind: Literal["osc", "mqtt", "webhook"]
    """How it is told; see docs/relays.md."""
    target: str
    """Where it is: `HOST:PORT` of osc, `mqtt://HOST` or `mqtts://HOST`, the `https://…` address of a webhook."""
    stream: StreamName | None = None
    """The one stream that it is told of; all of them unless given."""
    prefix: str | None = None
    """What addresses of osc and topics of mqtt begin with; `whoplays` unless given."""
    rate: Annotated[float, Meta(ge=SLOWEST_HZ, le=FASTEST_HZ, extra={"unit": "per second"})] | None = None
    """How often osc is told at most; 10 unless given."""
    time_tags: bool | None = None
    """Whether bundles of osc say of when they are; they do unless given."""
    discovery: str | None = None
    """What topics of mqtt for Home Assistant begin with; empty for none; `homeassistant` unless given."""
    password_file: str | None = None
    """A file with the password of mqtt."""
    secret_file: str | None = None
    """A file with the secret that posts of a webhook are signed with."""
    alerts_only: bool | None = None
    """Whether a webhook is told of alerts alone."""

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            OptionError: a key is of another kind, a value is malformed, a file cannot be read, or a package is missing.
        """
        for kind, names in _OPTIONS.items():
            for name in names:
                if getattr(self, name) is not None and name not in _OPTIONS[self.kind]:
                    raise OptionError(f"{name} is an option of {kind}, not of {self.kind}")
        _check_installed(self.kind)
        prefix = "whoplays" if self.prefix is None else self.prefix
        match self.kind:
            case "osc":
                OscOptions.read(self.target, prefix, self.rate or 10.0)
            case "mqtt":
                MqttOptions.read(self.target, prefix, self.discovery or "", _secret(self.password_file, "password"))
            case "webhook":
                WebhookOptions.read(self.target, _secret(self.secret_file, "secret") or "")

    @property
    def arguments(self) -> list[str]:
        """The options of `whoplays relay`, but for target, publisher and keys."""
        given = {name: getattr(self, name) for name in ("stream", *_OPTIONS[self.kind])}
        return [word for name, value in given.items() if value is not None for word in _option(name, value)]


class PageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page that the daemon shows, as `[page]` says it; the past comes from `[history]`."""

    host: str = "127.0.0.1"
    """The address to serve it on; others than this machine's own need a token."""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 8765
    """Its port."""
    token_file: str | None = None
    """A file with the token that whoever opens it has to give."""
    insecure: bool = False
    """Serve it to others without a token: behind a proxy that asks who they are."""
    allow_hosts: Annotated[tuple[str, ...], Meta(extra={"expected": "names in [ ]"})] = ()
    """Further names that it may be asked for by, such as a proxy's."""

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            OptionError: others could see it without a token, the token cannot be used, or a package is missing.
        """
        _check_installed("page")
        token = read_token(expanded(self.token_file)) if self.token_file else None
        if not PageOptions(self.host, self.port, token, self.insecure).is_safe:
            raise OptionError(
                f"{self.host} can be reached by others: add token_file, or insecure if a proxy asks who they are"
            )

    def arguments(self, history: Path | None) -> list[str]:
        """The options of `whoplays page`, but for publisher and keys."""
        words = [*_option("host", self.host), *_option("port", self.port)]
        words += [word for host in self.allow_hosts for word in _option("allow_host", host)]
        for name, value in (("token_file", self.token_file), ("insecure", self.insecure or None), ("history", history)):
            words += [] if value is None else _option(name, value)
        return words


def _option(name: str, value: object) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return {"time-tags": [f"--{'' if value else 'no-'}time-tags"]}.get(flag, [f"--{flag}"] if value else [])
    text = str(expanded(str(value))) if name.endswith("_file") else str(value)
    # In one word: a value may begin with a dash.
    return [f"--{flag}={text}"]


def _secret(path: str | None, what: str) -> str | None:
    with naming(f"{what}_file"):
        return read_short(str(expanded(path)), what) if path else None


def _check_installed(kind: str) -> None:
    package = _PACKAGES.get(kind)
    if package and find_spec(package) is None:
        raise OptionError(f"{package} is not installed; {kind} needs: {install_hint(kind)}")
