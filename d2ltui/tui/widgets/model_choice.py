"""The models of the form, one of which is chosen."""

from __future__ import annotations

from textual.actions import SkipAction
from textual.binding import Binding
from textual.widgets import RadioButton, RadioSet

from d2ltui.tui.render.cached import KeptLooks


class ModelButton(KeptLooks, RadioButton):
    """A model. The chosen one is told by its mark, not by its colour alone."""

    BUTTON_LEFT = " "
    BUTTON_INNER = "○"
    BUTTON_RIGHT = " "

    def watch_value(self) -> None:
        """A full circle for the chosen one."""
        self.BUTTON_INNER = "●" if self.value else "○"
        super().watch_value()
        if isinstance(self.parent, ModelChoice):
            self.parent.turned(self)


class ModelChoice(RadioSet, inherit_bindings=False):
    """The models; an arrow key goes to the next one and takes it at once, or past the last one leaves.

    The space bar is not among its keys: it pauses.

    RadioSet turns the other buttons off when the message of the new one comes: until then two are on, and a key that
    comes before it starts from the old one. Here that is done at once.
    """

    BINDINGS = [
        Binding("down,right", "take(1)", show=False),
        Binding("up,left", "take(-1)", show=False),
    ]

    def __init__(self, chosen: str) -> None:
        super().__init__(id="model", compact=True)
        self.chosen = chosen  # the name of the button that is on

    def on_mount(self) -> None:
        """The cursor starts at the chosen one; RadioSet itself puts it on the first."""
        self.call_after_refresh(self._go_to_chosen)

    def _go_to_chosen(self) -> None:
        self._selected = self._place

    @property
    def _models(self) -> list[ModelButton]:
        return list(self.query_children(ModelButton))

    @property
    def _place(self) -> int:
        return [button.name for button in self._models].index(self.chosen)

    def action_take(self, by: int) -> None:
        """The next model, or the one before; beyond the ends the key is the form's."""
        models, place = self._models, self._place + by
        if not 0 <= place < len(models):
            raise SkipAction
        self._selected = place
        models[place].value = True

    def turned(self, button: ModelButton) -> None:
        """A button has been turned on, and the others go off; or the chosen one off, which it cannot be."""
        if not button.value:
            button.value = button.name == self.chosen
        elif button.name != self.chosen:
            self.chosen = str(button.name)
            self._pressed_button = button
            for other in self._models:
                other.value = other is button
            self.post_message(self.Changed(self, button))

    def on_radio_button_changed(self, event: RadioButton.Changed) -> None:
        """Everything has been done at once."""
        event.stop()
        event.prevent_default()
