"""The chart of the docs: bars beside each other, as plain SVG that is readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from .measure import Figure

WIDTH, ROW, LEFT, RIGHT, TOP = 800, 26, 290, 110, 44
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-weight:600}.bar{fill:#8a93a6}.ours{fill:#1f6feb}"
    ".spread{stroke:#222;stroke-width:1.5}.back{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.spread{stroke:#ddd}.back{fill:#1a1c1e}}"
)


def draw(title: str, figures: Sequence[Figure], *, ours: Sequence[str]) -> str:
    """Draw one bar a figure, shortest first, with the quartiles as a line through its end.

    Args:
        title: The heading, which names the unit: milliseconds.
        figures: What to draw, in seconds. One that is ten times the median of all is cut off, and says so.
        ours: The names of our own, drawn in another colour.
    """
    rows = sorted(figures, key=lambda figure: figure.median)
    longest = min(rows[-1].high, 10 * rows[len(rows) // 2].median)
    height = TOP + ROW * len(rows) + 12
    scale = (WIDTH - LEFT - RIGHT) / longest
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text class="title" x="12" y="26">{escape(title)}</text>',
    ]
    for number, figure in enumerate(rows):
        top = TOP + ROW * number
        width = min(figure.median, longest) * scale
        kind = "ours" if figure.name in ours else "bar"
        cut = " (cut off)" if figure.median > longest else ""
        end = LEFT + max(width, min(figure.high, longest) * scale) + 6
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 17}" text-anchor="end">{escape(figure.name)}</text>',
            f'<rect class="{kind}" x="{LEFT}" y="{top + 4}" width="{width:.1f}" height="{ROW - 8}"/>',
            f'<text x="{end:.1f}" y="{top + 17}">{figure.median * 1000:.3g} ms{cut}</text>',
        ]
        if not cut:
            ends = " ".join(
                f'x{n}="{LEFT + min(x, longest) * scale:.1f}"' for n, x in ((1, figure.low), (2, figure.high))
            )
            parts.append(f'<line class="spread" {ends} y1="{top + ROW / 2:.1f}" y2="{top + ROW / 2:.1f}"/>')
    return "\n".join([*parts, "</svg>", ""])
