"""A caption under a figure: what its directions are, on which samples, and what is not seen."""

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path

SIZE = 5.5  # points
LINE = 1.3 * SIZE / 72  # inches
MARGIN = 0.08  # inches beside and below
MOST = 150  # characters of a line
WIDER = 1.06  # how much wider letters are drawn where they are fitted to pixels


def text_width(text: str, size: float) -> float:
    """Measure text that is not drawn yet.

    Args:
        text: one line.
        size: of its letters, in points.

    Returns:
        Its width, in inches.
    """
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width / 72)


def lines(text: str, width: float, size: float = SIZE) -> list[str]:
    """Break text between words.

    Args:
        text: what is broken.
        width: the most inches of a line.
        size: of its letters, in points.

    Returns:
        The lines; one that is wider holds a single word.
    """
    found: list[str] = []
    for word in text.split():
        longer = f"{found[-1]} {word}" if found else word
        if found and len(longer) <= MOST and text_width(longer, size) <= width:
            found[-1] = longer
        else:
            found.append(word)
    return found


def add(figure: Figure, text: str) -> None:
    """Print a caption under everything that a new figure holds, and make it as much taller.

    Args:
        figure: one that lays itself out, as figures of :mod:`landscape.plots` do.
        text: the caption, without line ends.
    """
    width, height = figure.get_size_inches()
    broken = lines(text, (width - 2 * MARGIN) / WIDER)
    taller = height + LINE * len(broken) + 2 * MARGIN
    figure.set_figheight(taller)
    if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
        engine.set(rect=(0, 1 - height / taller, 1, height / taller))
    for legend in figure.legends:  # which are at the lower edge; their pads are in font sizes
        legend.borderaxespad += 72 * (taller - height) / legend.prop.get_size_in_points()
    figure.text(
        MARGIN / width, MARGIN / taller, "\n".join(broken), gid="caption",
        fontsize=SIZE, linespacing=1.2, color="0.25", ha="left", va="bottom",
    )  # fmt: skip
