"""Pictures as characters: what is drawn is what is there, in every size, with and without colours."""

from __future__ import annotations

import warnings

import msgspec
import numpy as np
import pytest

from d2ltui.charts.canvas import Canvas, Look
from d2ltui.charts.colours import diverging
from d2ltui.charts.picture import area, draw_picture
from d2ltui.charts.raster import drawing_of, half_blocks
from d2ltui.charts.spec import COLOURED, RGB, Drawing, colours_of
from d2ltui.spec import pictures

SIZES = [(31, 18), (41, 24), (76, 19), (116, 34), (196, 54), (8, 3), (5, 2)]
LOOKS = {
    "colours": Look(),
    "light": Look((250, 250, 250), (20, 20, 20)),
    "no colours": Look(colours=False),
    "ascii": Look(ascii=True),
    "ascii, no colours": Look(ascii=True, colours=False),
}
RANDOM = np.random.default_rng(0)


def some(*shape: int) -> pictures.Floats:
    return RANDOM.normal(size=shape).astype(np.float32)


def of_size(width: int, height: int) -> list[pictures.Picture]:
    """One picture of each kind, with numbers that no run should have among them."""
    columns, rows = area(width, height)
    names = ("upper", "lower", "t-shirt")
    points, broken = some(200, 2), some(rows, columns)
    broken[0, 0] = np.nan
    classes = RANDOM.integers(0, 3, (rows, columns)).astype(np.uint8)
    confidence = RANDOM.uniform(1 / 3, 1, (rows, columns)).astype(np.float32)
    labels = RANDOM.integers(0, 3, 200)
    odd = some(4)
    odd[1] = np.inf
    return [
        pictures.Regions(classes, confidence, points, labels, (-3, 3), (-3, 3), ("x1", "x2"), names),
        pictures.Surface(broken, points, some(200), (-3, 3), (-3, 3), ("x1", "x2")),
        pictures.Fit(
            np.linspace(-1, 1, 50, dtype=np.float32), some(50), some(50), some(90), some(90), some(90), "x1", 2
        ),
        pictures.Images(
            RANDOM.integers(0, 256, (30, 9, 8, 1)).astype(np.uint8),
            ("3→8 97%",) * 30,
            (True, False) * 15,
            0,
            99,
            "99 so",
        ),
        pictures.Images(
            RANDOM.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8), ("cat 9%",) * 2, (True, False), 0, 2, "2"
        ),
        pictures.Maps(
            np.concatenate((some(5, 7, 7), np.full((1, 7, 7), np.nan, np.float32))), ("unit 1",) * 6, 0, 6, "6 units"
        ),
        pictures.Confusion(RANDOM.integers(0, 200, (10, 10)), tuple("0123456789"), "900 samples"),
        pictures.ActivationCurve(
            np.linspace(-4, 4, 50, dtype=np.float32), some(50), some(50), RANDOM.integers(0, 9, 30), 0.5, "2 Tanh", ""
        ),
        pictures.SoftmaxSteps(odd, odd, odd * np.nan, odd, odd, odd, (*names, "bag"), 2, 3, 100),
    ]


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.filterwarnings("error")
def test_every_picture_fits_into_every_size(size: tuple[int, int], look: Look) -> None:
    width, height = size
    for picture in of_size(width, height):
        lines = draw_picture(picture, width, height, look)
        assert len(lines) <= height
        for line in lines:
            text = "".join(text for _, text in line)
            assert len(text) <= width
            assert not look.ascii or text.isascii(), text
            assert look.colours or all(style < COLOURED for style, _ in line)


def pixels_of(drawing: Drawing) -> list[list[RGB | None]]:
    """The colours that half blocks show, two rows for each line."""
    found: list[list[RGB | None]] = []
    for line in drawing:
        upper: list[RGB | None] = []
        lower: list[RGB | None] = []
        for style, text in line:
            front, back = colours_of(style)
            for character in text:
                assert character in " ▀"
                upper.append(front if character == "▀" else back)
                lower.append(back)
        found += [upper, lower]
    return found


def test_half_blocks_show_every_pixel_in_its_colour() -> None:
    pixels = RANDOM.integers(0, 2, (14, 23, 3)).astype(np.uint8) * 255
    shown = pixels_of(drawing_of(*half_blocks(pixels)))
    assert shown == [[tuple(pixel) for pixel in row] for row in pixels.tolist()]


def test_neighbours_of_one_colour_are_one_run() -> None:
    pixels = np.zeros((2, 40, 3), np.uint8)
    pixels[:, 30:] = 9
    assert [text for _, text in drawing_of(*half_blocks(pixels))[0]] == [" " * 30, " " * 10]


def regions(confidence: float) -> pictures.Regions:
    """The left half is the first class, the right one the second; two samples, one on the wrong side."""
    classes = np.zeros((20, 20), np.uint8)
    classes[:, 10:] = 1
    points = np.array([[-0.75, 0.75], [0.75, -0.75]], np.float32)
    return pictures.Regions(
        classes,
        np.full((20, 20), confidence, np.float32),
        points,
        np.array([0, 0]),
        (-1, 1),
        (-1, 1),
        ("x1", "x2"),
        ("upper", "lower"),
    )


def test_letters_say_the_class_and_whether_the_network_is_sure() -> None:
    look = Look(colours=False)
    sure = ["".join(text for _, text in line) for line in draw_picture(regions(0.99), 20, 11, look)]
    assert sure[5] == "a" * 10 + "b" * 10
    assert sure[1] == "aaA" + "a" * 7 + "b" * 10
    assert sure[8] == "a" * 10 + "bbbbbbbAbb"  # on the wrong side
    assert sure[-1].startswith("A upper  B lower")
    unsure = ["".join(text for _, text in line) for line in draw_picture(regions(0.6), 20, 11, look)]
    assert unsure[5] == " " * 20


def test_colours_are_deeper_where_the_network_is_sure_and_samples_lie_on_them() -> None:
    def at(confidence: float) -> RGB:
        (style, _), *_ = draw_picture(regions(confidence), 20, 11, Look())[5]
        back = colours_of(style)[1]
        assert back is not None
        return back

    assert sum(at(0.99)) > sum(at(0.75)) > sum(at(0.5)) > sum(Look().background)
    line = draw_picture(regions(0.99), 20, 11, Look())[1]
    assert [text for _, text in line] == ["  ", "●", " " * 7, " " * 10]
    assert colours_of(line[1][0])[1] == colours_of(line[0][0])[1]


def test_a_diverging_scale_is_blue_below_zero_and_orange_above() -> None:
    low, zero, high, beyond, broken = diverging(np.array([-1, 0, 1, np.inf, np.nan]), 1, (0, 0, 0)).tolist()
    assert low[2] > low[0]
    assert zero == broken == [0, 0, 0]
    assert high[0] > high[2]
    assert beyond == high


def test_a_canvas_leaves_out_what_would_be_outside() -> None:
    canvas = Canvas(4, 2)
    canvas.write(2, 1, "long", 4)
    canvas.write(9, 1, "x", 4)
    canvas.write(0, 5, "x", 4)
    assert ["".join(text for _, text in line) for line in canvas.drawing()] == ["    ", "  lo"]


def test_overflow_is_said() -> None:
    values = np.array([100, 0], np.float32)
    steps = pictures.SoftmaxSteps(
        values,
        np.array([np.inf, 1]),
        np.array([np.nan, 0]),
        values - 100,
        values * 0,
        values / 100,
        ("a", "b"),
        0,
        0,
        5,
    )
    lines = ["".join(text for _, text in line) for line in draw_picture(steps, 100, 8, Look())]
    assert "inf" in lines[1]
    assert "nan" in lines[1]
    assert "overflow: inf / inf" in lines[-1]
    assert "█" in lines[1]
    assert "█" not in next(line for line in lines if line.startswith("  b"))
    fine = msgspec.structs.replace(steps, naive=steps.probabilities)
    assert "exp(o) overflows" in lines_of(fine, 100, 8, Look())[-1]
    assert lines_of(fine, 32, 8, Look())[-1].strip() == "● a  sample 1 of 5", "nothing of a column that is not there"


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_numbers_that_are_none_are_drawn_without_a_warning(look: Look) -> None:
    """As of a data set that holds some: the axes' limits are none, either."""
    points, none = some(5, 2), (np.nan, np.nan)
    points[1], points[2] = np.nan, np.inf
    classes, confidence = np.zeros((20, 30), np.uint8), np.ones((20, 30), np.float32)
    broken = np.full(5, np.inf, np.float32)
    every: list[pictures.Picture] = [
        pictures.Regions(classes, confidence, points, np.zeros(5, np.int64), none, none, ("x1", "x2"), ("a", "b")),
        pictures.Surface(np.full((20, 30), np.nan, np.float32), points, broken, none, none, ("x1", "x2")),
        pictures.Fit(np.full(9, np.nan, np.float32), some(9), None, broken, broken, broken, "x1", 0),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for picture in every:
            assert len(draw_picture(picture, 30, 11, look)) == 11


def lines_of(picture: pictures.Picture, width: int, height: int, look: Look = LOOKS["no colours"]) -> list[str]:
    return ["".join(text for _, text in line).rstrip() for line in draw_picture(picture, width, height, look)]


@pytest.mark.parametrize(
    ("number", "end"),
    [
        (0, "x1 -3…3  ↑ x2 -3…3"),  # decision regions
        (1, "marks: targets  → x1 -3…3 ↑ x2 -3…3"),
        (2, "other inputs at the mean"),
        (3, "validation samples"),
        (7, "slope at most"),
    ],
)
def test_what_a_picture_shows_is_told_to_the_end_in_a_narrow_pane(number: int, end: str) -> None:
    picture = of_size(31, 18)[number]
    if isinstance(picture, pictures.Images):
        picture = msgspec.structs.replace(
            picture,
            images=picture.images[:6],
            captions=picture.captions[:6],
            wrong=picture.wrong[:6],
            note="16 mistakes in 360 validation samples",
        )
    shown = lines_of(picture, 31, 18)
    assert len(shown) == 18
    assert end in " ".join(shown[-3:])


@pytest.mark.parametrize(("width", "height", "number", "key"), [(78, 18, 60, 0), (41, 18, 2, 0), (31, 16, 60, 2)])
def test_how_to_read_a_mistake_is_told(width: int, height: int, number: int, key: int) -> None:
    ways = ("9→5 99 %: label 9, predicted 5, 99 % sure", "label→predicted, how sure", "label→predicted")
    captions, short = ("9→5 99 %",) * number, ("9→5",) * number
    pixels, wrong = np.zeros((number, 8, 8, 1), np.uint8), (True,) * number
    picture = pictures.Images(pixels, captions, wrong, 0, number, f"{number} mistakes", short, ways)
    shown = lines_of(picture, width, height)
    assert len(shown) == height
    assert ways[key] in " ".join(line.strip() for line in shown[-3:])


def test_a_mark_and_its_class_stay_in_one_line() -> None:
    names = ("a shirt", "pullover", "dress", "coat")
    picture = msgspec.structs.replace(regions(0.9), names=names)
    for width in range(28, 60):
        told = "\n".join(lines_of(picture, width, 18, Look())[-3:])
        for glyph, name in zip("●▲■◆", names, strict=True):
            assert f"{glyph} {name}" in told, width


def test_what_lies_along_an_axis_stays_in_one_line() -> None:
    for width in range(28, 60):
        told = lines_of(regions(0.9), width, 18, Look())[-3:]
        for axis in ("→ x1 -1…1", "↑ x2 -1…1"):
            assert any(axis in line for line in told), width


def test_what_the_marks_and_the_shades_of_regions_are_is_told() -> None:
    """In this order, which is the one in which they are cut."""
    for look, shade in ((Look(), "deeper: surer"), (Look(colours=False), "small letters: sure")):
        told = " ".join(lines_of(regions(0.9), 60, 18, look)[-2:])
        assert "marks: training samples" in told
        assert shade in told


def test_classes_have_their_whole_names_where_there_is_room() -> None:
    counts = np.array([[96, 4], [1, 99]])
    picture = pictures.Confusion(counts, ("upper", "lower"), "200 samples")
    assert lines_of(picture, 41, 18)[0].split() == ["upper", "lower"]
    assert lines_of(picture, 13, 18)[0].split() == ["up", "lo"]


def test_pages_of_maps_have_one_scale_which_says_so() -> None:
    maps = np.full((2, 8, 8), 0.5, np.float32)
    some = pictures.Maps(maps, ("unit 1", "unit 2"), 0, 9, "9 units: the weights", limit=2.0)
    assert "at most 2 on all pages" in " ".join(lines_of(some, 60, 18)[-3:])
    assert "page" not in " ".join(lines_of(msgspec.structs.replace(some, total=2), 60, 18)[-3:])
    other = msgspec.structs.replace(some, maps=2 * maps, first=2)
    assert draw_picture(some, 60, 18, Look())[0] != draw_picture(other, 60, 18, Look())[0], "a larger number"


@pytest.mark.parametrize(("limit", "said"), [(None, "at most 0.5"), (2.0, "at most 2"), (0.0, "at most 0")])
def test_a_scale_that_is_told_counts_also_where_it_is_zero(limit: float | None, said: str) -> None:
    """Nothing finite on any page has a largest magnitude of 0, whatever there is on this one."""
    maps = np.full((1, 8, 8), np.nan if limit == 0 else 0.5, np.float32)
    picture = pictures.Maps(maps, ("unit 1",), 0, 1, "1 unit: the weights", limit=limit)
    assert " ".join(lines_of(picture, 60, 18)[-1:]).rstrip().endswith(said)
    for look in (Look(), Look(colours=False)):
        assert draw_picture(picture, 60, 18, look)


@pytest.mark.parametrize("look", [Look(), Look(colours=False), Look(ascii=True)])
def test_maps_of_zeros_are_tiles_that_are_told_apart(look: Look) -> None:
    picture = pictures.Maps(np.zeros((2, 8, 8), np.float32), ("1", "2"), 0, 2, "2 units", limit=1.0)
    row = [(style, letter) for style, text in draw_picture(picture, 17, 10, look)[0] for letter in text]
    assert row[0] == row[7] == row[9] == row[16]
    assert row[8] != row[0], "nothing between the two"


def test_counts_are_never_run_together_without_colours() -> None:
    counts = np.full((10, 10), 1)
    np.fill_diagonal(counts, 34)
    picture = pictures.Confusion(counts, tuple("0123456789"), "430 samples")
    told = lines_of(picture, 31, 18)
    assert "134" not in "".join(told[:11])
    assert "tenths of the row" in " ".join(told[-3:])
    assert "34  1" in lines_of(picture, 41, 18)[1]


def test_a_surface_takes_all_the_colours_wherever_its_numbers_lie() -> None:
    """Predictions around 150 that differ by 20 lie between targets of 25 and 350: their colours were all but black."""
    plane = np.linspace(140, 160, 600, dtype=np.float32).reshape(20, 30)
    ends = (-3.0, 3.0)
    points, targets = np.zeros((3, 2), np.float32), np.array([25, 150, 350], np.float32)
    picture = pictures.Surface(plane, points, targets, ends, ends, ("x1", "x2"))
    plain = draw_picture(picture, 60, 20, Look(colours=False))
    assert {character for line in plain[:18] for _, text in line for character in text} >= set("0123456789")
    assert any("0 to 9: 140 to 160" in "".join(text for _, text in line) for line in plain)
    colours = {colours_of(style)[1] for line in draw_picture(picture, 60, 20, Look())[:18] for style, _ in line}
    strongest = max(max(colour) - min(colour) for colour in colours if colour is not None)
    assert strongest > 80


def test_the_lines_of_an_activation_are_told_apart_without_colours() -> None:
    x = np.linspace(-8, 8, 401, dtype=np.float32)
    curve = pictures.ActivationCurve(x, np.tanh(x), 1 - np.tanh(x) ** 2, np.zeros(0, np.int64), 0.0, "Tanh", "")
    rows = ["".join(text for _, text in line) for line in draw_picture(curve, 80, 20, Look(colours=False))]
    assert "─ ─ slope  ─── function" in rows[0]
    lowest = next(row for row in reversed(rows) if "┤" in row or "⠤│" in row)
    zero = next(row for row in rows if row.lstrip(" ").startswith(("0⠤", "0.0⠤", "0.00⠤")))
    assert lowest[8:25].count(" ") == 0, "the function is a whole line"
    assert zero[8:40].count(" ") >= 5, "the slope has gaps"


def test_a_bin_without_inputs_has_no_bar() -> None:
    x, counts = np.linspace(-8, 8, 401, dtype=np.float32), np.zeros(80, np.int64)
    counts[40:44] = 5
    curve = pictures.ActivationCurve(x, np.tanh(x), 1 - np.tanh(x) ** 2, counts, 0.0, "Tanh", "")
    rows = ["".join(text for _, text in line) for line in draw_picture(curve, 80, 30, Look(colours=False))]
    below = rows[next(i for i, row in enumerate(rows) if "inputs" in row) + 1 :]
    inside = [row[9:-2] for row in below if "│" in row or "⠤" in row]
    dots = [column for row in inside for column, character in enumerate(row) if "\u2800" < character <= "\u28ff"]
    assert dots
    assert max(dots) - min(dots) < 10, "the four bins side by side, and nothing else"


def test_captions_have_fewer_words_where_there_is_no_room_and_what_is_cut_says_so() -> None:
    maps = np.full((12, 5, 5), 0.5, np.float32)
    numbers = [str(index + 1) for index in range(12)]
    kernels = pictures.Maps(maps, tuple(f"kernel {n}" for n in numbers), 0, 12, "12 kernels", tuple(numbers))
    assert lines_of(kernels, 36, 10)[3].split() == numbers[:6]
    names = ("ankle boot", "ankle boot→t-shirt")
    shoes = pictures.Images(
        np.zeros((2, 20, 20, 1), np.uint8), tuple(f"{n} 100 %" for n in names), (False, True), 0, 2, "2", names
    )
    assert lines_of(shoes, 41, 12)[10].split("  ")[0] == "ankle boot 100 %"
    assert lines_of(shoes, 41, 12)[10].endswith("ankle boot→t-shirt")
    without = msgspec.structs.replace(kernels, short=())
    for look, end in ((Look(), "…"), (Look(ascii=True), "~")):
        assert {word[-1] for word in lines_of(without, 36, 10, look)[3].split()} == {end}


def test_a_few_small_maps_are_drawn_as_large_as_there_is_room() -> None:
    maps = np.full((6, 5, 5), 0.5, np.float32)
    kernels = pictures.Maps(maps, tuple(f"kernel {n}" for n in "123456"), 0, 6, "6 kernels")
    drawn = draw_picture(kernels, 76, 17, Look())
    coloured = [sum(len(text) for style, text in line if style >= COLOURED) for line in drawn]
    assert coloured[:5] == [6 * 10] * 5
    assert "kernel 6" in lines_of(kernels, 76, 17)[5]
    assert len(lines_of(kernels, 17, 9)) == 9  # three beside each other, each pixel a cell


def test_no_number_is_cut_in_a_narrow_pane() -> None:
    values = np.array([-1.2345e-5, 8.7654e-5, 12345.6], np.float32)
    names = ("ankle boot", "extraordinarily", "bag")
    steps = pictures.SoftmaxSteps(values, values, values, values, values, values, names, 0, 0, 2_048)
    for width in range(12, 60):
        lines = [line for line in lines_of(steps, width, 12, Look()) if line.strip(" █")]
        for line, value in zip(lines[1:], values, strict=False):
            assert float(line.rstrip(" █").split()[-1].replace(",", "")) == pytest.approx(float(value), rel=0.6), width
    kernels = pictures.Maps(np.full((1, 4, 4), 0.234, np.float32), ("1",), 0, 1, "1 kernel: the weights of Conv")
    told = "1 kernel: the weights of Conv; blue −, orange +, at most 0.23"
    for width in range(10, 60):
        lines = [line.strip() for line in lines_of(kernels, width, 6, Look())]
        said = " ".join(filter(None, lines[lines.index("1") + 1 :]))
        shown = said.rstrip("…").split()
        assert said == told or (said.endswith("…") and shown == told.split()[: len(shown)]), width
