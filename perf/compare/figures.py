# SPDX-License-Identifier: BSD-3-Clause
"""Records of what was measured, and the statistics over them.

A ratio is taken round by round, of two measurements that stood side by side, and what is told is
the median of these ratios: what slows the machine down for a while slows both, and cancels out.
"""
import dataclasses
import statistics


@dataclasses.dataclass
class Record:
    """One measurement of one server."""

    experiment: str
    case: object  # what varies: depth, rate, ...
    server: str
    round: int
    values: dict  # name -> number, or None: not told
    client: str = ""


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    least: float
    greatest: float
    count: int


def spread(values):
    """None when there is no value."""
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def grouped(records, experiment):
    """{case: {server: [Record by round]}} in the order of measuring."""
    found = {}
    for record in records:
        if record.experiment == experiment:
            found.setdefault(record.case, {}).setdefault(record.server, []).append(record)
    for servers in found.values():
        for name in servers:
            servers[name].sort(key=lambda record: record.round)
    return found


def numbers(records, key):
    return [r.values[key] for r in records if r.values.get(key) is not None]


def ratios(records, base, key):
    """Round by round, of those rounds that have both and in which base is not 0."""
    other = {r.round: r.values.get(key) for r in base}
    return [
        r.values[key] / other[r.round]
        for r in records
        if r.values.get(key) is not None and other.get(r.round)
    ]
