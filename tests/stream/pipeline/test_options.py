"""Thresholds that hold in a stream, by the sensitivity and what is given for single labels."""

import math
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from tests.stream.engines import all_messages
from tests.stream.pipeline.test_engine import of_kind
from whoplays.models.card import ModelCard
from whoplays.models.errors import OptionError
from whoplays.stream.pipeline.options import Sensitivity, StreamOptions, options_for
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Event, Status
from whoplays.stream.sources.file import FileSource


@pytest.fixture
def card(recognizer: Recognizer) -> ModelCard:
    return msgspec.structs.replace(recognizer.card, thresholds=(0.27, 1.0))


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


@pytest.mark.parametrize(("sensitivity", "step"), [("low", 1.0), ("high", -1.0)])
def test_sensitivity_shifts_the_logit_of_each_threshold(card: ModelCard, sensitivity: Sensitivity, step: float) -> None:
    piano, violin = options_for(card, StreamOptions(), sensitivity).thresholds
    assert logit(piano) - logit(0.27) == pytest.approx(step)
    assert violin == 1.0  # what is never enough stays so


def test_a_normal_one_leaves_them_exactly_as_they_are(card: ModelCard) -> None:
    assert options_for(card, StreamOptions()).thresholds == card.thresholds


def test_what_is_given_for_a_label_holds_whatever_the_sensitivity(card: ModelCard) -> None:
    piano, violin = options_for(card, StreamOptions(), "high", {"violin": 0.6}).thresholds
    assert piano < 0.27
    assert violin == 0.6


@pytest.mark.parametrize("sensitivity", ["", "medium", 1, None])
def test_others_are_refused(card: ModelCard, sensitivity: object) -> None:
    with pytest.raises(OptionError, match="sensitivity must be high, low or normal, got"):
        options_for(card, StreamOptions(), sensitivity)  # type: ignore[arg-type]


def test_a_label_that_the_model_does_not_have_is_refused(card: ModelCard) -> None:
    with pytest.raises(OptionError, match=r"thresholds\.kazoo not found in the labels of tiny; it has: piano, violin"):
        options_for(card, StreamOptions(), thresholds={"kazoo": 0.5})


def test_a_stream_goes_by_them_and_its_status_says_so(concert: Path, recognizer: Recognizer) -> None:
    """An instrument at 0.993 plays where 0.992 is enough, and not where 0.997 is."""
    card = msgspec.structs.replace(recognizer.card, thresholds=(0.992, 0.992))
    told = {}
    for sensitivity in get_args(Sensitivity):
        options = options_for(card, StreamOptions(), sensitivity)
        messages = list(all_messages(FileSource(concert, "max"), recognizer, options=options))
        assert {status.thresholds for status in of_kind(messages, Status)} == {options.thresholds}
        told[sensitivity] = len(of_kind(messages, Event))
    assert told == {"low": 0, "normal": 4, "high": 4}
