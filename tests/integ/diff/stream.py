# SPDX-License-Identifier: BSD-3-Clause
"""Streams. IDs come from a counter, so that most entries are behind the last one."""
import time

SHARE = 0.9
TIMED = {"xautoclaim", "xclaim", "xpending"}
TOLERANCE_MS = 10000
RUN_MS = 1000000  # a run is shorter
NEVER, LONG_AGO = "100000000", "500000000"  # idle times that nothing reaches by itself


class Ids:
    def __init__(self, rnd):
        self.rnd = rnd
        self.last = 100

    def new(self):
        self.last += self.rnd.randrange(3)
        return f"{self.last}-{self.rnd.choice(['*', '*', '*', self.rnd.randrange(9)])}"

    def old(self):
        ms = max(0, self.last - self.rnd.randrange(60))
        return f"{ms}-{self.rnd.choice([0, 0, 0, 1, self.rnd.randrange(9)])}"

    def bound(self, end):
        bare = self.old().split("-", maxsplit=1)[0]
        return self.rnd.choice([end, end, self.old(), self.old(), "(" + self.old(), bare])


def commands(w):
    key, value, pick = w.key, w.value, w.pick
    ids = Ids(w.rnd)

    def few(n=6):
        return str(w.rnd.randrange(n))

    def pairs():
        fields = pick([["f"], ["f"], ["f"], ["f", "g"], ["g", "f"], [value()]])
        return [word for field in fields for word in (field, value())]

    def trim():
        limit = pick([[], [], ["limit", few(20)]])
        if w.rnd.random() < 0.5:
            return ["maxlen"] + pick([[few(60)], ["=", few(60)], ["~", few(60)] + limit])
        return ["minid"] + pick([[ids.old()], ["=", ids.old()], ["~", ids.old()] + limit])

    def group():
        return pick(["g1", "g1", "g1", "g2", "none"])

    def consumer():
        return pick(["alice", "bob", "carol"])

    def count():
        return pick([[], [], ["count", few()]])

    def full():
        return ["xinfo", "stream", key(), "full"] + pick([[], ["count", "0"], ["count", few()]])

    def read(options, after):
        keys = w.some(key, 1, 3)
        return options + ["streams"] + keys + [after() for _ in keys]

    def claim_options():
        options = pick([[], [], ["idle", LONG_AGO], ["time", str(int(time.time() * 1000) - int(LONG_AGO))]])
        options += pick([[], [], ["retrycount", few()]]) + pick([[], ["force"]]) + pick([[], ["justid"]])
        return options + pick([[], [], [], ["lastid", ids.old()]])

    add = [lambda: ["xadd", key(), ids.new()] + pairs()] * 8
    deliver = [
        lambda: read(["xreadgroup", "group", group(), consumer()] + count() + pick([[], [], ["noack"]]), lambda: ">")
    ] * 5
    look = [full] * 3
    return (
        add
        + deliver
        + look
        + [
            lambda: ["xadd", key()] + pick([[], ["nomkstream"]]) + trim() + [ids.new()] + pairs(),
            lambda: ["xadd", key(), ids.old()] + pairs(),
            lambda: ["xtrim", key()] + trim(),
            lambda: ["xdel", key()] + w.some(ids.old, 1, 8),
            lambda: ["xlen", key()],
            lambda: ["xrange", key(), ids.bound("-"), ids.bound("+")] + count(),
            lambda: ["xrevrange", key(), ids.bound("+"), ids.bound("-")] + count(),
            lambda: read(["xread"] + count(), lambda: pick([ids.old(), ids.old(), "0", "$"])),
            lambda: read(["xreadgroup", "group", group(), consumer()] + count(), lambda: pick([ids.old(), "0"])),
            lambda: ["xgroup", "create", key(), group(), pick([ids.old(), "0", "$"])]
            + pick([["mkstream"], ["mkstream"], ["entriesread", few()]]),
            lambda: ["xgroup", "create", key(), group(), pick(["0", "$"]), "mkstream"],
            lambda: ["xgroup", "setid", key(), group(), pick([ids.old(), "0", "$"])]
            + pick([[], ["entriesread", few(100)]]),
            lambda: ["xgroup", "createconsumer", key(), group(), consumer()],
            lambda: ["xgroup", "delconsumer", key(), group(), consumer()],
            lambda: ["xgroup", "destroy", key(), pick(["g2", group()])],
            lambda: ["xack", key(), group()] + w.some(ids.old, 1, 8),
            lambda: ["xclaim", key(), group(), consumer(), pick(["0", "0", NEVER])]
            + w.some(ids.old, 1, 8)
            + claim_options(),
            lambda: ["xautoclaim", key(), group(), consumer(), pick(["0", "0", NEVER]), ids.bound("-")]
            + count()
            + pick([[], ["justid"]]),
            lambda: ["xpending", key(), group()],
            lambda: ["xpending", key(), group()]
            + pick([[], ["idle", "0"], ["idle", NEVER]])
            + [ids.bound("-"), ids.bound("+"), few(30)]
            + pick([[], [consumer()]]),
            lambda: ["xinfo", "stream", key()],
            lambda: ["xinfo", "groups", key()],
            lambda: ["xinfo", "consumers", key(), group()],
            lambda: ["xsetid", key(), ids.old()]
            + pick([[], ["entriesadded", few(100)]])
            + pick([[], ["maxdeletedid", ids.old()]]),
            lambda: ["xsetid", key(), ids.new().replace("*", "3")],
            lambda: ["copy", key(), key(), "replace"],
        ]
    )


def near(one, two):
    """The same, but for how long ago something was."""
    return one == two or one[0] == two[0] == b":" and abs(int(one[1]) - int(two[1])) < TOLERANCE_MS


def times_of(items):
    """Places of times in an array: behind such a name; in pending entries; those of XINFO STREAM FULL are large."""
    named = {i + 1 for i in range(len(items) - 1) if items[i][2] in (b"idle", b"seen-time")}
    if len(items) == 4 and [item[0] for item in items] == [b"$", b"$", b":", b":"]:
        named.add(2)
    if len(items) == 3 and [item[0] for item in items] == [b"$", b":", b":"]:
        named.add(1)
    return named


def alike(one, two):
    if one == two:
        return True
    if one[0] != two[0] or not isinstance(one[2], list) or not isinstance(two[2], list):
        return False
    if len(one[2]) != len(two[2]):
        return False
    times = times_of(one[2])
    return all((near if i in times else alike)(*pair) for i, pair in enumerate(zip(one[2], two[2])))


def timeless(payload):
    """A stream's DUMP payload without its checksum, and with nothing in the place of recent times."""
    now = int(time.time() * 1000)
    data, at = bytearray(payload[:-8]), 0
    while at + 8 <= len(data):
        ago = now - int.from_bytes(data[at : at + 8], "little")
        recent = min(abs(ago), abs(ago - int(LONG_AGO))) < RUN_MS
        if recent:
            data[at : at + 8] = bytes(8)
        at += 8 if recent else 1
    return data


def same(command, node, redis):
    name = command[0].lower() if command else b""
    if name == b"dump" and node[0] == redis[0] == b"$" and node[2] and redis[2] and node[2][0] == redis[2][0] == 19:
        return timeless(node[2]) == timeless(redis[2])
    return name in (b"xinfo", b"xpending") and alike(node, redis)
