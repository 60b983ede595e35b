"""What happens to sound devices."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from tests.stream.conftest import make_concert
from tests.stream.daemon.daemon import serving, stream, write
from tests.stream.faults.acts import Act, Script, perform, until, wait
from tests.stream.faults.seen import Seen, is_state
from tests.stream.faults.times import measure
from tests.stream.sources.device.pulse import CARD, RATE_HZ, Pulse, running, skip_without_card, skip_without_sound
from whoplays.stream.pubsub.subscriber import Subscriber

pytestmark = pytest.mark.slow


class Card:
    """A sound card that plays the concert."""

    uri = f"device:{CARD}"

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._playing = ExitStack()

    def __enter__(self) -> Self:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def plug_in(self) -> None:
        self._pulse.plug_in()
        self._playing.enter_context(self._pulse.playing((make_concert(RATE_HZ) * 32767).astype(np.int16)))

    def unplug(self) -> None:
        self._pulse.unplug()
        self._playing.close()


def unplug(seen: Seen, card: Card) -> Script:
    yield from until(seen.windows(1), seen)
    unplugged_ns = time.time_ns()
    card.unplug()
    yield from until(seen.told("lost"), seen)
    yield from wait(2.0)
    plugged_ns = time.time_ns()
    card.plug_in()
    yield from until(seen.windows(1, 1), seen)
    assert seen.states == ["listening", "lost", "listening"]
    assert seen.details[0] == f"{CARD} was disconnected; connect it again"
    assert seen.causes == {"device_lost"}
    return measure(seen, unplugged_ns, plugged_ns, is_state("lost"), session=1)


@pytest.mark.device
def test_unplugged(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """A sound device is unplugged, and plugged in again.

    `lost` ("... was disconnected; connect it again"). It is tried again after ¼ s, ½ s and so on, up to half a minute:
    a `gap`, cause `device_lost`, up to the new session.
    """
    skip_without_sound()
    home = tmp_path / "home"
    home.mkdir()
    with running(home, monkeypatch.setenv) as pulse:
        card = Card(pulse)
        act = Act("stage", card, unplug)
        config = write(tmp_path / "concert.toml", model, stream("stage", act.source))
        with card:
            skip_without_card()
            with serving(config) as daemon, Subscriber(daemon.logged("publishing")["endpoint"]) as subscriber:
                perform(subscriber, [act])
    act.check(record_property)
