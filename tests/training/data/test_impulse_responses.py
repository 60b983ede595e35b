from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training.data.tiny_corpus import write_sound
from whoplays.models.errors import DataError
from whoplays.training.data.impulse_responses import read_impulse_response, read_impulse_responses


def test_rooms_begin_with_the_direct_sound(tmp_path: Path) -> None:
    response = np.zeros(2000)
    response[[500, 900]] = 0.8, -0.2
    write_sound(tmp_path / "hall.wav", response)
    (room,) = read_impulse_responses(tmp_path)
    assert room.dtype == np.float32
    assert room[0] == pytest.approx(1)
    assert room[400] == pytest.approx(-0.25, abs=0.001)


def test_a_room_is_found_however_its_suffix_is_written(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "Hall.WAV", np.ones(100), 44_100)
    assert len(read_impulse_responses(tmp_path)) == 1


def test_a_response_keeps_its_channels_and_how_far_they_are_apart(tmp_path: Path) -> None:
    response = np.zeros((2000, 2))
    response[500, 0], response[700, 1] = 0.8, 0.4
    path = write_sound(tmp_path / "hall.wav", response)
    left, right = read_impulse_response(path)
    assert left.argmax() == 0
    assert right.argmax() == 200
    assert left[0] / right[200] == pytest.approx(2, rel=1e-3)


def test_a_folder_without_rooms_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no impulse response"):
        read_impulse_responses(tmp_path)


def test_what_is_no_impulse_response_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hall.wav"
    for sound in (np.zeros(100), np.outer(np.ones(100), [0.5, -0.5])):
        write_sound(path, sound)
        with pytest.raises(DataError, match=r"hall.wav is not an impulse response: it holds no sound"):
            read_impulse_responses(tmp_path)
    path.write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"hall.wav is not an impulse response: hall.wav is not readable as audio"):
        read_impulse_responses(tmp_path)
