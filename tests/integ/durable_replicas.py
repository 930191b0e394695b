#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""min-replicas-durable: a reply leaves when enough replicas have what it rests on, not before; with too
few of them writes are refused; what was acknowledged outlives its master."""
import signal
import socket
import sys
import threading
import time

from lab import check, equal, run_test, until
from resp import RespError

PORT = 21700


def millrace_info(node):
    return node.info("millrace")


def until_counted(node, count):
    until(
        f"{count} replicas that count",
        lambda: int(millrace_info(node)["durable_replicas"]) == count,
    )


def error_of(conn, *command):
    try:
        return conn.call(*command)
    except RespError as error:
        return str(error)


def silent(conn, seconds):
    """Nothing has come after so long."""
    conn.sock.settimeout(seconds)
    try:
        return f"{conn.read()!r}"
    except socket.timeout:
        return None
    finally:
        conn.sock.settimeout(20)


def test_refused(master):
    """Without a replica nothing is written, by no way; reads of what was there go on."""
    with master.connect() as conn:
        conn.call("SET", "before", "1")
        conn.call("CONFIG", "SET", "min-replicas-durable", 1)
        refusal = "NOREPLICAS Not enough good replicas to write."
        equal(error_of(conn, "SET", "a", "1"), refusal, "SET")
        equal(error_of(conn, "EVAL", "return redis.call('set','a','1')", "0")[:10], "NOREPLICAS", "EVAL")
        conn.call("MULTI")
        equal(error_of(conn, "SET", "a", "1"), refusal, "SET in MULTI")
        check(error_of(conn, "EXEC").startswith("EXECABORT"), "EXEC of a refused command")
        equal(conn.call("GET", "before"), b"1", "what was there before")
        equal(conn.call("GET", "a"), None, "what was refused")


def test_replies_wait(master, replica):
    """A replica that stands still holds the reply of a write, and of reads of what was written."""
    with master.connect() as writer, master.connect() as reader, master.connect() as other:
        equal(writer.call("SET", "w", "1"), b"OK", "SET with a replica")
        equal(reader.call("GET", "w"), b"1", "GET")
        replica.signal(signal.SIGSTOP)
        time.sleep(0.05)
        writer.send("SET", "w", "2")
        equal(silent(writer, 0.3), None, "reply to SET before its replica has it")
        reader.send("GET", "w")
        equal(silent(reader, 0.1), None, "reply to GET of what no replica has")
        equal(other.call("GET", "before"), b"1", "GET of something else meanwhile")
        writer.send("MULTI")
        writer.send("INCR", "tx")
        writer.send("EXEC")
        writer.send("EVAL", "return redis.call('incr', KEYS[1])", "1", "script")
        equal(silent(writer, 0.1), None, "replies behind a held one")
        replica.signal(signal.SIGCONT)
        equal([writer.read() for _ in range(5)], [b"OK", b"OK", b"QUEUED", [1], 1], "held replies")
        equal(reader.read(), b"2", "held read")


def test_pace(master, what, most_ms):
    with master.connect() as conn:
        conn.call("SET", "pace", "0")
        times = []
        for number in range(200):
            began = time.monotonic()
            conn.call("SET", "pace", number)
            times.append(time.monotonic() - began)
    median = sorted(times)[100] * 1000
    print(f"   SET with {what}: median {median:.2f} ms", flush=True)
    check(median < most_ms, f"a SET with {what} takes {median:.1f} ms")


def test_replica_returns(master, replica):
    """A replica that dies with writes on their way comes back, and they are answered then."""
    with master.connect() as writer:
        replica.signal(signal.SIGSTOP)
        time.sleep(0.05)
        writer.send("SET", "r", "1")
        equal(silent(writer, 0.1), None, "reply without an ACK")
        replica.kill()
        equal(silent(writer, 0.2), None, "reply after the replica's death")
        replica.start()
        equal(writer.read(), b"OK", "reply once the replica is back")
    equal(until("the key on the replica", lambda: replica.call("GET", "r")), b"1", "the key")


def test_timeout(master, replica):
    """What is held too long ends its connection: it never says OK."""
    master.call("CONFIG", "SET", "min-replicas-durable-timeout", 300)
    with master.connect() as writer:
        replica.signal(signal.SIGSTOP)
        time.sleep(0.05)
        writer.send("SET", "t", "1")
        try:
            check(False, f"reply of a held write: {writer.read()!r}")
        except ConnectionError:
            pass
    equal(millrace_info(master)["durable_timeouts"], "1", "connections ended")
    until_counted(master, 0)  # it owes ACKs
    with master.connect() as conn:
        equal(error_of(conn, "SET", "t", "2")[:10], "NOREPLICAS", "SET with a stopped replica")
    replica.signal(signal.SIGCONT)
    until_counted(master, 1)
    master.call("CONFIG", "SET", "min-replicas-durable-timeout", 10000)
    equal(master.call("SET", "t", "3"), b"OK", "SET afterwards")


def test_switched_off(master, replica):
    with master.connect() as writer:
        replica.signal(signal.SIGSTOP)
        time.sleep(0.05)
        writer.send("SET", "o", "1")
        equal(silent(writer, 0.1), None, "reply without an ACK")
        master.call("CONFIG", "SET", "min-replicas-durable", 0)
        equal(writer.read(), b"OK", "reply once it is switched off")
        replica.signal(signal.SIGCONT)
        master.call("CONFIG", "SET", "min-replicas-durable", 1)


def test_role_lost(master, replica):
    """Whose master is one no more is not told OK for what may be lost."""
    with master.connect() as writer:
        replica.signal(signal.SIGSTOP)
        time.sleep(0.05)
        writer.send("SET", "l", "1")
        equal(silent(writer, 0.1), None, "reply without an ACK")
        master.call("REPLICAOF", "127.0.0.1", 1)
        try:
            check(False, f"reply of a write under a lost role: {writer.read()!r}")
        except ConnectionError:
            pass
    equal(millrace_info(master)["durable_unsure"], "1", "connections ended")
    replica.signal(signal.SIGCONT)
    master.call("REPLICAOF", "NO", "ONE")
    until_counted(master, 1)


def test_nothing_is_lost(master, replica):
    """Under load the master is killed and the replica promoted: all that was acknowledged is there."""
    acknowledged = []
    stop = threading.Event()

    def write(number):
        done = 0
        try:
            with master.connect() as conn:
                while not stop.is_set():
                    conn.call("SET", f"load:{number}:{done}", done)
                    done += 1
        except (OSError, RespError):
            pass
        acknowledged.append((number, done))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    master.kill()
    stop.set()
    for thread in threads:
        thread.join()
    total = sum(done for _, done in acknowledged)
    print(f"   {total} writes acknowledged before the master was killed", flush=True)
    check(total > 100, "hardly anything was written")
    replica.call("REPLICAOF", "NO", "ONE")
    with replica.connect() as conn:
        for number, done in acknowledged:
            values = conn.pipeline([("GET", f"load:{number}:{i}") for i in range(done)])
            equal(values, [b"%d" % i for i in range(done)], f"acknowledged values of writer {number}")


def test_stock(lab, stock_port):
    """redis-server says it when it is asked, and takes the request for what it knows."""
    master = lab.node("second", port=PORT + 4, options=["--min-replicas-durable", "1"]).start()
    stock = lab.stock("stock", port=stock_port, options=["--replicaof", "127.0.0.1", str(master.port)])
    stock.start()
    until_counted(master, 1)
    test_pace(master, "a redis-server", 60)
    equal(stock.call("GET", "pace"), b"199", "value at redis-server when SET has been answered")
    check("CRITICAL" not in stock.log_text(), "redis-server does not understand the stream")
    master.call("CONFIG", "SET", "min-replicas-durable", 2)
    with master.connect() as conn:
        equal(error_of(conn, "SET", "a", "1")[:10], "NOREPLICAS", "SET with one of two replicas")


def test(lab):
    master = lab.node("master", port=PORT, options=["--poll-cores", "0-1"]).start()
    test_refused(master)
    replica = lab.node(
        "replica", port=PORT + 1, options=["--replicaof", "127.0.0.1", str(master.port)]
    ).start()
    until_counted(master, 1)
    test_replies_wait(master, replica)
    test_pace(master, "a millrace", 40)
    test_replica_returns(master, replica)
    until_counted(master, 1)
    test_timeout(master, replica)
    test_switched_off(master, replica)
    test_role_lost(master, replica)
    test_stock(lab, PORT + 5)
    test_nothing_is_lost(master, replica)


if __name__ == "__main__":
    sys.exit(run_test(test))
