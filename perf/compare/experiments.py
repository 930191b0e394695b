# SPDX-License-Identifier: BSD-3-Clause
"""What is measured. Each experiment is a function that adds Records, and takes turns: a round is one
measurement of every server, and every other round goes in the opposite order.
"""
import dataclasses
import json
import os
import resource
import tempfile
import time

import sync
from clients import Load
from contestants import Entry, machine_seconds
from figures import Record
from lab import BUILD, ROOT, check, die_with_parent, shell

PREFIX = "millrace-compare-"  # of our folders; a process id follows
SYNC_POOL_FACTOR = 6  # log and two snapshots of what is synchronised
FORK_S = 0.2  # a fork ends after its last byte
NOISY_TRIES = 10


@dataclasses.dataclass
class Plan:
    """What the command line asks for, and what comes of it."""

    client: object
    load_client: object  # millrace-load, or None
    peers: dict  # name -> executable
    millrace_options: tuple
    medium: str
    disk: str
    rounds: int
    seconds: int
    pipelines: list
    loads: list  # parts of the highest rate
    cores: list
    server_cpus: list
    connections: int
    keys: int
    value_bytes: int
    sync_mb: int
    durable_pipelines: list
    noise: float  # cores that other programs may use during a measurement
    arena: object = None
    nr_noisy: int = 0  # measurements thrown away for that, and those kept after as many tries
    nr_kept_noisy: int = 0
    records: list = dataclasses.field(default_factory=list)
    commands: dict = dataclasses.field(default_factory=dict)  # the client's
    notes: list = dataclasses.field(default_factory=list)

    def load(self, **more):
        return Load(
            connections=self.connections,
            keys=self.keys,
            value_bytes=self.value_bytes,
            seconds=self.seconds,
            **more,
        )

    def cpus(self, count=1):
        return ",".join(map(str, self.server_cpus[:count]))

    def entries(self, client=None, **more):
        """Every server in its plain form, for that client."""
        more = {"cpus": self.cpus(), "raw_frames": (client or self.client).raw_frames, **more}
        found = [Entry(name, exe=exe, **more) for name, exe in self.peers.items()]
        return found + [
            Entry("millrace", options=self.millrace_options, medium=self.medium, **more)
        ]

    def note(self, text):
        self.notes.append(text)
        print(f"   note: {text}", flush=True)

    def add(self, *what):
        self.records.append(Record(*what))


def children_seconds():
    """Processor time of programs that were waited for: the client, not the servers."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def turns(contestants, count):
    """(round, contestant), every other round backwards."""
    for number in range(count):
        for contestant in contestants if number % 2 == 0 else reversed(contestants):
            yield number, contestant


def measure_once(plan, client, contestant, load):
    with plan.arena.alone(contestant):
        commands, counts, server = contestant.commands(), contestant.counts(), contestant.used()
        used, everything, start = children_seconds(), machine_seconds(), time.monotonic()
        values, command = client.run(contestant, load)
        took, used = time.monotonic() - start, children_seconds() - used
        everything = machine_seconds() - everything - used
        everything -= contestant.used() - server
        busy = contestant.busy_between(counts, contestant.counts())
        commands = contestant.commands() - commands
    check(commands > 0, f"{contestant.name} counts no commands")
    values["busy_us"] = busy / commands * 1e6
    values["busy_cores"] = values["busy_us"] * values["ops"] / 1e6
    values.setdefault("client_cores", used / took)  # a client that polls tells it itself
    values["other_cores"] = max(0.0, everything / took)
    return values, command


def measure(plan, client, contestant, load):
    """One run of the client: its figures with what the server has used, and its command line. Again
    when other programs have used more than the noise that is allowed."""
    for _ in range(NOISY_TRIES):
        values, command = measure_once(plan, client, contestant, load)
        if values["other_cores"] <= plan.noise:
            return values, command
        plan.nr_noisy += 1
    plan.nr_noisy -= 1
    plan.nr_kept_noisy += 1
    return values, command


def rounds(plan, experiment, case, contestants, load, client=None):
    client = client or plan.client
    for number, contestant in turns(contestants, plan.rounds):
        values, command = measure(plan, client, contestant, load)
        plan.commands[f"{experiment}, {case}, {contestant.name}"] = command
        plan.add(experiment, case, contestant.name, number, values, client.name)


def fill_all(plan, contestants, client=None):
    for contestant in contestants:
        with plan.arena.alone(contestant):
            (client or plan.client).fill(contestant, plan.load())


def pipeline(plan):
    """Throughput, latency and busy core time by pipeline depth."""
    with plan.arena.field(plan.entries()) as contestants:
        fill_all(plan, contestants)
        for depth in plan.pipelines:
            rounds(plan, "pipeline", depth, contestants, plan.load(pipeline=depth))


def by_load(plan, experiment, contestants, client):
    """The same rates for all, as parts of the highest that any of them has."""
    best = max(
        measure(plan, client, contestant, plan.load())[0]["ops"] for contestant in contestants
    )
    for part in plan.loads:
        rate = max(plan.connections, round(best * part / 1000) * 1000)
        rounds(plan, experiment, rate, contestants, plan.load(rate=rate), client)


def load(plan):
    """Latency by load: the same rates for all, whether a server can follow or not."""
    client = plan.client if plan.client.can_pace else plan.load_client
    if not client:
        plan.note(f"{plan.client.name} keeps to no rate: latency by load is left out")
        return
    plan.note(f"latency by load, with {client.name}: {client.note}")
    with plan.arena.field(plan.entries(client)) as contestants:
        fill_all(plan, contestants, client)
        by_load(plan, "load", contestants, client)


def native(plan):
    """With millrace-load, which has no kernel in its way; over memif millrace has none either."""
    client = plan.load_client
    if not client:
        plan.note("millrace-load is not built: native is left out")
        return
    plan.note(f"native, with {client.name}: {client.note}")
    entries = plan.entries(client)
    entries.append(dataclasses.replace(entries[-1], name="millrace, memif", memif=True))
    with plan.arena.field(entries) as contestants:
        fill_all(plan, contestants, client)
        for depth in plan.pipelines:
            rounds(plan, "native", depth, contestants, plan.load(pipeline=depth), client)
        by_load(plan, "native_load", contestants, client)


def fed_run(plan, op, where):
    """Rounds of perf/feed/run; what it leaves."""
    out = os.path.join(where, "fed.json")
    command = [
        os.path.join(ROOT, "perf", "feed", "run"),
        *("--cores", ",".join(map(str, plan.cores)), "--op", op, "--zipf", "0"),
        *("--pipeline", "16", "--keys", str(plan.keys), "--value", str(max(8, plan.value_bytes))),
        *("--seconds", str(plan.seconds), "--rounds", str(plan.rounds)),
        *("--pool", where, "--pool-size", "2gb", "--json", out),
        *(("--", *plan.millrace_options) if plan.millrace_options else ()),
    ]
    shell(
        *command,
        timeout=120 + len(plan.cores) * plan.rounds * (60 + 3 * plan.seconds),
        preexec_fn=die_with_parent,
    )
    with open(out, encoding="utf-8") as data:
        return json.load(data)


def cores(plan):
    """Throughput by cores: nodes that drive themselves (perf/feed/run), pipeline 16."""
    if not os.access(os.path.join(BUILD, "perf", "feed", "millrace-fed"), os.X_OK):
        plan.note("millrace-fed is not built: throughput by cores is left out")
        return
    with tempfile.TemporaryDirectory(dir=plan.arena.lab.dir) as where:
        for op in ("get", "set"):
            for found in fed_run(plan, op, where):
                for number, values in enumerate(found["rounds"]):
                    figures = {
                        "ops": values["mops"] * 1e6,
                        "serve_cycles": values["serve_cycles"],
                        "share": values["share"],
                    }
                    plan.add("cores", found["cores"], op.upper(), number, figures, "itself")


def threads(plan):
    """Throughput by cores under the client: poll cores here, I/O threads there, pipeline 16."""
    counts = [count for count in plan.cores if count <= len(plan.server_cpus)]
    if len(counts) < 2:
        plan.note("servers have one processor here: poll cores against I/O threads is left out")
        return
    for count in counts:
        with plan.arena.field(
            plan.entries(cpus=plan.cpus(count), nr_cores=count)
        ) as contestants:
            fill_all(plan, contestants)
            rounds(plan, "threads", count, contestants, plan.load(pipeline=16))


def fullsync(plan):
    """Full synchronisation: MB a second to a sink, and seconds until a redis-server has a copy."""
    entries = plan.entries(pool_mb=max(256, SYNC_POOL_FACTOR * plan.sync_mb))
    replica = plan.arena.lab.stock(
        "replica", plan.arena.far, 6399, options=["--repl-timeout", "300"]
    )
    replica.cpus = ",".join(map(str, plan.client.cpus))
    replica.start()
    try:
        with plan.arena.field(entries) as contestants:
            counts = {}
            for contestant in contestants:
                with plan.arena.alone(contestant):
                    counts[contestant.name] = sync.fill(contestant, plan.sync_mb)
            # The first time nobody has anything ready; what a master keeps shows afterwards.
            for number, contestant in turns(contestants, plan.rounds + 1):
                with plan.arena.alone(contestant):
                    sync_measure(plan, contestant, replica, counts[contestant.name], number)
    finally:
        replica.kill()
        plan.arena.lab.servers.remove(replica)


def sync_measure(plan, contestant, replica, count, number):
    for kind, run in (
        ("sink", lambda: sync.to_sink(contestant)),
        ("replica", lambda: sync.to_replica(contestant, replica, count)),
    ):
        counts = contestant.counts()
        values = run()
        time.sleep(FORK_S)
        busy = contestant.busy_between(counts, contestant.counts())
        values["busy_ms_per_mb"] = busy * 1000 / plan.sync_mb
        values["mb_per_s"] = plan.sync_mb / values["seconds"]
        case = "first, sink" if number == 0 and kind == "sink" else kind
        plan.add("fullsync", case, contestant.name, number, values, kind)


def durable_entries(plan, disk):
    """Each server volatile, and in each of its modes of durability."""

    def entry(name, folder=None, **more):
        if folder:
            folder = os.path.join(disk, folder)
            os.makedirs(folder)
        more["raw_frames"] = plan.client.raw_frames
        return Entry(name, cpus=plan.cpus(), folder=folder or "", **more)

    modes = ("no", "everysec", "always")
    found = []
    for name, exe in plan.peers.items():
        found.append(entry(f"{name}, volatile", exe=exe))
        for mode in modes:
            options = ("--appendonly", "yes", "--appendfsync", mode)
            found.append(entry(f"{name}, AOF {mode}", f"{name}-{mode}", exe=exe, options=options))
    options = (*plan.millrace_options, "--pmem-durability")
    # In memory, as a file that nobody waits for: neither fences nor msync.
    found.append(entry("millrace, volatile", options=(*options, "no"), medium="file"))
    for mode in modes:
        found.append(
            entry(
                f"millrace, file {mode}",
                f"millrace-{mode}",
                options=(*options, mode),
                medium="file",
            )
        )
    found.append(entry("millrace, pmem fences", options=(*options, "always"), medium="pmem"))
    return found


def durable(plan):
    """Durable against volatile: SETs alone, by what an acknowledgement is worth."""
    prefix = f"{PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=plan.disk) as disk:
        with plan.arena.field(durable_entries(plan, disk)) as contestants:
            for depth in plan.durable_pipelines:
                rounds(
                    plan, "durable", depth, contestants, plan.load(pipeline=depth, sets=1, gets=0)
                )


ALL = {
    "pipeline": pipeline,
    "load": load,
    "native": native,
    "cores": cores,
    "threads": threads,
    "fullsync": fullsync,
    "durable": durable,
}
