"""The helper process and its client: the same drawings, no loss when it dies, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import signal
import struct
import subprocess
import sys
import time
import warnings

import msgspec
import psutil
import pytest

from d2ltui.charts import server
from d2ltui.charts.client import ChartClient
from d2ltui.charts.draw import draw
from d2ltui.charts.server import serve
from d2ltui.charts.spec import ChartError, ChartSpec, Line, Reply, Request, Style

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the helper's pipes are POSIX's")


def chart(width=40, height=10, top=1.0) -> ChartSpec:
    return ChartSpec(width, height, [Line("train", Style.TRAIN, [0.0, 1.0], [0.0, top])], log=False, x_label="epoch")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def has_not_ended(pid: int) -> bool:
    """Whether it still runs; not one that only waits for whoever inherited it to take notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def troubles():
    return []


@pytest.fixture
async def client(troubles):
    client = ChartClient(troubles.append)
    yield client
    client.close()


def impostor(monkeypatch, code: str) -> None:
    """Helpers started from here on run `code` instead."""
    popen = subprocess.Popen

    def start(command, **options):
        return popen([sys.executable, "-c", code], **options)

    monkeypatch.setattr("d2ltui.charts.client.subprocess.Popen", start)


async def test_a_drawing_travels_unchanged(client, troubles):
    client.start()
    for spec in (chart(), chart(7, 2)):
        assert await client.draw(spec) == draw(spec)
    assert not troubles


async def test_the_client_knows_what_the_helper_has_cost(client):
    await client.draw(chart())  # imports plotext
    once = client.seconds
    assert once > 0
    spent = psutil.Process(client.pid).cpu_times()
    await asyncio.gather(*(client.draw(chart(width=150, height=40, top=float(top))) for top in range(30)))
    now = psutil.Process(client.pid).cpu_times()
    spent_since = now.user + now.system - spent.user - spent.system
    assert 0.3 * spent_since < client.seconds - once < spent_since + 0.05


async def test_the_client_starts_its_helper_by_itself(client):
    assert client.pid is None
    await client.draw(chart())
    assert is_running(client.pid)
    assert os.getsid(client.pid) == client.pid


async def test_many_drawings_at_once(client, troubles):
    specs = [chart(20 + i, 5 + i % 7, top=float(i)) for i in range(60)]
    assert await asyncio.gather(*map(client.draw, specs)) == [draw(spec) for spec in specs]
    assert not troubles


async def test_a_request_larger_than_the_pipe_does_not_stop_the_loop(client):
    n = 200_000
    spec = ChartSpec(40, 10, [Line("", Style.TRAIN, [i / n for i in range(n)], [float(i % 7) for i in range(n)])])
    turns = 0

    async def turn():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    turning = asyncio.create_task(turn())
    drawing = await client.draw(spec)
    turning.cancel()
    assert drawing == draw(spec)
    assert turns > 3


async def test_a_killed_helper_is_replaced_and_told_once(client, troubles):
    for _ in range(2):
        await client.draw(chart())
        os.kill(client.pid, signal.SIGKILL)
        assert await client.draw(chart()) == draw(chart())
    assert len(troubles) == 1
    assert "started again" in troubles[0]


async def test_the_third_loss_is_told_once(client, troubles):
    for _ in range(3):
        await client.draw(chart())
        os.kill(client.pid, signal.SIGKILL)
        assert await client.draw(chart()) == draw(chart())
    for _ in range(3):
        assert await client.draw(chart()) == draw(chart())
    assert client.pid is None
    assert ["started again" in trouble for trouble in troubles] == [True, False]
    assert troubles[1] == "the chart helper stopped again; charts are drawn in this process"


async def test_a_helper_starts_where_standard_error_is_no_file(client, monkeypatch):
    """As under an application that has taken the terminal."""

    class Captured(io.StringIO):
        def fileno(self) -> int:
            return -1

    for name in ("stderr", "stdout"):
        monkeypatch.setattr(sys, name, Captured())
    assert await client.draw(chart()) == draw(chart())
    os.kill(client.pid, signal.SIGKILL)
    assert await client.draw(chart()) == draw(chart())
    assert client.pid is not None


async def test_requests_under_way_survive_the_helper(client, troubles):
    await client.draw(chart())
    os.kill(client.pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(client.draw(chart(top=float(i)))) for i in range(5)]
    await asyncio.sleep(0.05)
    os.kill(client.pid, signal.SIGKILL)
    assert await asyncio.gather(*waiting) == [draw(chart(top=float(i))) for i in range(5)]
    assert len(troubles) == 1


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.stdout.write('Traceback: this is not a drawing'); sys.stdout.flush(); sys.stdin.read()",
        "import sys; sys.stdout.buffer.write(bytes([0, 0, 0, 3, 1, 2, 3])); sys.stdout.flush(); sys.stdin.read()",
        "raise SystemExit(1)",
    ],
    ids=["text", "no message", "exit"],
)
async def test_a_helper_that_is_none_is_given_up(client, troubles, monkeypatch, code):
    impostor(monkeypatch, code)
    assert await client.draw(chart()) == draw(chart())
    assert client.pid is None
    assert await client.draw(chart(30)) == draw(chart(30))
    assert len(troubles) == 2
    assert troubles[-1].endswith("again; charts are drawn in this process")


async def test_a_helper_that_does_not_answer_is_given_up(troubles, monkeypatch):
    impostor(monkeypatch, "import sys; sys.stdin.buffer.read()")
    client = ChartClient(troubles.append, timeout=0.1)
    assert await client.draw(chart()) == draw(chart())
    client.close()
    assert len(troubles) == 2
    assert "did not answer within 0.1 s" in troubles[0]


async def test_what_waits_for_a_helper_to_be_started_again_only_waits(troubles, monkeypatch):
    impostor(monkeypatch, "import sys; sys.stdin.buffer.read()")
    waits = 0
    wait = asyncio.wait

    async def counted(*args, **options):
        nonlocal waits
        waits += 1
        return await wait(*args, **options)

    monkeypatch.setattr("d2ltui.charts.client.asyncio.wait", counted)
    client = ChartClient(troubles.append, timeout=0.1)
    specs = [chart(top=float(i)) for i in range(3)]
    assert await asyncio.gather(*map(client.draw, specs)) == [draw(spec) for spec in specs]
    client.close()
    assert waits <= 3 * 3 * 3  # for each request and helper: an answer, a restart, and a timer that comes early


async def test_a_helper_that_cannot_be_started(client, troubles, monkeypatch):
    def refuse(*_, **__):
        raise OSError("too many processes")

    monkeypatch.setattr("d2ltui.charts.client.subprocess.Popen", refuse)
    assert await client.draw(chart()) == draw(chart())
    assert len(troubles) == 1
    assert "too many processes" in troubles[0]


async def test_a_chart_that_cannot_be_drawn_is_an_error_and_no_trouble(client, troubles):
    await client.draw(chart())
    pid = client.pid
    for wrong, why in (
        (chart(width=2**62), "MemoryError"),
        (chart(width="wide"), "int"),
        (chart(width=object()), "unsupported"),
    ):
        with pytest.raises(ChartError, match=why):
            await client.draw(wrong)
    assert await client.draw(chart()) == draw(chart())
    assert client.pid == pid
    assert not troubles


async def test_a_cancelled_drawing_does_not_disturb_the_next(client):
    await client.draw(chart())
    task = asyncio.create_task(client.draw(chart(100, 40)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await client.draw(chart()) == draw(chart())


async def test_close_leaves_nothing_behind(troubles):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = ChartClient(troubles.append)
        client.start()
        await client.draw(chart())
        pid = client.pid
        client.close()
        client.close()
        assert not is_running(pid)
        with pytest.raises(ChartError, match="closed"):
            await client.draw(chart())
        del client
        gc.collect()
    assert not troubles


async def test_close_ends_a_helper_that_hangs(troubles):
    client = ChartClient(troubles.append)
    await client.draw(chart())
    pid = client.pid
    os.kill(pid, signal.SIGSTOP)
    waiting = asyncio.create_task(client.draw(chart()))
    await asyncio.sleep(0.01)
    client.close()
    assert not is_running(pid)
    with pytest.raises(ChartError, match="closed"):
        await waiting


def test_close_without_a_loop():
    client = ChartClient()
    client.start()
    pid = client.pid
    client.close()
    assert not is_running(pid)


def test_the_helper_ends_with_whom_it_works_for():
    """Its owner is killed: the pipe ends, and so does the helper, without a word."""
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; from d2ltui.charts.client import ChartClient\n"
            "client = ChartClient(); client.start(); print(client.pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 20
    while has_not_ended(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not has_not_ended(pid)


def test_interrupts_do_not_end_the_helper():
    async def run():
        client = ChartClient()
        await client.draw(chart())
        pid = client.pid
        os.kill(pid, signal.SIGINT)
        await client.draw(chart())
        assert client.pid == pid
        client.close()

    asyncio.run(run())


@pytest.mark.parametrize("module", ["client", "server"])
def test_neither_side_imports_what_is_heavy(module):
    code = f"import sys, d2ltui.charts.{module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert f"d2ltui.charts.{module}" in loaded
    assert not {"torch", "textual", "numpy", "sklearn"} & set(loaded)
    assert ("plotext" in loaded) == (module == "server")


def frame(id, spec):
    body = msgspec.msgpack.encode(Request(id, msgspec.Raw(msgspec.msgpack.encode(spec))))
    return struct.pack(">I", len(body)) + body


class Pieces(io.BytesIO):
    """Input that comes in pieces; output of which each write is known."""

    def __init__(self, *pieces):
        super().__init__()
        self.pieces, self.written = list(pieces), []

    def read1(self, size=-1):
        return self.pieces.pop(0) if self.pieces else b""

    def write(self, data):
        self.written.append(bytes(data))
        return len(data)


@pytest.mark.parametrize("at", [1, 4, 5, 60, -1])
def test_the_server_waits_for_the_rest_of_a_request(at):
    request, whole, parts = frame(7, chart()), Pieces(), Pieces()
    serve(Pieces(request), whole)
    serve(Pieces(request[:at], request[at:]), parts)
    without_time = [written[:-9] for written in whole.written]  # the last nine bytes are the seconds that it took
    assert [written[:-9] for written in parts.written] == without_time
    assert len(without_time) == 1


def test_requests_that_come_together_are_answered_together():
    first, second, third = (frame(id, chart(20 + id)) for id in range(3))
    replies = Pieces()
    serve(Pieces(first + second + third[:9], third[9:]), replies)
    assert len(replies.written) == 2


def test_slow_charts_that_came_together_do_not_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(server, "draw", lambda spec: time.sleep(0.06) or [])
    replies = Pieces()
    serve(Pieces(b"".join(frame(id, chart()) for id in range(5))), replies)
    assert len(replies.written) == 3, "whoever has waited for a tenth of a second gets what there is"


async def test_what_is_asked_for_together_is_sent_together(client, monkeypatch):
    await client.draw(chart())  # the helper is there
    sent, write = [], os.write
    monkeypatch.setattr(os, "write", lambda file, data: sent.append(len(data)) or write(file, data))
    drawings = await asyncio.gather(*(client.draw(chart(30 + number)) for number in range(3)))
    assert drawings == [draw(chart(30 + number)) for number in range(3)]
    assert len(sent) == 1


def test_the_server_answers_in_order_and_ends_with_its_input():
    replies = io.BytesIO()
    specs = [chart(), chart(width=2**62), {"type": "pie"}, chart(5, 2)]
    serve(io.BytesIO(b"".join(frame(id, spec) for id, spec in enumerate(specs))), replies)
    written, found = replies.getvalue(), []
    while written:
        (size,) = struct.unpack(">I", written[:4])
        found.append(msgspec.msgpack.decode(written[4 : 4 + size], type=Reply))
        written = written[4 + size :]
    assert [reply.id for reply in found] == [0, 1, 2, 3]
    assert [reply.drawing for reply in found] == [draw(specs[0]), None, None, draw(specs[3])]
    assert "MemoryError" in found[1].error
    assert "missing required field" in found[2].error
