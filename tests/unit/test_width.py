"""Text in cells: Chinese characters take two, and break no line, table or figure."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.text import Text

from d2ltui.charts.canvas import NO_BREAK, Look, caption, entry, wrapped
from d2ltui.charts.grid import FILL, Grid, one_cell_each, whole
from d2ltui.charts.picture import draw_picture
from d2ltui.charts.spec import Style
from d2ltui.spec import width
from d2ltui.spec.diagrams import Bars, Curve, Curves, Panel, Panels
from d2ltui.tui.widgets.lines import changed_cells
from d2ltui.tui.widgets.prose import broken

SAID = "学习率太高时，损失会变大；用SGD训练30 %的样本（见“激活值”），就能看到。The rest is English, at length."
TEXTS = [SAID, "训练", "a plain sentence of a few words", "", "½‖w‖² · 权重", "日本語のテキスト", "한국어 텍스트입니다"]
TEXTS += ["    for x in 训练:  # 每个样本"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("columns", [2, 3, 7, 20, 50, 200])
def test_every_line_fits_and_nothing_is_lost(text: str, columns: int) -> None:
    lines = width.wrapped(text, columns)
    assert all(cell_len(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert cell_len(width.cut(text, columns)) <= columns
    assert width.cells(text) == cell_len(text)


def test_a_line_begins_with_no_full_stop_and_ends_with_no_bracket() -> None:
    for columns in range(12, 60):
        lines = width.wrapped(SAID, columns)
        assert not any(line[0] in "，；。）”：%" for line in lines)
        assert not any(line[-1] in "（“" for line in lines)


def test_code_keeps_its_indentation_beside_chinese() -> None:
    said = Text("用法：\n\n    for x, y in data:\n        l = loss(net(x), y)\n\n完。")
    assert broken(said, 40).plain == said.plain
    assert width.wrapped("    x = 训练  # 每个样本", 16) == ["    x = 训练  #", "每个样本"]


def test_lines_of_a_paragraph_are_one_without_blanks_between_wide_characters() -> None:
    assert (
        width.joined(["学习率太高时，", "损失会变大；用", "SGD训练", "a b", "c d"])
        == "学习率太高时，损失会变大；用SGD训练a b c d"
    )


def test_half_of_a_wide_character_is_a_blank() -> None:
    assert [whole(one_cell_each("a训练", False)[:n]) for n in range(6)] == ["", "a", "a ", "a训", "a训 ", "a训练"]
    assert whole(f"{FILL}练{FILL}") == " 练"
    assert one_cell_each(one_cell_each("训练", False), False) == one_cell_each("训练", False)
    assert one_cell_each("训a", True) == "?a"


def test_a_grid_and_a_caption_are_as_wide_as_they_say() -> None:
    grid = Grid(9, 1)
    grid.put(0, 0, one_cell_each("训练部分的损失", False), Style.TEXT)
    grid.put(3, 0, "x", Style.TRAIN)  # over half of a character
    assert cell_len("".join(text for _, text in grid.drawing()[0])) == 9
    assert caption([(0, "训练"), (4, "部分")], 7, False) == [(0, "训练"), (4, "部 ")]


@pytest.mark.parametrize("columns", [10, 17, 24, 40])
def test_entries_of_a_legend_are_not_broken(columns: int) -> None:
    parts = [(1, entry("─t─ 训练")), (2, entry("─v─ 验证")), (0, "每一轮之后的损失，取三次的均值，从上到下")]
    lines = wrapped(parts, columns, False, 9)
    assert all(cell_len("".join(text for _, text in line)) <= columns for line in lines)
    whole_text = ["".join(text for _, text in line) for line in lines]
    assert sum("─t─ 训练" in line for line in whole_text) == sum("─v─ 验证" in line for line in whole_text) == 1
    assert "".join(whole_text).replace(" ", "").endswith("每一轮之后的损失，取三次的均值，从上到下")
    assert NO_BREAK not in "".join(whole_text)


@pytest.mark.parametrize(("columns", "rows"), [(46, 7), (50, 12), (110, 34), (13, 4)])
def test_a_figure_in_chinese_is_as_wide_as_it_is_to_be(columns: int, rows: int) -> None:
    line = Curves((Curve("训练部分", [1.0, 2.0], [1.0, 3.0], 0, "t"),), (1.0, 2.0), "轮")
    panels = (Panel("每一轮之后的损失（越低越好）", line), Panel("轮数", Bars(("学习率", "批量大小"), (1.0, 2.0))))
    drawn = draw_picture(Panels(panels, 2, "均值"), columns, rows, Look(colours=False))
    assert len(drawn) == rows
    assert all(cell_len("".join(text for _, text in line)) <= columns for line in drawn)
    # The second panel begins in the same column in every row.
    if rows > 6:
        head = "".join(text for _, text in drawn[0])
        assert cell_len(head[: head.index("轮数")]) == (columns - 2) // 2 + 2


def test_what_changed_is_told_in_cells() -> None:
    assert changed_cells([(0, "训练ab")], [(0, "训练ac")]) == (5, 6)
    assert changed_cells([(0, "训练")], [(0, "训错")]) == (2, 3)
