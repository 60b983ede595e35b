"""The `whoplays` command: its verbs, and one line for whatever goes wrong in them."""

import errno
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    Token,
    UnusedCliTokensError,
    convert,
)

import whoplays
from whoplays.models.errors import WhoplaysError, install_hint
from whoplays.stream.common.deadline import end_in_time
from whoplays.stream.common.terminal import exit_on_interrupt, ignore_broken_pipe, open_standard_streams, printable
from whoplays.stream.common.uri import clean


class Verb(NamedTuple):
    """What follows `whoplays` on the command line."""

    target: str
    """Module and name of its function, or of an `App` with verbs of its own."""
    summary: str
    resumable: bool = False
    """Whether the same command continues where it was stopped."""


VERBS: Final = {
    "listen": Verb("stream.cli.listen:listen", "Recognise instruments live and publish the results."),
    "label": Verb("stream.cli.label:label", "Label recordings: who plays when in each.", resumable=True),
    "watch": Verb("stream.cli.watch:watch", "Show the messages of a publisher, and what was lost of them."),
    "page": Verb("stream.cli.page:page", "Show in a browser what publishers send."),
    "relay": Verb("stream.cli.relay:app", "Tell other machines who plays: by OSC, MQTT or webhook."),
    "replay": Verb("stream.cli.replay:replay", "Publish recorded messages again, with their timing."),
    "devices": Verb("stream.cli.devices:devices", "List the sound inputs, and the address of each."),
    "send": Verb("stream.cli.send:send", "Send a source to another machine that listens."),
    "keys": Verb("stream.cli.keys:app", "Make key pairs, and set which public keys may connect."),
    "serve": Verb("stream.cli.serve:serve", "Recognise many streams, as a configuration says, until a signal ends it."),
    "demo": Verb("stream.cli.demo:demo", "Recognise a bundled concert, and show what a subscriber receives."),
    "history": Verb("stream.cli.history:history", "Show which instruments played when, as whoplays serve recorded it."),
    "report": Verb("stream.cli.report:report", "Make a page of a concert: a timeline, totals and gaps."),
    "models": Verb("stream.cli.models:models", "List the models that ship, and how accurate they are."),
    "prepare": Verb("training.cli.prepare:prepare", "Prepare windows to train on.", resumable=True),
    "render": Verb(
        "training.cli.render:render", "Play MIDI scores into a labelled folder to train on.", resumable=True
    ),
    "train": Verb("training.cli.train:train", "Train a recipe on recordings.", resumable=True),
    "baselines": Verb(
        "training.cli.baselines:baselines",
        "Make the original project's table: train, evaluate and compare its rows.",
        resumable=True,
    ),
    "evaluate": Verb("training.cli.evaluate:evaluate", "Evaluate runs on recordings they were not trained on."),
    "calibrate": Verb("training.cli.calibrate:calibrate", "Fit calibration and thresholds to runs' predictions."),
    "simulate": Verb(
        "training.cli.simulate:simulate", "Simulate concerts of recordings, annotated with which instruments play when."
    ),
    "export": Verb("export.cli:export", "Make a model from a run."),
    "bench": Verb("bench.cli:app", "Measure latency, throughput and endurance."),
}
FORMER_NAMES: Final = {"concerts": "simulate", "material": "prepare", "table": "baselines"}
"""Names that verbs had before: they work, and no help shows them."""
LIVE: Final = frozenset({"listen", "watch", "page", "relay", "send", "serve", "demo", "replay"})
"""Verbs that handle Ctrl-C in a way of their own once they have begun."""
INSTALL_COMPLETION: Final = "--install-completion"
_WHOLE: Final = re.compile(r"[+-]?\d+")
_KINDS: Final = {int: "a whole number", float: "a number"}

_DISK_ERRORS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_ENGINE: Final = {"av", "numpy", "onnxruntime", "prometheus_client", "sounddevice", "soundfile", "soxr", "structlog"}
_TRAINING: Final = {
    "lightning",
    "matplotlib",
    "mido",
    "onnx",
    "onnxscript",
    "scipy",
    "sklearn",
    "torch",
    "torchaudio",
    "torchmetrics",
}
_BENCH: Final = {"psutil"}
_PAGE: Final = {"starlette", "uvicorn"}
_RELAYS: Final = {"pythonosc": "osc", "paho": "mqtt"}
"""The packages of the extras `cpu`, `train`, `bench`, `page`, `osc` and `mqtt`, as they are imported."""


def main(arguments: list[str] | None = None) -> None:
    """Run the `whoplays` command.

    Whatever a user can cause ends in one line on standard error and a non-zero exit code.

    Args:
        arguments: What follows `whoplays`; those of the process unless given.
    """
    open_standard_streams()
    words = _words(sys.argv[1:] if arguments is None else arguments)
    verb = next((verb for word in words if (verb := FORMER_NAMES.get(word, word)) in VERBS), "")
    if arguments is None:
        end_in_time()
        if verb in LIVE:
            exit_on_interrupt()
    try:
        app = installed_command() if INSTALL_COMPLETION in words else command_line(verb)
        with _reader_may_leave():
            app(words, exit_on_error=False, print_error=False)
    except (CycloptsError, WhoplaysError, ModuleNotFoundError, MemoryError, RuntimeError, OSError) as error:
        message, code = _explain(error, verb)
        sys.exit(_complain(message, code))
    except KeyboardInterrupt as stop:
        resumable = verb in VERBS and VERBS[verb].resumable
        sys.exit(_complain(str(stop) or ("stopped; the same command continues" if resumable else "stopped"), 130))


def _explain(error: Exception, verb: str) -> tuple[str, int]:
    """What to tell of an error, and the exit code; what is no user's doing is raised again."""
    match error:
        case CycloptsError():
            return _usage(error), 2
        case WhoplaysError():
            return str(error), 1
        case ModuleNotFoundError():
            return _missing_package(error, verb), 1
        case OSError(errno=number, filename=name) if number in _DISK_ERRORS:
            return f"{name or 'standard output'} cannot be written: {error.strerror}", 1
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "new thread" in str(error)):
        return "there is too little memory, or the limit on processes and threads is too low", 1
    raise error


def _words(arguments: list[str]) -> list[str]:
    return ["--help", *arguments[1:]] if arguments[:1] == ["help"] else arguments


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """Take it for no failure when nobody reads any more, as with `| head`."""
    try:
        yield
    except SystemExit as leaving:
        if not isinstance(leaving.__context__, BrokenPipeError):  # which is how rich leaves then
            raise
    with ignore_broken_pipe():
        sys.stdout.flush()


def command_line(*loaded: str) -> App:
    """The command.

    Args:
        loaded: The verbs whose modules are imported; of the others only names and summaries are known.

    Raises:
        ModuleNotFoundError: a package that one of them needs is not installed.
    """
    return _command_line({verb: _load(verb) for verb in loaded if verb in VERBS})


def installed_command() -> App:
    """The command with every verb loaded for which everything is installed."""
    loaded = {}
    for verb in VERBS:
        try:
            loaded[verb] = _load(verb)
        except ModuleNotFoundError as error:
            _missing_package(error, verb)
    return _command_line(loaded)


def _command_line(loaded: dict[str, Any]) -> App:
    app = App(
        name="whoplays",
        version=whoplays.__version__,
        version_flags=("--version", "-V"),
        help=(whoplays.__doc__ or "").partition("\n")[0],
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(converter=_converted),
    )
    for name, verb in VERBS.items():
        target = loaded.get(name)
        if isinstance(target, App):
            app.command(target)
        else:
            app.command(target or _not_loaded, name=name, help=None if target else verb.summary)
    for former, name in FORMER_NAMES.items():
        app.command(loaded.get(name) or _not_loaded, name=former, show=False)
    app.register_install_completion_command(
        INSTALL_COMPLETION, add_to_startup=False, help="Complete verbs and options in your shell."
    )
    return app


def _converted(kind: Any, tokens: Sequence[Token]) -> Any:
    """Values as typed; a whole number that is asked for is not rounded from another."""
    return convert(kind, tokens, converter=_value)


def _value(kind: type, typed: str) -> Any:
    if kind is int and not _WHOLE.fullmatch(typed):
        raise ValueError(typed)
    return convert(kind, [typed])


def _load(verb: str) -> Any:
    module, _, name = VERBS[verb].target.partition(":")
    return getattr(importlib.import_module(f"whoplays.{module}"), name)


def _not_loaded() -> None:
    """Stands for a verb that is not the one asked for."""


def _missing_package(error: ModuleNotFoundError, verb: str) -> str:
    """What to install; anything but a package that an extra brings is raised again."""
    package = (error.name or "").partition(".")[0]
    if package in _BENCH:
        return f"{package} is not installed; whoplays {verb} needs: {install_hint('cpu,bench')}"
    if package in _PAGE:
        return f"{package} is not installed; whoplays {verb} needs: {install_hint('page')}"
    if package in _RELAYS:
        extra = _RELAYS[package]
        return f"{package} is not installed; whoplays {verb} {extra} needs: {install_hint(extra)}"
    if package not in _ENGINE | _TRAINING:
        raise error
    trains = package in _TRAINING or VERBS[verb].target.startswith(("export.", "training."))
    return f"{package} is not installed; whoplays {verb} needs: {install_hint('cpu,train' if trains else 'cpu')}"


def _usage(error: CycloptsError) -> str:
    """What is wrong with the command line, in plain words."""
    command = " ".join(("whoplays", *(error.command_chain or ())))
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        surplus = ", ".join(map(repr, error.unused_tokens))
        return f"{command} takes no such argument: {surplus}; see: {command} --help"
    if isinstance(error, MissingArgumentError) and error.argument and not error.tokens_so_far:
        given = error.keyword or next((token.keyword for token in error.argument.tokens if token.keyword), None)
        lacking = f"{given} lacks its value" if given else f"{error.argument.name} is missing"
        return f"{lacking}; see: {command} --help"
    if isinstance(error, CoercionError) and error.argument and error.token and error.target_type in _KINDS:
        name = error.token.keyword or error.argument.names[-1]
        return f"{name} must be {_KINDS[error.target_type]}, got {error.token.value}; see: {command} --help"
    return " ".join(str(error).split())


def _complain(message: str, code: int) -> int:
    print("whoplays:", "\n".join(map(printable, clean(message).split("\n"))), file=sys.stderr)
    return code
