#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends bounded floods of made-up frames to a node under test, from a namespace of the test's own.

usage: flood.py INTERFACE ELSEWHERE MAC ADDRESS ADDRESS6 PORT RATE SECONDS KIND[,KIND...]
                [SOURCE SPORT]...

Each KIND is a phase of so many SECONDS (at most 30 in all) at RATE frames a second:
      syn        SYNs from addresses and ports at random
      blind      ACK, RST, FIN and data with numbers at random, half of them from the SOURCEs given
      malformed  fragments, damaged headers, and options that make no sense under a right checksum
      neighbours ARP requests and neighbour solicitations, each from another station
      control    SYNs out of the interface ELSEWHERE: the sender's work, and none for the node
      quiet      nothing
Says "ready", then a line with KIND as each phase begins, then how many frames were sent to the node.
"""
import random
import socket
import struct
import sys
import time

NR_FRAMES = 4096
SYN_OPTIONS = bytes.fromhex("020405b40402080a000000010000000001030307")
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_frame(mac, src, dst, sport, dport, flags, options=b"", payload=b""):
    tcp = struct.pack(
        ">HHIIBBHHH",
        sport,
        dport,
        random.getrandbits(32),
        random.getrandbits(32) if flags & ACK else 0,
        (20 + len(options)) // 4 << 4,
        flags,
        65535,
        0,
        0,
    )
    tcp += options + payload
    pseudo = src + dst + struct.pack(">HH", socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + src + dst
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return mac + b"\x02\0\0\0\0\x77" + b"\x08\0" + ip + tcp


def stranger():
    return socket.inet_aton(f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}")


def syn(mac, dst, port):
    return tcp_frame(mac, stranger(), dst, random.randrange(1, 65536), port, SYN, SYN_OPTIONS)


def blind(mac, dst, port, sources):
    flags = random.choice((ACK, RST, RST | ACK, FIN | ACK, PSH | ACK, SYN, SYN | ACK))
    payload = b"*1\r\n$8\r\nFLUSHALL\r\n" if random.random() < 0.5 else b""
    if sources and random.random() < 0.5:
        src, sport = random.choice(sources)
    else:
        src, sport = stranger(), random.randrange(1, 65536)
    # Half of them with timestamps, so that it is not for want of these that they are refused.
    stamps = b"\1\1\x08\x0a" + random.randbytes(8) if random.random() < 0.5 else b""
    return tcp_frame(mac, src, dst, sport, port, flags, stamps, payload)


def fragment(mac, dst, port):
    frame = bytearray(syn(mac, dst, port))
    frame[20:22] = struct.pack(">H", random.choice((0x2000, 0x2001, 1, 185)))
    frame[24:26] = b"\0\0"
    frame[24:26] = struct.pack(">H", checksum(bytes(frame[14:34])))
    return bytes(frame)


def damaged(mac, dst, port):
    frame = bytearray(syn(mac, dst, port))
    frame[14 + random.randrange(len(frame) - 14)] ^= 1 << random.randrange(8)
    return bytes(frame[: random.randrange(34, len(frame) + 1)] if random.random() < 0.2 else frame)


def senseless(mac, dst, port):
    """Options whose lengths are zero, one, or lead out of the header, and options at random."""
    kind = random.choice((2, 3, 4, 5, 8, 34, 254))
    length = random.choice((0, 1, 3, 41, 255))
    options = bytes(random.choice((1, 0)) for _ in range(random.randrange(3)))
    options += bytes((kind, length)) + random.randbytes(random.choice((4, 12, 20)))
    options = options[: len(options) // 4 * 4]
    return tcp_frame(mac, stranger(), dst, random.randrange(1, 65536), port, SYN, options)


def malformed(mac, dst, port):
    return random.choice((fragment, damaged, senseless))(mac, dst, port)


def arp_request(dst):
    """From .3 to .199: the clients' own addresses, which nobody else may claim, are beyond."""
    station = b"\x02" + random.randbytes(5)
    sender = dst[:3] + bytes((random.randrange(3, 200),))
    arp = bytes.fromhex("0001080006040001") + station + sender + bytes(6) + dst
    return b"\xff" * 6 + station + b"\x08\x06" + arp


def solicitation(dst):
    station = b"\x02" + random.randbytes(5)
    sender = random.choice((dst[:8], bytes.fromhex("fe80000000000000"))) + random.randbytes(8)
    group = bytes.fromhex("ff0200000000000000000001ff") + dst[13:]
    icmp = bytes((135, 0, 0, 0)) + bytes(4) + dst + b"\1\1" + station
    pseudo = sender + group + struct.pack(">II", len(icmp), socket.IPPROTO_ICMPV6)
    icmp = icmp[:2] + struct.pack(">H", checksum(pseudo + icmp)) + icmp[4:]
    ip = struct.pack(">IHBB", 6 << 28, len(icmp), socket.IPPROTO_ICMPV6, 255) + sender + group
    return b"\x33\x33" + group[12:] + station + b"\x86\xdd" + ip + icmp


def neighbour(dst, dst6):
    return arp_request(dst) if random.random() < 0.5 else solicitation(dst6)


def frames_of(kind, mac, dst, dst6, port, sources):
    make = {
        "syn": lambda: syn(mac, dst, port),
        "blind": lambda: blind(mac, dst, port, sources),
        "malformed": lambda: malformed(mac, dst, port),
        "neighbours": lambda: neighbour(dst, dst6),
        "control": lambda: syn(b"\x02\0\0\0\0\x78", dst, port),
    }[kind]
    return [make() for _ in range(NR_FRAMES)]


def phase(sock, frames, rate, begin, end):
    """Returns how many were sent."""
    nr_sent = 0
    while (now := time.monotonic()) < end:
        while nr_sent < (now - begin) * rate:
            try:
                sock.send(frames[nr_sent % NR_FRAMES])
            except OSError:
                time.sleep(0.001)  # the interface's queue is full
            nr_sent += 1
        time.sleep(0.001)
    return nr_sent


def raw_socket(interface):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # receives nothing
    sock.bind((interface, 0))
    return sock


def main():
    if len(sys.argv) < 10:
        print(__doc__)
        return 2
    interface, elsewhere, mac, address, address6, port, rate, seconds, kinds = sys.argv[1:10]
    mac = bytes.fromhex(mac.replace(":", ""))
    dst, dst6 = socket.inet_aton(address), socket.inet_pton(socket.AF_INET6, address6)
    port, rate, kinds = int(port), int(rate), kinds.split(",")
    seconds = min(float(seconds), 30 / len(kinds))
    more = sys.argv[10:]
    sources = [(socket.inet_aton(a), int(p)) for a, p in zip(more[::2], more[1::2])]
    frames = {
        kind: frames_of(kind, mac, dst, dst6, port, sources) for kind in set(kinds) - {"quiet"}
    }
    here, there = raw_socket(interface), raw_socket(elsewhere)
    nr_sent = 0
    print("ready", flush=True)
    begin = time.monotonic()
    for kind in kinds:
        print(kind, flush=True)
        end = begin + seconds
        if kind == "quiet":
            time.sleep(max(0, end - time.monotonic()))
        elif kind == "control":
            phase(there, frames[kind], rate, begin, end)
        else:
            nr_sent += phase(here, frames[kind], rate, begin, end)
        begin = end
    print(nr_sent, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
