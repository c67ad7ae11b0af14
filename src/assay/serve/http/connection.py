"""One connection: finds the requests in what a client sends, asks the route, writes the answers.

One request at a time: what a client sends ahead waits in a buffer, and when that is full in the
client's own. There is no timer per request: the listener asks each connection once a second
whether its time is over.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from time import perf_counter

from assay.serve.http.chunks import Chunks
from assay.serve.http.head import CHUNKED, END, Head, check_start
from assay.serve.http.message import Request, Response
from assay.serve.http.shared import Shared
from assay.serve.http.wire import CLOSE, CONTINUE, KEEP, encode
from assay.serve.identity import HEADER
from assay.serve.problems import Rejected, refusal, told

IDLE, HEAD, BODY, BUSY, LAST = range(5)
"""Nothing of a request is there; part of its head; part of its body; all of it, and the route is
asked; the last answer is written, and what still comes is thrown away."""

_AHEAD = 65_536  # bytes that a client may send ahead while the route is asked
_LEAVING = 64  # connections that may be turned away at the same time, with an answer


class Connection(asyncio.Protocol):
    """The server's end of one connection."""

    __slots__ = (
        "_asked",
        "_buffer",
        "_chunks",
        "_ended",
        "_head",
        "_held",
        "_known",
        "_paused",
        "_route",
        "_searched",
        "_shared",
        "_since",
        "_state",
        "_stuck",
        "_transport",
        "_turn",
    )

    _transport: asyncio.Transport

    def __init__(self, shared: Shared) -> None:
        self._shared, self._route, self._known = shared, shared.route, shared.heads.known
        self._state = HEAD
        self._since = perf_counter()  # when the state began
        self._stuck = 0.0  # since when the client reads nothing, or 0
        self._buffer = bytearray()  # what has come and is not understood yet
        self._searched = 0  # bytes of it in which no head ends
        self._head: Head | None = None  # of the request whose body is on its way
        self._chunks: Chunks | None = None  # its body, when it comes in chunks
        self._asked: Head | None = None  # of the request that the route is asked
        self._turn = 0  # the request that may be answered
        self._held = 0  # bytes this connection adds to `shared.waiting`
        self._paused = False  # nothing is read
        self._ended = False  # the client sends no more

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client in, or turn it away."""
        self._transport = transport  # type: ignore[assignment]
        shared = self._shared
        shared.total += 1
        shared.connections.add(self)
        if shared.full:
            shared.refused += 1
            self._turn_away()

    def data_received(self, data: bytes) -> None:
        """Take what a client sent: most often one request, whole, with a head seen before."""
        if self._state <= HEAD and not self._buffer:
            end = data.find(END) + 4
            head = self._known.get(data[:end])
            if head is not None and head.length == len(data) - end:
                self._ask(head, data[end:])
                return
        if self._state != LAST:
            self._buffer += data
            self._advance()

    def eof_received(self) -> bool:
        """Answer what is asked before the connection ends; within TLS there is no half of one."""
        self._ended = True
        if self._state < BUSY:
            self._advance()
        return self._state != LAST and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the client; an answer that is still to come goes nowhere."""
        self._turn += 1
        self._state = LAST
        self._buffer.clear()
        self._chunks = None
        self._hold()
        self._shared.connections.discard(self)

    def pause_writing(self) -> None:
        """Take no more from a client that does not read its answers."""
        self._stuck = perf_counter()
        self._throttle()

    def resume_writing(self) -> None:
        """Go on with a client that reads again."""
        self._stuck, self._since = 0.0, perf_counter()
        if self._state != LAST:
            self._advance()

    # From bytes to requests

    def _advance(self) -> None:
        """Go on with what is in the buffer, up to the next request that is whole."""
        try:
            if self._state < BUSY and not self._stuck:
                head = self._head or self._next_head()
                body = None if head is None else self._next_body(head)
                if head is not None and body is not None:
                    self._head = self._chunks = None
                    self._ask(head, body)
                elif self._ended:
                    self._close()
            self._hold()
        except Rejected as error:
            self._refuse(error)

    def _next_head(self) -> Head | None:
        """Return the next head once it is whole; an error once it cannot be one any more."""
        buffer, shared = self._buffer, self._shared
        while buffer.startswith(b"\r\n"):  # some old clients end a body so (RFC 9112, 2.2)
            del buffer[:2]
        if not buffer:
            return None
        if self._state == IDLE:
            self._state, self._since = HEAD, perf_counter()
        end = buffer.find(END, max(self._searched - 3, 0)) + 4
        if end < 4:
            self._searched = len(buffer)
            check_start(buffer, shared.limits)
            return None
        self._searched = 0
        head = shared.heads.read(_cut(buffer, end))
        self._head, self._state, self._since = head, BODY, perf_counter()
        self._chunks = Chunks(shared.limits) if head.length == CHUNKED else None
        if head.continues and not buffer:
            self._transport.write(CONTINUE)
        return head

    def _next_body(self, head: Head) -> bytes | None:
        if self._chunks is not None:
            return bytes(self._chunks.body) if self._chunks.take(self._buffer) else None
        return _cut(self._buffer, head.length) if len(self._buffer) >= head.length else None

    def _hold(self) -> None:
        """Tell the others how much this connection holds; too much of it all is refused."""
        held = len(self._buffer) + (len(self._chunks.body) if self._chunks else 0)
        shared = self._shared
        shared.waiting += held - self._held
        self._held = held
        if held and shared.waiting > shared.limits.waiting:
            raise _too_busy("too many bytes of unfinished requests")
        self._throttle()

    def _throttle(self) -> None:
        """Read only while the client reads too, and while little waits that it sent ahead."""
        ahead = self._state == BUSY and len(self._buffer) > _AHEAD
        pause = self._state != LAST and (ahead or self._stuck > 0)
        if pause != self._paused and not self._transport.is_closing():
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # From requests to answers

    def _ask(self, head: Head, body: bytes) -> None:
        self._state, self._asked = BUSY, head
        self._since = now = perf_counter()
        request = Request(head.method, head.path, head.query, head.headers, body, now)
        turn = self._turn
        try:
            self._route(request, partial(self._answer, turn))
        except Exception as error:  # noqa: BLE001  whatever a route does, the next client is served
            self._answer(turn, _fault(error, request.id))

    def _answer(self, turn: int, response: Response) -> None:
        """Write an answer; one that comes twice, or for a client that has gone, is dropped."""
        head = self._asked
        if turn != self._turn or head is None:
            return
        self._turn = turn + 1
        ended = self._ended and not self._buffer
        keep = head.keep_alive and not self._shared.draining and not ended
        connection = (KEEP if head.old else b"") if keep else CLOSE
        self._write(response, connection, bodiless=head.bodiless)
        if not keep:
            self._close()
            return
        self._state, self._since = IDLE, perf_counter()
        if self._buffer:
            self._go_on()

    def _go_on(self) -> None:
        """Take the next request from the buffer in the loop's next turn: others come first."""
        self._state = HEAD
        self._throttle()
        asyncio.get_running_loop().call_soon(self._advance)

    def _write(self, response: Response, connection: bytes, *, bodiless: bool = False) -> None:
        date = self._shared.date
        try:
            data = encode(response, date, connection, bodiless=bodiless)
        except (AttributeError, TypeError, ValueError) as error:
            data = encode(_fault(error), date, connection, bodiless=bodiless)
        self._transport.write(data)

    # The end

    def _refuse(self, error: Rejected) -> None:
        """Answer with an error, and end the connection: what follows cannot be trusted."""
        self._finish(refusal(error))

    def _finish(self, response: Response) -> None:
        """Write the last answer, and wait for the client to close.

        To close at once would make the kernel tell of bytes not read, and the client lose the
        answer. What still comes is thrown away; TLS does the same when it is closed.
        """
        self._turn += 1
        self._write(response, CLOSE)
        self._state, self._since = LAST, perf_counter()
        self._buffer.clear()
        self._chunks = None
        self._hold()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def _turn_away(self) -> None:
        shared = self._shared
        if len(shared.connections) > shared.limits.connections + _LEAVING:
            self._state = LAST
            self._transport.abort()
        else:
            self._refuse(_too_busy("too many connections"))

    def _close(self) -> None:
        """Close once what is written has gone out."""
        self._state, self._since = LAST, perf_counter()
        self._transport.close()

    def expire(self, now: float) -> None:
        """End what has taken too long at `now`, a `time.perf_counter()`."""
        limits, age = self._shared.limits, now - self._since
        if self._stuck:
            if now - self._stuck > limits.write_seconds:
                self._shared.timed_out += 1
                self._transport.abort()
        elif self._state == IDLE:
            if age > limits.idle_seconds:
                self._close()
        elif self._state == LAST:
            writes = self._transport.get_write_buffer_size() > 0
            if age > (limits.write_seconds if writes else limits.linger_seconds):
                self._transport.abort()
        elif self._state == BUSY:
            if age > limits.reply_seconds:
                self._time_out(_unanswered())
        elif age > (limits.head_seconds if self._state == HEAD else limits.body_seconds):
            self._time_out(_too_slow())

    def _time_out(self, error: Rejected) -> None:
        self._shared.timed_out += 1
        if self._state == HEAD and not self._buffer.strip():  # nothing was asked
            self._close()
        else:
            self._refuse(error)

    def drain(self) -> None:
        """Close now where nothing is asked; what is on its way is answered first."""
        if self._state <= HEAD and not self._buffer:
            self._close()

    def abort(self) -> None:
        """End at once, whatever is on its way."""
        self._transport.abort()


def _cut(buffer: bytearray, size: int) -> bytes:
    """Remove the first `size` bytes and return them."""
    if size == len(buffer):
        taken = bytes(buffer)
        buffer.clear()
    else:
        taken = bytes(memoryview(buffer)[:size])
        del buffer[:size]
    return taken


def _fault(error: BaseException, identity: str = "") -> Response:
    """Return what a client is told of a fault, with an id by which our standard error tells more.

    The id is new where the request has none yet.
    """
    identity = identity or secrets.token_hex(8)
    response = told(error, identity)
    response.headers = (*response.headers, (HEADER, identity.encode()))
    return response


def _too_busy(why: str) -> Rejected:
    error = Rejected("HTTP-BUSY", f"the server is too busy: {why}", hint="send it again later")
    return error.later(1)


def _too_slow() -> Rejected:
    return Rejected("HTTP-SLOW", "the request did not arrive in time").at(408)


def _unanswered() -> Rejected:
    error = Rejected("HTTP-NO-ANSWER", "the server found no answer in time; the fault is its own")
    return error.later(1)
