"""What a front end does to have a run stored: the store beside the engine, tied together.

    recording = RunRecording.new(config, control)                   # or RunRecording.resume(path, control)
    worker or Trainer(..., [*sinks, recording.store], keeper=recording, resume=recording.checkpoint, ...)
    recording.close()                                               # in the training thread, after the run

The store never imports PyTorch and the engine knows no store; here, and only here, they meet. Importing this module
costs no PyTorch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from d2ltui.engine.control import Control
from d2ltui.history.live import LiveRun
from d2ltui.history.series import Array
from d2ltui.spec import events
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.text import printable
from d2ltui.spec.versions import unknown_choices, unknown_fields
from d2ltui.store import home, recovery
from d2ltui.store.errors import Damaged, NotAllowed, StoreError, reason
from d2ltui.store.listing import DAMAGED, INTERRUPTED, RunInfo, info
from d2ltui.store.reader import RunReader
from d2ltui.store.requests import Request
from d2ltui.store.writer import CLOSE_TIMEOUT, StoreThread

if TYPE_CHECKING:
    from d2ltui.engine.checkpoint import Checkpoint
    from d2ltui.engine.weight_history import Kept


MAX_LOST_STEPS = 2**27  # in place of which a new database has gaps: a gigabyte of them


class RunRecording:
    """One run that is being stored. It is the engine's `CheckpointSink` and `WeightSink`.

    `store` is the sink, `live` the run in memory (of a resumed one: with everything that was stored), `path` the
    resumed run's directory. `trouble` is the last thing that went wrong with storing, as a sentence, or "".
    """

    def __init__(
        self,
        config: RunConfig,
        control: Control,
        *,
        live: LiveRun | None = None,
        resume: tuple[Path, home.Lock] | None = None,
        damage: str = "",
        group: dict[str, object] | None = None,
        stem: str = "",
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self.live = live if live is not None else LiveRun(config)
        self._control = control
        self._on_trouble = on_trouble
        self._resumed = resume[0] if resume is not None else None
        self._stored_steps = self.live.step
        self._unwritten = 0
        self._counting = threading.Lock()
        self._took = 0.0
        self.weights_idle, self.weights_took = True, 0.0  # see the engine's WeightSink
        self._disk_failed = False  # whether that a file beside the database cannot be written has been said
        self._begins_again = bool(damage)  # whether nothing but the checkpoint tells of what has been trained
        self._damaged = False  # whether checkpoint.pt is not worth keeping
        self._slow_told = False
        self.store = StoreThread(
            config,
            resume=resume,
            damage=damage,
            group=group,
            stem=stem,
            on_request=self._handle_requests,
            on_trouble=on_trouble,
        )

    @classmethod
    def new(
        cls,
        config: RunConfig,
        control: Control,
        *,
        group: dict[str, object] | None = None,
        stem: str = "",
        on_trouble: Callable[[str], None] | None = None,
    ) -> RunRecording:
        """Store a new run. Returns at once and raises nothing; `on_trouble` is called in the store's thread."""
        return cls(config, control, group=group, stem=stem, on_trouble=on_trouble)

    @classmethod
    def resume(cls, path: Path, control: Control, *, on_trouble: Callable[[str], None] | None = None) -> RunRecording:
        """Go on with the run in directory `path`, where nobody else does.

        Where its database is damaged or gone, its checkpoint is enough: see `store.session.Session`.

        Raises:
            StoreError: where that cannot be: it has ended for good, is in use, or damaged without a checkpoint.
        """
        lock = home.Lock(path)
        try:
            live, damage = _stored(path)
            live.ended, live.status = None, "loading"  # it must not look ended until the engine speaks
            return cls(live.config, control, live=live, resume=(path, lock), damage=damage, on_trouble=on_trouble)
        except BaseException:
            lock.release()
            raise

    @property
    def resumes(self) -> bool:
        """Whether an earlier run goes on."""
        return self._resumed is not None

    @property
    def trouble(self) -> str:
        """The last thing that went wrong."""
        return self.store.trouble

    @property
    def past_probes(self) -> tuple[events.LayersProbed, ...]:
        """What was seen of the layers before."""
        return tuple(self.live.probes) if self.resumes else ()

    @property
    def past_losses(self) -> Array | None:
        """The losses of the steps before, shape (steps,); None of a new run."""
        return self.live.losses.values() if self.resumes else None

    def checkpoint(self) -> Checkpoint | None:
        """What the run goes on from: its checkpoint, or the one before where that is damaged. Imports PyTorch.

        None where there is neither, and no step has been stored: the run begins again.

        Raises:
            CheckpointError: where neither can be used.
        """
        from d2ltui.engine.checkpoint import CheckpointError

        assert self._resumed is not None
        if (unknown := unknown_fields(self.config)) and self._on_trouble is not None:
            names = ", ".join(printable(f"{name} = {value!r}") for name, value in unknown.items())
            self._on_trouble(
                _("run: this d2ltui does not know {names}; {name} continues without it").format(
                    names=names, name=self._resumed.name
                )
            )
        found, damage = last_checkpoint(self._resumed, self.config)
        if damage:
            self._damaged = True
            if self._on_trouble is not None:
                self._on_trouble(damage)
        if found is None and (self._stored_steps > 0 or self._begins_again):
            raise CheckpointError(_("run: {name} has no checkpoint to resume from").format(name=self._resumed.name))
        if found is not None and self._begins_again and found.step > MAX_LOST_STEPS:
            raise CheckpointError(
                _(
                    "run: the checkpoint of {name} is of step {step:,}, and where its database is lost, "
                    "a run can be resumed from step {max_lost_steps:,} at most"
                ).format(name=self._resumed.name, step=found.step, max_lost_steps=MAX_LOST_STEPS)
            )
        if (mended := recovery.repair_config(self._resumed, self.config)) and self._on_trouble is not None:
            self._on_trouble(mended)
        if found is not None and self._begins_again:
            for epoch in found.history():
                self.live(epoch)
                self.store(epoch)
        return found

    def close(self) -> bool:
        """Wait until everything is stored; False, and once a sentence, where a slow disk is not done within a while.

        It can be called again.
        """
        closed = self.store.close(CLOSE_TIMEOUT)
        if not closed and not self._slow_told and self._on_trouble is not None:
            self._slow_told = True
            self._on_trouble(
                _("store: what there is of {name} is still being written").format(name=self.store.name or _("the run"))
            )
        return closed

    # The engine's CheckpointSink

    @property
    def idle(self) -> bool:
        """Whether the last checkpoint is stored."""
        return self._unwritten == 0

    @property
    def took(self) -> float:
        """Seconds of processor time that storing the last one took."""
        return self._took

    def keep(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint after everything that was told before it: no checkpoint is ahead of the curves."""
        with self._counting:
            self._unwritten += 1

        def write(path: Path) -> None:
            began = time.thread_time()
            try:
                previous = None if self._damaged else path / home.PREVIOUS
                home.write_atomically(path / home.CHECKPOINT, checkpoint.write, previous=previous)
                self._damaged = self._disk_failed = False
            except Exception as error:  # also what PyTorch makes of a full disk
                self._disk_failed = True
                said = (
                    _("no checkpoint ({why}); the last one is kept")
                    if recovery.has_checkpoint(path)
                    else _("no checkpoint ({why})")
                )
                raise StoreError(said.format(why=home.gone(path) or reason(error))) from None
            finally:
                self._took = time.thread_time() - began
                with self._counting:
                    self._unwritten -= 1

        self.store.later(write)

    # The engine's WeightSink

    def past_weights(self) -> Kept:
        """What was kept of the run before it was resumed; nothing where that cannot be read, which is told."""
        from d2ltui.engine.checkpoint import CheckpointError
        from d2ltui.engine.weight_history import read

        try:
            return read(self._resumed / home.WEIGHTS, self.config) if self._resumed is not None else ()
        except CheckpointError as error:
            if self._on_trouble is not None:
                self._on_trouble(_("store: the weights of earlier steps are lost ({why})").format(why=error))
            return ()

    def keep_weights(self, write: Callable[[BinaryIO], object]) -> None:
        """Store what `write` writes; where that fails, it is said once, and tried again the next time.

        Not even once where the same disk has just refused a checkpoint.
        """
        self.weights_idle = False

        def job(path: Path) -> None:
            began = time.thread_time()
            try:
                home.write_atomically(path / home.WEIGHTS, write)
            except Exception as error:  # also what PyTorch makes of a full disk
                said, self._disk_failed = self._disk_failed, True
                if not said:
                    why = home.gone(path) or reason(error)
                    raise StoreError(_("no weights of earlier steps ({why})").format(why=why)) from None
            finally:
                self.weights_took, self.weights_idle = time.thread_time() - began, True

        self.store.later(job)

    def _handle_requests(self, request: Request) -> None:
        match request.verb:
            case "pause":
                self._control.pause()
            case "resume":
                self._control.resume()
            case "step":
                self._control.step()
            case "epoch":
                self._control.epoch()
            case "stop":
                self._control.stop()
            case "lr":
                if request.lr is not None:
                    self._control.set_lr(request.lr)


def last_checkpoint(path: Path, config: RunConfig) -> tuple[Checkpoint | None, str]:
    """The last checkpoint of the run in directory `path`, or the one before where that cannot be used, and then why.

    None where there is neither. Imports PyTorch.

    Raises:
        CheckpointError: where neither can be used.
    """
    from d2ltui.engine.checkpoint import CheckpointError, read

    current, previous = path / home.CHECKPOINT, path / home.PREVIOUS
    damage = why = ""
    try:
        return read(current, config), damage
    except FileNotFoundError:
        pass  # the process was killed between two renamings
    except CheckpointError as error:
        if not previous.exists():
            raise
        damage, why = _("{reason}; the one before it is used").format(reason=error), _why(error, current)
    try:
        return read(previous, config), damage
    except FileNotFoundError:
        return None, damage
    except CheckpointError as error:
        if not why:
            raise
        both = _("neither {current} nor {previous} can be used: the first {why}, the second {other}").format(
            current=current, previous=previous, why=why, other=_why(error, previous)
        )
        raise CheckpointError(f"checkpoint: {both}") from None


def _why(error: Exception, path: Path) -> str:
    return str(error).removeprefix(f"checkpoint: {path} ")


def _stored(path: Path) -> tuple[LiveRun, str]:
    """What is stored of the run in directory `path`, and what is wrong with its database, "" where nothing is."""
    try:
        with RunReader(path) as reader:
            reader.check_pages()
            _check_resumable(info(path))
            if unknown := unknown_choices(reader.live.config):
                raise NotAllowed(
                    _("run: {name} cannot be resumed here: this d2ltui does not know {unknown}").format(
                        name=path.name, unknown=", ".join(unknown)
                    )
                )
            return reader.live, ""
    except Damaged as error:
        if not recovery.has_checkpoint(path):
            raise
        return LiveRun(recovery.config_of(path)), str(error)


def _check_resumable(run: RunInfo) -> None:
    if run.problem:
        raise (Damaged if run.status == DAMAGED else StoreError)(run.problem)
    if run.status in ("finished", "diverged"):
        raise NotAllowed(
            _("run: {name} has {status}; allowed: one that was stopped, {interrupted} or has failed").format(
                name=run.name, status=run.status, interrupted=INTERRUPTED
            )
        )
