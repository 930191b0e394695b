# SPDX-License-Identifier: BSD-3-Clause
"""Strings, with bitmaps and bit fields."""

TIMED = ("set", "getex", "setex", "psetex")


def bit_range(w):
    args = []
    for _ in range(w.rnd.randrange(3)):
        args.append(w.number())
    if len(args) == 2 and w.rnd.random() < 0.5:
        args.append(w.pick(["bit", "byte", "BIT"]))
    return args


def field(w):
    kind = w.pick(["i", "u"]) + str(w.rnd.randrange(1, 64))
    offset = w.pick(["", "#"]) + str(w.rnd.randrange(40))
    pick = w.rnd.randrange(4)
    if pick == 0:
        return ["get", kind, offset]
    if pick == 1:
        return ["set", kind, offset, str(w.rnd.randrange(-(1 << 40), 1 << 40))]
    if pick == 2:
        return ["incrby", kind, offset, str(w.rnd.randrange(-(1 << 62), 1 << 62))]
    return ["overflow", w.pick(["wrap", "sat", "fail"])]


def fields(w):
    return [word for _ in range(w.rnd.randrange(1, 5)) for word in field(w)]


def commands(w):
    key, value, number, pick = w.key, w.value, w.number, w.pick
    return [
        lambda: ["set", key(), value()],
        lambda: ["set", key(), value()] + w.time(),
        lambda: ["set", key(), value()] + w.some(lambda: pick(["nx", "xx", "get", "keepttl"])),
        lambda: ["set", key(), value(), pick(["nx", "xx", "get"])] + w.time(),
        lambda: ["get", key()],
        lambda: ["mget"] + w.some(key),
        lambda: ["mset"] + [word for _ in range(3) for word in (key(), value())],
        lambda: ["msetnx"] + [word for _ in range(2) for word in (key(), value())],
        lambda: ["append", key(), value()],
        lambda: ["strlen", key()],
        lambda: ["setrange", key(), str(w.rnd.randrange(40)), value()],
        lambda: [pick(["getrange", "substr"]), key(), number(), number()],
        lambda: [pick(["incr", "decr"]), key()],
        lambda: [pick(["incrby", "decrby"]), key(), number()],
        lambda: ["incrbyfloat", key(), repr(w.rnd.uniform(-100, 100))],
        lambda: ["getset", key(), value()],
        lambda: ["getdel", key()],
        lambda: ["getex", key()] + pick([[], ["persist"], w.time()]),
        lambda: ["setnx", key(), value()],
        lambda: ["setex", key(), str(w.rnd.randrange(1000, 5000)), value()],
        lambda: ["psetex", key(), str(w.rnd.randrange(1000000, 5000000)), value()],
        lambda: ["lcs", key(), key()]
        + pick([[], ["len"], ["idx"], ["idx", "withmatchlen", "minmatchlen", number()]]),
        lambda: ["setbit", key(), str(w.rnd.randrange(300)), pick("01")],
        lambda: ["getbit", key(), str(w.rnd.randrange(300))],
        lambda: ["bitcount", key()] + bit_range(w),
        lambda: ["bitpos", key(), pick("01")] + bit_range(w),
        lambda: ["bitop", pick(["and", "or", "xor"]), key()] + w.some(key),
        lambda: ["bitop", "not", key(), key()],
        lambda: ["bitfield", key()] + fields(w),
        lambda: ["bitfield_ro", key()] + fields(w),
    ]


def same(command, node, redis):
    """What INCRBYFLOAT makes is a text for redis-server until stored again, here a number."""
    return command[:2] == [b"object", b"encoding"] and {node[2], redis[2]} == {b"int", b"embstr"}


def logged(command):
    """redis-server logs no BITFIELD of which each write fails, though the string may grow."""
    return not (command[0] == b"BITFIELD" and b"fail" in command)


# Keys that a command gives another value, whatever they were.
REPLACED = {
    b"SET": lambda args: args[:1],
    b"MSET": lambda args: args[::2],
    b"BITOP": lambda args: args[1:2],
}
