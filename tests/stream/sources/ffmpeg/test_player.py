import time

import numpy as np

from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import GapCause
from whoplays.stream.sources.ffmpeg.decoder import Piece
from whoplays.stream.sources.ffmpeg.player import Player

SAMPLES = 2205
NS = 50_000_000


def test_what_comes_at_once_is_handed_out_when_it_is_due() -> None:
    sent: list[tuple[Block, int]] = []
    start_ns = time.monotonic_ns()
    with Player(lambda block: sent.append((block, time.monotonic_ns())), broadcast=True) as player:
        for number in range(12):
            lost: GapCause | None = "network" if number == 5 else None
            player.put(Piece(np.full((2, SAMPLES), 0 if lost else 0.5, np.float32), lost), start_ns)
    assert [block.captured_at_ns for block, _ in sent] == [start_ns + number * NS for number in range(12)]
    assert [number for number, (block, _) in enumerate(sent) if block.lost] == [5]
    assert all(at_ns >= block.captured_at_ns for block, at_ns in sent)


def test_what_never_came_is_made_up_for_only_in_a_broadcast() -> None:
    """Pieces that arrived long ago, so that nothing has to be waited for; after 5 s of them, 3 s went missing."""
    assert lost_samples(broadcast=True) == 3 * 44_100
    assert lost_samples(broadcast=False) == 0


def lost_samples(*, broadcast: bool) -> int:
    sent: list[Block] = []
    start_ns = time.monotonic_ns() - 60_000_000_000
    with Player(sent.append, broadcast=broadcast) as player:
        for number in range(500):
            late_ns = 3_000_000_000 if number >= 100 else 0
            player.put(Piece(np.zeros((2, SAMPLES), np.float32)), start_ns + number * NS + late_ns)
    return sum(block.audio.shape[1] for block in sent if block.lost)
