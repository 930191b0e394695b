#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A wire between two kernel interfaces that loses, repeats, reorders and damages packets; for tests
of a TCP.

usage: bad_wire.py --seed N [--vlan N] IFACE IFACE

Reads settings from standard input, one a line:

    loss=0.01 repeat=0.05 reorder=0.1 damage=0.01        (chances, each 0 when not named)

and answers each line with "set". Runs until its input ends, and then prints how many packets met
which fate. A packet that is reordered is held until a few later ones, or 5 ms, have passed it. With
--vlan the first interface is a trunk: what comes from there must have that tag, and loses it; what
goes there gets it.
"""
import argparse
import random
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 1 << 4
ETH_P_8021Q = 0x8100
HOLD_SECONDS = 0.005
HEADERS = 14  # damage spares the Ethernet header: the wire would deliver such a frame to nobody


class Wire:
    """One direction: what is received here goes out of the other side."""

    def __init__(self, source, target, chance, fates):
        self.source, self.target, self.chance, self.fates = source, target, chance, fates
        self.held = []  # (packets still to pass it, when it goes at the latest, packet)

    def put(self, packet):
        try:
            self.target.send(packet)
        except OSError:
            self.fates["refused"] = self.fates.get("refused", 0) + 1

    def count(self, fate):
        self.fates[fate] = self.fates.get(fate, 0) + 1

    def meets(self, fate):
        happens = random.random() < self.chance.get(fate, 0)
        if happens:
            self.count(fate)
        return happens

    def carry(self, packet, now):
        self.count("packets")
        if self.meets("loss"):
            return
        if len(packet) > HEADERS and self.meets("damage"):
            damaged = bytearray(packet)
            damaged[random.randrange(HEADERS, len(packet))] ^= 1 << random.randrange(8)
            packet = bytes(damaged)
        if self.meets("reorder"):
            self.held.append([random.randint(1, 5), now + HOLD_SECONDS, packet])
            return
        self.put(packet)
        if self.meets("repeat"):
            self.put(packet)
        for entry in self.held:
            entry[0] -= 1
        self.let_go(now)

    def let_go(self, now):
        going = [entry for entry in self.held if entry[0] <= 0 or entry[1] <= now]
        self.held = [entry for entry in self.held if not (entry[0] <= 0 or entry[1] <= now)]
        for entry in going:
            self.put(entry[2])


def tagged(packet, vlan):
    return packet[:12] + struct.pack("!HH", ETH_P_8021Q, vlan) + packet[12:]


def receive(sock):
    """A packet and its VLAN, 0 without one: the kernel has taken the tag out of the packet."""
    packet, aux, _, _ = sock.recvmsg(1 << 17, 128)
    for level, kind, data in aux:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack_from("IIIHHHH", data)
            if status & TP_STATUS_VLAN_VALID:
                return packet, tci & 0xFFF
    return packet, 0


def side(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    sock.bind((name, ETH_P_ALL))
    sock.setblocking(False)
    return sock


def settings(line):
    return {name: float(value) for name, value in (word.split("=") for word in line.split())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--vlan", type=int, default=0)
    parser.add_argument("ifaces", nargs=2)
    args = parser.parse_args()
    random.seed(args.seed)
    chance, fates = {}, {}
    left, right = (side(name) for name in args.ifaces)
    wires = {left: Wire(left, right, chance, fates), right: Wire(right, left, chance, fates)}
    while True:
        waiting = any(wire.held for wire in wires.values())
        ready, _, _ = select.select([*wires, sys.stdin], [], [], HOLD_SECONDS if waiting else None)
        now = time.monotonic()
        for source in ready:
            if source is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    print(
                        " ".join(f"{fate}={count}" for fate, count in sorted(fates.items())),
                        flush=True,
                    )
                    return 0
                chance.clear()
                chance.update(settings(line))
                print("set", flush=True)
                continue
            for _ in range(64):
                try:
                    packet, vlan = receive(source)
                except BlockingIOError:
                    break
                if vlan != (args.vlan if source is left else 0):
                    wires[source].count("foreign")
                    continue
                if args.vlan and source is right:
                    packet = tagged(packet, args.vlan)
                wires[source].carry(packet, now)
        for wire in wires.values():
            wire.let_go(now)


if __name__ == "__main__":
    sys.exit(main())
