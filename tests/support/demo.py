#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demonstration that quickstart runs: kill -9 of a master under load, and what is left
afterwards.

               this namespace                          namespace mr-<pid>p
    millrace "master"  127.0.0.1:port
      DPDK device, 10.77.0.2 ==== veth pair ==== 10.77.0.1  redis-server "stock", replica
                                                            the load, the checking writer
      DPDK device, 10.77.1.2 ==== veth pair ==== 10.77.1.1  (routes between the two)
    millrace "second"  127.0.0.1:port+2, replica
"""
import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import writer as checking
from lab import Failed, Lab, Netns, Skipped, check, remove_leftovers, until
from resp import Resp, RespError

STARTED = time.monotonic()
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KINDS = ("net_af_xdp", "net_tap")
PREFIX = "millrace-quickstart-"  # of the temporary directory


def step(text):
    print(f"-- [{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def free_port(wanted):
    """The first of three ports in a row that nobody listens on."""
    for first in range(wanted, min(wanted + 300, 65534), 10):
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
        except OSError as why:
            taken = f"port {port}: {why.strerror}"
            continue
        if first != wanted:
            step(f"{taken}; {first} is used instead of port {wanted}")
        return first
    raise Failed(f"no three free ports in a row from {wanted} on")


def link_up(server):
    return server.info("replication").get("master_link_status") == "up"


def start_load(lab, space, host, port, memtier):
    """memtier_benchmark if there is one, else redis-benchmark; from across the device."""
    if memtier:
        args = [
            memtier,
            "-s",
            host,
            "-p",
            str(port),
            "-t",
            "1",
            "-c",
            "20",
            "--pipeline",
            "4",
            "--ratio",
            "1:1",
            "-d",
            "32",
            "--key-maximum",
            "100000",
            "--test-time",
            "3600",
            "--hide-histogram",
        ]
    else:
        args = [
            "redis-benchmark",
            "-h",
            host,
            "-p",
            str(port),
            "-c",
            "20",
            "-P",
            "4",
            "-d",
            "32",
            "-r",
            "100000",
            "-n",
            "1000000000",
            "-t",
            "set",
            "-q",
        ]
    with open(os.path.join(lab.dir, "load.log"), "wb") as log:
        lab.spawn(*args, netns=space, stdout=log, stderr=subprocess.STDOUT)
    return os.path.basename(args[0])


class Demo:
    def __init__(self, lab, args):
        self.lab, self.args = lab, args
        self.port = free_port(args.port)
        self.space = lab.netns()
        self.kinds = KINDS if args.device == "auto" else (args.device,)
        self.rows = []
        self.good = True

    def row(self, what, before, after, good=None):
        self.rows.append((what, str(before), str(after), good))
        if good is False:
            self.good = False

    def start(self):
        lab, port = self.lab, self.port
        self.space.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        step("master: millrace on a DPDK virtual device, 10.77.0.2")
        self.master = lab.start_on_device(
            "master", lab.home, self.space, port, 0, pool_size="256mb", kinds=self.kinds
        )
        step(f"   up; device {self.master.device.kind}, pool {self.master.pool}")
        if self.args.only_node:
            return
        step("replica: stock redis-server, across the device")
        self.stock = lab.stock(
            "stock", self.space, port + 1, options=["--replicaof", "10.77.0.2", str(port)]
        ).start()
        step("replica: a second millrace node, on a device of its own, 10.77.1.2")
        self.second = lab.start_on_device(
            "second",
            lab.home,
            self.space,
            port + 2,
            1,
            pool_size="256mb",
            kinds=(self.master.device.kind,),
            options=["--replicaof", "10.77.0.2", str(port)],
        )
        self.replicas = [self.stock, self.second]
        for replica in self.replicas:
            until(f"{replica.name}: link to the master", lambda r=replica: link_up(r), 30)
        step("   both replicas have had their full sync")

    def load(self):
        tool = start_load(self.lab, self.space, "10.77.0.2", self.port, self.args.memtier)
        device = self.master.device

        def connect():
            return Resp((device.address, self.port), 20, device.far.socket)

        self.writer = checking.Writer(connect).start()
        step(f"load: {tool} and the checking writer, across the device")
        end = time.monotonic() + self.args.seconds
        while time.monotonic() < end:
            time.sleep(1)
            info = self.master.info()
            step(
                f"   {int(info['instantaneous_ops_per_sec']):8d} ops/s, offset {info['master_repl_offset']}, "
                f"{self.writer.acked} writes acknowledged to the writer"
            )
        check(self.writer.acked > 0, "nothing was acknowledged to the checking writer")

    def crash(self):
        self.before = self.master.info()
        self.logs_before = {r.name: len(r.log_text()) for r in self.replicas}
        # A reply comes at the end of a group commit: the kill is to hit the middle of one as well.
        time.sleep(random.uniform(0.01, 0.05))
        self.master.kill()
        killed = time.monotonic()
        step("kill -9 of the master")
        for process in self.lab.others:
            process.kill()
            process.wait()
        self.master.start()
        self.after = self.master.info()
        step(f"restarted: answers again {time.monotonic() - killed:.1f} s after the kill")
        self.writer.abandon()
        self.state = self.writer.state()
        until(
            "both replicas",
            lambda: self.master.info("replication")["connected_slaves"] == "2",
            60,
        )
        for replica in self.replicas:
            until(f"{replica.name}: link to the master again", lambda r=replica: link_up(r), 60)
        step(f"both replicas are connected again, {time.monotonic() - killed:.1f} s after the kill")

    def evidence(self):
        before, after = self.before, self.after
        self.row(
            "replication ID",
            before["master_replid"],
            after["master_replid"],
            before["master_replid"] == after["master_replid"],
        )
        self.row(
            "replication offset",
            before["master_repl_offset"],
            after["master_repl_offset"],
            int(after["master_repl_offset"]) >= int(before["master_repl_offset"]),
        )
        with self.master.over_device() as conn:
            verdict = checking.verify(conn, self.state)
        self.row(
            "writer: acknowledged, found",
            verdict.acked,
            verdict.found,
            verdict.acked == verdict.found and verdict.acked > 0 and not verdict.faults,
        )
        now = self.master.info()
        self.row(
            "master: sync_full",
            before["sync_full"],
            now["sync_full"] + " since the restart",
            now["sync_full"] == "0",
        )
        self.row(
            "master: sync_partial_ok",
            before["sync_partial_ok"],
            now["sync_partial_ok"] + " since the restart",
            now["sync_partial_ok"] == "2",
        )
        log = self.stock.log_text()[self.logs_before["stock"] :]
        resumed = "Successful partial resynchronization with master" in log
        self.row(
            "stock replica's own log",
            "full sync",
            "partial resynchronization" if resumed else "no partial resynchronization",
            resumed,
        )
        servers = [self.master, *self.replicas]
        until(
            "the replicas to have every byte",
            lambda: len({s.info("replication")["master_repl_offset"] for s in servers}) == 1,
            60,
            0.2,
        )
        digests = [s.call("DEBUG", "DIGEST").decode() for s in servers]
        for server, digest in zip(servers, digests):
            self.row(
                f"{server.name}: digest of {server.call('DBSIZE')} keys",
                "",
                digest,
                digest == digests[0],
            )
        for fault in verdict.faults:
            print("   " + fault)

    def table(self):
        mark = {True: "ok", False: "WRONG", None: ""}
        widths = [
            max(len(row[i]) for row in self.rows + [("", "before the kill", "", None)])
            for i in range(3)
        ]
        head = ("", "before the kill", "after the restart", None)
        print()
        for row in [head, *self.rows]:
            cells = [cell.ljust(width) for cell, width in zip(row[:3], widths)]
            print("   " + "  ".join(cells) + "  " + mark[row[3]])
        print()
        print(
            "   All of it is as it should be."
            if self.good
            else "   NOT as it should be: see WRONG above.",
            flush=True,
        )

    def commands(self):
        cli = f"ip netns exec {self.space.name} redis-cli"
        bench = f"ip netns exec {self.space.name} redis-benchmark"
        what = "The node keeps running" if self.args.only_node else "The nodes keep running"
        print(
            f"""
{what} until Ctrl-C. In another terminal:

  over loopback          redis-cli -p {self.port}
  over the DPDK device   {cli} -h 10.77.0.2 -p {self.port}"""
        )
        if not self.args.only_node:
            print(f"  the stock replica      {cli} -p {self.port + 1}")
            print(f"  the second millrace    redis-cli -p {self.port + 2}")
        print(
            f"""  state                  redis-cli -p {self.port} info replication
  load over the device   {bench} -h 10.77.0.2 -p {self.port} -P 16 -q -t set,get
  telemetry              dpdk-telemetry.py -f {self.master.prefix}       then: /millrace/cores
  crash it yourself      kill -9 {self.master.pid}                       (it is started again)
  logs and pools         {self.lab.dir}
""",
            flush=True,
        )

    def stay(self):
        """Until a signal; a server that ends is reported, and started again when it was killed."""
        while True:
            time.sleep(0.3)
            for server in self.lab.servers:
                if server.process is None or server.alive:
                    continue
                status = server.process.returncode
                if status == -signal.SIGKILL:
                    step(f"{server.name} was killed; starting it again")
                    server.start()
                    step(f"{server.name} runs again, pid {server.pid}")
                else:
                    step(f"{server.name} ended with status {status}")
                    server.process = None


def plain_node(lab, args):
    """An ordinary user's node: kernel sockets and a pool in a file."""
    port = free_port(args.port)
    node = lab.node("master", Netns(), port, pool_size="256mb").start()
    print(
        f"""
The node runs on kernel sockets alone, as a DPDK virtual device needs root. Ctrl-C ends it.
In another terminal:

  over loopback          redis-cli -p {port}
  telemetry              dpdk-telemetry.py -f {node.prefix}       then: /millrace/cores
  log and pool           {node.dir}
""",
        flush=True,
    )
    if args.exit:
        return 0
    with contextlib.suppress(SystemExit):
        while node.alive:
            time.sleep(0.3)
        raise Failed(f"the node ended with status {node.process.returncode}:\n" + node.log_tail())
    return 0


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only-node", action="store_true")
    parser.add_argument("--exit", action="store_true")
    parser.add_argument("--port", type=int, default=7777)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--device", choices=("auto", *KINDS), default="auto")
    parser.add_argument("--memtier", default=shutil.which("memtier_benchmark"))
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"))
    return parser.parse_args()


def run(lab, args):
    """The exit status."""
    if os.geteuid() != 0:
        if not args.only_node:
            raise Failed("the demonstration needs root for its network namespace")
        return plain_node(lab, args)
    demo = Demo(lab, args)
    demo.start()
    if not args.only_node:
        demo.load()
        demo.crash()
        demo.evidence()
        demo.table()
    if not args.exit:
        demo.commands()
        with contextlib.suppress(SystemExit):
            demo.stay()
    return 0 if demo.good else 1


def end(*unused):
    """Ctrl-C and the like, once: what follows it is the removal."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(130)


def main():
    args = arguments()
    # Held back until there is somebody who removes what has been made.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    for number in ENDING:
        signal.signal(number, end)
    remove_leftovers(args.dir, PREFIX)
    lab = Lab(parent=args.dir, prefix=PREFIX)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return run(lab, args)
    except (Failed, Skipped, OSError, RespError) as why:
        print(f"quickstart: {why}", file=sys.stderr)
        for server in lab.servers:
            if not server.alive:
                print(f"-- {server.name}:\n{server.log_tail()}", file=sys.stderr)
        return 1
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):  # the terminal may be gone
            step("removing everything that was made")
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
