#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""client-output-buffer-limit against peers that do not read, over the DPDK device and over loopback:
normal clients and replicas, the hard and the soft limit; maxmemory-clients,
client-query-buffer-limit, timeout, maxclients and protected-mode. Others are served all the while."""
import os
import random
import socket
import sys
import time

from lab import check, equal, run_test, until
from resp import Resp, encode

KB, MB = 1 << 10, 1 << 20
VALUE = 100 * KB


class Slow:
    """A connection whose receive buffer is small, and that is not read."""

    def __init__(self, place, name):
        self.sock = place.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KB)
        self.sock.settimeout(20)
        self.sock.connect(place.address)
        self.sock.sendall(encode("CLIENT", "SETNAME", name))
        equal(self.sock.recv(5), b"+OK\r\n", "CLIENT SETNAME")
        self.name = name

    def ask(self, count, key="big"):
        self.sock.sendall(encode("GET", key) * count)

    def sync(self):
        """Becomes a replica; the snapshot is read, what follows is not."""
        self.sock.sendall(encode("REPLCONF", "capa", "psync2") + encode("PSYNC", "?", "-1"))
        file = self.sock.makefile("rb")
        equal(file.readline(), b"+OK\r\n", "REPLCONF")
        check(file.readline().startswith(b"+FULLRESYNC"), "no full sync")
        line = file.readline()
        while line == b"\n":
            line = file.readline()
        left = int(line[1:])
        while left:
            left -= len(file.read(min(left, MB)))

    def ends(self):
        """True when the other end has closed; what had been sent before is read away."""
        self.sock.settimeout(5)
        try:
            while self.sock.recv(MB):
                pass
        except (ConnectionError, OSError) as error:
            return not isinstance(error, TimeoutError)
        return True


class Place:
    """A way to the node."""

    def __init__(self, node, name, netns, host):
        self.node, self.name, self.netns = node, name, netns
        self.address = (host, node.port)

    def socket(self, family, kind):
        return self.netns.socket(family, kind)

    def connect(self, timeout=20.0):
        return Resp(self.address, timeout, self.netns.socket)


def named(conn, name):
    """The client's line of CLIENT LIST as a dict; None when it is gone."""
    for line in conn.call("CLIENT", "LIST").decode().splitlines():
        fields = dict(word.split("=", 1) for word in line.split(" "))
        if fields["name"] == name:
            return fields
    return None


def served(place, conn):
    began = time.monotonic()
    equal(conn.call("PING"), b"PONG", "PING")
    with place.connect(timeout=5) as other:
        equal(len(other.call("GET", "big")), VALUE, "GET by somebody else")
    check(time.monotonic() - began < 3, f"{place.name}: others are served slowly")


def hard_limit(place, conn):
    conn.call("CONFIG", "SET", "client-output-buffer-limit", f"normal {4 * MB} 0 0")
    with place.connect() as other:
        # Below the limit nothing happens, however long it takes ...
        slow = Slow(place, "slow")
        slow.ask(20)
        until("output to pile up", lambda: int(named(conn, "slow")["omem"]) > MB)
        time.sleep(0.4)
        check(named(conn, "slow"), f"{place.name}: closed at 2 MB of 4")
        served(place, other)
        # ... and above it the connection ends, with at most one burst on top.
        slow.ask(60)
        until(f"{place.name}: the slow client to be closed", lambda: not named(conn, "slow"))
        check(slow.ends(), f"{place.name}: the connection is still there")
        served(place, other)
    # A reader that keeps up may fetch any amount.
    with place.connect() as reader:
        for _ in range(100):
            equal(len(reader.call("GET", "big")), VALUE, "GET")


def soft_limit(place, conn):
    conn.call("CONFIG", "SET", "client-output-buffer-limit", f"normal 0 {MB} 1")
    slow = Slow(place, "soft")
    slow.ask(100)
    began = time.monotonic()
    until("output to pile up", lambda: int(named(conn, "soft")["omem"]) > MB)
    until(f"{place.name}: the soft limit", lambda: not named(conn, "soft"), 10)
    took = time.monotonic() - began
    check(0.9 < took < 5, f"{place.name}: closed after {took:.2f} s beyond a soft limit for 1 s")
    check(slow.ends(), f"{place.name}: the connection is still there")
    conn.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")


def no_limit(place, conn):
    """Without one, all of it waits, and comes whole."""
    slow = Slow(place, "patient")
    slow.ask(100)
    until("output to pile up", lambda: int(named(conn, "patient")["omem"]) > 8 * MB)
    slow.sock.settimeout(20)
    file = slow.sock.makefile("rb")
    wanted = b"$%d\r\n" % VALUE + conn.call("GET", "big") + b"\r\n"
    for _ in range(100):
        check(file.read(len(wanted)) == wanted, f"{place.name}: a reply is damaged")
    until("the output to be gone", lambda: int(named(conn, "patient")["omem"]) == 0)
    slow.sock.close()


def replica_limits(place, conn, choose):
    """A replica that takes its snapshot and then reads no more."""
    chunk = choose.randbytes(MB)

    def write(megabytes):
        for i in range(megabytes):
            conn.call("SET", f"w{i % 4}", chunk)

    conn.call("CONFIG", "SET", "client-output-buffer-limit", f"replica {6 * MB} 0 0")
    conn.call("CONFIG", "SET", "repl-backlog-size", 16 * KB)
    slow = Slow(place, "replica")
    slow.sync()
    until("it to be online", lambda: "state=online" in conn.info("replication").get("slave0", ""))
    write(4)
    time.sleep(0.3)
    check(named(conn, "replica"), f"{place.name}: the replica was dropped within its limit")
    check(int(named(conn, "replica")["omem"]) > 3 * MB, f"{place.name}: omem of a slow replica")
    write(6)
    until(f"{place.name}: the replica to be dropped", lambda: not named(conn, "replica"))
    check(slow.ends(), f"{place.name}: the replica's connection is still there")
    # Never below the backlog: that much it may lag by definition.
    conn.call("CONFIG", "SET", "repl-backlog-size", 64 * MB)
    lagging = Slow(place, "lagging")
    lagging.sync()
    write(8)
    time.sleep(0.5)
    check(named(conn, "lagging"), f"{place.name}: dropped within repl-backlog-size")
    conn.call("CONFIG", "SET", "repl-backlog-size", 16 * KB)
    until(f"{place.name}: the smaller limit to be seen", lambda: not named(conn, "lagging"))
    # The soft limit.
    conn.call("CONFIG", "SET", "client-output-buffer-limit", f"replica 0 {MB} 1")
    soft = Slow(place, "softly")
    soft.sync()
    write(3)
    until(f"{place.name}: the soft limit of replicas", lambda: not named(conn, "softly"), 10)
    conn.call("CONFIG", "SET", "client-output-buffer-limit", "replica 256mb 64mb 60")
    equal(conn.info("replication")["connected_slaves"], "0", "replicas left")


def memory_of_state(place, conn):
    """What a transaction, watches and subscriptions hold counts for maxmemory-clients."""

    def hold(name, *commands):
        client = place.connect(timeout=20)
        client.call("CLIENT", "SETNAME", name)
        for command in commands:
            client.call(*command)
        until(f"{name}'s memory", lambda: int(named(conn, name)["tot-mem"]) > MB)
        return client

    value = "x" * (MB // 2)
    names = [f"{i:x<2000}" for i in range(600)]
    clients = [
        hold("queues", ("MULTI",), ("SET", "a", value), ("SET", "b", value), ("SET", "c", value)),
        hold("watches", ("WATCH", *names)),
        hold("subscribes", ("SUBSCRIBE", *names)),
    ]
    conn.call("CONFIG", "SET", "maxmemory-clients", MB)
    for name in ("queues", "watches", "subscribes"):
        until(f"{place.name}: {name} to be evicted", lambda: not named(conn, name))
    conn.call("CONFIG", "SET", "maxmemory-clients", 0)
    for client in clients:
        client.close()


def memory_of_clients(place, conn):
    """The largest go, until the rest is below maxmemory-clients."""
    slow = [Slow(place, f"m{i}") for i in range(3)]
    for number, client in enumerate(slow):
        client.ask(100 + 20 * number)
    until("output to pile up", lambda: int(named(conn, "m1")["omem"]) > 5 * MB)
    slow.pop().sock.close()
    until("m2 to leave", lambda: not named(conn, "m2"))
    guarded = Slow(place, "guarded")
    guarded.sock.sendall(encode("CLIENT", "NO-EVICT", "on"))
    equal(guarded.sock.recv(5), b"+OK\r\n", "NO-EVICT")
    guarded.ask(140)
    until("output to pile up", lambda: int(named(conn, "guarded")["omem"]) > 5 * MB)
    before = int(conn.info("stats")["evicted_clients"])
    sizes = [int(named(conn, name)["tot-mem"]) for name in ("m0", "m1", "guarded")]
    check(sizes[0] < sizes[1] < sizes[2], f"{place.name}: {sizes}")
    conn.call("CONFIG", "SET", "maxmemory-clients", sizes[0] + sizes[2] + MB)
    until(f"{place.name}: m1 to be evicted", lambda: not named(conn, "m1"))
    check(slow[1].ends(), "m1 is still connected")
    time.sleep(0.3)
    check(named(conn, "m0") and named(conn, "guarded"), f"{place.name}: the wrong one was evicted")
    equal(int(conn.info("stats")["evicted_clients"]) - before, 1, "evicted_clients")
    conn.call("CONFIG", "SET", "maxmemory-clients", 0)
    for client in (slow[0], guarded):
        client.sock.close()


def who_may_come(place, conn):
    idle, busy = Slow(place, "idle"), place.connect()
    conn.call("CONFIG", "SET", "timeout", 1)
    for _ in range(8):
        equal(busy.call("PING"), b"PONG", "a client that is not idle")
        conn.call("PING")
        time.sleep(0.25)
    until(f"{place.name}: timeout", lambda: not named(conn, "idle"), 5)
    check(idle.ends(), f"{place.name}: the idle client is still connected")
    conn.call("CONFIG", "SET", "timeout", 0)
    busy.close()

    until("the others to be gone", lambda: conn.info("clients")["connected_clients"] == "1")
    conn.call("CONFIG", "SET", "maxclients", 3)
    taken = [place.connect() for _ in range(2)]
    for client in taken:
        client.call("PING")
    rejected = int(conn.info("stats")["rejected_connections"])
    with place.connect(timeout=5) as late:
        equal(late.line(), b"-ERR max number of clients reached", f"{place.name}: one too many")
        equal(late.sock.recv(1), b"", f"{place.name}: its end")
    equal(int(conn.info("stats")["rejected_connections"]) - rejected, 1, "rejected_connections")
    taken.pop().close()
    until("room again", lambda: int(conn.info("clients")["connected_clients"]) < 3)
    with place.connect() as again:
        equal(again.call("PING"), b"PONG", f"{place.name}: after one has left")
    conn.call("CONFIG", "SET", "maxclients", 10000)
    for client in taken:
        client.close()


def query_limit(place, conn):
    """A request that is larger than client-query-buffer-limit ends its connection, before it is
    there as a whole; one below it is served."""
    conn.call("CONFIG", "SET", "client-query-buffer-limit", 2 * MB)
    with place.connect() as other, place.connect() as large:
        equal(large.call("SET", "q", b"q" * (MB + MB // 2)), b"OK", "SET of 1.5 MB")
        large.call("CLIENT", "SETNAME", "large")
        large.sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nq\r\n$%d\r\n" % (16 * MB))
        large.sock.sendall(b"q" * MB)
        until("the part of a request", lambda: int(named(conn, "large")["qbuf"]) >= MB)
        try:
            for _ in range(15):
                large.sock.sendall(b"q" * MB)
            large.sock.recv(1)
        except ConnectionError:
            pass  # it ends with what was sent unread: RST
        until(f"{place.name}: the large one to be closed", lambda: not named(conn, "large"))
        served(place, other)
        equal(len(other.call("GET", "q")), MB + MB // 2, "what was set before")
    conn.call("CONFIG", "SET", "client-query-buffer-limit", "1gb")


def protected(local, device, conn):
    conn.call("CONFIG", "SET", "protected-mode", "yes")
    with device.connect(timeout=5) as far:
        check(far.line().startswith(b"-DENIED "), "protected mode lets anybody in over the device")
        equal(far.sock.recv(1), b"", "the end of who was denied")
    with local.connect() as near:
        equal(near.call("PING"), b"PONG", "protected mode over loopback")
    conn.call("CONFIG", "SET", "requirepass", "secret")
    with device.connect() as far:
        equal(str(far.pipeline([("GET", "big")])[0]), "NOAUTH Authentication required.", "GET")
        equal(far.call("AUTH", "secret"), b"OK", "AUTH over the device")
        equal(len(far.call("GET", "big")), VALUE, "GET after AUTH")
    conn.call("CONFIG", "SET", "requirepass", "", "protected-mode", "no")


def test(lab):
    choose = random.Random(1)
    far = lab.netns()
    # What the kernel takes of the output is out of the node's sight: not much.
    lab.home.run("sysctl", "-qw", "net.ipv4.tcp_wmem=4096 262144 262144")
    cores = ["--poll-cores", "0-1"] if os.cpu_count() > 1 else []
    node = lab.start_on_device("node", lab.home, far, pool_size="512mb", options=cores)
    local = Place(node, "loopback", lab.home, "127.0.0.1")
    device = Place(node, "device", far, node.device.address)
    with node.connect() as conn:
        conn.call("SET", "big", choose.randbytes(VALUE))
        for place in (device, local):
            began = time.monotonic()
            hard_limit(place, conn)
            soft_limit(place, conn)
            no_limit(place, conn)
            memory_of_clients(place, conn)
            memory_of_state(place, conn)
            replica_limits(place, conn, choose)
            query_limit(place, conn)
            who_may_come(place, conn)
            print(f"{place.name}: {time.monotonic() - began:.1f} s", flush=True)
        protected(local, device, conn)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
