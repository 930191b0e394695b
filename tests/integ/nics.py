#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Devices of more than one kind, and more than one of them: two nics with both families each, routes
to them and behind a gateway, a link that goes and comes, a VLAN, and large packets."""
import hashlib
import os
import socket
import struct
import sys
import time

from lab import check, equal, run_test, until
from resp import Resp

BULK = 3 << 20
TCP_INFO_RCV_MSS = 8 + 4 * 3  # offset in struct tcp_info


def test_bulk(node, device, address):
    """A large value there and back; returns the largest segment that came."""
    with Resp((address, node.port), 20, device.far.socket) as conn:
        value = os.urandom(BULK)
        equal(conn.call("SET", "bulk", value), b"OK", f"{address}: SET of {BULK} bytes")
        back = conn.call("GET", "bulk")
        equal(hashlib.sha256(back).digest(), hashlib.sha256(value).digest(), f"{address}: GET")
        info = conn.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        return struct.unpack_from("I", info, TCP_INFO_RCV_MSS)[0]


def answers(node, device, address):
    with Resp((address, node.port), 2, device.far.socket) as conn:
        return conn.call("PING") == b"PONG"


def replica_ip(stock):
    listed = stock.info("replication").get("slave0", "ip=,")
    return listed.split("ip=")[1].split(",")[0]


def test_routes(lab, node, devices):
    """The node dials out by the nic whose network it is, and else by the gateway of the first."""
    first, second = devices
    first.far.ip("addr", "add", "192.0.2.1/32", "dev", "lo")
    first.far.ip("addr", "add", "2001:db8:ff::1/128", "dev", "lo")
    stocks = [
        lab.stock(
            f"stock{i}", device.far, 7420, bind=f"127.0.0.1 {device.peer} {device.peer6} {more}"
        ).start()
        for i, (device, more) in enumerate(((first, "192.0.2.1 2001:db8:ff::1"), (second, "")))
    ]
    for stock, target, source in (
        (stocks[0], first.peer, first.address),
        (stocks[1], second.peer, second.address),
        (stocks[1], second.peer6, second.address6),
        (stocks[0], "192.0.2.1", first.address),
        (stocks[0], "2001:db8:ff::1", first.address6),
    ):
        node.call("REPLICAOF", target, 7420)
        until(
            f"link to {target} from {source}",
            lambda stock=stock, source=source: replica_ip(stock) == source,
            20,
        )
        node.call("REPLICAOF", "NO", "ONE")
    for stock in stocks:
        stock.stop()


def test_link(node, device):
    """The far end goes down for a while: that is seen, and what the node says to a connection
    meanwhile arrives soon after."""
    name = device.nic.split(",")[0]
    with Resp((device.address6, node.port), 30, device.far.socket) as conn:
        equal(conn.call("MONITOR"), b"OK", "MONITOR")
        device.far.ip("link", "set", device.far_iface, "down")
        until("link down in the log", lambda: f"{name}: link down" in node.log_text(), 5)
        node.call("SET", "while", "down")
        time.sleep(2.5)
        device.far.ip("link", "set", device.far_iface, "up")
        # The kernel forgets IPv6 addresses of an interface that goes down.
        device.far.ip("addr", "replace", device.peer6 + "/64", "dev", device.far_iface, "nodad")
        began = time.monotonic()
        until("link up in the log", lambda: f"{name}: link up" in node.log_text(), 5)
        said = conn.read()
        took = time.monotonic() - began
        check(b'"SET" "while" "down"' in said, f"MONITOR said {said}")
        check(took < 2, f"it took {took:.2f} s after the link was back")
    counters = node.telemetry("/millrace/tcp")
    equal((counters["link_down"], counters["link_up"]), (1, 1), "links lost and found")


def test_two(lab):
    devices = [lab.device(lab.home, lab.netns(f"f{i}"), number=i, v6=True) for i in range(2)]
    second = devices[1]
    node = lab.node(
        "two",
        lab.home,
        7421,
        device=devices[0],
        options=[
            *("--nic-gateway", devices[0].gateways),
            *("--nic", second.nic, "--nic-address", second.cidr),
        ],
    ).start()
    for device in devices:
        for address in (device.address, device.address6):
            until(address, lambda d=device, a=address: answers(node, d, a), 10)
            check(test_bulk(node, device, address) <= 1460, "segments are too large")
    test_routes(lab, node, devices)
    test_link(node, second)
    equal(node.stop(), 0, "exit status")
    for device in devices:
        device.remove()


def untagged_hello(middle):
    """An ARP question for the node without a tag, straight into its side of the wire."""
    with middle.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("left", 0))
        mac = sock.getsockname()[4]
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + bytes([10, 77, 2, 1])
        sock.send(b"\xff" * 6 + mac + b"\x08\x06" + arp + bytes(6) + bytes([10, 77, 2, 2]))


def test_vlan(lab):
    """The wire passes nothing from the node but what has its tag."""
    far, middle = lab.netns("v"), lab.netns("vm")
    device = lab.device(lab.home, far, "net_af_xdp", 2, middle, v6=True, vlan=77)
    node = lab.node("vlan", lab.home, 7422, device=device).start()
    for address in (device.address, device.address6):
        until(address, lambda a=address: answers(node, device, a), 10)
        test_bulk(node, device, address)
    dropped = node.telemetry("/millrace/tcp")["drop_eth_vlan"]
    untagged_hello(middle)
    until(
        "the untagged frame is counted",
        lambda: node.telemetry("/millrace/tcp")["drop_eth_vlan"] == dropped + 1,
        5,
    )
    equal(node.stop(), 0, "exit status")
    device.wire.stdin.close()
    device.wire.wait()
    device.remove()


def test_copies(node, kind):
    """A device that copies for itself is shown the values where they lie; another is not."""
    facts, counters = node.telemetry("/millrace/nic,0"), node.telemetry("/millrace/tcp")
    sent, shown = counters["tcp_bytes_out"], counters["tcp_bytes_by_reference"]
    large = counters["tcp_bulk_segs"]
    check(sent > 2 * BULK, f"{kind}: only {sent} bytes were sent")
    if kind == "net_af_packet":
        equal(facts["by_reference"], 1, f"{kind}: by reference")
        check(shown > 0.95 * sent, f"{kind}: {shown} of {sent} bytes were not copied")
        check(large > BULK / 9000, f"{kind}: only {large} segments were built several at once")
    else:
        equal((facts["by_reference"], shown, large), (0, 0, 0), f"{kind}: by reference")


def test_sync(lab, node, device, number):
    """A replica across the device gets the snapshot, which is not copied on its way either, and then
    the log."""
    with Resp((device.address, node.port), 20, device.far.socket) as conn:
        for i in range(8):
            conn.call("SET", f"sync:{i}", os.urandom(BULK // 4))
    before = node.telemetry("/millrace/tcp")["tcp_bytes_by_reference"]
    stock = lab.stock(f"replica{number}", device.far, 7424 + number).start()
    stock.call("REPLICAOF", device.address, node.port)
    until(
        "the replica's link", lambda: stock.info("replication")["master_link_status"] == "up", 30
    )
    node.call("SET", "after", "the snapshot")
    until("the log", lambda: stock.call("GET", "after") == b"the snapshot", 10)
    equal(stock.call("DEBUG", "DIGEST"), node.call("DEBUG", "DIGEST"), "digests")
    shown = node.telemetry("/millrace/tcp")["tcp_bytes_by_reference"] - before
    if device.kind == "net_af_packet":
        check(shown > 2.8 * BULK, f"only {shown} bytes of the snapshot were not copied")
    else:
        equal(shown, 0, "bytes by reference")
    stock.stop()


def test_jumbo(lab, kind, mtu, number):
    far = lab.netns(f"j{number}")
    device = lab.device(lab.home, far, kind, number, v6=True, mtu=mtu)
    node = lab.node(f"jumbo{number}", lab.home, 7423, device=device).start()
    for address, headers in ((device.address, 52), (device.address6, 72)):
        until(address, lambda a=address: answers(node, device, a), 10)
        equal(test_bulk(node, device, address), mtu - headers, f"{kind}: a full segment")
    test_copies(node, kind)
    test_sync(lab, node, device, number)
    equal(node.stop(), 0, "exit status")
    device.remove()


def test(lab):
    test_two(lab)
    test_vlan(lab)
    test_jumbo(lab, "net_af_packet", 9000, 3)
    test_jumbo(lab, "net_af_xdp", 3300, 4)


if __name__ == "__main__":
    sys.exit(run_test(test))
