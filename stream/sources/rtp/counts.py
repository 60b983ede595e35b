"""What became of every packet."""

from typing import Final, Literal, get_args

import msgspec

from whoplays.stream.sources.rtp.packet import Damage

Refusal = Damage | Literal["payload_type", "payload_length", "foreign", "overlap"]
"""Why a packet was not heard: it is none, or of a type nobody described; it holds no whole frames; it is not the
sender's that is listened to, or nowhere near where that one is; its time was heard already."""

REFUSALS: Final[tuple[Refusal, ...]] = (*get_args(Damage), "payload_type", "payload_length", "foreign", "overlap")


def _none_refused() -> dict[Refusal, int]:
    # Every reason from the start: a dictionary that does not grow can be read from any thread.
    return dict.fromkeys(REFUSALS, 0)


class Counts(msgspec.Struct):
    """Packets since the source was opened; one thread counts, any may read.

    Each one that came was received, late, a duplicate or refused: so it is seen that none goes astray.
    """

    received: int = 0
    """Heard."""
    lost: int = 0
    """Given up: they did not come in time."""
    late: int = 0
    """Of the lost ones, those that came after all."""
    duplicate: int = 0
    """Came once more."""
    refused: dict[Refusal, int] = msgspec.field(default_factory=_none_refused)

    def refuse(self, why: Refusal, packets: int = 1) -> None:
        """Count packets that are not heard."""
        self.refused[why] += packets
