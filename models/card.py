"""The model card: what a graph is, what it was trained on, and how well it did where."""

import hashlib
from pathlib import Path
from typing import Final, Literal

import msgspec

from whoplays.models.errors import DataError, ModelError
from whoplays.models.labels import to_names
from whoplays.models.signal import (
    CHANNELS,
    SAMPLE_RATE_HZ,
    SPECTROGRAM_INPUT,
    SPECTROGRAM_SHAPE,
    WINDOW_SAMPLES,
    SpectrogramKind,
)

Task = Literal["single-label", "multi-label"]

MAX_DIFFERENCE: Final = 1e-4
"""What a probability may differ by, of the same window in the same network: between torch and the exported graph, and
between batch sizes, threads and providers. Far below what a threshold could mean, far above float32's rounding."""
FLOAT32: Final = "tensor(float)"


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """A corpus that the model was trained on."""

    name: str
    licence: str


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure and the data it was measured on."""

    metric: str
    """What was measured, such as `exact match`."""
    value: float
    """A share in [0, 1] unless the metric names a unit."""
    data: str
    """The material it was measured on, and how it was kept apart from training."""
    windows: int
    """How many windows it was measured on."""


class Hysteresis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What keeps an instrument near its threshold from coming and going: it enters above it, and leaves below."""

    entry: float = 0.0
    """How far from the threshold towards 1 a probability must come for an instrument to enter."""
    release: float = 0.8
    """A playing instrument leaves once its probability falls below this share of the threshold."""

    def enters_at(self, threshold: float) -> float:
        """The probability at which an instrument of that threshold enters."""
        return threshold + self.entry * (1 - threshold)

    def leaves_below(self, threshold: float) -> float:
        """The probability below which it leaves."""
        return threshold * self.release

    def plays(self, probability: float, threshold: float, *, before: bool) -> bool:
        """Whether an instrument of that threshold plays, given whether it did in the window before."""
        return probability >= (self.leaves_below(threshold) if before else self.enters_at(threshold))


class Frames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Probabilities within the window: where the steps of a graph's output `frames` are, and how events follow."""

    step_samples: int
    """From the start of one step to the start of the next."""
    first_sample: int
    """Where the first step starts, counted from the window's first sample; it may be before it."""
    delay_samples: int = 22_050
    """What a window says of its last samples, so many, is not decided on before the next window."""
    enter_samples: int = 44_100
    """For how long a label must be at or above where it enters; it enters at the beginning of that."""
    leave_samples: int = 52_920
    """For how long a label must be below where it leaves; it leaves at the beginning of that."""
    bias: float | None = None
    """What the graph adds to the logit of each step, beside that of its label's threshold, so that the threshold
    decides of steps as it does of windows; None if it adds nothing."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a user of the graph beside it needs to know (`card.json`)."""

    name: str
    version: str
    sha256: str
    """Of `model.onnx`, in hexadecimal."""
    task: Task
    labels: tuple[str, ...]
    """English names, in output order; the oldest cards have codes of IRMAS."""
    thresholds: tuple[float, ...]
    """Per label, in output order: at or above it the label is active."""
    calibration: tuple[tuple[float, float], ...] = ()
    """Per label, the scale and bias that the graph applies to its logits, so that thresholds and probabilities are of
    calibrated ones; empty where it applies none."""
    hysteresis: Hysteresis = Hysteresis()
    """Fitted to concerts in which instruments enter and leave, or as it is unless fitted."""
    spectrogram: SpectrogramKind | None = None
    """What the graph takes in place of audio as well, as `whoplays.models.spectrogram` computes it; None if nothing."""
    frames: Frames | None = None
    """Of a model that gives probabilities within the window; None of one that does not."""
    description: str = ""
    sample_rate_hz: int = SAMPLE_RATE_HZ
    channels: int = CHANNELS
    window_samples: int = WINDOW_SAMPLES
    parameters: int
    macs: int
    """Multiply-accumulate operations for one window."""
    opset: int
    parity_max_abs: float
    """Largest difference between the graph's probabilities and the trained network's."""
    corpora: tuple[Corpus, ...]
    measurements: tuple[Measurement, ...]
    """The first is the headline."""


class GraphFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a loaded graph says of itself."""

    inputs: dict[str, tuple[object, ...]]
    """Shape by name; a free dimension is a string or None."""
    optional: dict[str, tuple[object, ...]] = {}
    """As `inputs`, of those that may be left out."""
    outputs: dict[str, tuple[object, ...]]
    types: dict[str, str]
    """Of the elements of each input and output, by name, as onnxruntime calls them: `tensor(float)`."""
    labels: tuple[str, ...]
    """English names in output order, from the graph's metadata."""


def read_card(folder: Path) -> ModelCard:
    """Read `card.json` and prove that the graph beside it is the one it speaks of.

    Raises:
        ModelError: the card or the graph is missing, malformed, or they disagree.
    """
    path = folder / "card.json"
    try:
        card = msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except FileNotFoundError:
        raise ModelError(f"{folder} holds no card.json; give a folder that whoplays export made") from None
    except (OSError, UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
        raise ModelError(f"{path} is not a model card: {error}") from error
    card = msgspec.structs.replace(card, labels=_labels(card, path))
    _check_card(card, path)
    _check_digest(card, folder / "model.onnx")
    return card


def write_card(card: ModelCard, folder: Path) -> None:
    """Write `card.json` into a model's folder, indented for people to read."""
    (folder / "card.json").write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")


def graph_digest(path: Path) -> str:
    """The sha256 of a graph, as cards carry it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_graph(card: ModelCard, facts: GraphFacts) -> None:
    """Refuse a graph whose inputs, shapes, types or labels are not those of its card.

    Raises:
        ModelError: says which of them disagree, and how.
    """
    _check_inputs(card, facts)
    probabilities = facts.outputs.get("probabilities", ())
    if len(probabilities) != 2 or probabilities[1] != len(card.labels):
        count = len(card.labels)
        raise ModelError(f"model {card.name}: its card names {count} labels, its graph returns {facts.outputs}")
    frames = facts.outputs.get("frames")
    if (frames is not None) != (card.frames is not None) or (
        frames is not None and (len(frames) != 3 or frames[2] != len(card.labels))
    ):
        raise ModelError(f"model {card.name}: its card says frames {card.frames}, its graph returns {facts.outputs}")
    for name in ("audio", "probabilities", *(("frames",) if frames else ())):
        if facts.types.get(name) != FLOAT32:
            raise ModelError(f"model {card.name}: {name} must be {FLOAT32}, its graph has {facts.types.get(name)}")
    if facts.labels != card.labels:
        mine, theirs = ", ".join(card.labels), ", ".join(facts.labels)
        raise ModelError(f"model {card.name}: its card says labels {mine}, its graph says {theirs}")


def _check_inputs(card: ModelCard, facts: GraphFacts) -> None:
    takes = facts.optional.get(SPECTROGRAM_INPUT, ())[1:] == SPECTROGRAM_SHAPE
    if card.spectrogram and not takes:
        raise ModelError(f"model {card.name}: its card says spectrogram {card.spectrogram}, its graph takes none")
    audio = facts.inputs.get("audio", ())
    wanted = (card.channels, card.window_samples)
    alone = len(facts.inputs) == 1
    if not alone or len(audio) != 3 or tuple(audio[1:]) != wanted or isinstance(audio[0], int):
        shown = f"[batch, {wanted[0]}, {wanted[1]}]"
        raise ModelError(f"model {card.name}: its card says input audio {shown}, its graph has {facts.inputs}")


def _labels(card: ModelCard, path: Path) -> tuple[str, ...]:
    """A card's labels by their English names, none of them twice."""
    try:
        names = to_names(card.labels)
    except DataError as error:
        raise ModelError(f"{path}: {error}") from error
    if not names or len(set(names)) < len(names):
        raise ModelError(f"{path}: labels must be one or more, each there once, got {', '.join(names) or 'none'}")
    return names


def _check_card(card: ModelCard, path: Path) -> None:
    if len(card.thresholds) != len(card.labels):
        raise ModelError(f"{path}: {len(card.labels)} labels but {len(card.thresholds)} thresholds")
    if not all(0 < threshold <= 1 for threshold in card.thresholds):
        raise ModelError(f"{path}: thresholds must be above 0 and at most 1")
    if len(card.calibration) not in {0, len(card.labels)}:
        raise ModelError(f"{path}: {len(card.labels)} labels but {len(card.calibration)} calibrations")
    if not 0 <= card.hysteresis.entry < 1:
        raise ModelError(f"{path}: hysteresis.entry must be at least 0 and below 1, got {card.hysteresis.entry}")
    if not 0 < card.hysteresis.release <= 1:
        raise ModelError(f"{path}: hysteresis.release must be above 0 and at most 1, got {card.hysteresis.release}")
    if card.frames and (card.frames.step_samples < 1 or min(card.frames.enter_samples, card.frames.leave_samples) < 0):
        raise ModelError(f"{path}: frames must have steps of 1 sample or more and times from 0, got {card.frames}")
    if (card.sample_rate_hz, card.channels, card.window_samples) != (SAMPLE_RATE_HZ, CHANNELS, WINDOW_SAMPLES):
        raise ModelError(f"{path}: windows must be {WINDOW_SAMPLES} samples of {CHANNELS} at {SAMPLE_RATE_HZ} Hz")


def _check_digest(card: ModelCard, graph: Path) -> None:
    try:
        found = graph_digest(graph)
    except OSError as error:
        raise ModelError(f"{graph} cannot be read ({error.strerror}); export the model again") from error
    if found != card.sha256:
        raise ModelError(
            f"{graph} is not the graph its card speaks of: "
            f"sha256 {found[:12]}…, the card says {card.sha256[:12]}…; export the model again"
        )
