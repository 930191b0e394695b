#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ten thousand connections over a device, open at once: each works, one more is refused, what they
cost in memory is bounded and given back, and those that make the node hold replies for them are
bounded all together.

usage: many.py [--connections N]
"""
import argparse
import resource
import select
import socket
import sys
import time

from lab import Failed, check, equal, run_test, until
from resp import encode

KB, MB = 1 << 10, 1 << 20
BATCH = 250
# What an idle connection may cost, bytes; and what page and block sizes may add to all of them.
IDLE_BYTES, ROUNDING = 1024, 2 * MB
QUIET = 2.5  # seconds, after which room for requests is given back


class Herd:
    """Non-blocking connections that all do the same."""

    def __init__(self, node):
        self.place = (node.device.address, node.port)
        self.netns = node.device.far
        self.socks = []

    def grow(self, count):
        for begin in range(0, count, BATCH):
            with self.netns.inside():
                batch = [self.make() for _ in range(min(BATCH, count - begin))]
            self.each(batch, select.EPOLLOUT, self.connected)
            self.socks += batch

    def make(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * KB)
        sock.setblocking(False)
        sock.connect_ex(self.place)
        return sock

    @staticmethod
    def connected(sock):
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        check(error == 0, f"a connection failed with {error}")
        return True

    @staticmethod
    def each(socks, event, act, timeout=20):
        """Waits until act(sock) was true for each, called when the event is there."""
        waiting = {sock.fileno(): sock for sock in socks}
        end = time.monotonic() + timeout
        with select.epoll() as poll:
            for fd in waiting:
                poll.register(fd, event)
            while waiting:
                for fd, _ in poll.poll(max(0, end - time.monotonic())):
                    if act(waiting[fd]):
                        poll.unregister(fd)
                        del waiting[fd]
                if time.monotonic() >= end and waiting:
                    raise Failed(f"{len(waiting)} of {len(socks)} connections do not answer")

    def ask(self, number_to_args, number_to_reply):
        """Every connection sends its own command and gets its own reply."""
        wanted, got = {}, {}

        def take(sock):
            got[sock] += sock.recv(4096)
            check(wanted[sock].startswith(got[sock]), f"wanted {wanted[sock]}, found {got[sock]}")
            return got[sock] == wanted[sock]

        for begin in range(0, len(self.socks), BATCH):
            batch = self.socks[begin : begin + BATCH]
            for number, sock in enumerate(batch, begin):
                sock.send(encode(*number_to_args(number)))
                wanted[sock] = number_to_reply(number)
                got[sock] = b""
            self.each(batch, select.EPOLLIN, take)

    def leave(self):
        for sock in self.socks:
            sock.close()
        self.socks = []


def rss(node):
    with open(f"/proc/{node.pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * KB
    raise Failed("no line Anonymous in smaps_rollup")


def await_silence(node, conn):
    until("the connections to be gone", lambda: conn.info("clients")["connected_clients"] == "1")
    equal(node.telemetry("/millrace/tcp")["connections"], 0, "TCP connections left")


def memory(node, conn):
    info = conn.info("memory")
    return {
        "allocated": int(info["allocator_allocated"]),
        "clients": int(info["mem_clients_normal"]),
        "rss": rss(node),
    }


def test_each_works(node, conn, count):
    herd = Herd(node)
    conn.call("CONFIG", "SET", "maxclients", count + 1)
    herd.grow(count // 10)  # what is allocated once and for all
    herd.ask(lambda i: ("SET", f"own:{i}", i), lambda i: b"+OK\r\n")
    before = memory(node, conn)
    began = time.monotonic()
    herd.grow(count - count // 10)
    took = time.monotonic() - began
    herd.ask(lambda i: ("SET", f"own:{i % (count // 10)}", i), lambda i: b"+OK\r\n")
    herd.ask(lambda i: ("ECHO", i), lambda i: b"$%d\r\n%d\r\n" % (len(str(i)), i))
    equal(node.telemetry("/millrace/tcp")["connections"], count, "TCP connections")
    equal(conn.info("clients")["connected_clients"], str(count + 1), "connected_clients")
    time.sleep(QUIET)
    after = memory(node, conn)
    each = {name: (after[name] - before[name]) / (count - count // 10) for name in before}
    print(
        f"   {count} connections, the last {count - count // 10} in {took:.1f} s; bytes each: "
        f"{each['allocated']:.0f} allocated, {each['rss']:.0f} of resident memory, "
        f"{each['clients']:.0f} by mem_clients_normal",
        flush=True,
    )
    # Not counted there is rounding up.
    check(0.97 * each["clients"] <= each["allocated"] <= 1.3 * each["clients"], "mem_clients_normal")
    check(each["allocated"] <= IDLE_BYTES, f"an idle connection costs {each['allocated']:.0f} bytes")
    # Of what they took while they were busy pages may be left that malloc holds.
    bound = IDLE_BYTES + ROUNDING / (count - count // 10)
    check(each["rss"] <= bound, f"an idle connection costs {each['rss']:.0f} bytes of resident memory")
    with node.over_device() as late:
        equal(late.line(), b"-ERR max number of clients reached", "one too many")
    herd.ask(lambda i: ("PING",), lambda i: b"+PONG\r\n")
    herd.leave()
    await_silence(node, conn)
    # The same number again costs little more: what they had is used again.
    again = Herd(node)
    again.grow(count)
    again.ask(lambda i: ("PING",), lambda i: b"+PONG\r\n")
    time.sleep(QUIET)
    grown = {name: value - after[name] for name, value in memory(node, conn).items()}
    print(f"   the second {count}: {grown['allocated'] // count} allocated, {grown['rss'] // count} resident")
    # TIME_WAIT of the first is among it; malloc may have found no room where there was some.
    check(grown["allocated"] < count * 256, f"the second {count} cost {grown} bytes more")
    check(grown["rss"] < count * IDLE_BYTES, f"the second {count} cost {grown} bytes more")
    again.leave()
    await_silence(node, conn)


def test_large_requests(node, conn, count):
    """What large requests took is given back when their clients fall silent."""
    herd = Herd(node)
    herd.grow(count)
    herd.ask(lambda i: ("PING",), lambda i: b"+PONG\r\n")
    time.sleep(QUIET)
    before = memory(node, conn)
    names = [f"absent:{number}" for number in range(3000)]
    herd.ask(lambda i: ("DEL", *names), lambda i: b":0\r\n")
    herd.ask(lambda i: ("ECHO" if i % 2 else "echo", "e" * 40), lambda i: b"$40\r\n" + b"e" * 40 + b"\r\n")
    busy = memory(node, conn)
    time.sleep(QUIET)
    after = memory(node, conn)
    taken = (busy["allocated"] - before["allocated"]) / count
    left = (after["allocated"] - before["allocated"]) / count
    print(f"   {len(names)} arguments took {taken:.0f} bytes, {left:.0f} when all is quiet")
    check(taken > 1000, "the requests were not large")
    check(left < 256, f"each client keeps {left:.0f} bytes of a large request")
    herd.leave()
    await_silence(node, conn)


def test_all_together(node, conn, count):
    """Replies that nobody reads are bounded over all connections; who owes nothing stays."""
    bound, value = 32 * MB, 256 * KB
    conn.call("SET", "big", b"v" * value)
    quiet, greedy = Herd(node), Herd(node)
    quiet.grow(count)
    greedy.grow(count)
    evicted = int(conn.info("stats")["evicted_clients"])
    conn.call("CONFIG", "SET", "maxmemory-clients", bound)
    most = 0
    for sock in greedy.socks:
        sock.send(encode("GET", "big"))
        if sock is greedy.socks[-1] or greedy.socks.index(sock) % 50 == 0:
            most = max(most, int(conn.info("memory")["mem_clients_normal"]))
    until(
        "the clients to be below their bound",
        lambda: int(conn.info("memory")["mem_clients_normal"]) <= bound,
    )
    evicted = int(conn.info("stats")["evicted_clients"]) - evicted
    print(f"   {count} that do not read: {evicted} were closed, at most {most / MB:.1f} MB held")
    check(count * value > 2 * bound and evicted > 0, "the bound was not reached")
    check(evicted < count, "all were closed")
    quiet.ask(lambda i: ("PING",), lambda i: b"+PONG\r\n")
    conn.call("CONFIG", "SET", "maxmemory-clients", 0)
    quiet.leave()
    greedy.leave()
    await_silence(node, conn)


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=10000)
    args = parser.parse_args()
    need_files = args.connections + 1000
    hard = max(need_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (need_files, hard))
    far = lab.netns()
    far.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
    node = lab.start_on_device("node", lab.home, far, port=7451)
    with node.connect() as conn:
        test_each_works(node, conn, args.connections)
        test_large_requests(node, conn, args.connections // 50)
        test_all_together(node, conn, args.connections // 20)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
