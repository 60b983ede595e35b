import numpy as np
import pytest

from stream.pcm_source import PcmFormat
from stream.pcm_source import decode as decode_pcm
from stream.rtp.formats import Format
from stream.rtp.payload import decode

VALUES = np.array([[0.5, -0.25], [-1.0, 0.0], [2**-15, -(2**-15)]], np.float32)


@pytest.mark.parametrize("bits", [16, 24])
def test_samples_are_big_endian(bits: int) -> None:
    whole = np.round(VALUES.ravel() * 2 ** (bits - 1)).astype(int).tolist()
    payload = b"".join(value.to_bytes(bits // 8, "big", signed=True) for value in whole)
    np.testing.assert_array_equal(decode(payload, Format(48_000, 2, bits)), VALUES)


def test_any_bytes_are_what_they_are_as_little_endian_turned_round() -> None:
    payload = np.random.default_rng(1).bytes(3 * 4 * 100)
    turned = np.frombuffer(payload, np.uint8).reshape(-1, 3)[:, ::-1].tobytes()
    expected = decode_pcm(turned, PcmFormat(encoding="s24le", channels=4))
    np.testing.assert_array_equal(decode(payload, Format(48_000, 4, 24)), expected)
