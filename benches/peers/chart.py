"""The tables as one picture: a panel of bars for each line, as long as the ratio to evloop.

The scale is linear and the same for all panels of a table. A peer far behind would press the rest
together, so a long bar is cut, and says so with a gap; its number is that of the whole bar.
"""

import math
import statistics
from xml.sax.saxutils import escape

from workloads import OURS, RAW

COLUMNS = 3
MARGIN = 28
PANEL = 284  # width of a panel; its parts:
NAME, BAR = 88, 148
GUTTER = 26
LINE = 17  # height of a bar and its gap
HEAD = 26  # a panel's title
FOOT = 18
WIDTH = 2 * MARGIN + COLUMNS * PANEL + (COLUMNS - 1) * GUTTER
WHOLE = 0.85  # the share of the bars that the scale leaves whole,
LONGEST = 8  # as far as it shows this multiple

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #59636e }
.card { fill: #ffffff; stroke: #d1d9e0 }
.head { font-size: 17px; font-weight: 600 }
.line { font-size: 12.5px; font-weight: 600 }
.head, .line { fill: #1f2328 }
.name { text-anchor: end }
.bar { fill: #b4c0cc }
.raw { fill: #dfe5ea }
.cut { stroke: #ffffff; stroke-width: 3 }
.one { stroke: #d9480f; stroke-dasharray: 2 3; opacity: 0.6 }
.ours { fill: #d9480f }
text.ours { font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1 }
  .card { fill: #0d1117; stroke: #3d444d }
  .head, .line { fill: #f0f6fc }
  .bar { fill: #56616d }
  .raw { fill: #2f3740 }
  .cut { stroke: #0d1117 }
  .one { stroke: #ff8f4a }
  .ours { fill: #ff8f4a }
}
"""


def svg(tables):
    body, y = [], MARGIN
    for table in tables:
        rows = [row for row in table.rows if OURS in row.samples and len(row.samples) > 1]
        if table.drawn and rows:
            part, y = section(table, rows, y)
            body += part
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        f'height="{y}" role="img">',
        f"<title>{OURS} and its peers, side by side</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 1}" rx="8"/>',
        *body,
        "</svg>\n",
    ])


def section(table, rows, y):
    """One table: its title and its panels, row by row."""
    panels = [sorted(bars(row), key=lambda bar: bar[1]) for row in rows]
    full = scale(panels)
    note = f"Multiples of {OURS}'s figure: {'longer' if table.higher else 'shorter'} is better."
    if any(peer in RAW for panel in panels for peer, _ in panel):
        note += " Pale: loops written by hand."
    out = [text(MARGIN, y + 16, table.title, "head"), text(MARGIN, y + 36, note)]
    y += 64
    for at in range(0, len(rows), COLUMNS):
        x = MARGIN
        for row, panel in zip(rows[at:at + COLUMNS], panels[at:at + COLUMNS]):
            out += drawn(table, row, panel, full, x, y)
            x += PANEL + GUTTER
        y += HEAD + LINE * max(len(panel) for panel in panels[at:at + COLUMNS]) + FOOT
    return out, y + 8


def bars(row):
    for peer in row.samples:
        ratios = row.ratios(peer, OURS)
        if ratios:
            yield peer, statistics.median(ratios)


def scale(panels):
    """The ratio of a bar of full length: most bars are whole, and evloop's is not a sliver."""
    ratios = sorted(ratio for panel in panels for _, ratio in panel)
    most = min(LONGEST, ratios[int(WHOLE * (len(ratios) - 1))])
    longest = ratios[-1] if ratios[-1] < 1.5 * most else most
    return max(2, math.ceil(2 * longest) / 2)


def drawn(table, row, panel, full, x, y):
    """One line of the table: its title, and a bar for each peer."""
    start = x + NAME
    top, bottom = y + 10, y + 14 + LINE * len(panel)
    one = start + BAR / full
    out = [text(x, y, row.title.replace("`", ""), "line"),
           f'<line class="one" x1="{one:.1f}" x2="{one:.1f}" y1="{top}" y2="{bottom}"/>']
    for peer, ratio in panel:
        y += LINE
        kind = "ours" if peer == OURS else "raw" if peer in RAW else "bar"
        ours = "ours" if peer == OURS else ""
        name = f"raw {peer}" if peer in RAW else peer
        width = BAR * min(1, ratio / full)
        value = figure(table, row) if ours else f"{ratio:.{2 if ratio < 10 else 0}f}×"
        out += [
            text(start - 8, y + 5, name, f"name {ours}"),
            f'<rect class="{kind}" x="{start}" y="{y - 5}" width="{width:.1f}" height="12" rx="1"/>',
            text(f"{max(start + width, one) + 6:.1f}", y + 5, value, ours),
        ]
        if ratio > full:
            cut = start + BAR - 14
            out.append(f'<path class="cut" d="M{cut - 2} {y + 9}l6 -16"/>')
    return out


def figure(table, row):
    """evloop's own, in its unit; tenths only where they matter."""
    own = row.median(OURS)
    return f"{f'{own:,.0f}' if own >= 100 else table.form.format(own)} {table.unit}".strip()


def text(x, y, words, kind=""):
    kind = f' class="{kind.strip()}"' if kind else ""
    return f'<text x="{x}" y="{y}"{kind}>{escape(words)}</text>'
