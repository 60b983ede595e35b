"""Telling systemd how the daemon is: sd_notify(3)."""

import os
import socket
from types import TracebackType
from typing import Final, Self


class Notifier:
    """Sends states to the service manager that started us; to nobody if none did."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the zero byte of an abstract address.
        self._address: Final = "\0" + address[1:] if address.startswith("@") else address
        self._socket: Final = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.watchdog_s: Final = _watchdog_s()
        """How often at least the watchdog wants to be fed; 0 if there is none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def tell(self, state: str) -> bool:
        """Send a state such as `READY=1`; False if nobody could be told."""
        if not self._address:
            return False
        try:
            self._socket.sendto(state.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError:
            # Whoever listens may be restarting; a watchdog that stays hungry says it loud enough.
            return False
        return True


def _watchdog_s() -> float:
    limit_us, owner = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not limit_us.isdecimal() or (owner and owner != str(os.getpid())):
        return 0.0
    return int(limit_us) / 1e6
