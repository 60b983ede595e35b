"""What is typed, and the models that it names."""

import pytest

from whoplays.models.errors import DataError, OptionError
from whoplays.training.evaluate.registry import find_peer, runs_of


@pytest.mark.parametrize("text", ["yamnet", "yamnet=", "vggish=a.tflite", "yamnet=missing.tflite"])
def test_a_peer_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=rf"--peer.*{text}"):
        find_peer(text)


def test_what_is_evaluated_is_runs_or_one_model() -> None:
    assert runs_of(("solo-rawcnn",)) == []
    with pytest.raises(DataError, match=r"nobody is not a run: .* model 'nobody' not found"):
        runs_of(("nobody",))
    with pytest.raises(DataError, match="solo-rawcnn is not a run: of several, each must be one"):
        runs_of(("solo-rawcnn", "duo-rawcnn"))
