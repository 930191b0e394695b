#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""perf/compare: its statistics and its report on figures that are known, and tiny runs to the end, to
an error, and to Ctrl-C, which leaves nothing behind."""
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

from lab import BUILD, ROOT, Failed, check, equal, need, run_test, until

COMPARE = os.path.join(ROOT, "perf", "compare")
RUN = os.path.join(COMPARE, "run")
sys.path.insert(0, COMPARE)

import figures  # noqa: E402
import machine  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402
import sync  # noqa: E402

TINY = ("--rounds", "1", "--seconds", "1", "--connections", "4", "--keys", "1000")
WRONG = (
    (["--rounds", "0"], "--rounds: '0': a whole number from 1 to 1000"),
    (["--seconds", "x"], "--seconds: 'x': a whole number"),
    (["--pipelines", "1,,2"], "--pipelines: '': a whole number"),
    (["--only", "pipelines"], "'pipelines': no such experiment; there are: pipeline, load"),
    (["--loads", "nan"], "--loads: 'nan': a part of the highest rate"),
    (["--server-cpus", "3-1"], "--server-cpus: '3-1': processors"),
    (["--client-cpus", "9999"], "--client-cpus: no such processor here: 9999"),
    (["--memtier", "/nowhere/memtier"], "--memtier/--client: /nowhere/memtier: no such program"),
    (["--memtier", "/bin/true"], "/bin/true: no client that is known here"),
    (["--peer", "valkey"], "--peer: 'valkey': NAME=PROGRAM is wanted"),
    (["--pool", "/nowhere"], "--pool: /nowhere: not a folder"),
    (["--report", "/nowhere"], "/nowhere/results.json"),
    (["--fast"], "unrecognized arguments: --fast"),
)


def records(experiment, case, server, key, values):
    return [
        figures.Record(experiment, case, server, number, {key: value})
        for number, value in enumerate(values)
    ]


def test_statistics():
    equal(figures.spread([]), None, "the spread of nothing")
    found = figures.spread([3.0, 1.0, 10.0, 2.0])
    equal(found, figures.Spread(2.5, 1.0, 10.0, 4), "the spread of four values")
    ours = records("pipeline", 1, "millrace", "ops", [30.0, 10.0, 80.0, None, 7.0])
    base = records("pipeline", 1, "redis-server", "ops", [20.0, 10.0, 20.0, 5.0, 0.0])
    # 4th round: ours is not told; 5th: the base is 0.
    equal(figures.ratios(ours, base, "ops"), [1.5, 1.0, 4.0], "ratios round by round")
    equal(figures.ratios(ours[::-1], base[1:], "ops"), [4.0, 1.0], "ratios of common rounds")
    groups = figures.grouped(base[::-1] + ours, "pipeline")
    equal(
        [r.round for r in groups[1]["redis-server"]], [0, 1, 2, 3, 4], "records by round"
    )
    equal(figures.grouped(base, "load"), {}, "records of another experiment")


def known_records():
    found = []
    for server, ops, p99, busy in (
        ("millrace", (150.0, 140.0, 400.0), (1.0, 2.0, 2.0), (3.0, 5.0, 9.0)),
        ("redis-server", (100.0, 100.0, 200.0), (1.0, 1.0, 4.0), (10.0, 10.0, 10.0)),
    ):
        for number in range(3):
            values = {"ops": ops[number], "p99_ms": p99[number], "busy_us": busy[number]}
            for depth in (1, 4, 64):
                found.append(figures.Record("pipeline", depth, server, number, values))
    return found


def lines_of(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_report():
    found = lines_of(report.goals_text(known_records()))
    for line in (
        "1 rate 1.50 1.40 2.00 >= 1.40 met",
        "1 p99 1.00 0.50 2.00 <= 1.00 met",
        "1 busy/cmd 0.50 0.30 0.90 <= 0.50 met",
        "64 rate 1.50 1.40 2.00 >= 1.10 met",
        "64 busy/cmd 0.50 0.30 0.90 <= 0.25 missed",
    ):
        check(line in found, f"the goals lack {line!r}:\n" + "\n".join(found))
    check(not any(line.startswith("4 ") for line in found), "there is no goal for depth 4")
    found = lines_of(report.table_text(known_records(), report.TABLES[0]))
    equal(found[2], "1 redis-server 1 1 1", "the baseline stands first")
    equal(
        found[3],
        "1 millrace 1.50 (1.40..2.00) 1.00 (0.50..2.00) 0.50 (0.30..0.90)",
        "ratios in the table",
    )
    equal(report.goals_text([]), "", "goals of nothing")
    equal([report.table_text([], table) for table in report.TABLES], [""] * len(report.TABLES), "")


def test_growth_is_to_the_first():
    found = records("cores", 1, "GET", "ops", [10.0, 20.0])
    found += records("cores", 2, "GET", "ops", [15.0, 40.0])
    text = lines_of(report.cores_text(found))
    check("2 GET 1.75 (1.50..2.00)" in text, "\n".join(text))


def test_slow_builds_are_told():
    plain = {"optimization": "3", "checks": False, "b_sanitize": "none"}
    equal(list(machine.build_warnings(plain)), [], "warnings of a plain build")
    for option, value, word in (
        ("checks", True, "-Dchecks=true"),
        ("b_sanitize", "address,undefined", "address,undefined"),
        ("optimization", "0", "optimization 0"),
    ):
        told = list(machine.build_warnings({**plain, option: value}))
        check(len(told) == 1 and word in told[0], f"{option}={value}: {told}")


def test_scripts():
    by_name = {plot.name: plot for plot in plots.PLOTS}
    text = plots.script(known_records(), by_name["busy"])
    check("1 5.0 3.0 9.0\n" in text, f"median, least and greatest are not drawn:\n{text}")
    equal(plots.script(known_records(), by_name["load"]), "", "a plot of nothing")


# The plots that a whole run draws, and what varies in the experiment that each is of.
DRAWN = {
    "pipeline": ("pipeline", (1, 16)),
    "busy": ("pipeline", (1, 16)),
    "load": ("load", (1000, 20000)),
    "native": ("native", (1, 16)),
    "native-busy": ("native", (1, 16)),
    "native-load": ("native_load", (1000, 20000)),
    "cores": ("cores", (1, 2, 4)),
    "threads": ("threads", (1, 2, 4)),
    "fullsync": ("fullsync", ("first, sink", "sink", "replica")),
    "durable": ("durable", (1, 16)),
}


def test_all_is_drawn(lab):
    """Every plot and every table of a whole run, from figures that are known."""
    keys = sorted({key for plot in plots.PLOTS for key in (plot.key, plot.below) if key})
    found = [
        figures.Record(name, case, server, number, dict.fromkeys(keys, 10.0 + number))
        for name, cases in dict(DRAWN.values()).items()
        for case in cases
        for server in ("redis-server", "millrace")
        for number in range(3)
    ]
    folder = folder_make(lab, "drawn")
    equal(sorted(plots.draw_all(found, folder)), sorted(f"{name}.svg" for name in DRAWN), "drawn")
    for name, (_, cases) in DRAWN.items():
        words = svg_words(os.path.join(folder, f"{name}.svg"))
        labels = [case for case in cases if isinstance(case, str)]
        for word in ("redis-server", "millrace", *labels):
            check(word in words, f"{name}.svg lacks {word!r}: {words!r}")
    for table in report.TABLES:
        text = report.table_text(found, table)
        check("millrace" in text and "redis-server" in text, f"{table.title}: {text!r}")


def svg_words(path):
    drawn = xml.etree.ElementTree.parse(path).getroot()
    check(drawn.tag.endswith("svg"), f"{path} is a {drawn.tag}")
    return " ".join(drawn.itertext())


class Pieces:
    """A connection on which bytes come in these pieces; the first stands in its buffer already."""

    def __init__(self, *pieces):
        self.buf, self.pos = b"+" + pieces[0], 1
        self.pieces = list(pieces[1:])
        self.sock = self

    def recv_into(self, buffer, size=1 << 20):
        piece = self.pieces.pop(0) if self.pieces else b""
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
            piece = piece[:size]
        buffer[: len(piece)] = piece
        return len(piece)


def test_drains():
    """A data set by length and by mark, cut anywhere, with the stream behind it."""
    mark = b"0123456789" * 4
    data = b"x" * 50 + mark[:39]
    whole = data + mark + b"stream"
    for cut in range(len(whole)):
        size, _, beyond = sync.drain_marked(Pieces(whole[:cut], whole[cut:], b"more"), mark)
        # What has not come yet when the mark is there is not beyond it yet.
        rest = cut - len(data + mark)
        equal((size, beyond), (len(data), rest if rest >= 0 else 6), f"cut at {cut}")
        conn = Pieces(whole[:cut], whole[cut:])
        beyond = sync.drain_counted(conn, len(data))[1]
        equal(beyond, max(0, cut - len(data)), f"by length, cut at {cut}")
        sync.drain_stream(conn, len(whole) - len(data) - beyond)
        equal(conn.pieces, [], f"the stream is read, cut at {cut}")


def compare(*args, **more):
    env = {name: value for name, value in os.environ.items() if name != "MEMTIER"}
    return subprocess.Popen(
        [RUN, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        start_new_session=True,
        **more,
    )


def finish(process, seconds=60):
    """What it wrote, when it has ended; a run that takes too long cleans up before that is told."""
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        text = process.communicate(timeout=30)[0]
        raise Failed(f"{process.args}: not done after {seconds} s:\n{text}") from None


def leftovers(pid, folder):
    """What a run has left that was started, and has its pools, in that folder: namespaces, folders
    and processes."""
    found = glob.glob(f"/run/netns/mr-{pid}*") + glob.glob(f"/var/run/dpdk/mr{pid}-*")
    found += glob.glob(os.path.join(folder, "millrace-compare-*"))
    for path in glob.glob("/proc/[0-9]*"):
        try:
            is_theirs = os.readlink(f"{path}/cwd").startswith(folder)
            with open(f"{path}/comm", encoding="utf-8") as name:
                found += [name.read().strip()] * is_theirs
        except OSError:
            continue  # it has ended, or has no folder
    return found


def test_wrong_arguments():
    started = [(args, message, compare(*args)) for args, message in WRONG]
    for args, message, process in started:
        text = finish(process)
        check(process.returncode in (1, 2), f"{args}: exit status {process.returncode}")
        check(message in text, f"{args}: {message!r} is not in:\n{text}")
        check("Traceback" not in text, f"{args}:\n{text}")


def folder_make(lab, name):
    path = os.path.join(os.path.realpath(lab.dir), name)
    os.mkdir(path)
    return path


def test_tiny_run(lab):
    folder = folder_make(lab, "tiny")
    out = os.path.join(lab.dir, "results")
    args = ("--only", "pipeline,fullsync", "--pipelines", "1,16", "--sync-mb", "4")
    process = compare(*TINY, *args, "--pool", folder, "--results", out, cwd=folder)
    text = finish(process)
    equal(process.returncode, 0, f"exit status with\n{text}\n")
    equal(leftovers(process.pid, folder), [], "left behind")
    with open(os.path.join(out, "table.txt"), encoding="utf-8") as table:
        table = table.read()
    check(table in text, "the table that was printed is not the one that was written")
    check(re.search(r"^ +16 +rate +\d+\.\d\d .* >= 1\.20 +(met|missed)$", table, re.M), table)
    check(re.search(r"^ +sink +millrace +\d", table, re.M), table)
    check_figures(out)
    for name in ("pipeline", "busy", "fullsync"):
        words = svg_words(os.path.join(out, f"{name}.svg"))
        check("millrace" in words and "redis-server" in words, f"{name}.svg says {words!r}")
    again = compare("--report", out)
    check(table in finish(again), "--report makes another table")


def test_own_client(lab):
    """millrace-load in the place of memtier_benchmark: it tells its figures as they are read."""
    folder = folder_make(lab, "own")
    out = os.path.join(lab.dir, "own-results")
    program = os.path.join(BUILD, "perf", "load", "millrace-load")
    args = ("--only", "pipeline", "--pipelines", "16", "--memtier", program)
    process = compare(*TINY, *args, "--pool", folder, "--results", out, cwd=folder)
    text = finish(process)
    equal(process.returncode, 0, f"exit status with\n{text}\n")
    with open(os.path.join(out, "results.json"), encoding="utf-8") as data:
        found = json.load(data)["records"]
    equal(sorted(r["server"] for r in found), ["millrace", "redis-server"], "what was measured")
    for record in found:
        equal(record["client"], "millrace-load", "the client")
        check(record["values"]["ops"] > 100, f"{record}")
        check(0 < record["values"]["client_cores"] <= 1.01, f"{record}")


def check_figures(out):
    with open(os.path.join(out, "results.json"), encoding="utf-8") as data:
        found = json.load(data)
    for name, facts in found["servers"].items():
        check(" DIR/" in facts["command"], f"{name}: {facts['command']}")
        check(os.path.dirname(out) not in facts["command"], f"{name}: {facts['command']}")
    depths = [r for r in found["records"] if r["experiment"] == "pipeline"]
    equal(
        sorted((r["case"], r["server"]) for r in depths),
        [(1, "millrace"), (1, "redis-server"), (16, "millrace"), (16, "redis-server")],
        "what was measured by depth",
    )
    for record in depths:
        values = record["values"]
        check(values["ops"] > 100 and values["p99_ms"] > 0, f"{record}")
        # The processor that a server has cannot be busy for longer than time passes.
        check(0 < values["busy_us"] and 0 < values["busy_cores"] < 1.5, f"{record}")


def test_interrupt(lab, number, status):
    """In the middle of a measurement."""
    folder = folder_make(lab, f"interrupted-{status}")
    args = ("--only", "pipeline", "--seconds", "300", "--keys", "1000", "--pool", folder)
    process = compare(*args, cwd=folder)

    def at_work():
        there = leftovers(process.pid, folder)
        wanted = ("redis-benchmark", "redis-server", "millrace", f"/run/netns/mr-{process.pid}c")
        return all(name in there for name in wanted)

    try:
        until("two servers and a client at work", at_work, 30)
        start = time.monotonic()
        os.killpg(process.pid, number)
        text = process.communicate(timeout=30)[0]
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
    check(time.monotonic() - start < 10, "it took 10 s to end")
    equal(process.returncode, status, f"exit status with\n{text}\n")
    check("Traceback" not in text, text)
    equal(leftovers(process.pid, folder), [], "left behind")


def test(lab):
    need("redis-server", "redis-benchmark", "gnuplot", "ip", "ethtool")
    test_statistics()
    test_report()
    test_growth_is_to_the_first()
    test_drains()
    test_slow_builds_are_told()
    test_scripts()
    test_all_is_drawn(lab)
    test_wrong_arguments()
    test_tiny_run(lab)
    test_own_client(lab)
    test_interrupt(lab, signal.SIGINT, 130)
    test_interrupt(lab, signal.SIGTERM, 143)


if __name__ == "__main__":
    sys.exit(run_test(test))
