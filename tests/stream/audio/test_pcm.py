import numpy as np
import pytest

from whoplays.models.errors import OptionError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.pcm import Encoding, ExactEncoding, NetworkEncoding, PcmFormat, decode, encode

VALUES = np.array([[0.5, -0.25], [-1.0, 0.0], [2**-15, -(2**-15)]], np.float32)


def written(encoding: Encoding | NetworkEncoding) -> bytes:
    """The values, each integer by itself."""
    if encoding == "f32le":
        return VALUES.astype("<f4").tobytes()
    bits = int(encoding[1:3])
    whole = np.round(VALUES.ravel().astype(np.float64) * 2 ** (bits - 1)).astype(int).tolist()
    order = {"le": "little", "be": "big"}[encoding[3:]]
    return b"".join(value.to_bytes(bits // 8, order, signed=True) for value in whole)


@pytest.mark.parametrize("encoding", ["s16le", "s24le", "s32le", "f32le", "s16be", "s24be"])
def test_every_encoding_is_read(encoding: Encoding | NetworkEncoding) -> None:
    np.testing.assert_array_equal(decode(written(encoding), encoding, 2), VALUES)


@pytest.mark.parametrize("encoding", ["s16le", "s24le", "f32le"])
def test_what_is_written_is_read(encoding: ExactEncoding) -> None:
    assert encode(VALUES, encoding) == written(encoding)


def test_any_bytes_are_what_they_are_as_little_endian_turned_round() -> None:
    data = np.random.default_rng(1).bytes(3 * 4 * 100)
    turned = np.frombuffer(data, np.uint8).reshape(-1, 3)[:, ::-1].tobytes()
    np.testing.assert_array_equal(decode(data, "s24be", 4), decode(turned, "s24le", 4))
    assert encode(decode(turned, "s24le", 4), "s24le") == turned


@pytest.mark.parametrize("encoding", ["s16le", "s24le"])
def test_what_is_beyond_full_scale_is_clipped_and_does_not_turn_over(encoding: ExactEncoding) -> None:
    loud: Audio = np.array([[1.0, -1.0], [7.0, -7.0]], np.float32)
    clipped = decode(encode(loud, encoding), encoding, 2)
    assert (clipped[:, 0] > 0.999).all()
    assert (clipped[:, 1] == -1.0).all()


@pytest.mark.parametrize("changes", [{"encoding": "mp3"}, {"rate_hz": 3}, {"channels": 0}])
def test_impossible_formats_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r"PCM"):
        PcmFormat(**changes)  # type: ignore[arg-type]
