"""The left column: model, data set, hyperparameters, and what they describe before it is built."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.geometry import Offset, Region
from textual.message import Message
from textual.widget import Widget
from textual.widgets import RadioSet, Static

from d2ltui.spec import catalogue, comparison
from d2ltui.spec.config import RunConfig, applicable_fields
from d2ltui.spec.fields import FIELDS
from d2ltui.spec.language import _, ngettext
from d2ltui.spec.models import MODELS
from d2ltui.spec.width import right, wrapped
from d2ltui.tui.form_state import FormState, as_text
from d2ltui.tui.render.cached import FrameOnly, KeptLooks
from d2ltui.tui.widgets.fields import ChoiceField, FieldChanged, TextField
from d2ltui.tui.widgets.form_words import label_of, meanings_of
from d2ltui.tui.widgets.model_choice import ModelButton, ModelChoice
from d2ltui.tui.widgets.pane import Pane, takes_focus

SHOWN_LAYERS = 7
AS_BEFORE = _("as before")
NOTE_WIDTH = 28  # columns of a note in a column beside the others
COLUMN = 34  # columns that the form wants, as in its style
ROOMY = 48  # rows of a screen with room for every field
DATA = ("dataset", "data_dir", *catalogue.DATA_FIELDS)  # the fields of the data pane


def make_field(name: str, state: FormState) -> ChoiceField | TextField:
    """The widget that edits field `name`."""
    field = FIELDS[name]
    if field.kind == "choice":
        choice = ChoiceField(name, label_of(name), meanings_of(name), state[name])
        choice.set_choices(state.choices(name))
        return choice
    return TextField(name, label_of(name), state[name])


def describe_network(config: RunConfig) -> str:
    """Layers, shapes and numbers of parameters of what is configured, a line each."""
    layers = catalogue.layer_plan(config)
    lines = [
        f"{layer.index:>2} {layer.title:<15}{f'{layer.parameters:,}' if layer.parameters else '':>10}"
        for layer in layers
    ]
    if len(lines) > SHOWN_LAYERS:
        left_out = len(lines) - SHOWN_LAYERS + 1
        lines = [*lines[: SHOWN_LAYERS - 3], _("   … {left_out} more layers").format(left_out=left_out), *lines[-2:]]
    total = sum(layer.parameters for layer in layers)
    return "\n".join([*lines, right(_("{total:,} parameters").format(total=total), 28)])


def before(problems: Iterable[str]) -> str:
    """What the model pane says of the network that it shows while fields have problems: their names."""
    return _("{as_before}; not allowed now: {fields}").format(
        as_before=AS_BEFORE, fields=", ".join(label_of(name) for name in problems if name in FIELDS)
    )


def describe_data(config: RunConfig) -> str:
    """What the data set is, its parts, and its normalisation."""
    data = config.dataset_info
    shape = "×".join(map(str, data.input_shape))
    outputs = (
        _("{num_outputs} classes").format(num_outputs=data.num_outputs)
        if data.task == "classification"
        else _("one number")
    )
    return _(
        "{description}\n{train_size:,} train + {val_size:,} validation\n{inputs} → {outputs}\n"
        "normalised: {normalisation}"
    ).format(
        description=_(data.description),
        train_size=data.train_size,
        val_size=data.val_size,
        inputs=ngettext("{shape} input", "{shape} inputs", data.num_inputs).format(shape=shape),
        outputs=outputs,
        normalisation=_(data.normalisation),
    )


class Notes(NamedTuple):
    """What the form says of the run that it describes, as far as there is room."""

    network: str
    data: str


def notes_for(config: RunConfig, network: str, rows: int) -> Notes:
    """The fullest notes that fit into `rows`: a field below the fold is worse than a note left out.

    First the data's are cut down to numbers and shapes, then the network's to the number of its parameters.
    """
    data = describe_data(config)
    *layers, total = network.split("\n")
    counts, total = data.split("\n")[1], "\n".join([*(line for line in layers if line.startswith(AS_BEFORE)), total])
    shapes = "\n".join(data.split("\n")[1:3])
    every = (
        Notes(network, data),
        Notes(network, shapes),
        Notes(network, counts),
        Notes(total, counts),
        Notes(total, ""),
    )
    return next((notes for notes in every if sum(map(_rows, notes)) <= rows), Notes("", ""))


def _rows(text: str) -> int:
    return sum(max(1, len(wrapped(line, NOTE_WIDTH))) for line in text.split("\n")) if text else 0


def _display(widget: Widget, shown: bool) -> None:
    """Show it or not. Each time that this is said, also the first, Textual lays out the whole screen."""
    if widget.display != shown:
        widget.display = shown


class Note(KeptLooks, Static):
    """What the form says of what it describes."""


class Setup(FrameOnly, VerticalScroll, can_focus=False):
    """The form. It holds a FormState and tells when the run it describes has changed."""

    DEFAULT_CSS = """
    Setup { width: 34; height: 1fr; scrollbar-size-vertical: 1; }
    Setup .stack { height: auto; }
    Setup Pane { height: auto; }
    Setup RadioSet { width: 1fr; border: none; padding: 0; background: transparent; }
    Setup RadioSet:focus { border: none; background: transparent; }
    Setup RadioButton { padding: 0; width: 1fr; background: transparent; border: none; }
    Setup RadioSet:blur > RadioButton.-selected > .toggle--label { background: transparent; }
    Setup RadioSet > RadioButton > .toggle--button { background: transparent; color: $foreground 30%; }
    Setup RadioSet > RadioButton.-on > .toggle--button { background: transparent; color: $primary; }
    Setup .note { color: $text-muted; height: auto; }
    Setup .problem { color: $text-error; height: auto; }
    """
    BINDINGS = [
        Binding("down", "next_field(1)", show=False),
        Binding("up", "next_field(-1)", show=False),
    ]

    class Changed(Message):
        """The form describes another run, or has other problems."""

        def __init__(self, problems: dict[str, str]) -> None:
            super().__init__()
            self.problems = problems

    def __init__(self, config: RunConfig, typed: Collection[str] = ()) -> None:
        super().__init__(id="setup")
        self.state = FormState(config, typed)
        self._problems: dict[str, str] = {}
        self._network = describe_network(config)
        self._notes = Notes("", "")  # those that are shown
        self._spread = False, False  # over the whole width, side by side
        # They stay as long as the form: to look for them among all its widgets at each key takes longer than the rest.
        self._model = ModelChoice(self.state["model"])
        names = ("implementation", *DATA, *self._all_hyperparameters())
        self._fields = {name: make_field(name, self.state) for name in names}
        self._choices = [field for field in self._fields.values() if isinstance(field, ChoiceField)]
        self._texts = [field for field in self._fields.values() if isinstance(field, TextField)]

    def compose(self) -> ComposeResult:
        """Three panes."""
        fields, state, config = self._fields, self.state, self.state.last_valid
        with Vertical(classes="stack"):
            with Pane(_("Model"), id="model-pane"):
                with self._model:
                    for info in MODELS.values():
                        yield ModelButton(_(info.title), value=info.name == state["model"], name=info.name)
                yield fields["implementation"]
                yield Note(describe_network(config), id="network", classes="note", markup=False)
            with Pane(_("Data"), id="data-pane"):
                yield fields["dataset"]
                yield Note(describe_data(config), id="data-note", classes="note", markup=False)
                yield Note("", id="data-problem", classes="problem", markup=False)
                for name in DATA[1:]:
                    yield fields[name]
        with Vertical(classes="stack"), Pane(_("Hyperparameters"), id="form-pane"):
            for name in self._all_hyperparameters():
                yield fields[name]
            yield Note("", id="form-problem", classes="problem", markup=False)
            yield Note("", id="form-note", classes="note", markup=False)

    @staticmethod
    def _all_hyperparameters() -> Iterable[str]:
        names = dict.fromkeys(name for model in ("mlp", *MODELS) for name in applicable_fields(model))
        return (name for name in names if name not in ("implementation", *DATA))

    def on_mount(self) -> None:
        """Show what belongs to the model."""
        self._refresh_fields()

    def scroll_to_region(self, region: Region, **options: Any) -> Offset:
        """At once: what is still to come for the last field must not undo what has been done for this one."""
        return super().scroll_to_region(region, **{**options, "animate": False, "immediate": True})

    def on_descendant_focus(self) -> None:
        """Keep in sight what is chosen. Textual looks for it where it was before the last move was laid out."""
        self.call_after_refresh(self._scroll_to_focused)

    def _scroll_to_focused(self) -> None:
        focused = self.screen.focused
        if focused is not None and self in focused.ancestors:
            self.scroll_to_widget(focused)

    def on_radio_set_changed(self, event: RadioSet.Changed) -> None:
        """Another model."""
        event.stop()
        self._tell_changed()

    def on_field_changed(self, event: FieldChanged) -> None:
        """Another text in a field."""
        event.stop()
        self._tell_changed()

    def _tell_changed(self) -> None:
        if self.take_shown():  # a widget tells its first value, too
            self.post_message(self.Changed(self._problems))

    def take_shown(self) -> bool:
        """Have the state say what is on the screen now; whether it did not yet.

        The messages of the fields may still be on their way, and say only that something has changed: whoever reads
        the state for a person calls this first.
        """
        fields: tuple[ChoiceField | TextField, ...] = (*self._choices, *self._texts)
        shown = {field.field: field.text for field in fields if field.display}
        shown["model"] = self._model.chosen
        changed = [name for name, text in shown.items() if text != self.state[name]]
        for name in sorted(changed, key=("implementation", "model").__contains__):  # these decide what others may be
            self.state.set(name, shown[name])
        if changed:
            self._refresh_fields(typed=changed)
        return bool(changed)

    def apply(self, values: Mapping[str, object]) -> str:
        """Put `values` into the form; returns what changed, in words, and what followed of itself among it."""
        self.take_shown()
        shown = self.state.visible()
        before = {name: self.state[name] for name in (*values, *shown)}
        for name, value in values.items():
            self.state.set(name, as_text(value))
        self._refresh_fields()
        changed = [name for name, text in before.items() if self.state[name] != text]
        return ", ".join(f"{name} {before[name]} → {self.state[name]}" for name in changed)

    def describe(self, config: RunConfig, typed: Collection[str] = ()) -> None:
        """Put a whole run into the form, as if its fields `typed` had been."""
        self.state = FormState(config, typed)
        self._refresh_fields()
        for button in self.query(ModelButton):
            if button.name == config.model:
                button.value = True
        self.post_message(self.Changed(self._problems))

    def spread(self, width: int) -> None:
        """Over `width` columns, side by side where there is room for two; with 0, in a column beside the others.

        A class would do the same, but has every widget of the form look all its styles up again: 40 ms.
        """
        spread = width > 0, width >= 2 * COLUMN
        if spread != self._spread:
            self._spread = spread
            self._show_notes()
            whole, side_by_side = spread
            self.styles.width = "1fr" if whole else None
            self.styles.layout = "horizontal" if side_by_side else None

    def set_problem(self, name: str, problem: str) -> None:
        """Say at field `name` what is wrong with it, until the next change."""
        self._problems = {**self._problems, name: problem}
        self._show_problems()

    def forget_problem(self) -> None:
        """What was said of an earlier run is over."""
        self._problems = self.state.problems()
        self._show_problems()

    def focus_problem(self) -> None:
        """Go to the first field with a problem."""
        for name in self._problems:
            field = self._fields.get(name)
            if field is not None:
                if not (isinstance(field, TextField) and field.editing):
                    self.screen.set_focus(field)
                return

    def _refresh_fields(self, typed: Collection[str] = ()) -> None:
        """Bring every widget in line with the state; those one types in are left alone."""
        state = self.state
        self._problems = state.problems()
        visible = set(state.visible())
        for field in self._choices:
            if field.field in visible or field.field == "dataset":
                field.set_choices(state.choices(field.field))
                field.value = state[field.field]
            _display(field, field.field in visible or field.field == "dataset")
        for text in self._texts:
            shown = text.field in visible
            if text.field == "data_dir":
                shown = not catalogue.DATASETS[state["dataset"]].embedded or "data_dir" in self._problems
            _display(text, shown and self._has_row(text))
            if text.field not in typed:
                text.set_text(state[text.field])
        self._show_problems()
        config = state.last_valid
        network = describe_network(config)
        if self._problems:  # what is half typed describes no network
            network = f"{before(self._problems)}\n{network}"
        self._network = network
        self._show_notes()

    def _has_row(self, text: TextField) -> bool:
        """Where rows are few, what is seldom wanted has one only if it is given, or wrong, or typed in."""
        name = text.field
        given = self.state[name] != as_text(catalogue.BASE.get(name)) or name in self._problems
        return not FIELDS[name].seldom or given or text.has_focus_within or self.app.size.height >= ROOMY

    def on_resize(self) -> None:
        """Other fields and notes fit."""
        visible = self.state.visible()
        for text in self._texts:
            if FIELDS[text.field].seldom:
                _display(text, text.field in visible and self._has_row(text))
        self._show_notes()

    def _show_notes(self) -> None:
        """As much as leaves every field in sight."""
        config, height = self.state.last_valid, self.size.height
        notes = Notes(self._network, describe_data(config))
        whole, side_by_side = self._spread
        if height and (side_by_side or not whole):
            # What stands below one another: side by side, not the hyperparameters.
            names = ("implementation", *DATA) if side_by_side else tuple(self._fields)
            fields = [name for name in names if self._fields[name].display]
            frames = 2 * (2 if side_by_side else 3)
            taken = frames + len(MODELS) + len(fields) + 2 * len(self._problems)
            notes = notes_for(config, self._network, height - taken)
        if notes != self._notes:
            self._notes = notes
            self._note("#network", notes.network)
            self._note("#data-note", notes.data)

    def _show_problems(self) -> None:
        problems = dict(self._problems)
        for text in self._texts:
            text.set_problem(problems.pop(text.field, None) if text.display else None)
        self._note("#data-problem", problems.pop("dataset", ""))
        scratch = self.state["implementation"] == "scratch"
        self._note("#form-problem", "\n".join(problems.values()))
        beside = comparison.beside_concise(self.state.last_valid)
        self._note(
            "#form-note", _("from scratch, the optimizer is SGD; {beside}").format(beside=beside) if scratch else ""
        )

    def _note(self, selector: str, text: str) -> None:
        note = self.query_one(selector, Static)
        if note.content != text:  # Textual would lay out the whole screen
            note.update(text)
        _display(note, bool(text))

    def action_next_field(self, by: int) -> None:
        """The next field of the column, or the one before."""
        fields = [field for field in (self._model, *self._fields.values()) if takes_focus(field)]
        focused = self.screen.focused
        if focused is not None and isinstance(focused.parent, TextField):
            focused = focused.parent  # the text that was edited is left
        if focused in fields:
            self.screen.set_focus(fields[(fields.index(focused) + by) % len(fields)])
