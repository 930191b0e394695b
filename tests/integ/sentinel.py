#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Three stock Sentinels watch two millrace nodes and a redis-server, and fail over when the master
is killed, stands still or is cut off: each time there is one master at the end, and nothing that
two replicas had acknowledged is lost. A millrace master that was killed is back by a partial
resync; one that stood still may have got messages of the Sentinels meanwhile, which are a history
of its own.

    this namespace: sentinels ---- veth 10.78.0.0/24 ---- one namespace a node

usage: sentinel.py [--rounds N] [--faults kill,stop,cut]
       2 rounds when nothing is said
"""
import argparse
import os
import signal
import sys
import time

from lab import Server, check, equal, need, run_test, until

NAME = "mine"
SETTINGS = (
    "protected-mode no",
    "sentinel announce-ip 127.0.0.1",
    f"sentinel down-after-milliseconds {NAME} 1500",
    f"sentinel failover-timeout {NAME} 4000",
    f"sentinel parallel-syncs {NAME} 2",
)


class Sentinel(Server):
    """redis-server as Sentinel, of the namespace that sees all nodes."""

    def __init__(self, lab, number, master):
        super().__init__(lab, f"sentinel{number}", lab.home, 7480 + number, None)
        with open(os.path.join(self.dir, "conf"), "w", encoding="ascii") as conf:
            print(f"port {self.port}", f"dir {self.dir}", file=conf, sep="\n")
            print(f"sentinel monitor {NAME} {master.address} {master.port} 2", file=conf)
            print(*SETTINGS, file=conf, sep="\n")

    def command(self):
        return ["redis-server", os.path.join(self.dir, "conf"), "--sentinel"]

    def master(self):
        host, port = self.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
        return host.decode(), int(port)

    def state(self):
        fields = self.call("SENTINEL", "MASTER", NAME)
        return dict(zip(fields[::2], fields[1::2]))


def place(lab, number):
    """A namespace with the address 10.78.0.N, linked to this one; the name of the near end."""
    netns, near = lab.netns("abc"[number]), f"mrv{lab.id}n{number}"
    lab.home.ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", netns.name)
    netns.ip("addr", "add", f"10.78.{number}.2/24", "dev", "eth0")
    netns.ip("link", "set", "eth0", "up")
    lab.home.ip("addr", "add", f"10.78.{number}.1/24", "dev", near)
    lab.home.ip("link", "set", near, "up")
    netns.ip("route", "add", "default", "via", f"10.78.{number}.1")
    return netns, near


def node_at(lab, number, stock):
    netns, near = place(lab, number)
    address = f"10.78.{number}.2"
    options = ["--repl-ping-replica-period", "3600", "--repl-timeout", "5"]
    if stock:
        node = lab.stock("stock", netns, 7470 + number, bind=f"127.0.0.1 {address}", options=options)
    else:
        options += ["--bind", "127.0.0.1", address, "--protected-mode", "no"]
        node = lab.node(f"node{number}", netns, 7470 + number, options=options)
    node.address, node.near, node.is_stock = address, near, stock
    return node.start()


def replication(node):
    return node.info("replication")


def in_step(master, nodes):
    """Everybody follows this master, at its offset."""
    wanted = replication(master)
    if wanted["role"] != "master" or wanted["connected_slaves"] != str(len(nodes) - 1):
        return False
    for node in nodes:
        state = replication(node)
        if node is not master and (
            state["role"] != "slave"
            or state["master_link_status"] != "up"
            or (state["master_host"], int(state["master_port"])) != (master.address, master.port)
        ):
            return False
        if state["master_repl_offset"] != wanted["master_repl_offset"]:
            return False
    return True


def follow(nodes):
    for node in nodes[1:]:
        node.call("REPLICAOF", nodes[0].address, nodes[0].port)
    until("replication", lambda: in_step(nodes[0], nodes), 30)


def discovered(sentinel):
    state = sentinel.state()
    return (
        state[b"flags"] == b"master"
        and state[b"num-slaves"] == b"2"
        and state[b"num-other-sentinels"] == b"2"
    )


def healthy(sentinel):
    """It has noticed of everybody that they are there."""
    replicas = [dict(zip(r[::2], r[1::2])) for r in sentinel.call("SENTINEL", "REPLICAS", NAME)]
    return discovered(sentinel) and all(r[b"flags"] == b"slave" for r in replicas)


def strike(lab, node, fault):
    if fault == "kill":
        node.kill()
    elif fault == "stop":
        node.signal(signal.SIGSTOP)
    else:
        lab.home.ip("link", "set", node.near, "down")


def heal(lab, node, fault):
    if fault == "kill":
        node.start()
    elif fault == "stop":
        node.signal(signal.SIGCONT)
    else:
        lab.home.ip("link", "set", node.near, "up")


def write(master, number, part):
    """Acknowledged by both replicas, so that it has to outlive the master; who is cut off by
    itself has none."""
    with master.connect() as conn:
        conn.pipeline([("SET", f"k{number}:{i}", part) for i in range(200)])
        return conn.call("WAIT", 2, 3000)


def one_round(lab, nodes, sentinels, number, fault):
    old = next(node for node in nodes if replication(node)["role"] == "master")
    equal(write(old, number, "before"), 2, "replicas that have acknowledged")
    strike(lab, old, fault)
    begin = time.monotonic()
    others = [node for node in nodes if node is not old]

    def promoted():
        return next((n for n in others if replication(n)["role"] == "master"), None)

    new = until(f"a new master after {fault} of {old.name}", promoted, 40)
    took = time.monotonic() - begin
    until("the other replica", lambda: in_step(new, others), 40)
    equal(new.call("GET", f"k{number}:7"), b"before", "an acknowledged write")
    new.call("SET", f"round{number}", fault)
    full = int(new.info("stats")["sync_full"])
    heal(lab, old, fault)
    until(f"{old.name} follows {new.name}", lambda: in_step(new, nodes), 60)
    for sentinel in sentinels:
        until(f"{sentinel.name}: the master", lambda s=sentinel: s.master() == (new.address, new.port), 30)
        until(f"{sentinel.name}: everybody", lambda s=sentinel: healthy(s), 30)
    equal([replication(n)["role"] for n in nodes].count("master"), 1, "masters at the end")
    equal(len({n.call("DEBUG", "DIGEST") for n in nodes}), 1, "different digests")
    again = int(new.info("stats")["sync_full"]) - full
    if fault == "kill" and not old.is_stock:
        equal(again, 0, f"full syncs when {old.name} came back after {fault}")
    print(
        f"round {number}: {fault} of {old.name}, {new.name} after {took:.1f} s, "
        f"all well after {time.monotonic() - begin:.1f} s, full syncs: {again}",
        flush=True,
    )


def test(lab):
    need("redis-server", "ip")
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--faults", default="kill,stop,cut")
    args = parser.parse_args()
    lab.home.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
    nodes = [node_at(lab, number, number == 2) for number in range(3)]
    follow(nodes)
    sentinels = [lab.add(Sentinel(lab, number, nodes[0])).start() for number in range(3)]
    for sentinel in sentinels:
        until(f"{sentinel.name}: replicas and sentinels", lambda s=sentinel: discovered(s), 40)
    faults = args.faults.split(",")
    for number in range(args.rounds):
        one_round(lab, nodes, sentinels, number, faults[number % len(faults)])
    check(all(node.alive for node in nodes), "a node has ended")


if __name__ == "__main__":
    sys.exit(run_test(test))
