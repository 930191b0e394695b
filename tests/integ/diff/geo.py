# SPDX-License-Identifier: BSD-3-Clause
"""Places in sorted sets."""

REPLACED = {b"GEOSEARCHSTORE": lambda args: args[:1]}


def place(w):
    """Few have the same distance from anything: Redis does not say which of them comes first."""
    if w.rnd.random() < 0.7:
        return [repr(w.rnd.uniform(10, 16)), repr(w.rnd.uniform(36, 40))]
    if w.rnd.random() < 0.1:
        return [w.pick(["180", "-180", "200"]), w.pick(["85.05112878", "-85.05112878", "90"])]
    return [repr(w.rnd.uniform(-180, 180)), repr(w.rnd.uniform(-85, 85))]


def member(w):
    return w.pick(["palermo", "catania", "rome", "1", "2", "33", "a", "b", "c", "d", "e"])


def distance(w):
    unit = w.pick(["m", "km", "ft", "mi", "KM"])
    return repr(w.rnd.uniform(0, 10 ** w.rnd.randrange(0, 8))), unit


def count(w):
    return w.pick([[], [], ["count", "2"], ["count", "1", "any"], ["count", "100"]])


def options(w):
    words = w.some(lambda: w.pick(["withdist", "withhash", "withcoord", "asc", "desc"]), 0)
    return words + count(w)


def store(w):
    return w.pick([[], ["store", w.key()], ["storedist", w.key()]])


def middle(w):
    return w.pick([["fromlonlat"] + place(w), ["frommember", member(w)]])


def shape(w):
    size, unit = distance(w)
    if w.rnd.random() < 0.5:
        return ["byradius", size, unit]
    return ["bybox", size, distance(w)[0], unit]


def geoadd(w):
    words = w.some(lambda: w.pick(["nx", "xx", "ch"]), 0, 2)
    places = [place(w) + [member(w)] for _ in range(w.rnd.randrange(1, 6))]
    return words + [word for one in places for word in one]


def many(w):
    return [word for i in range(150) for word in place(w) + [f"place:{i}"]]


def commands(w):
    key, pick = w.key, w.pick
    return [
        lambda: ["geoadd", key()] + geoadd(w),
        lambda: ["geoadd", key()] + geoadd(w),
        lambda: ["geoadd", key()] + many(w),
        lambda: ["geopos", key()] + w.some(lambda: member(w)),
        lambda: ["geohash", key()] + w.some(lambda: member(w)),
        lambda: ["geodist", key(), member(w), member(w)] + pick([[], [distance(w)[1]]]),
        lambda: [pick(["georadius", "georadius_ro"]), key()] + place(w) + [*distance(w)] + options(w),
        lambda: ["georadius", key()] + place(w) + [*distance(w)] + count(w) + store(w),
        lambda: [pick(["georadiusbymember", "georadiusbymember_ro"]), key(), member(w)]
        + [*distance(w)]
        + options(w),
        lambda: ["georadiusbymember", key(), member(w)] + [*distance(w)] + count(w) + store(w),
        lambda: ["geosearch", key()] + middle(w) + shape(w) + options(w),
        lambda: ["geosearchstore", key(), key()]
        + middle(w)
        + shape(w)
        + count(w)
        + pick([[], ["storedist"], ["asc"]]),
        lambda: ["zrange", key(), "0", "-1", "withscores"],
    ]
