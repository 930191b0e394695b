#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""millrace-pool on the pools of real nodes: what it tells, that it finds every flipped bit and names
the place, that it refuses a pool in use, and that it leaves alone what it only reads."""
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys

from lab import BUILD, check, equal, run_test, until

TOOL = os.path.join(BUILD, "app", "millrace-pool")
HEADER = 16384  # where the commit rings begin
SLOT = 32


def tool(*args, status=0, **more):
    """Its standard output; Failed if the exit status is another one."""
    done = subprocess.run(
        [TOOL, *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
        timeout=60,
        **more,
    )
    said = (done.stdout + done.stderr)[-1500:]
    equal(done.returncode, status, f"exit status of {' '.join(map(str, args))}: {said}\n")
    return done.stdout if status < 2 else done.stderr


def info(path):
    return json.loads(tool("info", "--json", path))


def digest(path):
    with open(path, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest()


def fill(node):
    """All types, a snapshot, and a log behind it."""
    with node.connect() as conn:
        conn.call("DEBUG", "POPULATE", "2000", "key", "100")
        conn.call("RPUSH", "list", *[f"element {i}" for i in range(300)])
        conn.call("HSET", "hash", *[f"{i}" for i in range(600)])
        conn.call("SADD", "set", "a", "b", "c")
        conn.call("ZADD", "zset", "1.5", "one", "2", "two")
        conn.call("XADD", "stream", "1-1", "field", "value")
        saved = int(conn.info("millrace")["snapshots_published"])
        conn.call("BGSAVE")
        until(
            "a snapshot",
            lambda: int(node.info("millrace")["snapshots_published"]) > saved,
        )
        for i in range(300):
            conn.call("SET", f"later:{i}", "x" * 50)


def usage(lab, pool):
    for args, words in (
        ((), "a command is missing"),
        (("frobnicate",), "no command 'frobnicate'"),
        (("info",), "which pool"),
        (("info", pool, pool), "one pool"),
        (("info", "--yaml", pool), "no option --yaml"),
        (("check", os.path.join(lab.dir, "nowhere")), "No such file"),
        (("info", lab.dir), "not a regular file"),
        (("check", "--loud", pool), "no option"),
        (("export", pool), "a pool and a file"),
        (("import", pool), "an RDB file and a pool"),
        (("create",), "which pool"),
    ):
        said = tool(*args, status=2)
        check(words in said, f"{args}: {said}")
    out = tool("--help")
    for command in ("info", "check", "export", "import", "create"):
        check(command in out, out)
        check("Usage: millrace-pool " + command in tool(command, "--help"), command)


def sound(path):
    """What it is, told twice alike; and the file stays as it is."""
    before = digest(path), os.stat(path).st_mtime_ns
    found = info(path)
    text = dict(line.split(":", 1) for line in tool("info", path).splitlines())
    for key, value in found.items():
        shown = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        equal(text[key], str(shown), f"text of {key}")
    out = tool("check", path)
    check(": sound, 0 faults" in out, out)
    equal((digest(path), os.stat(path).st_mtime_ns), before, "the file after it was read")
    return found


def flip(path, place):
    with open(path, "r+b") as data:
        data.seek(place)
        byte = data.read(1)[0]
        data.seek(place)
        data.write(bytes([byte ^ 0x10]))


def records(path, found):
    """Offsets in the file of the commit records in use, and what they say."""
    with open(path, "rb") as data:
        data.seek(HEADER)
        rings = data.read(found["writers"] * found["commit_slots"] * SLOT)
    for at in range(0, len(rings), SLOT):
        off, length, life, _, _, _ = struct.unpack_from("<QIIIIQ", rings, at)
        if length:
            yield HEADER + at, off, length, life


def flips(lab, pool, found):
    """One bit in each structure, and what check must say of it."""
    path = os.path.join(lab.dir, "flipped")
    ring = HEADER + found["writers"] * found["commit_slots"] * SLOT
    extents = ring + found["log_ring_size"]
    slot, off, length, _ = max(records(pool, found), key=lambda rec: rec[1])
    with open(pool, "rb") as data:
        whole = data.read()
    manifest = whole.index(b"mani", extents)
    snapshot = whole.index(b"REDIS00", extents)
    for place, status, words in (
        (100, 0, r"note: superblock copy 0"),
        (4096 + 300, 0, r"note: superblock copy 1"),
        (slot + 8, 0, r"note: commit record \d+ of writer \d+.*checksum"),
        (ring + (off + length // 2) % found["log_ring_size"], 1, r"fault: log, offsets \d+ to \d+"),
        (manifest + 8, 1, r"fault: snapshot manifest, extent \d+"),
        (manifest + 64 + 9, 1, r"fault: snapshot, extent \d+|fault: snapshot manifest"),
        (snapshot + 50, 1, r"fault: snapshot, extent \d+, byte \d+"),
    ):
        shutil.copyfile(pool, path)
        flip(path, place)
        before = digest(path)
        out = tool("check", path, status=status)
        check(re.search(words, out), f"bit in byte {place}: no {words!r} in {out}")
        check(("DAMAGED" in out) == bool(status), out)
        equal(digest(path), before, "the file after it was checked")
    both = os.path.join(lab.dir, "both")
    shutil.copyfile(pool, both)
    flip(both, 100)
    flip(both, 4096 + 100)
    check("both superblock copies" in tool("check", both, status=1), "both copies bad")
    check("both superblock copies" in tool("info", both, status=2), "both copies bad")
    with open(path, "r+b") as data:
        data.truncate(found["size"] // 2)
    check("truncated" in tool("check", path, status=1), "a truncated pool")


def hostile(lab):
    """Files that are no pools."""
    path = os.path.join(lab.dir, "hostile")
    for content in (b"", b"millrace", b"\0" * 20000, os.urandom(20000), b"millrace" * 3000):
        with open(path, "wb") as data:
            data.write(content)
        tool("info", path, status=2)
        check("fault: superblock" in tool("check", path, status=1), repr(content[:20]))


def loaded_by_stock(lab, name, port, rdb):
    """The digest of what redis-server makes of an RDB file."""
    stock = lab.stock(name, port=port)
    shutil.copyfile(rdb, os.path.join(stock.dir, "dump.rdb"))
    stock.start()
    found = stock.call("DEBUG", "DIGEST"), stock.call("FUNCTION", "LIST", "WITHCODE")
    equal(stock.stop(), 0, "exit status of redis-server")
    return found


def exports(lab, node, found):
    """The state at the log's end, the snapshot, and the log, each as it was in the node."""
    rdb = os.path.join(lab.dir, "state.rdb")
    before = digest(node.pool)
    tool("export", node.pool, rdb)
    check("is there already" in tool("export", node.pool, rdb, status=2), "an RDB file twice")
    tool("export", "--force", node.pool, rdb)
    snapshot = os.path.join(lab.dir, "snapshot.rdb")
    tool("export", "--snapshot", node.pool, snapshot)
    equal(os.path.getsize(snapshot), found["snapshot_bytes"], "size of the exported snapshot")
    equal(digest(node.pool), before, "the pool after exports")
    start, end = found["log_start"], found["log_end"]
    for first, last in ((start, end), ("start", "end"), (end - 40, end), (end, end)):
        out = os.path.join(lab.dir, "log.resp")
        tool("export", "--force", "--log", first, last, node.pool, out)
        first, last = (start, end) if first == "start" else (first, last)
        equal(os.path.getsize(out), last - first, "bytes of the log")
    out = tool("export", "--log", found["base_offset"], end, node.pool, "-")
    check(out.startswith("*") and "more:1" in out, f"log: {out[:200]!r}")
    for args, words in (
        (("--log", "0", end + 1, node.pool, "-"), "the log holds offsets"),
        (("--log", end, start - 1, node.pool, "-"), "the log holds offsets|a number"),
        (("--log", "x", end, node.pool, "-"), "an offset is a number"),
        (("--log", "0", "0", "--snapshot", node.pool, "-"), "not both"),
        ((node.pool, os.path.join(lab.dir, "no", "such")), "No such file"),
        (("--databases", "0", node.pool, "-"), "--databases"),
    ):
        said = tool("export", *args, status=2)
        check(re.search(words, said), said)
    return rdb, snapshot


def imports(lab, rdb, wanted):
    """An RDB file becomes a pool that a node serves from."""
    pool = os.path.join(lab.dir, "imported")
    tool("import", "--size", "32mb", rdb, pool)
    found = sound(pool)
    equal(found["log_end"], 0, "log_end of an imported pool")
    equal(found["clean"], True, "clean, of an imported pool")
    check("File exists" in tool("import", rdb, pool, status=2), "imported twice")
    node = lab.node("imported-node", port=7913, pool=pool, pool_size="32mb").start()
    equal((node.call("DEBUG", "DIGEST"), node.call("FUNCTION", "LIST", "WITHCODE")), wanted, "state")
    equal(node.info("replication")["master_replid"], found["replid"], "replication id")
    check(node.call("SET", "key", "value") == b"OK", "a write")
    wanted = node.call("DEBUG", "DIGEST")
    node.kill()
    node.start()
    equal(node.call("DEBUG", "DIGEST"), wanted, "state after kill -9")
    equal(node.stop(), 0, "exit status")
    return found


def bad_imports(lab, rdb):
    with open(rdb, "rb") as data:
        whole = data.read()
    path, pool = os.path.join(lab.dir, "bad.rdb"), os.path.join(lab.dir, "bad")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for content, words in (
        (b"", "offset 0"),
        (b"REDIS0010", "offset"),
        (whole[:-1], "offset"),
        (whole + b"x", "more bytes"),
        (bytes(flipped), "offset|checksum"),
        (os.urandom(5000), "not an RDB file"),
        (b"REDIS9999" + whole[9:], "version"),
    ):
        with open(path, "wb") as data:
            data.write(content)
        said = tool("import", "--size", "32mb", path, pool, status=2)
        check(re.search(words, said), f"{content[:20]!r}: {said}")
    for size, words in (("17k", "at least"), ("x", "takes a size"), ("0", "takes a size")):
        check(words in tool("import", "--size", size, rdb, pool, status=2), size)
    with open(path, "wb") as data:  # more than a small pool can hold
        data.write(whole[:-9])
        for i in range(400):
            data.write(b"\0\x08" + b"%08d" % i + b"\x80" + (20000).to_bytes(4, "big"))
            data.write(os.urandom(20000))
        data.write(b"\xff" + bytes(8))
    said = tool("import", "--size", "16mb", path, pool, status=2)
    check("no room for the next snapshot" in said, said)
    check(not os.path.exists(pool), "a pool that could not be imported is there")
    equal([name for name in os.listdir(lab.dir) if "creating" in name or ".tmp" in name], [], "left")


def created(lab):
    pool = os.path.join(lab.dir, "new")
    tool("create", "--size", "24mb", "--log-size", "4mb", pool)
    found = sound(pool)
    equal((found["size"], found["log_ring_size"]), (24 << 20, 4 << 20), "size and log size")
    equal((found["base"], found["log_end"]), ("empty", 0), "a new pool")
    check("File exists" in tool("create", pool, status=2), "created twice")
    node = lab.node("new-node", port=7915, pool=pool, pool_size="24mb").start()
    equal(node.info("replication")["master_replid"], found["replid"], "replication id")
    equal(node.stop(), 0, "exit status")


def test(lab):
    node = lab.node(port=7911, pool_size="32mb").start()
    fill(node)
    for command in ("info", "check", "export"):
        args = [command, node.pool] + (["-"] if command == "export" else [])
        check("in use by another process" in tool(*args, status=2), command)
    offset = int(node.info("replication")["master_repl_offset"])
    node.kill()
    found = sound(node.pool)
    equal(found["clean"], False, "clean, after kill -9")
    equal(found["log_end"], offset, "log_end")
    equal(found["base"], "snapshot", "base")
    check(found["snapshot_keys"] >= 2005, f"snapshot_keys {found['snapshot_keys']}")
    node.start()
    equal(node.info("replication")["master_replid"], found["replid"], "replication id")
    for i in range(2000):
        node.call("SET", f"more:{i % 7}", str(i) * 10)
    with node.connect() as conn:
        conn.pipeline([("SELECT", "3"), ("SET", "three", "3", "PXAT", "4102444800000")])
        conn.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() end)")
    state = node.call("DEBUG", "DIGEST"), node.call("FUNCTION", "LIST", "WITHCODE")
    offset = int(node.info("replication")["master_repl_offset"])
    equal(node.stop(), 0, "exit status")
    usage(lab, node.pool)
    found = sound(node.pool)
    equal(found["clean"], True, "clean")
    check(found["log_end"] >= offset, f"log_end {found['log_end']}, and the offset was {offset}")
    rdb, snapshot = exports(lab, node, found)
    equal(loaded_by_stock(lab, "stock", 7912, rdb), state, "what redis-server loads")
    loaded_by_stock(lab, "stock-snapshot", 7914, snapshot)
    imports(lab, rdb, state)
    bad_imports(lab, rdb)
    created(lab)
    flips(lab, node.pool, found)
    hostile(lab)
    node.start()
    equal(node.call("GET", "later:299"), b"x" * 50, "data after all that")
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
