"""The plot: grouped horizontal bars of CPU ratios and of requests per second, as plain SVG."""

from __future__ import annotations

from html import escape
from statistics import median

from .rows import Row
from .samples import CEILING, Samples

COLOURS = {
    "ceiling": "#8c8c8c",
    "contactapp-sqlite": "#0b6e4f",
    "contactapp-postgresql": "#2f6fb0",
    "reference-sqlite": "#d98c21",
    "reference-postgresql": "#b5482f",
}
LEFT, WIDE, GAP, BAR, PAD = 210, 330, 90, 11, 12
WIDTH = LEFT + 2 * (WIDE + GAP)


def draw(samples: Samples, rows: tuple[Row, ...], connections: int) -> str:
    """Both panels at one connection count. Sign-in is left out: a hash dwarfs all others."""
    shown = [row for row in rows if row.key != "sign-in"]
    servers = [server for server in samples.servers() if server in COLOURS]
    height = 78 + len(shown) * (len(servers) * BAR + PAD)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>CPU per request to the ceiling, and requests per second</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(servers),
        _text(LEFT, 58, f"CPU per request, × bare Flask view ({connections} connections)"),
        _text(LEFT + WIDE + GAP, 58, "requests per second"),
    ]
    costs = {(r.key, s): samples.cpu_ratios(r.key, connections, s) for r in shown for s in servers}
    ratios = {pair: median(found) if found else None for pair, found in costs.items()}
    found = {(r.key, s): samples.median(r.key, connections, s) for r in shown for s in servers}
    rates = {pair: sample.rate if sample else None for pair, sample in found.items()}
    for number, row in enumerate(shown):
        top = 70 + number * (len(servers) * BAR + PAD)
        parts.append(_text(LEFT - 10, top + len(servers) * BAR / 2 + 4, row.label, "end"))
        parts += _bars(row.key, servers, ratios, LEFT, top, "{:.2f}")
        parts += _bars(row.key, servers, rates, LEFT + WIDE + GAP, top, "{:.0f}")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(servers: list[str]) -> list[str]:
    parts = []
    for number, server in enumerate(servers):
        x = LEFT + number * 165
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{COLOURS[server]}"/>')
        parts.append(_text(x + 18, 24, "bare Flask view" if server == CEILING else server))
    return parts


def _bars(
    key: str,
    servers: list[str],
    values: dict[tuple[str, str], float | None],
    left: int,
    top: int,
    style: str,
) -> list[str]:
    """One row's bars, with their figures, scaled to the longest of the panel."""
    longest = max((value for value in values.values() if value), default=1.0)
    parts = []
    for number, server in enumerate(servers):
        value = values[key, server]
        if value is None:
            continue
        y, length = top + number * BAR, max(1.0, value / longest * WIDE)
        parts.append(
            f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{BAR - 1}" '
            f'fill="{COLOURS[server]}"/>'
        )
        parts.append(_text(left + length + 5, y + BAR - 2, style.format(value), size=10))
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="#222222">{escape(text)}</text>'
    )
