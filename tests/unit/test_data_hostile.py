"""Servers that send anything but the file: each ends in one sentence that names what was tried, and soon."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from d2ltui.data import DataError, LoadCancelled, download
from d2ltui.data.archives import Files
from d2ltui.data.download import fetch
from d2ltui.spec.datasets import DATASETS

LIMIT = 100_000
Behaviour = Callable[[http.server.BaseHTTPRequestHandler], None]
FILE = gzip.compress(b"the file")
BOMB = gzip.compress(bytes(50_000_000))


class Server:
    """Answers each request by the behaviour that its path names."""

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        self.asked: list[str] = []
        self.closed = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                try:
                    behaviours[self.path.strip("/")](self)
                except OSError:
                    self.close_connection = True  # the reader has had enough

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            closed = self.closed

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.closed.set()  # those that trickle would do so, and their readers read, to the end of all tests
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def _begin(to: http.server.BaseHTTPRequestHandler, **headers: str) -> None:
    to.send_response(200)
    for name, value in headers.items():
        to.send_header(name.replace("_", "-"), value)
    to.end_headers()


def whole(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to, Content_Length=str(len(FILE)))
    to.wfile.write(FILE)


def without_length(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to)
    to.wfile.write(FILE)


def endless(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to)
    while True:
        to.wfile.write(FILE * 1000)


def offering_much(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to, Content_Length="1000000000000")
    to.wfile.write(FILE)


def lying(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to, Content_Length="nonsense")
    while True:
        to.wfile.write(FILE * 1000)


def trickling(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to)
    for byte in FILE * 1000:
        to.wfile.write(bytes([byte]))
        to.wfile.flush()
        if to.server.closed.wait(0.02):  # type: ignore[attr-defined]
            return


def trickling_header(to: http.server.BaseHTTPRequestHandler) -> None:
    to.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not to.server.closed.wait(0.02):  # type: ignore[attr-defined]
        to.wfile.write(b"x")
        to.wfile.flush()


def page(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to, Content_Type="text/html")
    to.wfile.write(b"\n<!doctype html><title>Please log in</title>")


def bomb(to: http.server.BaseHTTPRequestHandler) -> None:
    _begin(to)
    to.wfile.write(BOMB)


def redirecting(to_where: str, body: bool = False) -> Behaviour:
    def redirect(to: http.server.BaseHTTPRequestHandler) -> None:
        to.send_response(302)
        to.send_header("Location", to_where)
        to.end_headers()
        while body:
            to.wfile.write(bytes(100_000))

    return redirect


def rude(to: http.server.BaseHTTPRequestHandler) -> None:
    to.wfile.write(b"HTTP/1.1 404 \x1b]52;c;eA==\x07\xc2\x9b2J" + b"x" * 5000 + b"\r\n\r\n")


def garbage(to: http.server.BaseHTTPRequestHandler) -> None:
    to.wfile.write(b"\x1b[2Jno HTTP" + bytes(range(256)) * 400)


def bad_chunks(to: http.server.BaseHTTPRequestHandler) -> None:
    to.protocol_version = "HTTP/1.1"
    _begin(to, Transfer_Encoding="chunked")
    to.wfile.write(b"zzzz\r\n" + FILE)


BEHAVIOURS: dict[str, tuple[Behaviour, str]] = {
    "endless": (endless, "it sent more than 100,000 bytes, and the file has no more"),
    "much": (offering_much, "it offers 1,000,000,000,000 bytes, and the file has no more than 100,000"),
    "lying": (lying, "it sent more than 100,000 bytes"),
    "trickling": (trickling, " bytes in "),
    "header": (trickling_header, "no answer in 0.6 s"),
    "page": (page, "it sent a web page instead of the file"),
    "bomb": (bomb, "came with a wrong checksum"),
    "to-file": (redirecting("file:///etc/passwd"), "file:///etc/passwd"),
    "to-http": (
        redirecting("http://127.0.0.1/file.gz"),
        "redirects to http://127.0.0.1/file.gz, which is not https",
    ),
    "to-ftp": (redirecting("ftp://127.0.0.1/file.gz"), "which is not https"),
    "round": (redirecting("/round"), "which is not https"),
    "to-much": (redirecting("http://127.0.0.1/", body=True), "which is not https"),
    "rude": (rude, "(\ufffd]52;c;eA==\ufffd"),
    "garbage": (garbage, "no HTTP"),
    "chunks": (bad_chunks, ""),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    monkeypatch.setattr(download, "OPEN_TIMEOUT", 0.6)
    monkeypatch.setattr(download, "WINDOW", 0.3)
    behaviours = {name: behaviour for name, (behaviour, _) in BEHAVIOURS.items()}
    server = Server({**behaviours, "whole": whole, "without": without_length})
    yield server
    server.close()


def fetched(server: Server, path: Path, *names: str, cancelled: Callable[[], bool] = lambda: False) -> list[str]:
    def is_whole(path: Path) -> bool:
        return path.read_bytes() == FILE

    urls = [f"http://{server.host}/{name}" for name in names]
    return fetch(urls, path, is_whole, LIMIT, "fetching", lambda message, fraction: None, cancelled)


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_server_that_sends_something_else(server: Server, tmp_path: Path, name: str) -> None:
    path = tmp_path / "file.gz"
    (reason,) = fetched(server, path, name)
    assert reason.startswith(f"{server.host} (")
    assert BEHAVIOURS[name][1] in reason
    assert reason.isprintable()
    assert len(reason) < 200
    assert not path.exists() or path.stat().st_size < LIMIT + 2 * download.CHUNK
    assert server.asked == [f"/{name}"]


def test_the_next_one_is_tried(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    assert fetched(server, path, "page", "endless", "without", "whole") == []
    assert path.read_bytes() == FILE
    assert server.asked == ["/page", "/endless", "/without"]
    assert len(fetched(server, path, "page", "rude")) == 2


@pytest.mark.parametrize("name", ["header", "trickling"])
def test_whoever_gives_up_waits_for_no_server(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(download, "OPEN_TIMEOUT", 1000.0)
    monkeypatch.setattr(download, "WINDOW", 1000.0)
    with pytest.raises(LoadCancelled):
        fetched(server, tmp_path / "file.gz", name, cancelled=lambda: bool(server.asked))


def test_no_more_is_unpacked_than_the_file_can_have(tmp_path: Path) -> None:
    files = Files(DATASETS["mnist"], tmp_path, lambda message, fraction: None, lambda: False)
    archive, target = tmp_path / "t10k-labels-idx1-ubyte.gz", tmp_path / "t10k-labels-idx1-ubyte"
    archive.write_bytes(BOMB)
    files.gunzip(archive, target, 10_008, archive)
    assert target.stat().st_size == 10_008 + 1  # one too many, which is said where it is read
    for content in (b"", FILE[:-9], FILE[:4] + b"\xff" * 40, b"<html>"):
        archive.write_bytes(content)
        if content:
            with pytest.raises(DataError, match="is damaged or foreign"):
                files.gunzip(archive, target, 10_008, archive)
