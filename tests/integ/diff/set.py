# SPDX-License-Identifier: BSD-3-Clause
"""Sets of both encodings. Random members are looked at in checks(), so that data sets stay equal."""

UNORDERED = {name: 1 for name in (b"smembers", b"sinter", b"sunion", b"sdiff", b"spop")}
SCANS = {b"sscan": 1}
REPLACED = {
    name: lambda args: args[:1] for name in (b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE")
}
MEMBERS = ["a", "b", "c", "ab", "", "x" * 200, "07", "-0", "9223372036854775808"]
POPPED = b"to-be-popped"


def number(w):
    large = w.rnd.randrange(-(1 << 40), 1 << 40)
    return str(w.pick([w.rnd.randrange(20), w.rnd.randrange(20), large]))


def member(w):
    kind = w.rnd.random()
    return number(w) if kind < 0.6 else w.pick(MEMBERS) if kind < 0.9 else w.value()


def many(w):
    """Enough to pass set-max-intset-entries."""
    first = w.rnd.randrange(1000)
    return [str(first + i) for i in range(w.rnd.randrange(1, 300))]


def integer_key(w):
    return w.pick(w.keys[:5])


def commands(w):
    key, pick, rnd = w.key, w.pick, w.rnd
    combine = ["sinter", "sunion", "sdiff"]
    return [
        lambda: ["sadd", key()] + w.some(lambda: member(w)),
        lambda: ["sadd", key()] + w.some(lambda: member(w)),
        lambda: ["sadd", integer_key(w)] + w.some(lambda: number(w)),
        lambda: ["sadd", integer_key(w)] + many(w),
        lambda: ["srem", key()] + w.some(lambda: member(w)),
        lambda: ["srem", integer_key(w)] + many(w)[:: rnd.randrange(1, 3)],
        lambda: ["smove", key(), key(), member(w)],
        lambda: ["sismember", key(), member(w)],
        lambda: ["smismember", key()] + w.some(lambda: member(w)),
        lambda: [pick(["scard", "smembers"]), key()],
        lambda: [pick(combine)] + w.some(key),
        lambda: [pick(combine) + "store", key()] + w.some(key),
        lambda: [pick(combine) + "store", integer_key(w)] + w.some(lambda: integer_key(w)),
        lambda: ["sintercard", "2", key(), key()] + pick([[], ["limit", str(rnd.randrange(9))]]),
        lambda: [pick(["srandmember", "spop"]), key(), "0"],
        lambda: ["srandmember", key(), "1000000"],
        lambda: ["spop", pick(w.keys[10:]), "1000000"],
        lambda: ["sscan", key(), "0", "count", "1000000"] + pick([[], ["match", "*1*"]]),
        lambda: ["object", "encoding", key()],
    ]


def keep(command):
    """A SPOP with another count pops members at random; the table has the wrong ones."""
    return command[0] == "spop"


def same(command, node, redis):
    """A SRANDMEMBER of all members has no order; of some there is more to see in checks()."""
    if command[0].lower() != b"srandmember" or node[0] != redis[0] or node[0] not in b"$*":
        return False
    if node[0] == b"$" or abs(int(command[2])) < 1000:
        return node[0] == b"$" or node[1] == redis[1]
    return sorted(node[2]) == sorted(redis[2])


def effect(command):
    """Which members SPOP took is not the same on both; that it took a member is."""
    return command[:2] if command[:2] == [b"SREM", POPPED] else command


def checks(pair, w):
    """Random members, and SSCAN in small steps, against SMEMBERS."""
    key = w.key().encode()
    if pair.ask([b"type", key])[0][1] != b"set":
        return
    content = {item[2] for item in pair.ask([b"smembers", key])[0][2]}
    for conn in (pair.node, pair.redis):
        check_scan(pair, conn, key, content)
        for count in (None, 1, 2, len(content) // 4, len(content) - 1, -5, -len(content) * 2):
            check_random(pair, conn, key, count, content)
    for count in {None, 1, len(content) // 8, len(content) // 2, len(content) - 1} - {0}:
        check_pop(pair, key, count, content)


def check_scan(pair, conn, key, content):
    cursor, seen = b"0", set()
    while True:
        cursor, items = (part[2] for part in conn.ask([b"sscan", key, cursor, b"count", b"5"])[2])
        seen |= {item[2] for item in items}
        if cursor == b"0":
            break
    if seen != content:
        pair.fault(b"sscan " + key, sorted(seen), sorted(content))


def is_integer(member):
    """Whether a set of integers can hold it."""
    try:
        return b"%d" % int(member) == member and -(1 << 63) <= int(member) < 1 << 63
    except ValueError:
        return False


def picks(conn, name, key, count):
    """The members of a reply, and how many there have to be out of so many."""
    if count is None:
        return [conn.ask([name, key])[2]]
    reply = conn.ask([name, key, b"%d" % count])
    return [item[2] for item in reply[2]] if reply[0] in b"*~" else [reply]


def check_random(pair, conn, key, count, content):
    found = picks(conn, b"srandmember", key, count)
    wanted = 1 if count is None else -count if count < 0 else min(count, len(content))
    distinct = count is None or count >= 0
    if len(found) != wanted or set(found) - content or distinct and len(set(found)) != wanted:
        pair.fault(b"srandmember %s %d" % (key, count or 0), found, sorted(content))


def check_pop(pair, key, count, content):
    """What is popped off a copy is what is missing then; encodings stay alike."""
    pair.ask([b"copy", key, POPPED, b"replace"])
    for conn in (pair.node, pair.redis):
        found = picks(conn, b"spop", POPPED, count)
        rest = {item[2] for item in conn.ask([b"smembers", POPPED])[2]}
        wanted = 1 if count is None else min(count, len(content))
        if len(found) != wanted or set(found) | rest != content or set(found) & rest:
            pair.fault(b"spop %s %d" % (key, count or 0), found, sorted(content))
    pair.ask([b"ttl", POPPED])
    # What is left of both kinds may be of one kind on one server and of both on the other.
    if len(content) - wanted and len({is_integer(member) for member in content}) == 1:
        pair.ask([b"object", b"encoding", POPPED])
    pair.ask([b"del", POPPED])
