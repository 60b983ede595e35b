"""whoplays listens to a concert and says, live, which instruments are playing.

The public Python interface, and the `whoplays` command. Everything is loaded when first used.
"""

import importlib
from typing import TYPE_CHECKING, Final

from whoplays.models.errors import (
    DataError,
    EndpointError,
    ModelError,
    OptionError,
    ProviderError,
    SourceError,
    WhoplaysError,
)

if TYPE_CHECKING:
    from whoplays.command import main as main
    from whoplays.stream.api import listen
    from whoplays.stream.archive.annotation import Annotation, label
    from whoplays.stream.pipeline.recognizer import Recognizer
    from whoplays.stream.pubsub.messages import (
        Alert,
        End,
        Event,
        Gap,
        Message,
        Notice,
        Playing,
        Status,
        Window,
        to_json,
    )
    from whoplays.stream.pubsub.subscriber import AsyncSubscriber, Subscriber
    from whoplays.stream.security.keys import ClientKeys

__version__ = "0.1.0"
__all__ = [
    "Alert",
    "Annotation",
    "AsyncSubscriber",
    "ClientKeys",
    "DataError",
    "End",
    "EndpointError",
    "Event",
    "Gap",
    "Message",
    "ModelError",
    "Notice",
    "OptionError",
    "Playing",
    "ProviderError",
    "Recognizer",
    "SourceError",
    "Status",
    "Subscriber",
    "WhoplaysError",
    "Window",
    "label",
    "listen",
    "to_json",
]

_MESSAGES: Final = ("Alert", "End", "Event", "Gap", "Message", "Notice", "Playing", "Status", "Window", "to_json")
_LAZY: Final = dict.fromkeys(_MESSAGES, "whoplays.stream.pubsub.messages") | {
    "AsyncSubscriber": "whoplays.stream.pubsub.subscriber",
    "ClientKeys": "whoplays.stream.security.keys",
    "Recognizer": "whoplays.stream.pipeline.recognizer",
    "Subscriber": "whoplays.stream.pubsub.subscriber",
    "Annotation": "whoplays.stream.archive.annotation",
    "label": "whoplays.stream.archive.annotation",
    "listen": "whoplays.stream.api",
    "main": "whoplays.command",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'whoplays' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
