"""The end of a run, for whoever has trained it: what is wrong with it is looked for and told."""

from __future__ import annotations

import msgspec

from d2ltui.engine import doctor
from d2ltui.engine.control import Stopped
from d2ltui.engine.doctor_trials import Trial
from d2ltui.engine.observers import Inspection, Sinks
from d2ltui.engine.patient import Patient
from d2ltui.engine.progress import Progress
from d2ltui.engine.workbench import Workbench
from d2ltui.spec import events
from d2ltui.spec.language import _


def examine_run(
    bench: Workbench,
    at: Progress,
    inspection: Inspection,
    emit: Sinks,
    rate: float,
    ran_away: bool,
    trial: Trial | None,
) -> None:
    """Tell what is wrong with the run that has ended where `at` is, or what was looked at and is well.

    `rate` is the learning rate of its last epoch; `ran_away` says that its loss is finite and far above its start.
    `trial` trains with other settings, and may raise Stopped; without it, only what can be seen is told.
    """
    patient = Patient(
        config=msgspec.structs.replace(bench.config, lr=at.lr),
        data=bench.data,
        epochs=at.epochs,
        diverged=at.diverged or ran_away,
        step=at.step,
        symptoms=inspection.at_the_end(at.epochs, rate, at.step if at.diverged else None),
        looked_at=inspection.looked_at,
        at_start=inspection.found_at_start,
    )
    try:
        found = doctor.examine(patient, trial, lambda message, fraction: emit(events.Loading(message, fraction)))
    except Stopped:
        return
    except Exception as error:  # whatever is wrong with the doctor, the run has ended as it has
        emit.tell_failure(_("the diagnosis"), error)
        return
    if not bench.control.stopping:
        emit(events.FindingsChanged(at.step, found.findings, found.looked_at))
