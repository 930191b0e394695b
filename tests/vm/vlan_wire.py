#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A wire on which every frame has a VLAN's tag, between a NIC of a guest and a tap interface of the
kernel, whose frames have none: the kernel of a test machine may know no VLANs.

usage: vlan_wire.py IFACE VLAN OWN-PORT QEMU-PORT

QEMU's side are UDP datagrams on the loopback, a frame each. What comes from there without the tag,
or with another VLAN, is dropped. Says "ready" when the interface is there; runs until it is ended.
"""
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
TPID = b"\x81\x00"
FRAME_MAX = 65536


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def main():
    name, vlan, own, qemu = sys.argv[1], *(int(word) for word in sys.argv[2:5])
    tag = TPID + struct.pack("!H", vlan)
    tap = open_tap(name)
    wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire.bind(("127.0.0.1", own))
    wire.connect(("127.0.0.1", qemu))
    print("ready", flush=True)
    while True:
        for end in select.select([tap, wire], [], [])[0]:
            try:
                if end is tap:
                    frame = os.read(tap, FRAME_MAX)
                    wire.send(frame[:12] + tag + frame[12:])
                    continue
                frame = wire.recv(FRAME_MAX)
                if frame[12:14] == TPID and struct.unpack_from("!H", frame, 14)[0] & 0xFFF == vlan:
                    os.write(tap, frame[:12] + frame[16:])
            except ConnectionRefusedError:
                pass  # QEMU is not there yet


if __name__ == "__main__":
    main()
