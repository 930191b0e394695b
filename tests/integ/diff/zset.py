# SPDX-License-Identifier: BSD-3-Clause
"""Sorted sets."""
from lab import Failed

SCANS = {b"zscan": 2}

REPLACED = {
    b"ZRANGESTORE": lambda args: args[:1],
    b"ZUNIONSTORE": lambda args: args[:1],
    b"ZINTERSTORE": lambda args: args[:1],
    b"ZDIFFSTORE": lambda args: args[:1],
}

SCORES = ["0", "-0", "1", "2", "3", "-1", "1.5", "-2.25", "inf", "-inf", "1e300", "3e18", "5e18"]


def member(w):
    if w.rnd.random() < 0.9:
        return w.pick(["a", "b", "c", "d", "aa", "ab", "abc", "1", "2", "10", "-5", "", "x" * 30])
    return w.value()


def score(w):
    if w.rnd.random() < 0.6:
        return w.pick(SCORES)
    return repr(w.rnd.uniform(-10, 10)) if w.rnd.random() < 0.5 else str(w.rnd.randrange(-5, 20))


def pairs(w, most=4):
    return [word for _ in range(w.rnd.randrange(1, most)) for word in (score(w), member(w))]


def many(w):
    """So many, or one so long, that the set is no listpack any more."""
    if w.rnd.random() < 0.3:
        return [score(w), "m" * 65]
    return [word for i in range(140) for word in (score(w), f"member:{i}")]


def bound(w):
    return w.pick(["", "", "("]) + score(w)


def lex(w):
    return w.pick(["-", "+", "[" + w.pick(["", "a", "ab", "b", "1"]), "(" + w.pick(["a", "b", "2"])])


def limit(w):
    if w.rnd.random() < 0.5:
        return []
    return ["limit", w.pick(["0", "1", "2", "-1", "5"]), w.pick(["-1", "0", "1", "3"])]


def scores(w):
    return w.pick([[], ["withscores"]])


def zrange(w):
    rev = w.pick([[], ["rev"]])
    if w.rnd.random() < 0.5:
        return [w.number(), w.number()] + rev
    return [bound(w), bound(w), "byscore"] + rev + limit(w)


def zrange_lex(w):
    args = [lex(w), lex(w), "bylex"] + w.pick([[], ["rev"]])
    return [w.pick(["names", "small"])] + args + limit(w)


def numbered(w):
    keys = w.some(w.key)
    return [str(len(keys))] + keys


def weighted(w):
    keys = w.some(w.key)
    args = [str(len(keys))] + keys
    if w.rnd.random() < 0.4:
        args += ["weights"] + [score(w) for _ in keys]
    if w.rnd.random() < 0.4:
        args += ["aggregate", w.pick(["sum", "min", "max", "MAX"])]
    return args


def by_name(w):
    """What ranges by name read. Where scores differ, that is fixed for a listpack only: a skip list
    answers as it happens to be linked."""
    if w.rnd.random() < 0.5:
        return ["names"] + [word for _ in range(1, 6) for word in ("0", member(w))]
    return ["small"] + [word for _ in range(1, 6) for word in (score(w), w.pick("abcdef"))]


def commands(w):
    key, pick, number = w.key, w.pick, w.number

    def names():
        return pick(["names", "small"])

    return [
        lambda: ["zadd", key()] + pairs(w),
        lambda: ["zadd", key()] + pairs(w, 12),
        lambda: ["zadd", key()] + many(w),
        lambda: ["zadd"] + by_name(w),
        lambda: ["zadd", "names"] + [word for i in range(140) for word in ("0", f"n{i}")],
        lambda: ["zadd", key()]
        + w.some(lambda: pick(["nx", "xx", "gt", "lt", "ch", "incr", "CH"]))
        + pairs(w),
        lambda: ["zadd", key(), pick(["nx", "xx", "gt", "lt", "ch"]), "incr", score(w), member(w)],
        lambda: ["zincrby", key(), score(w), member(w)],
        lambda: ["zrem", key()] + w.some(lambda: member(w)),
        lambda: ["zcard", key()],
        lambda: ["zscore", key(), member(w)],
        lambda: ["zmscore", key()] + w.some(lambda: member(w)),
        lambda: [pick(["zrank", "zrevrank"]), key(), member(w)],
        lambda: ["zcount", key(), bound(w), bound(w)],
        lambda: ["zlexcount", names(), lex(w), lex(w)],
        lambda: ["zrange"] + zrange_lex(w),
        lambda: ["zrangestore", key()] + zrange_lex(w),
        lambda: ["zrange", key()] + zrange(w) + scores(w),
        lambda: ["zrange", key(), "0", "-1", "withscores"],
        lambda: ["zrangestore", key(), key()] + zrange(w),
        lambda: [pick(["zrevrange", "zrange"]), key(), number(), number()] + scores(w),
        lambda: [pick(["zrangebyscore", "zrevrangebyscore"]), key(), bound(w), bound(w)]
        + scores(w)
        + limit(w),
        lambda: [pick(["zrangebylex", "zrevrangebylex"]), names(), lex(w), lex(w)] + limit(w),
        lambda: [pick(["zrangebylex", "zrevrangebylex"]), "small", lex(w), lex(w)] + limit(w),
        lambda: ["zremrangebyrank", key(), number(), number()],
        lambda: ["zremrangebyscore", key(), bound(w), bound(w)],
        lambda: ["zremrangebylex", names(), lex(w), lex(w)],
        lambda: [pick(["zpopmin", "zpopmax"]), key()] + pick([[], [], ["0"], ["2"], ["200"]]),
        lambda: ["zmpop"]
        + numbered(w)
        + [pick(["min", "max", "MIN"])]
        + pick([[], ["count", pick(["1", "3"])]]),
        lambda: [pick(["zunion", "zinter"])] + weighted(w) + scores(w),
        lambda: [pick(["zunionstore", "zinterstore"]), key()] + weighted(w),
        lambda: ["zdiff"] + numbered(w) + scores(w),
        lambda: ["zdiffstore", key()] + numbered(w),
        lambda: ["zintercard"] + numbered(w) + pick([[], ["limit", pick(["0", "1", "2"])]]),
        lambda: ["zscan", key(), "0", "count", "1000"] + pick([[], ["match", "a*"]]),
        lambda: ["object", "encoding", key()],
        lambda: ["debug", "digest-value", key()],
    ]


def keep(command):
    """All scores of `names` stay equal; how much a ZSCAN with COUNT replies is not told."""
    return "names" in command or command[0] == "zscan"


def checks(pair, w):
    """ZRANDMEMBER: from both servers members of the same set, as many as asked for."""
    key = w.key().encode()
    count = w.pick([b"5", b"-5", b"1", b"100", b"-300"])
    if pair.ask([b"type", key])[0][1] != b"zset":
        return
    conns = (pair.node, pair.redis)
    for conn in conns:
        members = [one[2] for one in conn.ask([b"zrange", key, b"0", b"-1"])[2]]
        picked = [one[2] for one in conn.ask([b"zrandmember", key, count])[2]]
        number = int(count)
        want = -number if number < 0 else min(number, len(members))
        if len(picked) != want or not set(picked) <= set(members):
            raise Failed(f"ZRANDMEMBER {key} {count}: {picked} of {members}")
        if number > 0 and len(set(picked)) != len(picked):
            raise Failed(f"ZRANDMEMBER {key} {count}: {picked} has one twice")
        if conn.ask([b"zrandmember", key])[2] not in members:
            raise Failed(f"ZRANDMEMBER {key}: not a member")
