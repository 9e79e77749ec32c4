"""A map in a thread of its own, for a screen that looks now and then, and the maps of which it shows a part."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING

from d2ltui.engine.control import Control
from d2ltui.spec import collector
from d2ltui.spec.language import _
from d2ltui.spec.maps import Cell, Figures, Known, MapSpec
from d2ltui.spec.parsing import ConfigError

if TYPE_CHECKING:
    from d2ltui.engine.map import MapTraining
    from d2ltui.store.map_reader import MapReader
    from d2ltui.store.maps import StoredMap


STOPPED = _("stopped by you")
FOLLOW_EVERY = 0.5  # seconds between two looks at a map that another process trains


class GrowingMap:
    """What a map is of, what is known of it, and its training where that goes on.

    Its thread writes, and readers look whenever they like: each attribute is replaced by a new value.

    Args:
        spec: what it is of.
        quantity: what is shown: cells between which that changes most are trained first.
        stores: whether it is stored.
        name: of one that was stored before, and `known` its cells.
    """

    def __init__(
        self, spec: MapSpec, quantity: str, *, stores: bool, name: str = "", known: Known | None = None
    ) -> None:
        self.spec, self.quantity, self.stores = spec, quantity, stores
        self.known = known if known is not None else Known()
        self.control = Control()
        self.name = name  # in the store
        self._was_stored = bool(name)
        self.doing = ""  # what comes before the first step
        self.steps, self.seconds = 0, 0.0  # of all networks together
        self.problem = ""  # why it has ended before it was complete, in a sentence
        self.traceback = ""
        self.trouble = ""  # what went wrong with storing it, or why it is slower than it might be
        self._stored: StoredMap | None = None
        self.reader: MapReader | None = None  # of one that was stored before
        self.elsewhere = False  # whether another process trains it
        self.interrupted = False  # whether one did, and has gone without ending it
        self._left = threading.Event()  # nobody looks at it any more
        self._telling = threading.Lock()  # who follows it tells nothing of it after that

    def follow(self, left: threading.Event) -> None:
        """In a thread: take in what another process adds to it, until it is complete, or nobody looks any more: `left`.

        One that was stopped may be resumed at any time.
        """
        from d2ltui.store.errors import StoreError
        from d2ltui.store.map_reader import INTERRUPTED, TRAINING

        assert self.reader is not None
        trouble, over = "", False
        while not over:
            status = failed = ""
            try:
                status = self.reader.status  # before the reading: nothing that was written last is missed
                self.reader.poll()
            except StoreError as error:
                failed = str(error)  # a network, perhaps, that is back at the next look
            trained = status == TRAINING
            with self._telling:
                if left.is_set():
                    return
                if self.trouble == trouble:
                    self.trouble = trouble = failed
                if not failed:
                    self.elsewhere, self.interrupted = trained, status == INTERRUPTED
                    self.problem = "" if trained or self.complete else STOPPED
            over = (self.complete and not (trained or failed)) or left.wait(FOLLOW_EVERY)

    def begin(self) -> threading.Event:
        """Somebody looks at it, until this is set; whoever did before does so no longer."""
        self.leave()
        self._left = threading.Event()
        return self._left

    def leave(self) -> None:
        """Nobody looks at it any more."""
        with self._telling:
            self._left.set()

    @property
    def complete(self) -> bool:
        """Whether every cell is known."""
        return len(self.known.cells) == self.spec.total

    def continues(self, spec: MapSpec) -> bool:
        """Whether `spec`, which somebody asks for, is this map, of which cells are left.

        Of one that was stored before, the axes say so: whoever has opened it may have another run in the form.
        """
        same = (spec.x, spec.y, spec.seeds) == (self.spec.x, self.spec.y, self.spec.seeds)
        return same and not self.complete and (self._was_stored or spec.config == self.spec.config)

    def carry_out(self) -> None:
        """Train what is left. Raises nothing: it is called at the bottom of a thread."""
        from d2ltui.store.errors import InUse

        self.problem = self.traceback = ""
        self.interrupted = False
        self.doing = _("loading PyTorch")
        try:
            _import_engine()
            self._carry_out()
        except (ConfigError, InUse) as error:
            self.problem = str(error)
        except Exception as error:  # above a thread there is nobody who would hear of it
            self.problem, self.traceback = self._why(error)
        finally:
            self.doing = ""
            if self._stored is not None:
                self._stored.close()
                self._stored = None  # another process may have it from now on
            self._read_on()

    def _read_on(self) -> None:
        """Whoever looks at it later gets what another process adds to it, if all that is known here is stored."""
        from d2ltui.store import maps
        from d2ltui.store.errors import StoreError
        from d2ltui.store.map_reader import MapReader

        if not self.name or self.reader is not None:
            return
        with contextlib.suppress(StoreError):  # it is shown as it is here
            reader = MapReader(maps.find(self.name))
            if reader.known.cells.keys() == self.known.cells.keys():
                self.known, self.reader = reader.known, reader

    def _carry_out(self) -> None:
        from d2ltui.engine.graphs import slower
        from d2ltui.runner.map_run import MapRun, cells_of

        self.doing = _("looking at the cells")
        if self.stores:
            self._open_store()
        left = {cell: runs for cell, runs in cells_of(self.spec).items() if cell not in self.known.cells}
        self.doing = _("loading the data")
        steps, seconds = self.steps, self.seconds

        def progress(training: MapTraining) -> None:
            self.doing = ""
            self.steps, self.seconds = steps + training.steps, seconds + training.seconds

        run = MapRun(self.spec, self.known, self.quantity, self._keep, self.control)
        training, finished = run.train(left, progress)
        progress(training)
        if training.why_not:
            self.trouble = self.trouble or slower(training.why_not)
        if not finished:
            self.problem = STOPPED

    def _open_store(self) -> None:
        """Take its place on disk, or go on without.

        Raises:
            InUse: where another process trains it: nothing is trained twice.
        """
        from d2ltui.store.errors import InUse, StoreError
        from d2ltui.store.maps import StoredMap, find

        try:
            self._stored = StoredMap(find(self.name)) if self.name else StoredMap.create(self.spec)
            self.name = self._stored.path.name
            if self.reader is not None:
                self.reader.poll()  # what another process has added to it until now
        except InUse:
            raise
        except StoreError as error:
            if self._stored is not None:  # its cells cannot be read: the lock is not ours to keep
                self._stored.close()
            self._stored, self.trouble = None, _("{error}; it is trained all the same").format(error=error)

    def _keep(self, ready: Mapping[Cell, Figures]) -> None:
        """Store cells that are done. Where that fails, the map goes on without."""
        from d2ltui.store.errors import StoreError

        if self._stored is None:
            return
        try:
            self._stored.add(ready)
        except StoreError as error:
            self._stored.close()
            self._stored, self.trouble = None, _("{error}; it is trained on, and no longer stored").format(error=error)

    def _why(self, error: Exception) -> tuple[str, str]:
        trace = traceback.format_exc()
        try:
            from d2ltui.engine import summary
        except Exception:
            return _("PyTorch cannot be used: {error}").format(error=error), trace
        config = self.spec.config
        __, said, told = summary.describe_error(error, config, config.device, ())
        return said, told or ""


class StoredMaps:
    """The maps on disk: read in a thread, since they may be on a network."""

    @staticmethod
    def listed() -> dict[str, str]:
        """What each is of, by name, the newest first; of a damaged one, why it cannot be read."""
        from d2ltui.spec.axes_usual import axis_text
        from d2ltui.spec.text import counted
        from d2ltui.store import maps
        from d2ltui.store.errors import StoreError

        found = {}
        for name in reversed(maps.names()):
            try:
                spec, cells = maps.read(maps.find(name))
            except StoreError as error:
                found[name] = str(error)
                continue
            done = _("{done} of {cells}").format(done=len(cells), cells=counted(spec.total, "cell", ","))
            config = spec.config
            found[name] = _("{model} on {dataset}: {x} {y}, {done}").format(
                model=config.model,
                dataset=config.dataset,
                x=axis_text(spec.x),
                y=axis_text(spec.y),
                done=done,
            )
        return found

    @staticmethod
    def read(name: str) -> GrowingMap:
        """One of them.

        Raises:
            StoreError: where it cannot be read.
        """
        from d2ltui.store import maps
        from d2ltui.store.map_reader import INTERRUPTED, TRAINING, MapReader

        reader = MapReader(maps.find(name))
        growing = GrowingMap(reader.spec, "", stores=True, name=name, known=reader.known)
        status = reader.status
        growing.reader, growing.elsewhere, growing.interrupted = reader, status == TRAINING, status == INTERRUPTED
        if not (growing.complete or growing.elsewhere):
            growing.problem = STOPPED
        return growing


def _import_engine() -> None:
    with collector.held():
        import d2ltui.runner.map_run  # noqa: F401


class MapRunner:
    """Trains one map at a time, and keeps the one that is shown. Nothing waits but `join`.

    Args:
        store: whether maps are stored.
    """

    def __init__(self, store: bool = True) -> None:
        self.stores = store
        self.quantity = ""  # what is shown, "" where nobody has chosen
        self.cursor: Cell = (0, 0)
        self._shown: list[GrowingMap] = []  # the last one is the present one, each a part of the one before
        self._thread: threading.Thread | None = None
        self._looked_at = False
        self._following = threading.Lock()  # whether it is looked at stays as it is meanwhile

    @property
    def present(self) -> GrowingMap | None:
        """The map that is shown; None before the first one."""
        return self._shown[-1] if self._shown else None

    @property
    def busy(self) -> bool:
        """Whether it is being trained."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def under_way(self) -> Control | None:
        """The control of what is being trained; None where nothing is."""
        return self._shown[-1].control if self.busy and self._shown else None

    def start(self, spec: MapSpec, quantity: str, *, part: bool = False) -> None:
        """Train a new map, which is a `part` of the present one or takes its place; only where none is trained."""
        if not part:
            self._leave()
        elif self._shown:
            self._shown[-1].leave()  # it is followed again once it is shown again
        self._shown.append(GrowingMap(spec, quantity, stores=self.stores))
        self._begin(self._shown[-1])

    def show(self, stored: GrowingMap) -> None:
        """Show a stored map, live where another process trains it; only where none is trained here."""
        self._leave()
        self._shown[:] = [stored]
        self.follow()

    def follow(self) -> None:
        """Take in what another process adds to the present map, whenever none is trained here, until `unfollow`."""
        with self._following:
            self._looked_at = True
            if not self.busy:
                self._follow(self.present)

    def _follow(self, growing: GrowingMap | None) -> None:
        if growing is not None and growing.reader is not None and not growing.complete:
            left = growing.begin()
            threading.Thread(target=growing.follow, args=(left,), name="d2ltui-map-follow", daemon=True).start()

    def unfollow(self) -> None:
        """Nobody looks at the present map."""
        with self._following:
            self._looked_at = False
            if self._shown:
                self._shown[-1].leave()

    def _leave(self) -> None:
        for growing in self._shown:
            growing.leave()
        self._shown.clear()

    def resume(self) -> None:
        """Train on where the present map was stopped."""
        if self._shown:
            self._shown[-1].control = Control()
            self._begin(self._shown[-1])

    def _begin(self, growing: GrowingMap) -> None:
        if self.busy:
            raise RuntimeError("a map is being trained already")
        growing.leave()  # it is told of from within now
        self._thread = threading.Thread(target=self._train, args=(growing,), name="d2ltui-map-owner", daemon=True)
        self._thread.start()

    def _train(self, growing: GrowingMap) -> None:
        growing.carry_out()
        with self._following:
            if self._looked_at and self.present is growing:
                self._follow(growing)

    def widen(self) -> bool:
        """Show the map of which the present one is a part; False where there is none, or this one is being trained."""
        if self.busy or len(self._shown) < 2:
            return False
        self._shown.pop().leave()
        self.follow()
        return True

    @property
    def is_part(self) -> bool:
        """Whether the present map is a part of another one."""
        return len(self._shown) > 1

    def stop(self) -> None:
        """End what is trained after its current step."""
        if self._shown:
            self._shown[-1].control.stop()

    def go_on_unseen(self) -> None:
        """Nobody is left who could end a pause: on to the end."""
        if (control := self.under_way) is not None:
            control.resume()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end; False where it has not within `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.busy
