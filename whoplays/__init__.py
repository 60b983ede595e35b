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
    from whoplays.stream.pipeline.recognizer import Recognizer
    from whoplays.stream.pubsub.subscriber import Notice, Subscriber

__version__ = "0.1.0"
__all__ = [
    "DataError",
    "EndpointError",
    "ModelError",
    "Notice",
    "OptionError",
    "ProviderError",
    "Recognizer",
    "SourceError",
    "Subscriber",
    "WhoplaysError",
    "listen",
]

_LAZY: Final = {
    "Notice": "whoplays.stream.pubsub.subscriber",
    "Recognizer": "whoplays.stream.pipeline.recognizer",
    "Subscriber": "whoplays.stream.pubsub.subscriber",
    "listen": "whoplays.stream.api",
    "main": "whoplays.command",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'whoplays' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
