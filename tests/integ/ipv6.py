#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 over the node's own device: ping, redis-cli, values of a megabyte, replication with
redis-server in both directions, and an address that another station has already."""
import hashlib
import os
import sys

from lab import check, equal, grep, need, run_test, until
from resp import Resp

BULK = 1 << 20


def test_ping(node, far, iface):
    """The kernel's idea of the node's link-local address is that of its MAC."""
    mac = grep(r"nic: .* mac=([0-9a-f:]{17})", node.log_text())[0].split(":")
    local = "fe80::{:02x}{}:{}ff:fe{}:{}{}".format(
        int(mac[0], 16) ^ 2, mac[1], mac[2], mac[3], mac[4], mac[5]
    )
    targets = [node.device.address6, node.device.address]
    if node.device.kind != "net_tap":  # both ends of a tap have one MAC, and so one such address
        targets.append(f"{local}%{iface}")
    for target in targets:
        for size in ("56", "1400"):
            said = far.run("ping", "-n", "-c", "3", "-i", "0.1", "-W", "5", "-s", size, target)
            check(" 0% packet loss" in said, f"ping {target}: {said}")
    said = far.run("redis-cli", "-h", targets[-1], "-p", str(node.port), "SET", "by", "cli")
    equal(said.strip(), "OK", f"redis-cli to {targets[-1]}")


def test_commands(node, far):
    device = node.device
    cli = ["redis-cli", "-h", device.address6, "-p", str(node.port)]
    equal(far.run(*cli, "PING").strip(), "PONG", "redis-cli PING")
    for address in (device.address6, device.address):
        with Resp((address, node.port), 20, far.socket) as conn:
            value = os.urandom(BULK)
            equal(conn.call("SET", "bulk", value), b"OK", f"{address}: SET of 1 MB")
            back = conn.call("GET", "bulk")
            equal(hashlib.sha256(back).digest(), hashlib.sha256(value).digest(), "1 MB back")
    with Resp((device.address6, node.port), 20, far.socket) as conn:
        line = conn.call("CLIENT", "INFO").decode()
        check(f" addr=[{device.peer6}]:" in line, f"CLIENT INFO: {line}")
        check(f" laddr=[{device.address6}]:{node.port} " in line, f"CLIENT INFO: {line}")
        equal(
            conn.call("CLIENT", "KILL", "ADDR", line.split(" addr=")[1].split()[0], "SKIPME", "no"),
            1,
            "CLIENT KILL by an IPv6 address",
        )


def test_replication(lab, node, far):
    """A redis-server beyond the device is first the node's replica, then its master."""
    device = node.device
    stock = lab.stock("stock", far, 7402, bind=f"127.0.0.1 {device.peer6}").start()
    node.call("SET", "from", "node")
    stock.call("REPLICAOF", device.address6, node.port)
    until("stock has the data", lambda: stock.call("GET", "from") == b"node", 30)
    listed = node.info("replication")["slave0"]
    check(f"ip={device.peer6},port=7402,state=online" in listed, f"INFO replication: {listed}")
    stock.call("REPLICAOF", "NO", "ONE")
    stock.call("SET", "from", "stock")
    node.call("REPLICAOF", device.peer6, 7402)
    until("the node has the data", lambda: node.call("GET", "from") == b"stock", 30)
    info = node.info("replication")
    equal(
        (info["role"], info["master_host"], info["master_link_status"]),
        ("slave", device.peer6, "up"),
        "INFO replication of the node as a replica",
    )
    # By the node's device, not by the kernel: the master sees the node's address.
    listed = stock.info("replication")["slave0"]
    check(f"ip={device.address6},port={node.port}" in listed, f"the master's list: {listed}")
    node.call("REPLICAOF", "NO", "ONE")
    stock.stop()


def test_duplicate(lab, node, far):
    """Another station has the global IPv6 address: it is not used, the rest is."""
    device = node.device
    equal(node.stop(), 0, "exit status")
    if device.kind == "net_tap":
        return  # its interface went with the node
    far.ip("addr", "add", device.address6 + "/64", "dev", device.far_iface, "nodad")
    node.start()
    until(
        "the log names the duplicate",
        lambda: f"another station has {device.address6}" in node.log_text(),
        10,
    )
    with Resp((device.address, node.port), 5, far.socket) as conn:
        equal(conn.call("PING"), b"PONG", "PING over IPv4")
    counters = node.telemetry("/millrace/tcp")
    equal(counters["nd_duplicates"], 1, "duplicates counted")


def test(lab):
    need("redis-cli", "ping")
    far = lab.netns()
    node = lab.start_on_device("node", lab.home, far, port=7401, v6=True)
    iface = node.device.far_iface

    def answers():
        with Resp((node.device.address6, node.port), 2, far.socket) as conn:
            return conn.call("PING") == b"PONG"

    until("an answer over IPv6", answers, 10)
    test_ping(node, far, iface)
    test_commands(node, far)
    test_replication(lab, node, far)
    test_duplicate(lab, node, far)
    if node.alive:
        equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
