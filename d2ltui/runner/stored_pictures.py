"""Pictures of a run that this process does not train: of its newest checkpoint, and of the moments that it has kept.

Importing this module costs no PyTorch; the first picture does, in a thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from d2ltui.engine.picture_desk import PictureDesk
from d2ltui.spec import catalogue
from d2ltui.spec.datasets import DescriptionError
from d2ltui.spec.language import _
from d2ltui.spec.models import MODELS
from d2ltui.spec.pictures import Picture, PictureMade, PictureRequest, picture_kinds
from d2ltui.spec.text import quoted
from d2ltui.store import home, recovery
from d2ltui.store.defects import in_words, keep_traceback
from d2ltui.store.errors import NotAllowed, StoreError

if TYPE_CHECKING:
    from d2ltui.data import Dataset
    from d2ltui.engine.weight_history import Kept, Weights
    from d2ltui.nn import Network
    from d2ltui.pictures.subject import Subject
    from d2ltui.spec.config import RunConfig


class StoredPictures:
    """The desk of a stored run. Its data is loaded when the first picture is asked for; a download is given up."""

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.desk = PictureDesk()
        self.desk.on_ask = self._begin
        self._path, self._config = path, config
        self._data: Dataset | None = None
        self._of: tuple[int, ...] | None = None  # when the files were written that the newest picture shows
        self._making = threading.Lock()

    def refresh(self) -> None:
        """Make the picture anew where another process has written weights since."""
        if self.desk.request is not None and self._of is not None and self._of != self._written():
            self._begin()

    def _written(self) -> tuple[int, ...]:
        found = []
        for name in (home.CHECKPOINT, home.WEIGHTS):
            with contextlib.suppress(OSError):
                found.append((self._path / name).stat().st_mtime_ns)
        return tuple(found)

    def _begin(self) -> None:
        if self.desk.request is not None and self._making.acquire(blocking=False):
            threading.Thread(target=self._make, name="d2ltui-picture", daemon=True).start()

    def _make(self) -> None:
        """In a thread: read the checkpoint, and leave all further questions about it to a painter."""
        try:
            self._of = self._written()
            step, subject = subject_of(self._path, self._config, self._data_set())
            from d2ltui.engine.painter import Painter

            past = self._past(subject.network)
            Painter(self.desk, lambda: subject, lambda what, error: None, past=past).release(step)
        except Exception as error:  # a file that is gone, another version's network: the screen says so
            if (request := self.desk.take()) is not None:
                self.desk.put(
                    PictureMade(request, 0, None, _("this picture cannot be made ({reason})").format(reason=error))
                )
        finally:
            self._making.release()
        if self.desk.fresh:  # asked for just before the release: whoever asked has found this thread at work
            self._begin()

    def _past(self, network: Network) -> Callable[[int], Weights | None]:
        """The weights that were kept of earlier moments; `no_past` of the desk says why there are none."""
        from d2ltui.engine.checkpoint import CheckpointError
        from d2ltui.engine.weight_history import at, read, too_large

        kept: Kept = ()
        try:
            kept = read(self._path / home.WEIGHTS, self._config)
            none = too_large(network) or _("no weights of earlier steps were kept")
            self.desk.no_past = "" if kept else none  # of a run that goes on, they may have come since the last time
        except CheckpointError as error:
            self.desk.no_past = str(error)
        return partial(at, kept)

    def _data_set(self) -> Dataset:
        if self._data is None:
            self._data = load_present(self._config)
        return self._data


def load_present(config: RunConfig) -> Dataset:
    """The data set of `config`, where it needs no download.

    Raises:
        DataError, DescriptionError: where it cannot be had.
    """
    from d2ltui.data import DataError, LoadCancelled, load
    from d2ltui.data.download import no_downloads

    try:
        with no_downloads():
            return load(config)
    except LoadCancelled:
        raise DataError(_("{name} would have to be downloaded").format(name=config.dataset)) from None


def subject_of(path: Path, config: RunConfig, data: Dataset) -> tuple[int, Subject]:
    """The network in the newest checkpoint of the run in directory `path`, and after how many steps it was written.

    Raises:
        CheckpointError: where there is none, or none can be read.
        ValueError: where it is of another network.
    """
    import torch

    from d2ltui.engine.checkpoint import CheckpointError
    from d2ltui.nn import build
    from d2ltui.pictures.subject import Subject
    from d2ltui.runner.recording import last_checkpoint

    checkpoint, __ = last_checkpoint(path, config)
    if checkpoint is None:
        raise CheckpointError(_("this run has no checkpoint"))
    network = build(config, dataset=data.info)
    network.load_state(checkpoint.model)
    return checkpoint.step, Subject.of(network, data, torch.device("cpu"))


def picture_of(path: Path, kind: str, width: int, height: int) -> tuple[str, Picture]:
    """What the picture `kind` is of, and the picture, of the stored run in directory `path`, `width` × `height` cells.

    `kind` is its name or its title.

    Raises:
        NotAllowed: where there is none of that kind of this run.
        StoreError: where it cannot be made.
    """
    from d2ltui.charts.picture import area
    from d2ltui.data import DataError
    from d2ltui.engine.checkpoint import CheckpointError
    from d2ltui.nn import BuildError
    from d2ltui.pictures.make import make

    config = recovery.config_of(path)
    try:
        kinds = picture_kinds(config.dataset_info, catalogue.layer_plan(config), chain=not MODELS[config.model].build)
        found = next((one for one in kinds if kind in (one.name, one.title)), None)  # as its frame calls it, too
        if found is None:
            allowed = ", ".join(one.name for one in kinds)
            raise NotAllowed(
                _("picture: {kind} is not allowed; allowed for {name}: {allowed}").format(
                    kind=quoted(kind), name=path.name, allowed=allowed
                )
            )
        step, subject = subject_of(path, config, load_present(config))
        made = make(subject, PictureRequest(found.name, *area(width, height)), step, alone=True)
    except (DataError, DescriptionError, CheckpointError, BuildError, ValueError) as error:
        raise StoreError(_("picture: it cannot be made ({reason})").format(reason=error)) from None
    except StoreError:
        raise
    except Exception as error:  # of another package's network: whatever it raises
        raise StoreError(
            _("picture: it cannot be made ({in_words}); {keep_traceback}").format(
                in_words=in_words(error), keep_traceback=keep_traceback(error)
            )
        ) from error
    assert made.picture is not None
    return _("{name}: {title} after step {step:,}").format(name=path.name, title=found.title, step=step), made.picture
