#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Connections over a device come and go, in every way there is, and nothing stays behind: no client,
no TCP connection, no packet, no descriptor, no memory.

usage: churn.py [--connects N]
"""
import argparse
import select
import socket
import struct
import sys
import time

from lab import Failed, check, equal, run_test, until
from resp import encode

KB = 1 << 10
BATCH = 96
VALUE = 20 * KB
RING_PACKETS = 64
SLACK, TIME_WAIT_BYTES = 512 * KB, 192  # what memory may grow by: caches and blocks half used
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST

# What the client says; what it waits for, None: the end; and whether its own end is an RST.
WAYS = (
    ("asks, closes", encode("PING"), b"+PONG\r\n", False),
    ("asks, resets", encode("PING"), b"+PONG\r\n", True),
    ("has the node close", encode("QUIT"), None, False),
    ("breaks the protocol", b"*1\r\n!\r\n", None, False),
    ("leaves in the middle of a command", encode("SET", "key", "value")[:20], b"", False),
    ("resets in the middle of a command", encode("SET", "key", "value")[:20], b"", True),
    ("says nothing, closes", b"", b"", False),
    ("says nothing, resets", b"", b"", True),
    ("writes, closes", encode("SET", "key", "value"), b"+OK\r\n", False),
    ("resets with replies under way", encode("GET", "big") * 3, b"$", True),
    ("closes with replies under way", encode("GET", "big") * 3, b"$", False),
    ("does not wait for its reply", encode("GET", "big"), b"", True),
)


class Batch:
    """Connections that live at the same time, a way each."""

    def __init__(self, device, port, first):
        self.poll = select.epoll()
        self.waiting = {}
        with device.far.inside():
            socks = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(BATCH)]
        for number, sock in enumerate(socks, first):
            sock.setblocking(False)
            sock.connect_ex((device.address, port))
            self.waiting[sock.fileno()] = (sock, WAYS[number % len(WAYS)])
            self.poll.register(sock.fileno(), select.EPOLLOUT)

    def run(self):
        end = time.monotonic() + 20
        while self.waiting:
            for fd, event in self.poll.poll(1):
                self.serve(fd, event)
            check(time.monotonic() < end, f"{[way[0] for _, way in self.waiting.values()]}: no end")
        self.poll.close()

    def serve(self, fd, event):
        sock, (_, says, awaits, is_reset) = self.waiting[fd]
        if not event & select.EPOLLIN:
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            check(error == 0, f"a connection failed with {error}")
            if says:
                sock.send(says)
            if awaits != b"":
                self.poll.modify(fd, select.EPOLLIN)
                return
        elif awaits is None:
            if sock.recv(4 * KB):
                return
        else:
            got = sock.recv(len(awaits))
            check(got == awaits, f"wanted {awaits}, found {got}")
        if is_reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        del self.waiting[fd]
        sock.close()


def anonymous_bytes(node):
    with open(f"/proc/{node.pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * KB
    raise Failed("no line Anonymous in smaps_rollup")


def state(node, conn):
    """What is there when every client has gone."""
    def tcp_is_done():
        tcp = node.telemetry("/millrace/tcp")
        return tcp["connections"] == tcp["queued_packets"] == 0

    until("the clients to be gone", lambda: conn.info("clients")["connected_clients"] == "1", 60)
    until("TCP to be done with them", tcp_is_done, 120)
    memory = conn.info("memory")
    return {
        "packets": node.telemetry("/millrace/packets")["nic0_free"],
        "allocated": int(memory["allocator_allocated"]),
        "anonymous": anonymous_bytes(node),
        "time_wait": node.telemetry("/millrace/tcp")["time_wait"],
    }


def churn(node, first, count):
    for number in range(first, first + count, BATCH):
        Batch(node.device, node.port, number).run()


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--connects", type=int, default=24000)
    args = parser.parse_args()
    far = lab.netns()
    # The kernel would run out of ports: it may use those in TIME_WAIT again after a second.
    for setting in ("tcp_tw_reuse=1", "ip_local_port_range=1024 65535"):
        far.run("sysctl", "-qw", f"net.ipv4.{setting}")
    node = lab.start_on_device("node", lab.home, far, port=7461)
    with node.connect() as conn:
        conn.call("SET", "big", b"v" * VALUE)
        warm = max(BATCH * 50, min(args.connects // 5, 100000))
        churn(node, 0, warm)
        before = state(node, conn)
        accepted = node.telemetry("/millrace/tcp")["tcp_accepted"]
        began = time.monotonic()
        churn(node, warm, args.connects)
        took = time.monotonic() - began
        accepted = node.telemetry("/millrace/tcp")["tcp_accepted"] - accepted
        after = state(node, conn)
        print(f"   {accepted} connections in {took:.0f} s, {accepted / took:.0f}/s")
        print(f"   before {before}\n   after  {after}", flush=True)
        check(accepted >= args.connects, f"only {accepted} were accepted")
        lost = before["packets"] - after["packets"]  # some lie in the device's rings
        check(abs(lost) <= RING_PACKETS, f"{lost} packets are missing")
        time_wait = max(0, after["time_wait"] - before["time_wait"]) * TIME_WAIT_BYTES
        for what in ("allocated", "anonymous"):
            grown = after[what] - before[what]
            check(grown <= SLACK + time_wait, f"{what} grew by {grown} bytes")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
