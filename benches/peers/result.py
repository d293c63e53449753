"""What was measured, and the two things a reader wants to know of it: medians and ratios."""

import json
import math
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """One line of a table: the samples of each peer, in the order in which they were taken."""

    name: str
    title: str
    samples: dict

    def median(self, peer):
        return statistics.median(self.samples[peer])

    def ratios(self, peer, other):
        """The first peer's figure over the other's, pair by pair, sorted."""
        pairs = zip(self.samples[peer], self.samples[other])
        return sorted(mine / theirs for mine, theirs in pairs if theirs)


@dataclass
class Table:
    title: str
    form: str  # of a cell
    unit: str = ""
    rivals: list = field(default_factory=list)  # that ours is held against besides the best peer
    higher: bool = False  # more is better
    drawn: bool = True  # in the picture; false for what another table shows as well
    rows: list = field(default_factory=list)

    def add(self, name, title, samples):
        if samples:
            self.rows.append(Row(name, title, samples))

    def peers(self, order):
        return [peer for peer in order if any(peer in row.samples for row in self.rows)]

    def only(self, chosen, peers):
        """The same table with some of its lines and some of its columns."""
        part = Table(self.title, self.form, self.unit, self.rivals, self.higher, self.drawn)
        for row in self.rows:
            if chosen.search(row.name):
                part.add(row.name, row.title, {p: s for p, s in row.samples.items() if p in peers})
        return part


def interval(ratios):
    """The 95% interval of the median of sorted ratios, or None when they are too few."""
    below = 0.0
    for k in range(len(ratios)):
        below += math.comb(len(ratios), k) / 2 ** len(ratios)
        if below > 0.025:
            return (ratios[k - 1], ratios[-k]) if k else None
    return None


def save(tables, path):
    with open(path, "w") as file:
        json.dump([asdict(table) for table in tables], file, indent=1)
        file.write("\n")


def load(path):
    with open(path) as file:
        tables = json.load(file)
    return [Table(**{**table, "rows": [Row(**row) for row in table["rows"]]}) for table in tables]
