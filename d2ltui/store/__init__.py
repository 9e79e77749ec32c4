"""Runs on disk: a directory for each, written by the process that trains, read by any number of others.

    D2LTUI_HOME/runs/NAME/
        config.toml             the configuration, for `--config`
        run.db                  SQLite: everything that was told of the run (see `schema`)
        run.db.damaged          one that could not be read any more, where the run went on in a new one
        checkpoint.pt           what the run goes on from; `checkpoint-previous.pt` is the one before
        weights.pt              what its weights were at moments of its training, for pictures; of a small network alone
        log.txt                 what happened, for people
        note.txt                what somebody wrote about it
        lock                    held by the process that trains it
        request-*               what other processes ask of that process; gone as soon as it has read them

A directory is complete: copied to another machine, everything works there.

Writing (`writer.StoreThread`): a sink that appends to a queue; a thread of its own writes it twice a second. Nothing
that goes wrong there reaches the training.
Reading (`reader.RunReader`): rebuilds a `LiveRun`, and keeps it up to date with each `poll()`.
Finding (`home`, `listing`, `filters`): names, lists, typed conditions; renaming, notes, deleting.

Every error is a `StoreError` whose text is one sentence.
"""

from d2ltui.store.errors import Damaged, NotAllowed, StoreError

__all__ = ["Damaged", "NotAllowed", "StoreError"]
