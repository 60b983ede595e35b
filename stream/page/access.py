"""Who may ask for the page: names it is asked by, a token, a cookie; and what its answers forbid a browser."""

import hmac
import secrets
from collections import deque
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "whoplays"
MOST_LOGINS: Final = 1000
LOGIN_BYTES: Final = 4096
_OPEN: Final = frozenset({"/login", "/page.css", "/icon.svg"})
"""What needs no token: what one gives it by."""
_HEADERS: Final = {
    # Nothing but what the page brings itself.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Guard:
    """Answers whoever may not ask, before the application sees the request.

    A browser asks by one of the page's names alone (against DNS rebinding), and posts from the page itself alone. With
    a token, it has to be given: posted once, for a cookie, or as `Authorization: Bearer`.

    Args:
        app: what is guarded.
        hosts: names and addresses by which the page may be asked for, without port; any if there are none.
        token: what has to be given; nothing if there is none.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str | None) -> None:
        self._app: Final = app
        self._hosts: Final = hosts
        self._token: Final = token
        self._logins: Final = deque[str](maxlen=MOST_LOGINS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        request = Request(scope, receive)
        answer = self._refusal(request)
        if answer is None and request.method == "POST" and scope["path"] == "/login":
            answer = await self._log_in(request)
        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return JSONResponse({"error": f"not served by the name {_name(host)[:80]}; see --allow-host"}, 421)
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return JSONResponse({"error": "not for pages of other sites"}, 403)
        if self._token is None or request.url.path in _OPEN or self._knows(request.headers, request.cookies):
            return None
        if request.url.path == "/":
            return RedirectResponse("/login", 303)
        return JSONResponse({"error": "token missing or wrong"}, 401, {"www-authenticate": "Bearer"})

    def _knows(self, headers: Headers, cookies: dict[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(given)
        cookie = cookies.get(COOKIE, "")
        # All are compared, so that the time says nothing.
        return sum(hmac.compare_digest(cookie.encode(), each.encode()) for each in self._logins) > 0

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())

    async def _log_in(self, request: Request) -> Response:
        body = b""
        async for data in request.stream():
            body += data
            if len(body) > LOGIN_BYTES:
                return JSONResponse({"error": f"a login must have at most {LOGIN_BYTES} bytes"}, 413)
        given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
        if not self._token or not self._is_token(given.strip()):
            return RedirectResponse("/login?wrong", 303)
        login = secrets.token_urlsafe(32)
        self._logins.append(login)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, login, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return answer


def _name(host: str) -> str:
    """A host without its port."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name.strip("[]").lower()
