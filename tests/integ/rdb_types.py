#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Values of every type and encoding between redis-server and millrace: full sync, DUMP and RESTORE, RDB files."""
import os
import shutil
import sys
import time

from fake_master import payload
from lab import check, equal, run_test, shell, until
from resp import RespError

LONG = "long-" + "x" * 100


def hashes():
    yield "small", ["HSET", "a", "1", "bb", "xyz", "70000", "-5", "", "", "9223372036854775807", "-0"]
    yield "long-value", ["HSET", "f", LONG]
    yield "long-field", ["HSET", LONG, "v"]
    yield "full", ["HSET"] + [word for i in range(512) for word in (f"f{i}", i * i)]
    yield "large", ["HSET"] + [word for i in range(3000) for word in (f"f{i}", f"{i:0{i % 200}}")]


def zsets():
    yield "small", ["ZADD", "1", "a", "1.5", "b", "-inf", "c", "inf", "d", "1e300", "70000", "3", ""]
    yield "long-member", ["ZADD", "0.1", LONG, "-0.1", "m"]
    yield "full", ["ZADD"] + [word for i in range(128) for word in (i % 7 / 3, f"m{i}")]
    yield "large", ["ZADD"] + [word for i in range(3000) for word in (i % 700 / 9, f"m{i}")]


def lists():
    yield "small", ["RPUSH", "a", "1", "", "-0", "70000", "9223372036854775807", LONG]
    yield "nodes", ["RPUSH"] + [f"element-{i}" for i in range(5000)]
    yield "large-elements", ["RPUSH", "a", "x" * 100000, "b", "y" * 9000, "z" * 70000]
    yield "numbers", ["RPUSH"] + [i * i * (-1) ** i for i in range(3000)]


def sets():
    yield "ints-16", ["SADD", "1", "-5", "300"]
    yield "ints-32", ["SADD", "1", "70000", "-70000"]
    yield "ints-64", ["SADD", "1", "9223372036854775807", "-9223372036854775808"]
    yield "full", ["SADD"] + [i * i for i in range(512)]
    yield "many-ints", ["SADD"] + [i * i for i in range(513)]
    yield "words", ["SADD", "a", "", "7", "01", LONG]
    yield "large", ["SADD"] + [f"m{i}" for i in range(3000)]


def streams():
    def add(first, last, words):
        return [["XADD", "KEY", f"{i // 5 + 1}-{i % 5}"] + words(i) for i in range(first, last)]

    yield "small", *add(0, 3, lambda i: ["f", i])
    yield "empty", ["XGROUP", "CREATE", "KEY", "group", "$", "MKSTREAM"]
    yield "fields", *add(1, 300, lambda i: [f"f{i // 40}", "x" * i, "", i * i, LONG, -i]), ["XDEL", "KEY", "1-2", "9-4"]
    yield "groups", *add(1, 250, lambda i: ["field", f"value {i}"]), *(
        command
        for name in ("one", "two", "")
        for command in (
            ["XGROUP", "CREATE", "KEY", name, "3-3"],
            ["XREADGROUP", "GROUP", name, "alice", "COUNT", "30", "STREAMS", "KEY", ">"],
            ["XREADGROUP", "GROUP", name, "bob", "COUNT", "120", "STREAMS", "KEY", ">"],
            ["XCLAIM", "KEY", name, "carol", "0", "4-1", "4-2", "7-0", "TIME", "1700000000123", "RETRYCOUNT", "300"],
            ["XACK", "KEY", name, "5-1", "5-2"],
            ["XGROUP", "CREATECONSUMER", "KEY", name, LONG],
        )
    ), ["XDEL", "KEY", "7-0", "8-1"], ["XGROUP", "CREATE", "KEY", "unread", "30-1"]
    # a block of deleted entries only
    yield "deleted", *add(1, 4, lambda i: ["f", i]), ["XDEL", "KEY", "1-3"], ["XTRIM", "KEY", "MINID", "1-3"]
    yield "last-id", ["XADD", "KEY", "18446744073709551615-18446744073709551615", "f", "v"]
    yield "trimmed", *add(1, 2000, lambda i: ["f", i]), ["XTRIM", "KEY", "MAXLEN", "550"], ["XSETID", "KEY", "9999-1"]


# By what creates a key: the words of a command; KEY stands for its name (else it comes behind the
# first word), and other commands may follow.
TYPES = {"hash": hashes, "list": lists, "set": sets, "stream": streams, "zset": zsets}


def named(command, name):
    if "KEY" in command:
        return [name if word == "KEY" else word for word in command]
    return command[:1] + [name] + command[1:]


def fill(stock):
    """Returns the names of all keys."""
    names = []
    with stock.connect() as conn:
        for kind, values in TYPES.items():
            for what, *made_by in values():
                name = f"{kind}:{what}"
                for command in made_by:
                    conn.call(*named(command, name))
                names.append(name)
        conn.call("HSET", "expires", "f", "v")
        conn.call("PEXPIREAT", "expires", int(time.time() * 1000) + 3600000)
        for i in range(1000):
            conn.send("HSET", f"h:{i}", "f", str(i), "g", "y" * (i % 70))
        for _ in range(1000):
            conn.read()
        if "list" in TYPES:
            conn.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b")
            conn.call("RPUSH", "list:plain", "a", "x" * 101, "b", "y" * 5000)
            conn.call("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "1gb")
            names.append("list:plain")
        conn.call("SELECT", 5)
        conn.call("ZADD", "in-five", "1", "a")
    return names


def digest(server):
    return server.call("DEBUG", "DIGEST")


def replicate(replica, master):
    replica.call("REPLICAOF", "127.0.0.1", master.port)

    def same():
        mine, theirs = replica.info("replication"), master.info("replication")
        return (
            mine["master_link_status"] == "up"
            and mine["master_repl_offset"] == theirs["master_repl_offset"]
        )

    until(f"{replica.name} to be in step with {master.name}", same, 60)
    equal(digest(replica), digest(master), f"digest of {replica.name} and {master.name}")


def values_equal(one, two, name, copy):
    """The key in one, and its copy in two."""
    equal(
        two.call("DEBUG", "DIGEST-VALUE", copy),
        one.call("DEBUG", "DIGEST-VALUE", name),
        f"digest of {name} from {one.name} in {two.name}",
    )
    equal(
        two.call("OBJECT", "ENCODING", copy),
        one.call("OBJECT", "ENCODING", name),
        f"encoding of {name} from {one.name} in {two.name}",
    )
    if name.startswith("stream"):  # its groups are no part of the digest
        for details in (["FULL", "COUNT", "0"], []):
            equal(
                two.call("XINFO", "STREAM", copy, *details),
                one.call("XINFO", "STREAM", name, *details),
                f"XINFO STREAM of {name} from {one.name} in {two.name}",
            )


def test_dump_and_restore(node, stock, names):
    """The replica's link is cut by now."""
    for name in names:
        for one, two in ((node, stock), (stock, node), (node, node)):
            copy = f"copy:{name}"
            equal(two.call("RESTORE", copy, "0", one.call("DUMP", name)), b"OK", f"RESTORE of {name}")
            values_equal(one, two, name, copy)
            two.call("DEL", copy)
    print(f"DUMP and RESTORE, {len(names)} values")


def restored(server, what):
    try:
        return server.call("RESTORE", "no", "0", what)
    except RespError as why:
        return str(why)


def test_refused_payloads(node, stock):
    """As redis-server refuses them; and some that it lets pass unless it is told to look closely."""
    bodies = {
        "nothing": b"",
        "no type": b"\x08\x01v",
        "empty hash": b"\x04\x00",
        "hash that is cut": b"\x04\x02\x01a\x01b",
        "a set listpack of 7.2": b"\x14\x09\x09\0\0\0\x01\0\x01\x01\xff",
        "a module's type": b"\x07\x81\x30\x16\xe5\xa2\x89\xbe\xf8\x04\x00",
    }
    for what, body in bodies.items():
        for version in (10, 11):
            image = payload(body, version)
            equal(restored(node, image), restored(stock, image), f"RESTORE of {what}")
            equal(node.call("EXISTS", "no"), 0, f"key after {what}")
    passed = {
        "bytes behind it": b"\x00\x01v\x00",
        "hash with a field twice": b"\x04\x02\x01a\x01b\x01a\x01c",
        "integer in a wider form": b"\x00\xc1\x01\x00",
    }
    for what, body in passed.items():
        equal(restored(node, payload(body)), "ERR Bad data format", f"RESTORE of {what}")
    print("refused payloads")


def test_files(lab, node, stock):
    """What redis-cli --rdb gets of the node is a file that redis-server starts with; and the other way round."""
    path = os.path.join(lab.dir, "node.rdb")
    shell("redis-cli", "-p", str(node.port), "--rdb", path, timeout=60)
    other = lab.stock("other", port=7304)
    shutil.copy(path, os.path.join(other.dir, "dump.rdb"))
    other.start()
    equal(digest(other), digest(node), "digest of redis-server with the node's file")
    other.stop()
    print("redis-cli --rdb")


def test(lab):
    stock = lab.stock("stock", port=7301).start()
    node = lab.node("node", port=7302, pool_size="256mb").start()
    names = fill(stock)
    replicate(node, stock)
    for name in names:
        values_equal(stock, node, name, name)
    print("redis-server -> millrace")

    before = digest(node)
    node.call("REPLICAOF", "NO", "ONE")
    equal(node.call("DEBUG", "RELOAD"), b"OK", "DEBUG RELOAD")
    equal(digest(node), before, "digest after DEBUG RELOAD")
    node.kill()
    node.start()
    equal(digest(node), before, "digest after kill -9")
    test_dump_and_restore(node, stock, names)
    test_refused_payloads(node, stock)
    test_files(lab, node, stock)

    stock.call("FLUSHALL")
    replicate(stock, node)
    for name in names:
        values_equal(node, stock, name, name)
    print("millrace -> redis-server")
    second = lab.node("second", port=7303, pool_size="256mb").start()
    replicate(second, node)
    check(second.call("DBSIZE") > len(names), "keys of the second")
    for server in (second, node):
        equal(server.stop(), 0, f"exit status of {server.name}")


if __name__ == "__main__":
    sys.exit(run_test(test))
