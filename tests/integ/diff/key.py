# SPDX-License-Identifier: BSD-3-Clause
"""Keys of any type: removing, renaming, copying, times to live, DUMP and RESTORE."""
import time

TIMED = ("expire", "pexpire")
SHARE = 0.5
UNORDERED = {b"keys": 1}
TIME_SLACK_MS = 3000


def expire(w):
    name, number = w.pick(
        [
            ("expire", w.rnd.randrange(1000, 5000)),
            ("pexpire", w.rnd.randrange(1000000, 5000000)),
            ("expireat", int(time.time()) + w.rnd.randrange(1000, 5000)),
            ("pexpireat", int(time.time()) * 1000 + w.rnd.randrange(1000000, 5000000)),
            ("expire", -1),
            ("pexpireat", 1),
        ]
    )
    # far apart from what is there, or GT and LT could be decided by the milliseconds
    return [name, w.key(), str(number)] + w.some(lambda: w.pick(["nx", "xx"]), 0, 2)


def commands(w):
    key, pick = w.key, w.pick
    return [
        lambda: [pick(["del", "unlink"])] + w.some(key),
        lambda: [pick(["exists", "touch"])] + w.some(key),
        lambda: ["type", key()],
        lambda: [pick(["rename", "renamenx"]), key(), key()],
        lambda: ["copy", key(), key()]
        + pick([[], ["replace"], ["db", "1"], ["db", "1", "replace"]]),
        lambda: ["move", key(), pick("01")],
        lambda: ["select", pick("0001")],
        lambda: expire(w),
        lambda: expire(w),
        lambda: ["persist", key()],
        lambda: [pick(["ttl", "pttl", "expiretime", "pexpiretime"]), key()],
        lambda: ["object", "encoding", key()],
        lambda: ["keys", pick(["*", "key:*", "key:[1-5]", "?", "*1*", "[^k]*"])],
        lambda: ["dump", key()],
    ]


def near(one, other, slack):
    return abs(int(one) - int(other)) <= slack and (int(one) < 0) == (int(other) < 0)


def same(command, node, redis):
    name = command[0].lower()
    if name in (b"ttl", b"expiretime") and node[0] == redis[0] == b":":
        return near(node[1], redis[1], TIME_SLACK_MS // 1000)
    if name in (b"pttl", b"pexpiretime") and node[0] == redis[0] == b":":
        return near(node[1], redis[1], TIME_SLACK_MS)
    if name == b"dump" and node[2] and redis[2]:
        # types 2 and 4: the members of a set and of a hash in the order of their hash tables
        return node[2][:1] == redis[2][:1] and node[2][:1] in b"\2\4" and node[1] == redis[1]
    return False


def checks(pair, w):
    """Values move by DUMP and RESTORE, from either to both, some of them damaged."""
    rnd = w.rnd
    for _ in range(8):
        payload = rnd.choice(pair.ask([b"dump", rnd.choice(w.keys).encode()]))[2]
        if payload is None:
            continue
        at = rnd.randrange(len(payload))
        if rnd.random() < 0.3:
            damaged = bytes([payload[at] ^ (1 << rnd.randrange(8))])
            payload = payload[:at] + damaged + payload[at + 1 :]
        ttl, *options = rnd.choice(
            [
                ["0"],
                ["0", "replace"],
                ["0", "replace", "idletime", "100"],
                ["0", "replace", "freq", "7"],
                [str(rnd.randrange(1000000, 5000000)), "replace"],
                ["0", "absttl", "replace"],
                [str(int(time.time() * 1000) + 1000000), "absttl", "replace"],
                [str(int(time.time() * 1000) - 1000000), "replace", "absttl"],
                ["1", "absttl"],
                [w.big, "replace", "absttl"],
            ]
        )
        key = rnd.choice(w.keys).encode()
        pair.ask([b"restore", key, ttl.encode(), payload] + [word.encode() for word in options])
