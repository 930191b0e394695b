# SPDX-License-Identifier: BSD-3-Clause
"""Scripts and functions."""

LIBRARY = """#!lua name={name}
local function all(keys, args)
    return {{#keys, #args, redis.call('incr', keys[1])}}
end
redis.register_function('{name}_all', all)
redis.register_function{{function_name='{name}_ro', callback=function(keys)
    return redis.call('get', keys[1]) end, flags={{'no-writes'}}, description='reads'}}
redis.register_function('{name}_bad', function(keys) return redis.call('lpush', keys[1]) end)
"""
NAMES = ["lib1", "lib2", "lib3"]
FUNCTIONS = [f"{name}_{kind}" for name in NAMES for kind in ("all", "ro", "bad", "none")]
SCRIPTS = [
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "return {KEYS[1], ARGV[1], #KEYS, #ARGV}",
    "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
    "for i = 1, 5 do redis.call('rpush', KEYS[1], i) end return redis.call('llen', KEYS[1])",
    "redis.call('del', KEYS[1]) redis.call('incr', KEYS[1]) return redis.call('append', KEYS[1], 'x')",
    "redis.setresp(3) return redis.call('hgetall', KEYS[1])",
    "local v = redis.call('get', KEYS[1]) if v then return redis.call('set', 'a', v) end return 0",
    "redis.call('set', 'b', 1) error('after a write')",
    "redis.call('select', 3) redis.call('set', KEYS[1], 3) redis.call('select', 0) "
    "return redis.call('set', KEYS[1], 0)",
    "return cmsgpack.pack(ARGV)",
    "return cjson.encode(ARGV)",
    "return redis.sha1hex(ARGV[1])",
    "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])",
    "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)",
    "#!lua\nreturn redis.call('incr', KEYS[1])",
]


def commands(w):
    key, pick = w.key, w.pick

    def inner():
        return pick(
            [
                ["get", key()],
                ["set", key(), w.value()],
                ["incr", key()],
                ["hset", key(), "f", w.value()],
                ["rpush", key(), w.value()],
                ["lpop", key()],
                ["sadd", key(), w.value()],
                ["zadd", key(), w.number(), "m"],
                ["del", key(), key()],
                ["nosuch", key()],
                ["type", key()],
                ["rename", key(), key()],
            ]
        )

    def library():
        return LIBRARY.format(name=pick(NAMES))

    return [
        lambda: ["eval", pick(SCRIPTS), "1", key()] + inner(),
        lambda: ["eval", pick(SCRIPTS), "1", key()] + inner(),
        lambda: ["eval_ro", pick(SCRIPTS), "1", key()] + inner(),
        lambda: ["eval", pick(SCRIPTS), pick(["0", "1", "2", "9", "-1"]), key()] + inner(),
        lambda: ["fcall", pick(FUNCTIONS), "1", key(), w.value()],
        lambda: ["fcall_ro", pick(FUNCTIONS), "1", key(), w.value()],
        lambda: ["function", "load", library()],
        lambda: ["function", "load", "replace", library()],
        lambda: ["function", "delete", pick(NAMES)],
        lambda: ["function", "list", "libraryname", pick(NAMES)],
        lambda: ["function", "stats"],
        lambda: ["function", "flush"],
        lambda: ["script", "flush"],
        lambda: ["script", "load", pick(SCRIPTS)],
    ]


def same(command, node, redis):
    """Functions of a library, and libraries, are listed in no order; so are maps that Lua had."""
    listed = [w.lower() for w in command[:2]] == [b"function", b"list"]
    mapped = command[0].lower().startswith(b"eval") and node[0] == redis[0] == b"%"
    return (listed or mapped) and flat(node) == flat(redis)


def flat(reply):
    """All words of a reply, in an order of their own."""
    kind, rest, content = reply
    if isinstance(content, list):
        return sorted(w for part in content for w in flat(part))
    return [kind + rest + (content or b"")]
