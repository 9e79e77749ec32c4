"""Notices: where they stand, and how long."""

from __future__ import annotations

import pytest
from person import Opener, Person
from textual.geometry import Region
from textual.notifications import Notification
from textual.widgets._toast import Toast


def notices(person: Person) -> dict[str, Region]:
    """Those that are on the screen in front: what each says, and where it stands."""
    toasts = person.app.screen.query("Toast")
    return {toast.render().plain: toast.region for toast in toasts if toast.region.area}  # type: ignore[attr-defined]


async def test_a_notice_covers_no_code_and_goes_with_its_screen(open_app: Opener) -> None:
    async with open_app({"model": "linear", "epochs": 1_000_000}, size=(200, 60)) as person:
        await person.press("c")
        await person.press("s")
        await person.until(lambda: "line 1 of" in person.text(), "the step's tensors")
        await person.until(lambda: any("a new run has begun" in said for said in notices(person)), "a notice")
        (place,) = notices(person).values()
        for box in person.app.screen.query(".box"):
            assert not box.region.overlaps(place), (box, place)
        assert place.bottom == 60, "no more room than it takes"
        person.app.notify("a chart cannot be drawn", severity="error")  # that is the matter everywhere
        await person.until(lambda: len(notices(person)) == 2, "another one")
        await person.press("escape")
        await person.until(lambda: "a chart cannot be drawn" in notices(person), "what has failed")
        assert list(notices(person)) == ["a chart cannot be drawn"]
        person.main.host.tell("a run is on the screen", person.main)
        await person.until(lambda: len(notices(person)) == 2, "the main screen's own")
        await person.press("question_mark")
        await person.until(lambda: "a chart cannot be drawn" in notices(person), "what has failed, here, too")
        assert len(notices(person)) == 1


@pytest.mark.timeout(30)
async def test_a_notice_that_expires_while_it_is_put_on_the_screen_holds_nothing_up(
    open_app: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Toast.__init__

    def late(self: Toast, notification: Notification) -> None:
        notification.raised_at -= 1000
        make(self, notification)

    async with open_app({"model": "linear"}) as person:
        monkeypatch.setattr(Toast, "__init__", late)
        person.app.notify("too late")
        await person.until(lambda: "too late" in notices(person), "the notice, for a moment")
        await person.until(lambda: not notices(person), "its end")
        assert not list(person.app._notifications)


async def test_the_time_of_a_notice_begins_when_its_screen_is_in_front(open_app: Opener) -> None:
    async with open_app({"model": "linear"}) as person:
        await person.press("question_mark")
        person.main.notify("a plug-in is left out", severity="warning")
        await person.settle()
        assert notices(person) == {}
        (notice,) = person.app._notifications
        notice.raised_at -= 1000  # somebody reads the help for a while
        await person.press("escape")
        await person.until(lambda: "a plug-in is left out" in notices(person), "the notice")
        notice.raised_at -= 1000
        await person.press("question_mark", "escape")
        await person.until(lambda: not notices(person), "its end")
