"""whoplays listens to a concert and says, live, which instruments are playing.

The public Python interface, and the `whoplays` command. Everything is loaded when first used.
"""

import errno
import importlib
import sys
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
from whoplays.models.extras import INSTALL, ONE_OF

if TYPE_CHECKING:
    from cyclopts import App

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
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'whoplays' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def main(arguments: list[str] | None = None) -> None:
    """Run the `whoplays` command.

    Whatever a user can cause ends in one line on standard error and a non-zero exit code.
    """
    from cyclopts import CycloptsError  # noqa: PLC0415  kept out of `import whoplays`

    try:
        command_line()(arguments, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        sys.exit(_complain(" ".join(str(error).split()), 2))
    except WhoplaysError as error:
        sys.exit(_complain(str(error), 1))
    except ModuleNotFoundError as error:
        sys.exit(_complain(_missing_extra(error), 1))
    except OSError as error:
        if error.errno not in _DISK:
            raise
        sys.exit(_complain(f"{error.filename or 'a file'} cannot be written: {error.strerror}", 1))
    except KeyboardInterrupt as stop:
        sys.exit(_complain(str(stop) or _stopped(arguments or sys.argv[1:]), 130))


def command_line() -> "App":
    """The `whoplays` command and its verbs, each loaded when it is used."""
    from cyclopts import App  # noqa: PLC0415  kept out of `import whoplays`

    app = App(
        name="whoplays",
        version=__version__,
        help=__doc__.partition("\n")[0],
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for verb, (place, summary) in _VERBS.items():
        app.command(f"whoplays.{place}", name=verb, help=summary)
    return app


_VERBS: Final = {
    "listen": ("stream.cli.listen:listen", "Listen to a source, and publish and show who plays."),
    "watch": ("stream.cli.listen:watch", "Show what a publisher says, and what of it was lost."),
    "devices": ("stream.cli.devices:devices", "List the sound inputs, and the address of each."),
    "send": ("stream.cli.send:send", "Send a source to another machine that listens."),
    "keys": ("stream.cli.keys:app", "Make key pairs, and say whose keys are allowed."),
    "serve": (
        "stream.cli.serve:serve",
        "Listen to many streams, as a configuration says, until told to end.",
    ),
    "demo": ("stream.cli.demo:demo", "Play a bundled concert through the whole path."),
    "history": ("stream.cli.history:history", "Show who played when, as whoplays serve has kept it."),
    "models": ("stream.cli.models:models", "List the models that ship, and how good they are."),
    "material": ("training.cli.prepare:material", "Prepare windows to train on."),
    "render": ("training.cli.render:render", "Play MIDI scores into a labelled folder to train on."),
    "train": ("training.cli.train:train", "Train a recipe on recordings."),
    "table": (
        "training.cli.baselines:table",
        "Make the seed's whole table: train, judge and compare its rows.",
    ),
    "evaluate": ("training.cli.evaluate:evaluate", "Judge runs on recordings they have not heard."),
    "calibrate": (
        "training.cli.calibrate:calibrate",
        "Fit calibration and thresholds to runs' answers.",
    ),
    "concerts": ("training.cli.simulate:concerts", "Make concerts of recordings, with who plays when."),
    "export": ("export.cli:export", "Make a model from a run."),
    "bench": ("bench.commands:app", "Measure latency, throughput and endurance."),
}
_GO_ON: Final = {"material", "render", "train", "table"}
"""Verbs that find what they have made when they are called again."""
_DISK: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
"""What can befall whoever writes, at any place."""
_TRAIN_ONLY: Final = {
    "mido",
    "torch",
    "torchaudio",
    "lightning",
    "sklearn",
    "matplotlib",
    "onnx",
    "onnxscript",
    "torchmetrics",
    "scipy",
}


def _missing_extra(error: ModuleNotFoundError) -> str:
    if error.name in _TRAIN_ONLY:
        return f"{error.name} is not installed; training and export need: {INSTALL} '.[cpu,train]'"
    if error.name == "onnxruntime":
        return f"onnxruntime is not installed; {ONE_OF}"
    raise error


def _stopped(arguments: list[str]) -> str:
    return "stopped; the same command goes on" if _GO_ON & {*arguments[:1]} else "stopped"


def _complain(message: str, code: int) -> int:
    print(f"whoplays: {message}", file=sys.stderr)
    return code
