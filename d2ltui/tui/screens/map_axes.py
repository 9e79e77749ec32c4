"""Both axes of a map and the number of seeds, as they are typed, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical

from d2ltui.spec.axes import Axis, base_config, parse_axis
from d2ltui.spec.axes_usual import axis_fields, axis_text, usual_axes, usual_axis
from d2ltui.spec.config import RunConfig
from d2ltui.spec.language import _
from d2ltui.spec.maps import MapSpec
from d2ltui.spec.parsing import ConfigError
from d2ltui.spec.repeats import MAX_RUNS
from d2ltui.spec.text import quoted
from d2ltui.tui.widgets.fields import FieldChanged, TextField

SEEDS = "seeds"
LABELS = {"x": _("x, across"), "y": _("y, upwards")}


class AxisField(TextField):
    """An axis as it is typed, `lr=1e-4:10:16`; ← and → take another field, with what is usual for it."""

    BINDINGS = [
        Binding("left", "turn(-1)", "field", key_display="← →"),
        Binding("right", "turn(1)", show=False),
    ]

    def __init__(self, name: str, label: str, value: str, turned: Callable[[str, int], str]) -> None:
        """`turned` says what to show instead of a text, for the next field or the one before."""
        super().__init__(name, label, value)
        self._turned = turned

    def action_turn(self, by: int) -> None:
        """Another field."""
        self.set_text(self._turned(self.text, by))
        self.set_problem(None)


class MapAxes(Vertical):
    """The two axes of a map of a run.

    Args:
        config: the run that the form describes.
        given: the fields of it that somebody has chosen.
    """

    DEFAULT_CSS = "MapAxes { height: auto; padding: 0 1; }"

    def __init__(self, config: RunConfig, given: Mapping[str, object]) -> None:
        self._config, self._given = config, dict(given)
        texts = dict(zip(LABELS, usual_axes(config, given), strict=True))
        self.fields = {name: AxisField(name, label, texts[name], self._turned) for name, label in LABELS.items()}
        self.seeds = TextField(SEEDS, _("seeds"), "1")
        super().__init__(id="axes")

    def compose(self) -> ComposeResult:
        """One below the other."""
        yield from self.places

    @property
    def places(self) -> tuple[TextField, ...]:
        """Everything that can be typed, from the top."""
        return (*self.fields.values(), self.seeds)

    def _turned(self, text: str, by: int) -> str:
        """The usual axis of the next field that the other axis does not have."""
        fields = axis_fields(self._config, self._given)
        here, *others = sorted((_field_of(axis.text) for axis in self.fields.values()), key=_field_of(text).__ne__)
        at = fields.index(here) if here in fields else -by
        following = (fields[(at + by * step) % len(fields)] for step in range(1, len(fields) + 1))
        return usual_axis(next((name for name in following if name not in others), here), self._config)

    def on_field_changed(self, event: FieldChanged) -> None:
        """What was wrong is being mended."""
        event.stop()
        (self.seeds if event.name == SEEDS else self.fields[event.name]).set_problem(None)

    def show(self, spec: MapSpec) -> None:
        """The axes of a map that there is."""
        for name, axis in (("x", spec.x), ("y", spec.y)):
            self.fields[name].set_text(axis_text(axis))
            self.fields[name].set_problem(None)
        self.seeds.set_text(str(spec.seeds))
        self.seeds.set_problem(None)

    @property
    def wrong(self) -> TextField | None:
        """The first one that says what is wrong with it."""
        return next((place for place in self.places if place.has_class("-wrong")), None)

    def check_seeds(self) -> int | None:
        """How many networks each cell has; None where that is wrong, and then it says why."""
        text = self.seeds.input.value.strip()
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
        right = 1 <= number <= MAX_RUNS
        allowed = _("a whole number from 1 to {most}").format(most=MAX_RUNS)
        self.seeds.set_problem(
            None
            if right
            else _("{name}: {value} is not allowed{hint}; allowed: {allowed}").format(
                name=SEEDS, value=quoted(text), hint="", allowed=allowed
            )
        )
        return number if right else None

    def check(self, name: str) -> Axis | None:
        """One axis; None where it is wrong, and then it says why."""
        field = self.fields[name]
        try:
            axis = parse_axis(name, field.text)
        except ConfigError as error:
            field.set_problem(error.problems[0].message)
            return None
        field.set_problem(None)
        return axis

    def described(self) -> MapSpec | None:
        """The map that they describe; None where there is none, and then they say why."""
        x, y, seeds = self.check("x"), self.check("y"), self.check_seeds()
        if x is None or y is None or seeds is None:
            return None
        given = {name: value for name, value in self._given.items() if name not in (x.field, y.field)}
        try:
            config = base_config(given, x, y)
        except ConfigError as error:
            problem = error.problems[0]
            name = problem.field if problem.field in LABELS else "y" if problem.field == y.field else "x"
            self.fields[name].set_problem(problem.message)
            return None
        return MapSpec(config, x, y, seeds, tuple(given))


def _field_of(text: str) -> str:
    return text.partition("=")[0].strip().replace("-", "_")
