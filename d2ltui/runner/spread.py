"""Pieces of work done by processes beside this one, on this machine or on a cluster, by joblib.

    with Spread(Jobs(4), control, say) as spread:
        for done in spread.over(work, pieces):      # None now and then, so that the caller can look at its clock
            if done is not None:
                index, result = done

`work(piece, control, again, tell)` is a function of a module of d2ltui's; pieces and results are pickled. A piece whose
process dies is done again by another one, and each result is handed out once, in the order in which they are ready.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import shutil
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from d2ltui.engine.control import Control
from d2ltui.runner import spread_worker
from d2ltui.runner.spread_worker import AT, GO, Raised, Ticket, Work
from d2ltui.spec.jobs import BACKENDS, LOCAL, Jobs, JobsError, WorkersLost
from d2ltui.spec.language import _
from d2ltui.spec.numbers import number
from d2ltui.spec.text import counted, printable
from d2ltui.store import home

MOST_AGAIN = 3  # times that a piece is done again
TICK = 0.2  # seconds between two looks at whether all is to end
ANSWER = 10.0  # seconds that a scheduler may take to answer
GRACE = 10.0  # seconds that processes which are to end may take for their last step and checkpoint
_PATHS = ("D2LTUI_HOME", "D2LTUI_DATA_DIR")

P = TypeVar("P")
R = TypeVar("R")


class Spread:
    """Processes that do pieces of work. While it is open, the current directory is one from which nothing is imported.

    Args:
        jobs: how many, and where.
        control: ends all.
        say: told, in a sentence, of processes that have died.
        numbered: whether a run names one GPU: then each process sees all of them.

    Raises:
        JobsError: where there is no such backend or cluster here.
    """

    def __init__(self, jobs: Jobs, control: Control, say: Callable[[str], None], *, numbered: bool = False) -> None:
        self._jobs, self._control, self._say, self._numbered = jobs, control, say, numbered
        self._closing = contextlib.ExitStack()
        self._client: Any = None
        self._first = self._taken = 0  # pieces that were handed out in earlier calls
        self._lost_told = 0

    def __enter__(self) -> Spread:
        try:
            self._open()
        except BaseException:
            self._closing.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    @property
    def number(self) -> int:
        """How many processes there are."""
        return self._number

    def _open(self) -> None:
        jobs, local = self._jobs, self._jobs.backend == LOCAL
        package, to_install = BACKENDS[jobs.backend]
        if importlib.util.find_spec(package) is None:
            raise JobsError(
                _(
                    "backend: {backend} is not installed here; allowed: after pip install "
                    "'{to_install}', or --backend {local}"
                ).format(backend=jobs.backend, to_install=to_install, local=LOCAL)
            )
        given = {name: os.path.abspath(value) for name in _PATHS if (value := os.environ.get(name))}
        # The workers look there, too, whether they may go on: those of a cluster may be on another machine.
        parent = None if local else home.home()
        if parent is not None:
            given["D2LTUI_HOME"] = str(parent)
            with contextlib.suppress(OSError):
                parent.mkdir(parents=True, exist_ok=True)
        try:
            self._desk = Path(tempfile.mkdtemp(prefix=".jobs-" if parent else "d2ltui-jobs-", dir=parent))
            (self._desk / GO).touch()
        except OSError as error:
            raise JobsError(
                _("jobs: {filename} cannot be written ({reason})").format(
                    filename=error.filename, reason=error.strerror
                )
            ) from None
        self._closing.callback(shutil.rmtree, self._desk, ignore_errors=True)
        self._closing.enter_context(_elsewhere(given))
        self._ticket = Ticket(str(self._desk), os.getpid() if local else 0, given)
        if local:
            self._number = jobs.number or 1
            self._closing.callback(_end_workers)
        else:
            self._number = self._connect()

    def _connect(self) -> int:
        """Reach a cluster; the number of its workers that are used."""
        jobs = self._jobs
        if jobs.backend == "ray":
            return self._connect_ray()
        import distributed

        for name in ("distributed", "tornado", "asyncio"):  # they would write into the picture
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = distributed.Client(jobs.scheduler, timeout=ANSWER, set_as_default=False)
            there = sum(self._client.nthreads().values())
        except Exception as error:
            why = (
                _("none answers within {answer} seconds").format(answer=number(ANSWER))
                if _is_late(error)
                else _said(error)
            )
            raise JobsError(
                _(
                    "scheduler: '{scheduler}' is not allowed ({why}); allowed: the address of a "
                    "scheduler that runs, such as tcp://127.0.0.1:8786"
                ).format(scheduler=printable(str(jobs.scheduler)), why=why)
            ) from None
        self._closing.callback(self._client.close, ANSWER)
        if not there:
            raise JobsError(
                _("scheduler: {scheduler} has no workers; allowed: one or more").format(
                    scheduler=printable(str(jobs.scheduler))
                )
            )
        return int(min(there, jobs.number or there))

    def _connect_ray(self) -> int:
        import ray
        from ray.util.joblib import register_ray

        try:
            ray.init(address=self._jobs.scheduler or "auto", log_to_driver=False, logging_level=logging.CRITICAL)
            there = int(ray.cluster_resources().get("CPU", 0))
        except Exception as error:
            where = printable(self._jobs.scheduler or "auto")
            raise JobsError(
                _(
                    "scheduler: '{where}' is not allowed ({reason}); allowed: the address of a ray cluster that runs"
                ).format(where=where, reason=_said(error))
            ) from None
        self._closing.callback(ray.shutdown)
        register_ray()
        return max(1, min(there, self._jobs.number or there))

    def progress(self) -> dict[int, float]:
        """Of the pieces that are being done, by number, which part of each is done, as far as that is told."""
        found = {}
        for file in self._desk.glob(f"{AT}-*"):
            number = int(file.name.partition("-")[2]) - self._first
            if number >= 0:
                with contextlib.suppress(OSError, ValueError):  # it is written just now
                    found[number] = min(1.0, max(0.0, float(file.read_text())))
        return found

    # The work

    def over(self, work: Work[P, R], pieces: Sequence[P]) -> Iterator[tuple[int, R] | None]:
        """Have `work` done on each piece, by its number; None while nothing is ready.

        Where the control asks for the end, what is ready by then is still handed out.

        Raises:
            WorkersLost: where a piece has been lost again and again.
            Exception: what `work` has raised.
        """
        left, lost, fruitless = dict(enumerate(pieces)), Counter[int](), 0
        first = self._first = self._taken
        self._taken += len(pieces)
        while left and not self._control.stopping:
            begun: set[int] = set()
            for kind, value in self._round(work, left, first, begun):
                if kind == "tick":
                    yield None
                elif kind == "error":
                    raise value
                elif kind == "done":
                    index, (result, ended) = value
                    if isinstance(result, Raised):
                        raise result.error
                    if ended:
                        del left[index]
                        fruitless = 0
                        self._tell_repeated(first + index)
                        yield index, result
            if not left or self._control.stopping:
                return
            fruitless += 1
            lost.update(begun.intersection(left))
            worst = max([fruitless, *lost.values()])
            if worst > MOST_AGAIN:
                raise WorkersLost(
                    _(
                        "a process that trains has died {worst} times, each time with the same piece of the "
                        "work; its memory may be too small"
                    ).format(worst=worst)
                )
            again = counted(len(begun.intersection(left)) or len(left), "slice")
            self._say(_("a process that trains has died: {again} of the work begun again").format(again=again))

    def _round(self, work: Work[P, R], left: dict[int, P], first: int, begun: set[int]) -> Iterator[tuple[str, Any]]:
        """What comes of all pieces that are left, until they are done, or processes have died."""
        found: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        feeder = threading.Thread(
            target=self._feed, args=(work, dict(left), first, begun, found), name="d2ltui-jobs", daemon=True
        )
        feeder.start()
        patience = GRACE
        while True:
            try:
                kind, value = found.get(timeout=TICK)
            except Empty:
                kind, value = "tick", None
            if self._control.stopping:
                self._end()
            else:
                with contextlib.suppress(OSError):  # on a full disk, too: workers wait for a long time before they end
                    self._desk.joinpath(GO).touch()
            if kind == "end":
                return
            yield kind, value
            if self._control.stopping and kind == "tick":
                patience -= TICK
                if patience <= 0:
                    self._give_up()
                    return

    def _feed(
        self,
        work: Work[P, R],
        pieces: dict[int, P],
        first: int,
        begun: set[int],
        found: SimpleQueue[tuple[str, Any]],
    ) -> None:
        """In a thread of its own, for joblib waits without an end."""
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        lost: tuple[type[BaseException], ...] = (BrokenProcessPool, ShutdownExecutorError)
        options: dict[str, Any] = {}
        number = self._number
        if self._jobs.backend == LOCAL:
            number = min(number, max(2, len(pieces)))  # all are begun at once; of one, joblib would begin none
            gpus = () if self._numbered else spread_worker.gpus()
            options = {"initializer": spread_worker.begin, "initargs": (self._ticket, gpus), "max_nbytes": None}
        elif self._jobs.backend == "dask":
            import distributed

            lost = (*lost, distributed.scheduler.KilledWorker)
            options = {"client": self._client, "wait_for_workers_timeout": ANSWER, "pure": False}

        def calls() -> Iterator[Any]:
            for index, piece in pieces.items():
                if self._control.stopping:
                    return
                begun.add(index)
                yield delayed(spread_worker.carry_out)(self._ticket, first + index, index, work, piece)

        try:
            with warnings.catch_warnings(), parallel_config(self._jobs.backend, n_jobs=number, **options):
                warnings.simplefilter("ignore")
                made = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")(calls())
                for index, result, ended in made:
                    found.put(("done", (index, (result, ended))))
        except lost:
            pass
        except BaseException as error:  # a cluster's, whatever it is
            if not self._control.stopping:
                what = _("they have no d2ltui") if isinstance(error, ImportError) else _said(error)
                found.put(
                    (
                        "error",
                        WorkersLost(_("the processes that train cannot be used any more ({what})").format(what=what)),
                    )
                )
        found.put(("end", None))

    def _tell_repeated(self, number: int) -> None:
        """A cluster does by itself again what it has lost."""
        if self._jobs.backend != LOCAL and len(list(self._desk.glob(f"begun-{number}-*"))) > 1:
            self._say(_("a process that trains has died: 1 slice of the work was begun again"))

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._desk.joinpath(GO).unlink()

    def _give_up(self) -> None:
        if self._jobs.backend == LOCAL:
            _end_workers()


def _end_workers() -> None:
    """End the processes that joblib has begun here, whatever they do."""
    from joblib.externals.loky import reusable_executor

    executor = getattr(reusable_executor, "_executor", None)  # without it, they end when they have had nothing to do
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)


@contextlib.contextmanager
def _elsewhere(environment: dict[str, str]) -> Iterator[None]:
    """Be in the directory of the standard library: a process that is begun there imports nothing else from it."""
    before = {name: os.environ.get(name) for name in (*environment, "PYTHONSAFEPATH")}
    try:
        here: str | None = os.getcwd()
    except OSError:  # it is gone
        here = None
    os.environ.update(environment, PYTHONSAFEPATH="1")
    os.chdir(os.path.dirname(os.__file__))
    try:
        yield
    finally:
        if here is not None:
            with contextlib.suppress(OSError):
                os.chdir(here)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_late(error: BaseException) -> bool:
    return isinstance(error, (TimeoutError, OSError))


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return printable(lines[0], 200) if lines else type(error).__name__
