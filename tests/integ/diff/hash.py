# SPDX-License-Identifier: BSD-3-Clause
"""Hashes of both encodings: half of the keys hold some fields, half may hold many."""

UNORDERED = {b"hgetall": 2, b"hkeys": 1, b"hvals": 1}
SCANS = {b"hscan": 2}
FIELDS = [f"f{i}" for i in range(12)] + ["7", "-3", "", "x" * 64, "x" * 65]


def field(w):
    return w.pick(FIELDS) if w.rnd.random() < 0.8 else w.value()


def pairs(w, low=1, high=4):
    return [word for _ in range(w.rnd.randrange(low, high)) for word in (field(w), w.value())]


def many(w):
    """Enough to pass hash-max-listpack-entries."""
    first = w.rnd.randrange(1000)
    return [word for i in range(w.rnd.randrange(300)) for word in (f"m{first + i}", str(i))]


def commands(w):
    key, number, pick = w.key, w.number, w.pick
    return [
        lambda: [pick(["hset", "hmset"]), key()] + pairs(w),
        lambda: [pick(["hset", "hmset"]), key()] + pairs(w),
        lambda: [pick(["hset", "hmset"]), pick(w.keys[:4])] + (many(w) or ["f", "v"]),
        lambda: ["hsetnx", key(), field(w), w.value()],
        lambda: ["hget", key(), field(w)],
        lambda: ["hmget", key()] + w.some(lambda: field(w)),
        lambda: ["hdel", key()] + w.some(lambda: field(w)),
        lambda: ["hdel", pick(w.keys[:4])] + (many(w)[::2] or ["f"]),
        lambda: [pick(["hlen", "hgetall", "hkeys", "hvals"]), key()],
        lambda: [pick(["hexists", "hstrlen"]), key(), field(w)],
        lambda: ["hincrby", key(), field(w), number()],
        lambda: ["hincrbyfloat", key(), field(w), repr(w.rnd.uniform(-100, 100))],
        # what is random in the reply, checks() looks at
        lambda: ["hrandfield", key(), pick(["0", "1000000"])] + pick([[], ["withvalues"]]),
        lambda: ["hscan", key(), "0", "count", "1000000"] + pick([[], ["match", "*1*"]]),
        lambda: ["object", "encoding", key()],
    ]


def same(command, node, redis):
    """A HRANDFIELD of all fields has no order; of some there is more to see in checks()."""
    if command[0].lower() != b"hrandfield" or node[0] != redis[0] or node[0] not in b"$*":
        return False
    if node[0] == b"$" or abs(int(command[2])) < 1000:
        return node[0] == b"$" or node[1] == redis[1]
    flat = len(command) > 3 and node[2] and node[2][0][0] != b"*"
    found, wanted = (zip(r[2][::2], r[2][1::2]) if flat else r[2] for r in (node, redis))
    return sorted(found, key=repr) == sorted(wanted, key=repr)


def checks(pair, w):
    """HRANDFIELD's picks, and HSCAN in small steps, against HGETALL."""
    key = w.key().encode()
    if pair.ask([b"type", key])[0][1] != b"hash":
        return
    flat = [item[2] for item in pair.ask([b"hgetall", key])[0][2]]
    content = dict(zip(flat[::2], flat[1::2]))
    for conn in (pair.node, pair.redis):
        check_scan(pair, conn, key, content)
        for count in (None, 1, 2, len(content) // 4, len(content) - 1, -5, -len(content) * 2):
            check_random(pair, conn, key, count, content)


def check_scan(pair, conn, key, content):
    cursor, seen = b"0", {}
    while True:
        cursor, items = (part[2] for part in conn.ask([b"hscan", key, cursor, b"count", b"5"])[2])
        seen.update(zip((i[2] for i in items[::2]), (i[2] for i in items[1::2])))
        if cursor == b"0":
            break
    if seen != content:
        pair.fault(b"hscan " + key, sorted(seen), sorted(content))


def check_random(pair, conn, key, count, content):
    if count is None:
        found = [conn.ask([b"hrandfield", key])]
        wanted = 1
    else:
        reply = conn.ask([b"hrandfield", key, b"%d" % count, b"withvalues"])
        found = [f for f in reply[2]] if reply[2] else []
        if found and found[0][0] != b"*":
            found = [(b"*", b"2", list(two)) for two in zip(found[::2], found[1::2])]
        wanted = -count if count < 0 else min(count, len(content))
        wrong = [two for two in found if content.get(two[2][0][2]) != two[2][1][2]]
        if wrong:
            pair.fault(b"hrandfield %s %d" % (key, count), wrong, sorted(content))
        found = [two[2][0] for two in found]
    names = [name[2] for name in found]
    distinct = count is not None and count >= 0
    if len(names) != wanted or set(names) - set(content):
        pair.fault(b"hrandfield %s %s" % (key, b"%d" % (count or 0)), names, sorted(content))
    if distinct and len(set(names)) != len(names):
        pair.fault(b"hrandfield %s %d, twice the same" % (key, count), names, sorted(content))
