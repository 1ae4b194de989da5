"""A very small line plot as SVG: a logarithmic x axis, a y axis from zero, a label at each point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 240
LEFT, RIGHT, TOP, BOTTOM = 24, 396, 44, 196


@dataclass(frozen=True)
class Plot:
    """`title` says what is drawn and its unit, `over` what it is drawn over."""

    title: str
    over: str

    def svg(self, xs: list[int], ys: list[float]) -> str:
        """The picture, as a document of its own."""
        low, high = math.log10(min(xs)), math.log10(max(xs))
        top = max(ys) * 1.25 or 1.0
        points = [
            (LEFT + 28 + (RIGHT - LEFT - 72) * (math.log10(x) - low) / ((high - low) or 1), y_of(y / top))
            for x, y in zip(xs, ys, strict=True)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        marks = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/><text x="{x:.1f}" y="{y - 9:.1f}">{value:,.3g}</text>'
            f'<text class="axis" x="{x:.1f}" y="{BOTTOM + 18}">{size:,}</text>'
            for (x, y), value, size in zip(points, ys, xs, strict=True)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
            "<style>svg{background:#fff}text{font:12px sans-serif;text-anchor:middle;fill:#222}"
            ".axis{fill:#666}.title{font-weight:bold;text-anchor:start}"
            "polyline{fill:none;stroke:#2468a8;stroke-width:2}circle{fill:#2468a8}line{stroke:#bbb}</style>\n"
            f'<text class="title" x="{LEFT}" y="20">{escape(self.title)}</text>\n'
            f'<line x1="{LEFT}" y1="{BOTTOM}" x2="{RIGHT}" y2="{BOTTOM}"/>\n'
            f'<polyline points="{line}"/>\n{marks}\n'
            f'<text class="axis" x="{(LEFT + RIGHT) / 2}" y="{HEIGHT - 8}">{escape(self.over)}</text>\n</svg>\n'
        )


def y_of(share: float) -> float:
    """The vertical place of a value that is `share` of the axis."""
    return BOTTOM - (BOTTOM - TOP) * share
