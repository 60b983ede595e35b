"""What the recogniser makes of a batch."""

import time
from collections.abc import Iterator

from whoplays.stream.pipeline.batches import Batch
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Inferred
from whoplays.stream.pipeline.session import Hearing


def infer(batch: Batch, recognizer: Recognizer) -> Iterator[tuple[Hearing, Inferred]]:
    """Each window of a batch with what the recogniser makes of it, and whose it is."""
    if not batch.pieces:
        return
    start_ns = time.monotonic_ns()
    probabilities = recognizer.recognize(batch.audio)
    end_ns = time.monotonic_ns()
    for (hearing, span, closed_ns), audio, row in zip(batch.pieces, batch.audio, probabilities, strict=True):
        yield (
            hearing,
            Inferred(
                span=span,
                audio=audio,
                probabilities=row,
                closed_ns=closed_ns,
                lost_samples=hearing.holes.within(span.start, span.end),
                ready_ns=batch.ready_ns,
                start_ns=start_ns,
                end_ns=end_ns,
                batch=len(batch.pieces),
                queue=hearing.windower.ready,
            ),
        )
