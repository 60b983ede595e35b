"""Who plays in one stream, by the messages that a subscriber receives."""

from whoplays.stream.pubsub.messages import End, Event, Message, Playing, Status


class Players:
    """Follows one stream: events say at once who plays, a status says it after a late join or a loss."""

    def __init__(self) -> None:
        self._session = ""
        self._by_label: dict[str, Playing] | None = None

    @property
    def playing(self) -> tuple[Playing, ...] | None:
        """Who plays; None while that is not known."""
        return None if self._by_label is None else tuple(self._by_label.values())

    def update(self, message: Message) -> None:
        """Take in the next message; a new session begins anew."""
        if message.session != self._session:
            self._session = message.session
            self.forget()
        match message:
            case Status(state="stalled" | "lost" | "ended") | End():
                self.forget()
            case Status():
                self._by_label = None if message.playing is None else {each.label: each for each in message.playing}
            case Event() if self._by_label is not None:
                self._by_label.pop(message.label, None)
                if message.phase == "start":
                    self._by_label[message.label] = Playing(
                        id=message.id, label=message.label, since=message.at, since_ns=message.at_ns
                    )

    def forget(self) -> None:
        """Know nothing until the next status: messages were lost, or none come any more."""
        self._by_label = None
