"""Lines of code that are wider than their view."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from d2ltui.tui.widgets.code import cut_at

CODE = [(0, "def "), (1, "net(X):"), (2, "  # 多层感知机的前向传播")]


@pytest.mark.parametrize("room", range(1, 45))
def test_a_cut_line_takes_no_more_columns_than_there_are(room: int) -> None:
    whole = "".join(text for _, text in CODE)
    cut = "".join(text for _, text in cut_at(CODE, room))
    if cell_len(whole) <= room:
        assert cut == whole
    else:
        assert cell_len(cut) == room, "the sign stands at the edge"
        assert cut[-1] == "…"
        assert whole.startswith(cut[:-1].rstrip(" "))
