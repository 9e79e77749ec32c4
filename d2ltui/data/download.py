"""Fetching one file whose checksum and largest size are known, from somebody who may send anything."""

from __future__ import annotations

import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from d2ltui.data import LoadCancelled, Progress
from d2ltui.spec.language import _
from d2ltui.spec.numbers import duration, setting, size
from d2ltui.spec.text import printable

TIMEOUT = 10.0  # seconds without a byte
OPEN_TIMEOUT = 30.0  # seconds until the file begins to come: redirects and a header that trickles, too
WINDOW, SLOWEST = 30.0, 1024  # bytes a second, over so many seconds
CHUNK = 64 * 1024  # bytes
POLL = 0.1  # seconds between two looks at whether somebody has given up
MAX_REASON = 120  # characters
# How files begin, by the end of their names, and what they are then.
_BEGINS = {
    ".gz": (b"\x1f\x8b", _("gzip file")),
    ".zip": (b"PK\x03\x04", _("zip file")),
    ".bz2": (b"BZh", "bzip2 file"),
    ".mat": (b"MATLAB 5.0", _("MATLAB file")),
}

_refused: ContextVar[bool] = ContextVar("_refused", default=False)


@contextmanager
def no_downloads() -> Iterator[None]:
    """Meanwhile, in this thread, `fetch` asks nobody and raises LoadCancelled."""
    token = _refused.set(True)
    try:
        yield
    finally:
        _refused.reset(token)


def fetch(
    urls: Sequence[str],
    path: Path,
    whole: Callable[[Path], bool],
    limit: int,
    message: str,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> list[str]:
    """A file of `limit` bytes at most, as `whole` wants it, into `path`, from the first of `urls` that has it.

    What does not begin like a file of this name is given up at once.

    Returns nothing where that went well, and otherwise for each of `urls` its host and why not.

    Raises:
        OSError: where `path` cannot be written.
        LoadCancelled: soon after `cancelled()` has turned true, or at once within `no_downloads`.
    """
    if _refused.get():
        raise LoadCancelled
    reasons = []
    for url in urls:
        reason = _fetch(url, path, limit, message, progress, cancelled)
        if reason is None and not whole(path):
            reason = _("{name} came with a wrong checksum").format(name=path.name)
        if reason is None:
            return []
        reasons.append(f"{urlsplit(url).netloc} ({reason})")
    return reasons


def _fetch(
    url: str, path: Path, limit: int, message: str, progress: Progress, cancelled: Callable[[], bool]
) -> str | None:
    try:
        opened = _open(url, cancelled)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _reason(error)
    with opened as response, path.open("wb") as file:
        return _copy(response, file, path.suffix, limit, message, progress, cancelled)


class _OnlyToHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https and to nothing else: not to plain http, and not to a file of this machine."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        fp.close()  # urllib would read its body first, however long it is
        if urlsplit(newurl).scheme != "https":
            raise urllib.error.URLError(_("it redirects to {newurl}, which is not https").format(newurl=newurl))
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, cancelled: Callable[[], bool]) -> Any:
    """The response to a request for `url`.

    Waited for from another thread, because a name's look-up has no timeout, and a header that trickles none that ends.
    """
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    given_up = threading.Event()

    def ask() -> None:
        # Some servers refuse urllib's own name.
        request = urllib.request.Request(url, headers={"User-Agent": "d2ltui"})
        try:
            answer: Any = urllib.request.build_opener(_OnlyToHttps).open(request, timeout=TIMEOUT)
        except BaseException as error:  # raised again where it is waited for
            answer = error
        if given_up.is_set() and hasattr(answer, "close"):
            answer.close()
        answers.put(answer)

    threading.Thread(target=ask, name="d2ltui-download", daemon=True).start()
    until = time.monotonic() + OPEN_TIMEOUT
    while True:
        try:
            answer = answers.get(timeout=POLL)
            break
        except queue.Empty:
            if cancelled():
                given_up.set()
                raise LoadCancelled from None
            if time.monotonic() > until:
                given_up.set()
                raise _SilenceError(_no_answer(OPEN_TIMEOUT)) from None
    if isinstance(answer, urllib.error.HTTPError):
        answer.close()
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _copy(
    response: Any,
    file: IO[bytes],
    suffix: str,
    limit: int,
    message: str,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> str | None:
    """Copies the response's body; returns why it cannot be the file, or None."""
    total, done = response.length, 0
    begins, called = _BEGINS[suffix]
    if total is not None and total > limit:
        return _("it offers {total:,} bytes, and the file has no more than {limit:,}").format(total=total, limit=limit)
    of = _(" of {size}").format(size=size(total)) if total else ""
    began, begun_with = time.monotonic(), 0
    while True:
        if cancelled():
            raise LoadCancelled
        progress(f"{message}, {size(done)}{of}", done / total if total else None)
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: what chunks' sizes are not
            return _reason(error)
        if not chunk:
            break
        if not done and not chunk.startswith(begins[: len(chunk)]):
            page = chunk.lstrip()[:1] == b"<"
            return (
                _("it sent a web page instead of the file")
                if page
                else _("what it sent is no {called}").format(called=called)
            )
        file.write(chunk)
        done += len(chunk)
        if done > limit:
            return _("it sent more than {limit:,} bytes, and the file has no more").format(limit=limit)
        if (took := time.monotonic() - began) > WINDOW:
            if done - begun_with < SLOWEST * took:
                return _("it sent {done:,} bytes in {took}").format(done=done - begun_with, took=duration(took))
            began, begun_with = time.monotonic(), done
    return (
        _("it ended after {done} of {total} bytes").format(done=done, total=total) if total and done < total else None
    )


class _SilenceError(TimeoutError):
    """Nobody has answered; its text says so."""


def _no_answer(seconds: float) -> str:
    return _("no answer in {seconds} s").format(seconds=setting(seconds))


def _reason(error: BaseException) -> str:
    """Why a download failed, in a few words, none of which a terminal obeys."""
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, TimeoutError):
        return str(cause) if isinstance(cause, _SilenceError) else _no_answer(TIMEOUT)
    said = " ".join(str(getattr(cause, "strerror", None) or cause).split())
    return printable(said, MAX_REASON) or type(cause).__name__
