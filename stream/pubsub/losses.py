"""Telling from sequence numbers what a subscriber did not get."""

from whoplays.stream.pubsub.messages import KINDS, Message, Status, kind_of


class Losses:
    """Follows the `seq` of one stream's messages, kind by kind.

    The first session that is met may be met in the middle: what came before was not lost, but early. Whoever follows a
    stream hears each later session from its beginning, so that one counts from there. A `status` also tells of losses
    of the other kinds, by its `last_seq`.
    """

    def __init__(self) -> None:
        self._session: str | None = None
        self._early = True
        self._seen: dict[str, int] = {}

    def missing(self, message: Message) -> int:
        """How many messages were lost between the ones seen before and this one."""
        if message.session != self._session:
            self._early = self._session is None
            self._session = message.session
            self._seen = {}
        missing = self._step(kind_of(message), message.seq, message.seq - 1)
        if isinstance(message, Status):
            last = {kind: message.last_seq.get(kind, -1) for kind in KINDS if kind != "status"}
            missing += sum(self._step(kind, seq, seq) for kind, seq in last.items())
        return missing

    def _step(self, kind: str, seq: int, before: int) -> int:
        missing = before - self._seen.get(kind, before if self._early else -1)
        self._seen[kind] = seq
        return missing
