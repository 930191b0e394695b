#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Scripts and functions over two poll cores: a script is atomic whatever keys it touches, one that
takes long lets others get -BUSY and can be ended, a stock replica gets effects and libraries, and
both are there after a kill."""
import sys
import threading

from lab import check, equal, run_test, until
from resp import RespError

ACCOUNTS = 8
CLIENTS = 6
ROUNDS = 200

# The accounts are not declared: their partitions are locked as they are met.
TRANSFER = """
local names = {}
for i = 0, 7 do names[#names + 1] = 'account:' .. i end
local from, to = names[ARGV[1] + 1], names[ARGV[2] + 1]
redis.call('decrby', from, ARGV[3])
redis.call('incrby', to, ARGV[3])
redis.call('lpush', KEYS[1], from)
local sum = 0
for _, name in ipairs(names) do sum = sum + redis.call('get', name) end
return sum
"""
LIBRARY = """#!lua name=counters
redis.register_function('count', function(keys, args)
    for i = 1, args[1] do redis.call('incr', keys[1]) end
    return redis.call('get', keys[1])
end)
redis.register_function{function_name = 'look', flags = {'no-writes'},
    callback = function(keys) return redis.call('get', keys[1]) end}
redis.register_function('forever', function() while true do end end)
"""


def refused(conn, *command):
    try:
        conn.call(*command)
    except RespError as err:
        return str(err)
    raise AssertionError(f"{command} was not refused")


def start(target, *args):
    thread = threading.Thread(target=target, args=args, daemon=True)
    thread.start()
    return thread


def join(thread):
    thread.join(60)
    check(not thread.is_alive(), "a client does not come to an end")


def transfer(node, number, bad):
    with node.connect() as conn:
        sha = conn.call("SCRIPT", "LOAD", TRANSFER)
        for i in range(ROUNDS):
            where = (number * 5 + i) % ACCOUNTS, (number * 3 + i * 7) % ACCOUNTS
            total = conn.call("EVALSHA", sha, 1, f"list:{number}", *where, i % 9)
            if total != ACCOUNTS * 1000:
                bad.append(total)


def disturb(node, stop, bad):
    """Ordinary commands and transactions beside the scripts."""
    names = [f"account:{i}" for i in range(ACCOUNTS)]
    with node.connect() as conn:
        while not stop.is_set():
            values = conn.call("MGET", *names)
            if sum(map(int, values)) != ACCOUNTS * 1000:
                bad.append(values)
            conn.pipeline([("MULTI",), ("DECR", names[0]), ("INCR", names[5]), ("EXEC",)])


def test_atomic(node, stock):
    for i in range(ACCOUNTS):
        node.call("SET", f"account:{i}", 1000)
    stop, bad = threading.Event(), []
    others = [start(disturb, node, stop, bad) for _ in range(2)]
    work = [start(transfer, node, i, bad) for i in range(CLIENTS)]
    for thread in work:
        join(thread)
    stop.set()
    for thread in others:
        join(thread)
    check(not bad, f"sums that are wrong: {bad[:1]}")
    equal(sum(node.call("LLEN", f"list:{i}") for i in range(CLIENTS)), CLIENTS * ROUNDS, "scripts")
    same_data(node, stock)


def words(reply):
    """All words of a reply, sorted: Redis lists functions in no order."""
    if isinstance(reply, list):
        return sorted(word for part in reply for word in words(part))
    return [reply or b""]


def libraries(conn):
    return words(conn.call("FUNCTION", "LIST", "WITHCODE"))


def same_data(node, stock):
    until("the replica", lambda: stock.call("DEBUG", "DIGEST") == node.call("DEBUG", "DIGEST"))


def test_functions(node, stock):
    equal(node.call("FUNCTION", "LOAD", LIBRARY), b"counters", "FUNCTION LOAD")
    conns = [node.connect() for _ in range(6)]  # on both cores
    for i, conn in enumerate(conns):
        equal(conn.call("FCALL", "count", 1, "counter", 2), b"%d" % (2 * i + 2), "FCALL")
        equal(conn.call("FCALL_RO", "look", 1, "counter"), b"%d" % (2 * i + 2), "FCALL_RO")
    until("the library", lambda: libraries(stock) == libraries(node))
    same_data(node, stock)
    equal(node.call("FUNCTION", "DUMP"), stock.call("FUNCTION", "DUMP"), "FUNCTION DUMP")
    payload = stock.call("FUNCTION", "DUMP")
    equal(node.call("FUNCTION", "FLUSH"), b"OK", "FUNCTION FLUSH")
    for conn in conns:
        equal(refused(conn, "FCALL", "count", 1, "c", 1), "ERR Function not found", "after FLUSH")
    equal(node.call("FUNCTION", "RESTORE", payload), b"OK", "FUNCTION RESTORE")
    for conn in conns:
        conn.call("FCALL", "count", 1, "counter", 1)
        conn.close()
    same_data(node, stock)


def busy(node, command, kill, other):
    """A command that never ends by itself is refused to nobody's harm, and ended."""
    with node.connect() as first:
        first.send(*command)
        conns = [node.connect() for _ in range(6)]  # on both cores
        until("-BUSY", lambda: refused_busy(node))
        for conn in conns:
            check(refused(conn, "PING").startswith("BUSY"), "PING while a script is busy")
            check(refused(conn, "GET", "x").startswith("BUSY"), "GET while a script is busy")
            check(refused(conn, *other).startswith("BUSY"), "the other KILL")
        check(conns[0].call("FUNCTION", "STATS") if other[0] == "SCRIPT" else True, "STATS")
        equal(conns[-1].call(*kill), b"OK", "KILL")
        end = first.read()
        check("Script killed by user" in str(end), f"the script's end: {end}")
        equal(first.call("PING"), b"PONG", "its client afterwards")
        for conn in conns:
            equal(conn.call("PING"), b"PONG", "another client afterwards")
            conn.close()
    equal(refused(node.connect(), *kill), "NOTBUSY No scripts in execution right now.", "KILL")


def refused_busy(node):
    with node.connect() as conn:
        try:
            conn.call("PING")
        except RespError as err:
            return str(err).startswith("BUSY")
        return False


def test_busy(node):
    node.call("CONFIG", "SET", "busy-reply-threshold", 50)
    script, function = ("SCRIPT", "KILL"), ("FUNCTION", "KILL")
    for _ in range(2):
        busy(node, ("EVAL", "while true do end", 0), script, function)
        loop = "while true do pcall(function() redis.call('get', 'x') end) end"
        busy(node, ("EVAL", loop, 1, "x"), script, function)
        busy(node, ("FCALL", "forever", 0), function, script)


def test_lost_client(node):
    """The client of a script that takes long goes: the script is ended, the node goes on."""
    with node.connect() as conn:
        conn.send("EVAL", "while true do end", 1, "x")
        until("-BUSY", lambda: refused_busy(node))
    equal(node.call("SCRIPT", "KILL"), b"OK", "KILL")
    until("the node", lambda: node.call("PING") == b"PONG")
    # one that writes, and ends by itself
    with node.connect() as conn:
        conn.send("EVAL", "redis.call('set', 'lost', 1) for i = 1, 3e7 do end "
                  "redis.call('incr', 'lost')", 1, "lost")
        until("-BUSY", lambda: refused_busy(node))
        with node.connect() as other:
            check(refused(other, "SCRIPT", "KILL").startswith("UNKILLABLE"), "KILL of a writer")
    until("its end", lambda: node.call("GET", "lost") == b"2")


def test_pipeline(node):
    """Replies keep their order when a script in the middle takes long."""
    script = "for i = 1, 3e6 do end return redis.call('incr', KEYS[1])"
    with node.connect() as conn:
        node.call("CONFIG", "SET", "busy-reply-threshold", 5000)
        conn.call("SET", "n", 1)
        replies = conn.pipeline(
            [("GET", "n"), ("EVAL", script, 1, "n"), ("GET", "n"), ("MULTI",), ("INCR", "n")]
            + [("EVAL", script, 1, "n"), ("GET", "n"), ("EXEC",), ("GET", "n")]
        )
        wanted = [b"1", 2, b"2", b"OK", b"QUEUED", b"QUEUED", b"QUEUED", [3, 4, b"4"], b"4"]
        equal(replies, wanted, "replies")


def test_restart(node, stock):
    """What is answered is there after a kill: from the log, and from a snapshot."""
    for save in (False, True):
        if save:
            node.call("SAVE")
        before = libraries(node)
        counter = int(node.call("FCALL", "count", 1, "counter", 1))
        digest = node.call("DEBUG", "DIGEST")
        node.kill()
        node.start()
        equal(node.call("DEBUG", "DIGEST"), digest, "digest after the restart")
        equal(libraries(node), before, "libraries")
        equal(int(node.call("FCALL", "count", 1, "counter", 1)), counter + 1, "FCALL")
    until("the link", lambda: stock.info("replication").get("master_link_status") == "up")
    same_data(node, stock)


def test_full_sync(lab, node):
    """A replica gets the libraries with the set, and keeps them."""
    replica = lab.node("replica", port=7412, options=["--poll-cores", "0-1"]).start()
    replica.call("REPLICAOF", "127.0.0.1", node.port)
    until("the link", lambda: replica.info("replication").get("master_link_status") == "up")
    until("the data", lambda: replica.call("DEBUG", "DIGEST") == node.call("DEBUG", "DIGEST"))
    equal(libraries(replica), libraries(node), "libraries")
    equal(replica.call("FCALL_RO", "look", 1, "counter"), node.call("GET", "counter"), "FCALL_RO")
    with replica.connect() as conn:
        check(refused(conn, "FCALL", "count", 1, "c", 1).startswith("READONLY"), "FCALL")
        check("READONLY" in refused(conn, "EVAL", "return redis.call('set', 'a', 1)", 0), "EVAL")
    replica.kill()
    replica.start()
    equal(libraries(replica), libraries(node), "after a restart")
    equal(replica.stop(), 0, "exit status")


def test_shutdown(node):
    """A script that has written and does not end is given up with the node."""
    node.call("CONFIG", "SET", "busy-reply-threshold", 50)
    digest = node.call("DEBUG", "DIGEST")
    with node.connect() as first, node.connect() as second:
        first.send("EVAL", "redis.call('set', 'half', 1) while true do end", 0)
        until("-BUSY", lambda: refused_busy(node))
        check(refused(second, "SHUTDOWN").startswith("BUSY"), "SHUTDOWN")
        second.send("SHUTDOWN", "NOSAVE")
        until("the end", lambda: node.process.poll() is not None)
    equal(node.process.returncode, 0, "exit status")
    node.start()
    equal(node.call("EXISTS", "half"), 0, "what it had written")
    equal(node.call("DEBUG", "DIGEST"), digest, "digest")


def test(lab):
    node = lab.node("node", port=7411, options=["--poll-cores", "0-1"]).start()
    stock = lab.stock("stock", port=7413).start()
    stock.call("REPLICAOF", "127.0.0.1", node.port)
    until("the link", lambda: stock.info("replication").get("master_link_status") == "up")
    test_atomic(node, stock)
    test_functions(node, stock)
    test_busy(node)
    test_lost_client(node)
    test_pipeline(node)
    same_data(node, stock)
    test_restart(node, stock)
    test_full_sync(lab, node)
    stock.call("REPLICAOF", "NO", "ONE")
    test_shutdown(node)
    equal(node.stop(), 0, "exit status")


if __name__ == "__main__":
    sys.exit(run_test(test))
