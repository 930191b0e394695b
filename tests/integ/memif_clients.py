#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients of net_memif that end at any moment of connecting, or are refused: the node serves the
others, and has no descriptor and no memory of theirs left.

usage: memif_clients.py [--connects N] [--seed N]
"""
import argparse
import mmap
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

from lab import BUILD, Failed, check, equal, run_test, until

LOAD = os.path.join(BUILD, "perf", "load", "millrace-load")
PORT = 7432
SERVER, CLIENT = "10.79.0.2", "10.79.0.1"
MESSAGE_BYTES = 128
ACK, HELLO, INIT, ADD_REGION, ADD_RING, CONNECT, CONNECTED, DISCONNECT = range(1, 9)
VERSION, COOKIE = 2 << 8, 0x3E31F20
RING_BYTES, RINGS_BYTES = 128 + 16 * 16, 4096


def message(kind, body=b""):
    return (struct.pack("<H", kind) + body).ljust(MESSAGE_BYTES, b"\0")


def ring(index, to_server):
    return struct.pack("<HHHIBH", to_server, index, 0, 0 if to_server else RING_BYTES, 4, 0)


class Client:
    """A client by hand, step by step; each step's name tells what it has done."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(5)
        self.path = path

    def answer(self, wanted):
        got = self.sock.recv(MESSAGE_BYTES)
        kind = struct.unpack_from("<H", got)[0] if got else None
        if kind == DISCONNECT and wanted != DISCONNECT:
            raise ConnectionRefusedError(got[6:].rstrip(b"\0").decode())
        equal(kind, wanted, f"answer of the node: {got[:40]}")

    def offer(self, kind, body, fd):
        socket.send_fds(self.sock, [message(kind, body)], [fd])
        os.close(fd)

    def offer_region(self):
        fd = os.memfd_create("region")
        os.ftruncate(fd, RINGS_BYTES)
        with mmap.mmap(fd, RINGS_BYTES) as memory:
            for at in (0, RING_BYTES):
                memory[at : at + 4] = struct.pack("<I", COOKIE)
        self.offer(ADD_REGION, struct.pack("<HQ", 0, RINGS_BYTES), fd)

    def offer_ring(self, index, to_server):
        self.offer(ADD_RING, ring(index, to_server), os.eventfd(0))

    def connect(self):
        """Waits while those who came before fill the queue of the listening socket."""
        until("connect", lambda: not self.sock.connect(self.path), 20, 0.001)

    def steps(self):
        yield "says nothing", self.connect
        yield "has heard HELLO", lambda: self.answer(HELLO)
        yield "asks", lambda: self.sock.send(message(INIT, struct.pack("<HIB", VERSION, 0, 0)))
        yield "may connect", lambda: self.answer(ACK)
        yield "offers memory", self.offer_region
        yield "shares memory", lambda: self.answer(ACK)
        yield "offers a ring", lambda: self.offer_ring(0, 1)
        yield "shares a ring", lambda: self.answer(ACK)
        yield "offers the other ring", lambda: self.offer_ring(0, 0)
        yield "shares both rings", lambda: self.answer(ACK)
        yield "connects", lambda: self.sock.send(message(CONNECT, b"by hand"))
        yield "is connected", lambda: self.answer(CONNECTED)

    def odd_steps(self):
        """Messages that the node refuses, after so many steps."""
        yield 2, "is too short", lambda: self.sock.send(b"hello")
        yield 2, "is another's", lambda: self.sock.send(message(CONNECT))
        yield 2, "asks for another device", lambda: self.sock.send(
            message(INIT, struct.pack("<HIB", VERSION, 7, 0))
        )
        yield 6, "has too many rings", lambda: self.offer_ring(9, 1)
        yield 6, "has the region again", self.offer_region
        yield 6, "has no such message", lambda: self.sock.send(message(99))

    def go(self, count):
        for number, (_, step) in enumerate(self.steps()):
            if number == count:
                return
            step()

    def end(self):
        self.sock.close()


NR_STEPS = len(list(Client("").steps()))
NR_ODD = len(list(Client("").odd_steps()))


def come_and_go(path, way):
    """One client; False when it was refused because another one's end had not been seen yet."""
    client = Client(path)
    try:
        if way < NR_STEPS:
            client.go(way + 1)
        else:
            count, _, step = list(client.odd_steps())[way - NR_STEPS]
            client.go(count)
            step()
            client.answer(DISCONNECT)
        return True
    except ConnectionRefusedError as why:
        check("Already connected" in str(why), f"refused: {why}")
        return False
    finally:
        client.end()


def name_of(way):
    if way < NR_STEPS:
        return list(Client("").steps())[way][0]
    return list(Client("").odd_steps())[way - NR_STEPS][1]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_kept(pid):
    """Regions of clients that the node has mapped, or has open."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        found = [line for line in maps if "/memfd:region" in line]
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found += [fd] * ("/memfd:region" in os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue  # closed meanwhile
    return found


def all_ways(node, path, count, draw):
    """Each way about as often, in any order."""
    until("the node listens", lambda: come_and_go(path, 0), 10)
    before = descriptors(node.pid)
    for number in range(count):
        way = draw.randrange(NR_STEPS + NR_ODD)
        try:
            until("the last one's end is seen", lambda w=way: come_and_go(path, w), 5, 0.001)
        except (OSError, Failed) as why:
            raise Failed(f"client {number}, which {name_of(way)}: {why!r}") from None
        if number % 50 == 0:
            equal(node.call("PING"), b"PONG", "PING meanwhile")
    until("no memory of theirs", lambda: not memory_kept(node.pid), 5)
    until("no descriptor of theirs", lambda: descriptors(node.pid) <= before, 5)


def load_start(lab, path, *args):
    nic = f"net_memif0,role=client,id=0,socket={path},socket-abstract=no"
    return lab.spawn(
        *(LOAD, "--nic", nic, "--nic-address", f"{CLIENT}/24", "--server", SERVER),
        *("--port", str(PORT), "--keys", "100", "--warm-up", "0.1", "--quiet", *args),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def real_ones_killed(lab, path, count, draw):
    """millrace-load, which gets SIGKILL at some moment of its start."""
    for _ in range(count):
        process = load_start(lab, path, "--seconds", "30")
        time.sleep(draw.uniform(0.05, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)


def beside_a_real_one(lab, node, path, count, draw):
    """A client that is connected does not notice those that come and go."""
    process = load_start(lab, path, "--load", "--seconds", "2")
    try:
        until("the real one is at work", lambda: int(node.call("DBSIZE")) > 0, 20)
        for _ in range(count):
            come_and_go(path, draw.randrange(NR_STEPS + NR_ODD))
    finally:
        text = process.communicate(timeout=40)[0]
    equal(process.returncode, 0, f"exit status of the real one with\n{text}\n")


def test(lab):
    parser = argparse.ArgumentParser()
    parser.add_argument("--connects", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    draw = random.Random(args.seed)
    path = os.path.join(lab.dir, "node.sock")
    options = [
        *("--nic", f"net_memif0,role=server,id=0,socket={path},socket-abstract=no"),
        *("--nic-address", f"{SERVER}/24", "--protected-mode", "no"),
    ]
    node = lab.node("node", lab.home, PORT, options=options, pool_size="64mb").start()
    all_ways(node, path, args.connects, draw)
    real_ones_killed(lab, path, 8, draw)
    beside_a_real_one(lab, node, path, 200, draw)
    until("no memory of theirs", lambda: not memory_kept(node.pid), 5)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
