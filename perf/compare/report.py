# SPDX-License-Identifier: BSD-3-Clause
"""Tables of the records, as text: medians with the least and the greatest, and ratios to a baseline."""
import dataclasses

from figures import grouped, numbers, ratios, spread

BASELINE = "redis-server"
OURS = "millrace"


@dataclasses.dataclass(frozen=True)
class Column:
    """Of figures; of ratios when base names the server (or what it does with a name of ours)."""

    key: str
    title: str
    form: str = "{:.2f}"
    has_range: bool = True
    base: object = None  # name of a server -> name of its baseline


@dataclasses.dataclass(frozen=True)
class Table:
    experiment: str
    title: str
    case: str  # what varies
    columns: tuple


def to_baseline(_name):
    return BASELINE


def to_volatile(name):
    return name.partition(",")[0] + ", volatile"


OPS = Column("ops", "ops/s", "{:,.0f}")
P50 = Column("p50_ms", "p50 ms", "{:.3f}", False)
P99 = Column("p99_ms", "p99 ms", "{:.3f}")
BUSY = Column("busy_us", "busy us/cmd")
# Who waits for whom: a client that uses its processors up measures itself.
CLIENT = Column("client_cores", "client cores", "{:.2f}", False)
RATIOS = (
    Column("ops", "rate", base=to_baseline),
    Column("p99_ms", "p99", base=to_baseline),
    Column("busy_us", "busy/cmd", base=to_baseline),
)

TABLES = (
    Table("pipeline", f"Ratios to {BASELINE} by pipeline depth", "depth", RATIOS),
    Table("pipeline", "Figures by pipeline depth", "depth", (OPS, P50, P99, BUSY, CLIENT)),
    Table("load", "Latency by load", "asked/s", (OPS, P50, P99, BUSY, RATIOS[1], RATIOS[2])),
    Table(
        "native",
        "With millrace-load, by pipeline depth",
        "depth",
        (OPS, P50, P99, BUSY, CLIENT, *RATIOS),
    ),
    Table(
        "native_load",
        "With millrace-load, latency by load in an open loop",
        "asked/s",
        (OPS, P50, P99, BUSY, RATIOS[1], RATIOS[2]),
    ),
    Table(
        "cores",
        "millrace that drives itself, by cores (pipeline 16)",
        "cores",
        (
            OPS,
            Column("serve_cycles", "cycles/cmd", "{:.0f}"),
            Column("share", "share of its cores", "{:.2f}", False),
        ),
    ),
    Table(
        "threads",
        "Poll cores and I/O threads under the client (pipeline 16)",
        "cores",
        (OPS, P99, BUSY, CLIENT, *RATIOS),
    ),
    Table(
        "fullsync",
        "Full synchronisation",
        "into",
        (
            Column("mb_per_s", "MB/s", "{:,.0f}"),
            Column("seconds", "s", "{:.3f}", False),
            Column("first_byte_s", "first byte s", "{:.3f}", False),
            Column("busy_ms_per_mb", "busy ms/MB"),
            Column("mb_per_s", "speed ratio", base=to_baseline),
            Column("busy_ms_per_mb", "busy ratio", base=to_baseline),
        ),
    ),
    Table(
        "durable",
        "Durable against volatile (SET)",
        "depth",
        (
            OPS,
            P99,
            BUSY,
            CLIENT,
            Column("ops", "rate to own volatile", base=to_volatile),
            Column("ops", f"rate to {BASELINE}, volatile", base=lambda _: to_volatile(BASELINE)),
        ),
    ),
)

# depth -> what is wanted of the ratios at least (rate) and at most (99th percentile, busy time)
GOALS = {1: (1.4, 1.0, 1 / 2), 16: (1.2, 1.0, 1 / 4), 64: (1.1, 1.0, 1 / 4)}


def spread_text(values, form, has_range=True):
    found = spread(values)
    if not found:
        return "-"
    text = form.format(found.median)
    if has_range and found.count > 1:
        text += f" ({form.format(found.least)}..{form.format(found.greatest)})"
    return text


def cell(column, servers, name):
    if not column.base:
        return spread_text(numbers(servers[name], column.key), column.form, column.has_range)
    base = column.base(name)
    if base == name:
        return "1"
    values = ratios(servers[name], servers.get(base, []), column.key)
    return spread_text(values, column.form, column.has_range)


def rows(records, table):
    for case, servers in grouped(records, table.experiment).items():
        for name in sorted(servers, key=lambda name: name != BASELINE):
            yield [str(case), name, *(cell(column, servers, name) for column in table.columns)]


def layout(title, lines):
    """Columns under a title; the second is words, a change in the first makes a gap."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text, last = [title], None
    for number, line in enumerate(lines):
        if number > 1 and last != line[0]:
            text.append("")
        last = line[0]
        text.append(
            "  ".join(
                word.ljust(width) if i == 1 else word.rjust(width)
                for i, (word, width) in enumerate(zip(line, widths))
            ).rstrip()
        )
    return "\n".join(text) + "\n"


def table_text(records, table):
    """The table as text, or "" when nothing of it was measured."""
    lines = list(rows(records, table))
    head = [table.case, "server", *(column.title for column in table.columns)]
    return layout(table.title, [head, *lines]) if lines else ""


def goals_text(records):
    """What is wanted of millrace against redis-server, and whether the medians have it."""
    lines = []
    for depth, servers in grouped(records, "pipeline").items():
        if depth not in GOALS or not {BASELINE, OURS} <= set(servers):
            continue
        for column, goal in zip(RATIOS, GOALS[depth]):
            found = spread(ratios(servers[OURS], servers[BASELINE], column.key))
            if not found:
                continue
            at_least = column.key == "ops"
            is_met = found.median >= goal if at_least else found.median <= goal
            wanted = (">= " if at_least else "<= ") + f"{goal:.2f}"
            numbers_text = (f"{x:.2f}" for x in (found.median, found.least, found.greatest))
            verdict = "met" if is_met else "missed"
            lines.append([str(depth), column.title, *numbers_text, wanted, verdict])
    head = ["depth", "ratio", "median", "min", "max", "wanted", ""]
    return layout(f"{OURS} to {BASELINE}", [head, *lines]) if lines else ""


def cores_text(records):
    """How the rate grows with the cores: round by round, to the least number of cores."""
    cases = grouped(records, "cores")
    lines = []
    for case, servers in cases.items():
        first = cases[next(iter(cases))]
        for name in servers:
            values = ratios(servers[name], first.get(name, []), "ops")
            lines.append([str(case), name, spread_text(values, "{:.2f}")])
    head = ["cores", "server", "rate to the first"]
    return layout("Growth by cores", [head, *lines]) if lines else ""


def head_text(facts, setting, notes):
    lines = [
        "{cpu}, {cores} cores, {memory_gib} GiB, Linux {kernel}".format(**facts)
        + (", virtual" if facts["virtual"] else ""),
        f"{facts['date']}, commit {facts['commit']}, load average at the start "
        + " ".join(f"{value:.1f}" for value in facts["load_average"]),
        *setting,
        "A figure: median (least..greatest) of the rounds. A ratio: the same of the ratios round by",
        "round. Busy: processor time of the process, without the idle polling of poll cores. Client",
        "cores: what the client uses; when that is all that it has, it is the client that is measured.",
        *(f"note: {note}" for note in notes),
    ]
    return "\n".join(lines) + "\n"


def text_of(records, facts, setting, notes):
    parts = [head_text(facts, setting, notes), goals_text(records)]
    for table in TABLES:
        parts.append(table_text(records, table))
        if table.experiment == "cores":
            parts.append(cores_text(records))
    return "\n".join(part for part in parts if part)
