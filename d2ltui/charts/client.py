"""Charts drawn in a helper process, awaited without a thread.

client = ChartClient(on_trouble=print)
client.start()                      # optional: before the terminal is taken, so that the first chart is quick
drawing = await client.draw(spec)   # from one event loop
client.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Callable

import msgspec

from d2ltui.charts.spec import ChartError, ChartSpec, Drawing, Reply, Request
from d2ltui.spec import startup

_LENGTH_SIZE = 4
_LONGEST_REPLY = 64 * 2**20
_CHUNK = 2**18
_BACKOFF = (0.05, 0.5)  # seconds before each restart; there are no more of them


class _Pending:
    """A request that waits for its reply. The drawing is None where the helper is given up."""

    __slots__ = ("frame", "future")

    def __init__(self, frame: bytes, future: asyncio.Future[Reply | None]) -> None:
        self.frame, self.future = frame, future


class ChartClient:
    """Sends charts to a helper process and awaits its drawings, from one event loop.

    A helper that dies, talks nonsense or does not answer for `timeout` seconds is replaced, twice; the requests that
    wait are sent again. After that charts are drawn in this process. `on_trouble` is called with a sentence the first
    time that a helper is lost, and once more where charts are drawn in this process from then on.
    """

    def __init__(self, on_trouble: Callable[[str], None] | None = None, timeout: float = 5.0) -> None:
        self.timeout = timeout
        self.seconds = 0.0  # of processor time that drawing has taken in the helper, all in all
        self._on_trouble = on_trouble
        self._process: subprocess.Popen[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._restart: asyncio.TimerHandle | None = None
        self._pending: dict[int, _Pending] = {}
        self._last_id = 0
        self._outgoing, self._incoming = bytearray(), bytearray()
        self._watching = self._writing = False
        self._losses = 0
        self._last_sign = 0.0
        self._told = self._closed = False
        # Without POSIX's non-blocking pipes charts are drawn here from the start.
        self._given_up = os.name != "posix"
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Reply).decode

    @property
    def pid(self) -> int | None:
        """The helper's process id; None where none runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the helper, if none runs. It needs no event loop, and returns before the helper is ready."""
        if self._process is not None or self._given_up or self._closed:
            return
        try:
            self._process = subprocess.Popen(
                startup.command("d2ltui.charts.server"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
                env=startup.environment(),
            )
        except OSError as error:
            self._give_up(f"the chart helper cannot be started ({error}); charts are drawn in this process")
            return
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    async def draw(self, spec: ChartSpec) -> Drawing:
        """The drawing of `spec`.

        Raises:
            ChartError: where it cannot be drawn, or the client has been closed.
        """
        if self._closed:
            raise ChartError("the chart client is closed")
        self._loop = asyncio.get_running_loop()
        if not self._given_up and self._restart is None:
            self.start()
        if self._given_up:
            return _draw_here(spec)
        self._last_id += 1
        try:
            body = self._encode(Request(self._last_id, msgspec.Raw(self._encode(spec))))
        except (TypeError, ValueError, OverflowError) as error:
            raise ChartError(f"{type(error).__name__}: {error}") from error
        frame = len(body).to_bytes(_LENGTH_SIZE, "big") + body
        key, pending = self._last_id, _Pending(frame, self._loop.create_future())
        if not self._pending:
            self._last_sign = self._loop.time()
        self._pending[key] = pending
        try:
            if self._restart is None:
                self._send(frame)
            reply = await self._reply(pending)
        finally:
            self._pending.pop(key, None)
        if reply is None:
            return _draw_here(spec)
        if reply.drawing is None:
            raise ChartError(reply.error)
        return reply.drawing

    async def _reply(self, pending: _Pending) -> Reply | None:
        assert self._loop is not None
        while True:
            # Any reply is a sign of life: with many requests the last one may well wait for longer. A helper that is to
            # be started again has as long from then on.
            last_sign = self._last_sign if self._restart is None else self._restart.when()
            remaining = last_sign + self.timeout - self._loop.time()
            await asyncio.wait({pending.future}, timeout=max(0.001, remaining))
            if pending.future.done():
                return pending.future.result()
            if self._loop.time() >= self._last_sign + self.timeout and self._restart is None:
                self._lose(f"did not answer within {self.timeout:g} s")

    def close(self) -> None:
        """End the helper and whatever waits for it; it is gone when this returns."""
        self._closed = True
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_exception(ChartError("the chart client is closed"))
        self._end_process(patience=0.5)

    def _send(self, frame: bytes) -> None:
        """Write `frame` soon, with whatever else is asked for at the same time: the helper answers that together."""
        assert self._loop is not None
        if not self._outgoing:
            self._loop.call_soon(self._write)
        self._outgoing += frame
        self._watch()

    def _watch(self) -> None:
        if self._watching or self._process is None or self._process.stdout is None or self._loop is None:
            return
        self._loop.add_reader(self._process.stdout.fileno(), self._read)
        self._watching = True

    def _write(self) -> None:
        """Write what the pipe takes, and come back when it takes more: this never waits."""
        if self._process is None or self._process.stdin is None or self._loop is None:
            return
        pipe = self._process.stdin.fileno()
        while self._outgoing:
            try:
                written = os.write(pipe, self._outgoing)
            except BlockingIOError:
                break
            except OSError:
                self._lose("stopped")
                return
            del self._outgoing[:written]
        if bool(self._outgoing) != self._writing:
            self._writing = not self._writing
            if self._writing:
                self._loop.add_writer(pipe, self._write)
            else:
                self._loop.remove_writer(pipe)

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            chunk = os.read(self._process.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._lose("stopped")
            return
        self._incoming += chunk
        while len(self._incoming) >= _LENGTH_SIZE:
            size = int.from_bytes(self._incoming[:_LENGTH_SIZE], "big")
            end = _LENGTH_SIZE + size
            if size > _LONGEST_REPLY:
                self._lose("answered what is no drawing")
                return
            if len(self._incoming) < end:
                return
            body = bytes(self._incoming[_LENGTH_SIZE:end])
            del self._incoming[:end]
            try:
                reply = self._decode(body)
            except msgspec.MsgspecError:
                self._lose("answered what is no drawing")
                return
            self._last_sign = self._loop.time() if self._loop is not None else 0.0
            self.seconds += reply.seconds
            pending = self._pending.get(reply.id)
            if pending is not None and not pending.future.done():
                pending.future.set_result(reply)

    def _lose(self, what: str) -> None:
        """The helper is of no more use: replace it, or do without one."""
        self._end_process(patience=0.0)
        if self._closed or self._loop is None:
            return
        if self._losses == len(_BACKOFF):
            self._give_up(f"the chart helper {what} again; charts are drawn in this process")
            return
        self._tell(f"the chart helper {what}; it is started again")
        self._restart = self._loop.call_later(_BACKOFF[self._losses], self._again)
        self._losses += 1

    def _again(self) -> None:
        self._restart = None
        self.start()
        if self._loop is not None:
            self._last_sign = self._loop.time()
        for pending in list(self._pending.values()):
            if self._process is not None and not pending.future.done():
                self._send(pending.frame)

    def _give_up(self, why: str) -> None:
        self._given_up = True
        self._told = False  # this is another matter than a helper that is started again
        self._tell(why)
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_result(None)

    def _tell(self, message: str) -> None:
        if not self._told and self._on_trouble is not None:
            self._told = True
            self._on_trouble(message)

    def _end_process(self, patience: float) -> None:
        """Close the pipes, wait `patience` seconds for the helper to end by itself, then kill it."""
        process, self._process = self._process, None
        self._outgoing.clear()
        self._incoming.clear()
        if process is None or process.stdin is None or process.stdout is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(process.stdout.fileno())
            self._loop.remove_writer(process.stdin.fileno())
        self._watching = self._writing = False
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        if patience:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
        if process.poll() is None:
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _draw_here(spec: ChartSpec) -> Drawing:
    """Draw in this process; plotext is imported only here."""
    from d2ltui.charts.draw import draw

    try:
        return draw(spec)
    except Exception as error:
        raise ChartError(f"{type(error).__name__}: {error}") from error
