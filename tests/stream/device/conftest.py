from collections.abc import Iterator

import pytest

from tests.stream.device.pulse import Pulse, running, skip_without_card, skip_without_sound


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    """A sound server, for all tests that do not end it."""
    skip_without_sound()
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("pulse"), patch.setenv) as server:
        yield server


@pytest.fixture
def pulse(server: Pulse) -> Iterator[Pulse]:
    """A sound server without any input, to plug one in."""
    yield server
    server.unplug()


@pytest.fixture
def card(pulse: Pulse) -> Pulse:
    """A sound server with a fresh input."""
    pulse.plug_in()
    skip_without_card()
    return pulse
