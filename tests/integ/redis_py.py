#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""redis-py (Debian: python3-redis), unchanged, over loopback, the unix socket and the DPDK device."""
import os
import socket
import sys

from lab import Skipped, check, equal, run_test

try:
    import redis
except ImportError:
    redis = None


def use(client, where):
    client.flushall()
    equal(client.ping(), True, where)
    equal(client.set("a", "1", ex=100), True, where)
    check(0 < client.ttl("a") <= 100, f"{where}: ttl")
    equal(client.get("a"), b"1", where)
    equal(client.incrby("a", 41), 42, where)
    equal(client.set("a", "x", nx=True), None, where)
    equal(client.mset({f"m{i}": i for i in range(100)}), True, where)
    equal(client.mget("m1", "none", "m99"), [b"1", None, b"99"], where)
    equal(len(list(client.scan_iter(match="m*", count=7))), 100, where)
    equal(client.setbit("bits", 7, 1), 0, where)
    equal(client.bitcount("bits"), 1, where)
    with client.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"p{number}", b"\x00\r\n" * number)
        pipe.get("p499")
        replies = pipe.execute()
    equal(replies[:500], [True] * 500, where)
    equal(replies[500], b"\x00\r\n" * 499, where)
    big = os.urandom(3 << 20)
    client.set("big", big)
    check(client.get("big") == big, f"{where}: 3 MB value comes back different")
    equal(client.dbsize(), 604 - 1, where)
    check(client.info()["redis_version"].startswith("7.0"), where)
    check("master_replid" in client.info("replication"), where)
    equal(client.config_get("maxmemory-policy"), {"maxmemory-policy": "noeviction"}, where)
    equal(client.config_set("maxmemory-policy", "allkeys-lru"), True, where)
    equal(client.config_set("maxmemory-policy", "noeviction"), True, where)
    equal(client.client_setname("me"), True, where)
    equal(client.client_getname(), "me", where)
    check(any(c["name"] == "me" for c in client.client_list()), f"{where}: CLIENT LIST")
    check(client.command_count() > 50, where)
    check(client.memory_usage("big") > 3 << 20, where)
    equal(client.object("encoding", "m1"), b"int", where)
    dump = client.dump("m7")
    equal(client.restore("restored", 0, dump), b"OK", where)
    equal(client.get("restored"), b"7", where)
    try:
        client.execute_command("NOSUCH", "x")
        check(False, f"{where}: an unknown command is accepted")
    except redis.ResponseError as error:
        check("unknown command" in str(error), f"{where}: {error}")
    equal(client.unlink("a", "big"), 2, where)


def test(lab):
    if not redis:
        raise Skipped("python3-redis is not installed")
    far = lab.netns()
    path = os.path.join(lab.dir, "socket")
    node = lab.start_on_device(
        "node", lab.home, far, options=["--unixsocket", path], pool_size="256mb"
    )

    class OverDevice(redis.Connection):
        """Its socket is one of the namespace on the other side of the device."""

        def _connect(self):
            sock = far.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.connect((self.host, self.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock

    use(redis.Redis(host="127.0.0.1", port=node.port), "loopback")
    use(redis.Redis(unix_socket_path=path), "unix socket")
    pool = redis.ConnectionPool(OverDevice, host=node.device.address, port=node.port)
    use(redis.Redis(connection_pool=pool), "device")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
