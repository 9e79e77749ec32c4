"""The application in Chinese: what is on the screen, and that wide characters break no line."""

from __future__ import annotations

import re

import pytest
from person import Opener, Person
from rich.cells import cell_len

from d2ltui.spec.language import using
from tests.selection import long_after

HAN = re.compile("[\u4e00-\u9fff]")
# What stays as it is: keys, values of fields, layers, names, units.
SAME = re.compile(
    r"ctrl|shift|tab|space|enter|escape|esc|shell|fg|TOML|config|concise|relu|sgd|constant|default|auto|moons|softmax|"
    r"LeNet|Linear|ReLU|cpu|gpu|mem|train|mlp|lr|(?<![a-z])end(?![a-z])"
)


def rows(person: Person) -> list[str]:
    """The rows of the screen: each as wide as it is."""
    shown = person.text().split("\n")
    assert len(shown) <= person.app.size.height
    assert max(map(cell_len, shown)) <= person.app.size.width
    return shown


def english(shown: list[str]) -> list[str]:
    return [row for row in shown if re.search("[A-Za-z]{3}", SAME.sub("", row))]


@pytest.mark.parametrize(
    "size",
    long_after(1, [(120, 40), (80, 24), (100, 30), (200, 60)], whole=True),
    ids=lambda size: "{}x{}".format(*size),
)
async def test_main_screen_help_and_errors_are_in_chinese(size: tuple[int, int], open_app: Opener) -> None:
    with using("zh"):
        async with open_app(size=size) as person:
            shown = rows(person)
            assert english(shown) == []
            assert "超参数" in person.text()
            assert "批量大小     32" in person.text()
            assert "^r 训练 space 暂停" in shown[-1]
            assert "q 退出" in shown[-1], "the footer has room for what matters"
            frames = [row for row in shown if row.startswith(("╭", "│", "╰"))]
            wide = [cell_len(row) for row in frames if row.endswith(("╮", "│", "╯"))]
            assert frames
            assert set(wide) <= {size[0], size[0] // 2}, "frames are straight; a column may be higher than the next one"

            person.field("lr").focus()
            await person.press("enter", *["backspace"] * 3, "x")
            assert person.problem("lr") == "lr: 'x'不可用；可以是：大于0的有限数"
            assert not [cell_len(row) for row in rows(person) if cell_len(row) > size[0]]

            await person.press("escape", "question_mark")
            await person.until(lambda: "按键（escape关闭）" in person.text(), "the help")
            shown = rows(person)
            assert english(shown) == []
            box = [cell_len(row) for row in shown if row.rstrip().endswith(("╮", "│", "╯")) and HAN.search(row)]
            assert len(set(box)) == 1, "its frame is straight"
