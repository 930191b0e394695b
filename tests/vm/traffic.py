# SPDX-License-Identifier: BSD-3-Clause
"""Clients across a NIC of the guest, and what has to be true of their traffic."""
import hashlib
import re
import socket
import subprocess
import time

import writer
from lab import Failed, check, equal, need, until

ETH_P_ARP = 0x0806
SIZES = (0, 1, 100, 1447, 1448, 1449, 5000, 70000, 500000)


def connect_all(node, nic, v6):
    """Connections over a NIC, at least one on each poll core."""
    conns = []
    while len(conns) < 40:
        conns.append(node.connect(nic, v6=v6))
        conns[-1].call("PING")
        if all(core["clients"] for core in node.cores()):
            return conns
    raise Failed(f"{nic}: {len(conns)} connections, and not one on some poll core: {node.cores()}")


def sizes(node, nic, v6):
    """Values of many sizes there and back, over several cores at once."""
    conns = connect_all(node, nic, v6)
    for number, conn in enumerate(conns):
        for size in SIZES:
            conn.send("SET", f"size:{nic.number}:{number}:{size}", pattern(number, size))
    for conn in conns:
        equal([conn.read() for _ in SIZES], [b"OK"] * len(SIZES), f"{nic}: answers to SET")
    for number, conn in enumerate(conns):
        for size in SIZES:
            value = conn.call("GET", f"size:{nic.number}:{number}:{size}")
            check(value == pattern(number, size), f"{nic}: a value of {size} bytes came back other")
    for conn in conns:
        conn.close()


def pattern(number, size):
    block = hashlib.sha256(b"%d:%d" % (number, size)).digest()
    return (block * (size // len(block) + 1))[:size]


def calls(node, names):
    stats = node.info("commandstats")
    return {name: int(stats.get(f"cmdstat_{name}", "calls=0,").split(",")[0][6:]) for name in names}


def benchmark(node, nic, count=1000):
    """redis-benchmark, with the rates that it saw; emulated processors make them low. What it asked
    for is what was counted."""
    need("redis-benchmark")
    names = ("set", "get", "incr")
    before = calls(node, names)
    args = ["redis-benchmark", "-h", nic.address, "-p", str(node.port), "-q", "-n", str(count)]
    done = subprocess.run(
        [*args, "-c", "16", "-P", "4", "-d", "64", "-t", ",".join(names)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout.replace("\r", "\n")
    rates = re.findall(r"^([A-Z]+): ([\d.]+) requests per second", said, re.M)
    equal((done.returncode, len(rates)), (0, 3), f"{nic}: redis-benchmark: {said[-300:]}")
    grown = {name: number - before[name] for name, number in calls(node, names).items()}
    equal(grown, dict.fromkeys(names, count), f"{nic}: redis-benchmark: calls counted")
    print(f"{nic}: " + ", ".join(f"{name} {float(rate):.0f}/s" for name, rate in rates), flush=True)


def packets(node, nic, does, size=500000):
    """One large value there and back: in few packets where the device does the cutting ("send") or
    has put together what came ("receive"), in one for each segment where it does not."""
    value = pattern(77, size)
    segments = size // 1460
    counted = [node.cores()]
    with node.connect(nic) as conn:
        equal(conn.call("SET", "packets", value), b"OK", f"{nic}: SET")
        counted.append(node.cores())
        check(conn.call("GET", "packets") == value, f"{nic}: another value came back")
        counted.append(node.cores())
    for what, key, (before, after) in (
        ("receive", "rx_pkts", counted[:2]),
        ("send", "tx_pkts", counted[1:]),
    ):
        moved = sum(core[key] for core in after) - sum(core[key] for core in before)
        if what in does:
            check(moved < segments / 2, f"{nic}: {moved} packets to {what} {segments} segments")
        else:
            check(moved >= segments, f"{nic}: {moved} packets to {what} {segments} segments")
        print(f"{nic}: {moved:.0f} packets to {what} {segments} segments", flush=True)


def write(node, nic, prefix, connections=4):
    return writer.Writer(
        lambda: node.connect(nic), prefix=prefix, connections=connections, pipeline=8
    ).start()


def progress(running, nic, what, timeout=30):
    """Every connection of a writer gets further."""
    before = [stream.acked for stream in running.streams]

    def further():
        for stream in running.streams:
            check(stream.is_alive(), f"{nic}: {what}: {stream.end}")
        return all(stream.acked > was for stream, was in zip(running.streams, before))

    until(f"{nic}: every writer gets further, {what}", further, timeout)


def verify(node, running, nic):
    """What was acknowledged is there; the number of it."""
    with node.connect(nic) as conn:
        verdict = writer.verify(conn, running.state())
    equal((verdict.found, verdict.faults), (verdict.acked, []), f"{nic}: acknowledged writes found")
    check(verdict.acked > 0, f"{nic}: nothing was acknowledged")
    return verdict.acked


def await_announcement(sock, nic, timeout=10):
    """A request for the node's address that comes from that address (gratuitous ARP)."""
    address = socket.inet_aton(nic.address)
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        sock.settimeout(max(0.01, end - time.monotonic()))
        frame = sock.recv(2048)
        if frame[20:22] == b"\0\1" and frame[28:32] == frame[38:42] == address:
            return
    raise Failed(f"{nic}: the link is back, and the node did not announce itself")


def link_loss(guest, node, nic):
    """The link goes down under load and comes back; no connection ends, nothing is lost, the node
    says so and announces itself anew."""
    name = f"nic {nic.pci}: link"
    running = write(node, nic, f"link{nic.number}")
    progress(running, nic, "at first")
    guest.qmp.call("set_link", name=nic.name, up=False)
    until(f"{nic}: word of the loss", lambda: f"{name} down" in node.log, 20)
    time.sleep(0.5)  # answers that had come are read
    during = running.acked
    time.sleep(0.5)
    equal(running.acked, during, f"{nic}: acknowledged writes without a link")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP)) as sock:
        sock.bind((nic.tap, ETH_P_ARP))
        guest.qmp.call("set_link", name=nic.name, up=True)
        try:
            await_announcement(sock, nic)
        except TimeoutError:
            raise Failed(f"{nic}: no ARP at all when the link was back") from None
    progress(running, nic, "the link is back")
    until(f"{nic}: word of the link's return", lambda: f"{name} up" in node.log, 5)
    running.stop()
    acked = verify(node, running, nic)
    print(f"{nic}: link lost and found, {acked} writes", flush=True)


def handed_over(before, after):
    """The share of frames that came to another core than their flow's."""
    handed, received = (
        sum(core[what] for core in after) - sum(core[what] for core in before)
        for what in ("rx_handed_over", "rx_pkts")
    )
    return handed / received


def by_queue(before, after):
    """Frames that each of two cores took from its queue of the device: what the other one handed over
    comes on top of those."""
    check(len(after) == 2, f"two poll cores: {len(after)}")
    grown = [{key: b[key] - a[key] for key in b} for a, b in zip(before, after)]
    return [own["rx_pkts"] - other["rx_handed_over"] for own, other in (grown, grown[::-1])]


def outgoing(lab, node, nic):
    """A connection that the node opens across the NIC: it replicates. The share of frames that came
    to another core."""
    stock = lab.stock("stock", bind=f"127.0.0.1 {nic.peer}").start()
    before = node.cores()
    node.call("REPLICAOF", nic.peer, str(stock.port))
    until("the link", lambda: node.info("replication")["master_link_status"] == "up", 60)
    with stock.connect() as conn:
        conn.pipeline([("SET", f"out:{i}", pattern(i, 1000)) for i in range(500)])
    until("equal data", lambda: node.call("DEBUG", "DIGEST") == stock.call("DEBUG", "DIGEST"), 30)
    share = handed_over(before, node.cores())
    node.call("REPLICAOF", "NO", "ONE")
    return share


def drive(node, nic):
    """Values and redis-benchmark. What each core counted before and after."""
    before = node.cores()
    began = time.monotonic()
    for v6 in (False, True):
        sizes(node, nic, v6)
    benchmark(node, nic)
    after = node.cores()
    gained = [{key: b[key] - a[key] for key in b} for a, b in zip(before, after)]
    for number, core in enumerate(gained):
        for what in ("rx_pkts", "tx_pkts", "commands"):
            check(core[what] > 0, f"{nic}: core {number} has no {what}: {gained}")
    print(f"{nic}: driven for {time.monotonic() - began:.1f} s", flush=True)
    return before, after
