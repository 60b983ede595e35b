"""The page's addresses: its files, what programs ask for, and the live events."""

import asyncio
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

import whoplays
from whoplays.models.errors import DataError
from whoplays.stream.common.clock import unix_ns
from whoplays.stream.history.query import Query, Span, rows
from whoplays.stream.page.broadcast import MOST_CLIENTS, Broadcast
from whoplays.stream.page.state import KEPT_NS, NowPlaying, PageState, StreamView, TimelineSpan
from whoplays.stream.pubsub.messages import STREAM_NAME

MOST_EVENTS: Final = 20_000
MOST_BODY_BYTES: Final = 4096
_FILES: Final = Path(__file__).with_name("static")


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Who plays now in one stream."""

    stream: str
    state: str
    playing: tuple[NowPlaying, ...] | None
    """Null while it is not known."""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody knows of an alert."""

    stream: str
    rule: str


class TimelineAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who played when, and when nothing was heard."""

    from_ns: int
    to_ns: int
    spans: tuple[TimelineSpan, ...]
    truncated: bool
    """Whether there are more than are given: ask for less time."""


def make_app(state: PageState, broadcast: Broadcast, history: Path | None) -> Starlette:
    """The application, without what guards it.

    Args:
        history: a database of `whoplays serve`, for what was before the page.
    """
    api = _Api(state, broadcast, history)
    pages = {"/": "index.html", "/login": "login.html"}
    pages |= {f"/{name}": name for name in ("page.css", "page.js", "icon.svg")}
    return Starlette(
        routes=[
            *(Route(path, _file(name)) for path, name in pages.items()),
            Route("/api/streams", api.streams),
            Route("/api/now", api.now),
            Route("/api/events", api.events),
            Route("/api/live", api.live),
            Route("/api/acknowledge", api.acknowledge, methods=["POST"]),
            Route("/openapi.json", _openapi),
        ],
        exception_handlers={HTTPException: _refuse},
    )


class _Api:
    """What programs ask for, and the page itself."""

    def __init__(self, state: PageState, broadcast: Broadcast, history: Path | None) -> None:
        self._state: Final = state
        self._broadcast: Final = broadcast
        self._history: Final = history

    async def streams(self, _request: Request) -> Response:
        return _json(self._state.streams())

    async def now(self, _request: Request) -> Response:
        views = self._state.streams()
        return _json([Now(stream=view.stream, state=view.state, playing=view.playing) for view in views])

    async def events(self, request: Request) -> Response:
        to_ns = _time_ns(request, "to", time.time_ns())
        from_ns = _time_ns(request, "from", to_ns - KEPT_NS)
        stream = request.query_params.get("stream")
        if stream is not None and not STREAM_NAME.fullmatch(stream):
            raise HTTPException(400, "stream must be the name of a stream")
        kept = await self._kept(Query(stream, None, from_ns, to_ns))
        known = set(map(_key, kept))
        spans = [*kept, *(each for each in self._state.spans(from_ns, to_ns, stream) if _key(each) not in known)]
        shown, truncated = tuple(spans[:MOST_EVENTS]), len(spans) > MOST_EVENTS
        return _json(TimelineAnswer(from_ns=from_ns, to_ns=to_ns, spans=shown, truncated=truncated))

    async def acknowledge(self, request: Request) -> Response:
        try:
            asked = msgspec.json.decode(await _body(request), type=Acknowledgement)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HTTPException(400, f"an acknowledgement must be JSON with stream and rule: {error}") from error
        if not self._state.acknowledge(asked.stream, asked.rule):
            raise HTTPException(404, "there is no such alert now")
        return _json({"acknowledged": True})

    async def live(self, _request: Request) -> Response:
        if self._broadcast.is_full:
            raise HTTPException(503, f"{MOST_CLIENTS} clients listen already")
        return StreamingResponse(self._broadcast.listen(), media_type="text/event-stream")

    async def _kept(self, query: Query) -> list[TimelineSpan]:
        """What the history has, if there is one."""
        if self._history is None:
            return []
        try:
            return await asyncio.to_thread(_read, self._history, query)
        except DataError as error:
            if query.stream and query.stream in str(error):
                # It is not in the history, but may be live.
                return []
            raise HTTPException(503, "the history cannot be read") from error


def describe() -> dict[str, Any]:
    """The OpenAPI description of what programs may ask for."""
    kinds = [StreamView, Now, TimelineAnswer]
    (*answers, acknowledgement), components = msgspec.json.schema_components(
        [list[StreamView], list[Now], TimelineAnswer, Acknowledgement], ref_template="#/components/schemas/{name}"
    )
    time_form = {"type": "string", "description": "ISO 8601 with a time zone, or Unix time in nanoseconds."}
    asked = [
        {"name": "from", "in": "query", "schema": time_form},
        {"name": "to", "in": "query", "schema": time_form},
        {"name": "stream", "in": "query", "schema": {"type": "string"}},
    ]
    paths: dict[str, Any] = {
        path: {"get": {"summary": kind.__doc__, "responses": _answer("application/json", answer)}}
        for path, kind, answer in zip(("/api/streams", "/api/now", "/api/events"), kinds, answers, strict=True)
    }
    paths["/api/events"]["get"]["parameters"] = asked
    summary = "What changes, as server-sent events: stream, span, notice, time."
    asked_body = {"required": True, "content": {"application/json": {"schema": acknowledgement}}}
    paths["/api/acknowledge"] = {
        "post": {
            "summary": Acknowledgement.__doc__,
            "requestBody": asked_body,
            "responses": _answer("application/json", {"type": "object"}),
        }
    }
    paths["/api/live"] = {"get": {"summary": summary, "responses": _answer("text/event-stream", {"type": "string"})}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "whoplays", "version": whoplays.__version__},
        "paths": paths,
        "components": {"schemas": dict(components)},
    }


def _answer(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"200": {"description": "OK", "content": {media: {"schema": schema}}}}


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise HTTPException(413, f"a request must have at most {MOST_BODY_BYTES} bytes")
    return body


async def _openapi(_request: Request) -> Response:
    return _json(describe())


def _file(name: str) -> Any:
    async def answer(_request: Request) -> Response:
        return FileResponse(_FILES / name)

    return answer


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _refuse(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _json({"error": error.detail if isinstance(error, HTTPException) else "it failed"}, status)


def _time_ns(request: Request, name: str, default_ns: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default_ns
    try:
        if text.isdecimal() and len(text) <= 19:
            return int(text)
        return unix_ns(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError) as error:
        wanted = "ISO 8601 or Unix time in nanoseconds"
        raise HTTPException(400, f"{name} must be {wanted}, got {text[:80]!r}") from error


def _read(history: Path, query: Query) -> list[TimelineSpan]:
    """What the history has of a stretch of time, as far as its beginning is known; no more than can be given."""
    timed = (row for row in rows(history, query) if row.start is not None)
    return list(islice(map(_span, timed), MOST_EVENTS + 1))


def _key(span: TimelineSpan) -> tuple[str, str, str, int]:
    """What is the same of a span in the history, which has times to the millisecond."""
    return span.stream, span.kind, span.name, span.start_ns // 1_000_000


def _span(row: Span) -> TimelineSpan:
    return TimelineSpan(
        stream=row.stream,
        kind="gap" if row.gap else "label",
        name=row.gap or row.label or "",
        start_ns=unix_ns(datetime.fromisoformat(row.start or "")),
        end_ns=None if row.end is None else unix_ns(datetime.fromisoformat(row.end)),
        peak=row.peak,
    )
