"""A table as markdown: a median for each peer, and ours against the best of its rivals."""

import statistics

from result import interval
from workloads import OURS, RUNTIMES


def markdown(table, order):
    peers = table.peers(order)
    rivals = [("best peer", RUNTIMES)] + [(p, [p]) for p in table.rivals if p in peers]
    rivals = rivals if OURS in peers else []
    lines = [[table.title, *peers, *(f"{OURS} / {name}" for name, _ in rivals)]]
    lines.append(["---"] * len(lines[0]))
    for row in table.rows:
        cells = [table.form.format(row.median(p)) if p in row.samples else "-" for p in peers]
        against = [best_of(row, group, max if table.higher else min) for _, group in rivals]
        lines.append([row.title, *cells, *against])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def best_of(row, rivals, better):
    """The median of the pairs' ratios to the best of the rivals, and its interval."""
    rivals = [peer for peer in rivals if peer in row.samples]
    if OURS not in row.samples or not rivals:
        return "-"
    best = better(rivals, key=row.median)
    ratios = row.ratios(OURS, best)
    if not ratios:
        return "-"
    bounds = interval(ratios)
    text = f"{statistics.median(ratios):.2f}"
    text += " ({:.2f}..{:.2f})".format(*bounds) if bounds else ""
    return text if len(rivals) == 1 else f"{text} {best}"
