"""How a stream is processed. The range of each number is declared here once, for configurations and Python alike."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from whoplays.models.card import Hysteresis, ModelCard
from whoplays.models.errors import OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.common.constraints import require, require_fields
from whoplays.stream.pubsub.messages import StreamName

WINDOW_S: Final = WINDOW_SAMPLES / SAMPLE_RATE_HZ
LAG_S: Final = 6.0
Hop = Annotated[float, Meta(ge=1 / SAMPLE_RATE_HZ, le=WINDOW_S, extra={"unit": "s"})]
Silence = Annotated[float, Meta(le=0, extra={"unit": "dBFS"})]
Lag = Annotated[float, Meta(gt=0, le=3600, extra={"unit": "s"})]
Threshold = Annotated[float, Meta(gt=0, le=1)]
Entry = Annotated[float, Meta(ge=0, lt=1)]
Release = Annotated[float, Meta(gt=0, le=1)]
Sensitivity = Literal["low", "normal", "high"]
_LOGIT_STEPS: Final[Mapping[Sensitivity, float]] = MappingProxyType({"low": 1.0, "normal": 0.0, "high": -1.0})
"""By how much the logit of every threshold rises: at 0.5, a step is to 0.73 or to 0.27."""


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream is processed.

    Raises:
        OptionError: one of them is out of its range.
    """

    stream: StreamName = "main"
    """The stable id of the stream."""
    hop_samples: Annotated[int, Meta(ge=1, le=WINDOW_SAMPLES, extra={"unit": "samples"})] = WINDOW_SAMPLES
    """From the start of one window to the next."""
    silence_dbfs: Silence = SILENCE_DBFS
    """Below this level a window is silence."""
    thresholds: tuple[float, ...] = ()
    """Per label, in the model's output order; those of the model's card unless given."""
    entry: Entry | None = None
    """How far from the threshold towards 1 a probability must come for an instrument to enter; the card's if None."""
    release: Release | None = None
    """Who plays is taken to play on down to this share of the threshold; the card's if None."""
    max_lag_s: Lag = LAG_S
    """How old a live window may be when it is taken; older ones are skipped if there is a newer one."""
    frames: bool = False
    """Whether `window` messages carry the probabilities within the window as well."""

    def __post_init__(self) -> None:
        require_fields(self)

    def hysteresis(self, card: Hysteresis) -> Hysteresis:
        """A card's hysteresis, and in its place what is given here."""
        given = {"entry": self.entry, "release": self.release}
        return msgspec.structs.replace(card, **{name: value for name, value in given.items() if value is not None})


def hop_samples(hop_s: float) -> int:
    """A hop in samples.

    Raises:
        OptionError: it is not between one sample and a window of 3 s.
    """
    require("hop", hop_s, Hop)
    return round(hop_s * SAMPLE_RATE_HZ)


def options_for(
    card: ModelCard,
    options: StreamOptions,
    sensitivity: Sensitivity = "normal",
    thresholds: Mapping[str, float] = MappingProxyType({}),
) -> StreamOptions:
    """How a stream is processed by a model: the same, with the thresholds that hold.

    Args:
        card: the model's.
        options: what was asked for.
        sensitivity: how many errors are accepted: `low` raises the thresholds of the card, `high` lowers them.
        thresholds: by label, those that hold as they are given, whatever the sensitivity.

    Raises:
        OptionError: the sensitivity or a label is not known, or the model does not give the frames asked for.
    """
    require("sensitivity", sensitivity, Sensitivity)
    for label in thresholds:
        check_label(card, label)
    if options.frames and card.frames is None:
        raise OptionError(f"model {card.name} gives no frames; leave frames out, or give a model that has them")
    step = _LOGIT_STEPS[sensitivity]
    shifted = {label: _shifted(threshold, step) for label, threshold in zip(card.labels, card.thresholds, strict=True)}
    return msgspec.structs.replace(options, thresholds=tuple((shifted | {**thresholds}).values()))


def check_label(card: ModelCard, label: str) -> None:
    """Refuse a threshold of a label that a model does not have.

    Raises:
        OptionError: see above.
    """
    if label not in card.labels:
        known = ", ".join(card.labels)
        raise OptionError(f"thresholds.{label} not found in the labels of {card.name}; it has: {known}")


def _shifted(threshold: float, step: float) -> float:
    """A threshold whose logit is larger by a step; 1 stays 1."""
    odds = threshold * math.exp(step)
    return odds / (odds + 1 - threshold) if step else threshold
