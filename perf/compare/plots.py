# SPDX-License-Identifier: BSD-3-Clause
"""SVG plots of the records, drawn by gnuplot: medians, with bars from the least to the greatest."""
import dataclasses
import os
import shutil
import subprocess

from figures import grouped, numbers, spread
from lab import Failed
from report import BASELINE, OURS

INSTALL = "apt-get install --no-install-recommends gnuplot-nox"
# Shades of a family: redis-server and its modes, millrace and its modes, everybody else.
COLOURS = {
    BASELINE: ("#b2182b", "#d6604d", "#f4a582", "#fddbc7"),
    OURS: ("#08519c", "#6baed6", "#54278f", "#9ecae1", "#3182bd"),
    "": ("#1b7837", "#e08214", "#7f7f7f", "#01665e", "#8c510a"),
}
HEAD = """set terminal svg size 800,{height} dynamic background rgb 'white' font 'sans,13'
set output '{name}.svg'
set title '{title}' noenhanced
set xlabel '{xlabel}'
set ylabel '{ylabel}'
set key outside below noenhanced
set grid ytics lc rgb '#cccccc'
set border 3
set tics nomirror
{more}
"""


@dataclasses.dataclass(frozen=True)
class Plot:
    name: str
    experiment: str
    key: str
    title: str
    ylabel: str
    xlabel: str = ""
    more: str = ""
    below: str = ""  # a second figure, dashed
    has_bars: bool = False  # else lines over what varies
    scale: float = 1.0


BY_DEPTH = {"xlabel": "requests under way per connection", "more": "set logscale x 2\nset yrange [0:*]"}
BY_LOAD = {
    "xlabel": "requests a second asked for, thousands",
    "more": "set logscale y",
}
BY_CORES = {"xlabel": "cores", "more": "set xtics 1\nset yrange [0:*]"}
RATE = {"key": "ops", "ylabel": "thousand operations a second", "scale": 1e-3}
BUSY = {"key": "busy_us", "ylabel": "busy core time, us a command"}
P99 = {
    "key": "p99_ms",
    "below": "p50_ms",
    "ylabel": "99th percentile, ms (dashed: median)",
}

PLOTS = (
    Plot("pipeline", "pipeline", title="Throughput by pipeline depth", **RATE, **BY_DEPTH),
    Plot("busy", "pipeline", title="Busy core time by pipeline depth", **BUSY, **BY_DEPTH),
    Plot("load", "load", title="Latency by load", **P99, **BY_LOAD),
    Plot("native", "native", title="Throughput, millrace-load", **RATE, **BY_DEPTH),
    Plot("native-busy", "native", title="Busy core time, millrace-load", **BUSY, **BY_DEPTH),
    Plot(
        "native-load", "native_load", title="Latency by load, millrace-load", **P99, **BY_LOAD
    ),
    Plot("cores", "cores", title="Throughput by cores, self-driven", **RATE, **BY_CORES),
    Plot("threads", "threads", title="Throughput by cores", **RATE, **BY_CORES),
    Plot(
        "fullsync",
        "fullsync",
        "mb_per_s",
        title="Full synchronisation",
        ylabel="MB a second",
        has_bars=True,
    ),
    Plot("durable", "durable", title="Durable against volatile (SET)", **RATE, has_bars=True),
)


def point(records, plot, key=None):
    found = spread(numbers(records, key or plot.key))
    if not found:
        return None
    return tuple(plot.scale * x for x in (found.median, found.least, found.greatest))


def coloured(found):
    """{server: its colour} in the order of measuring."""
    used = dict.fromkeys(COLOURS, 0)
    colours = {}
    for name in dict.fromkeys(name for servers in found.values() for name in servers):
        family = name.partition(",")[0]
        family = family if family in COLOURS else ""
        shades = COLOURS[family]
        colours[name] = shades[used[family] % len(shades)]
        used[family] += 1
    return colours


def block(number, rows):
    lines = "\n".join(" ".join(map(str, row)) for row in rows)
    return f"$data{number} << EOD\n{lines}\nEOD\n"


def lines(found, plot):
    """gnuplot's commands for a line a server; "" when there are not two points."""
    if len(found) < 2:
        return ""
    x_scale = 1e-3 if "thousands" in plot.xlabel else 1
    text, draw = "", []

    def line(name, key, look):
        nonlocal text
        points = [(case * x_scale, point(found[case].get(name, []), plot, key)) for case in found]
        rows = [(x, *at) for x, at in points if at]
        if rows:
            text += block(len(draw), rows)
            draw.append(f"$data{len(draw)} using {look}")

    for name, colour in coloured(found).items():
        look = f"lw 2 pt 7 ps 0.6 lc rgb '{colour}' title '{name}'"
        line(name, plot.key, f"1:2:3:4 with yerrorlines {look}")
        if plot.below:
            line(name, plot.below, f"1:2 with lines lw 1 dt 2 lc rgb '{colour}' notitle")
    ends = [case * x_scale for case in (min(found), max(found))]
    # Spreads at both ends stand free of the frame.
    is_log = "logscale x" in plot.more
    low, high = (ends[0] / 1.2, ends[1] * 1.2) if is_log else (0, ends[1] * 1.05)
    return f"set xrange [{low}:{high}]\n{text}plot {', '.join(draw)}\n" if draw else ""


def bars(found, plot):
    """gnuplot's commands for a bar a server, in a group for each case; "" when there is nothing."""
    colours = coloured(found)
    text, draw, ticks = "", [], []
    width = 0.8 / max(1, len(colours))
    for at, case in enumerate(found):
        label = f"pipeline {case}" if isinstance(case, int) else case
        ticks.append(f"'{label}' {at}")
    for number, (name, colour) in enumerate(colours.items()):
        shift = (number - (len(colours) - 1) / 2) * width
        points = [point(servers.get(name, []), plot) for servers in found.values()]
        rows = [(at + shift, *y) for at, y in enumerate(points) if y]
        if rows:
            text += block(number, rows)
            look = f"with boxerrorbars lc rgb '{colour}' title '{name}'"
            draw.append(f"$data{number} using 1:2:3:4:({width}) {look}")
    if not draw:
        return ""
    style = f"set xtics noenhanced ({', '.join(ticks)})\nset style fill solid 0.8\n"
    style += "set errorbars lt 1 lc rgb 'black' lw 1\n"
    style += f"set yrange [0:*]\nset xrange [-0.6:{len(found) - 0.4}]\n"
    return f"{style}{text}plot {', '.join(draw)}\n"


def script(records, plot):
    """What gnuplot is told; "" when there is nothing to draw."""
    found = grouped(records, plot.experiment)
    body = (bars if plot.has_bars else lines)(found, plot)
    if not body:
        return ""
    height = 480 + 20 * (len(coloured(found)) // 3)
    fields = {**dataclasses.asdict(plot), "height": height}
    return HEAD.format(**fields) + body


def draw_all(records, folder):
    """Draws what there is; the files' names. None: gnuplot is not installed."""
    if not shutil.which("gnuplot"):
        return None
    made = []
    for plot in PLOTS:
        text = script(records, plot)
        if not text:
            continue
        done = subprocess.run(
            ["gnuplot"], input=text, cwd=folder, capture_output=True, text=True, check=False
        )
        path = os.path.join(folder, f"{plot.name}.svg")
        if done.returncode or not os.path.exists(path):
            raise Failed(f"gnuplot, {plot.name}.svg: {done.stderr.strip()[:400]}")
        made.append(f"{plot.name}.svg")
    return made
