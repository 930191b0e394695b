#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ACLs on two poll cores: the same commands to a node and to redis-server, the replies compared;
and what a change of users does to clients of all cores."""
import os
import sys

from lab import check, equal, run_test, until
from resp import RespError


class Pair:
    """A node and redis-server: clients of both by name, and what both say."""

    def __init__(self, node, stock):
        self.servers = (node, stock)
        self.conns = {}

    def conn(self, who):
        if who not in self.conns:
            self.conns[who] = [server.connect() for server in self.servers]
        return self.conns[who]

    def close(self, who):
        for conn in self.conns.pop(who):
            conn.close()

    def both(self, who, *args):
        """The replies of both, as they are."""
        replies = []
        for conn in self.conn(who):
            conn.send(*args)
            replies.append(conn.read())
        return replies

    def same(self, who, *args, shape=lambda reply: reply):
        mine, theirs = self.both(who, *args)
        equal(plain(shape(mine)), plain(shape(theirs)), f"{who}: {args}")
        return mine

    def gone(self, who):
        for conn in self.conns.pop(who):
            try:
                while True:
                    conn.read()
            except ConnectionError:
                conn.close()


def plain(reply):
    if isinstance(reply, RespError):
        return f"-{reply}"
    if isinstance(reply, (list, tuple)):
        return [plain(item) for item in reply]
    if isinstance(reply, dict):
        return {key: plain(value) for key, value in reply.items()}
    return reply


def line(text):
    """Rules of single commands come in no order."""
    words = text.split() if isinstance(text, bytes) else text
    return sorted(words) if isinstance(words, list) else words


def lines(reply):
    return [line(text) for text in reply]


def user(reply):
    """ACL GETUSER with the rules of commands sorted."""
    if not isinstance(reply, list):
        return reply
    fields = dict(zip(reply[::2], reply[1::2]))
    fields[b"commands"] = line(fields[b"commands"])
    fields[b"flags"] = sorted(fields.get(b"flags", []))
    fields[b"selectors"] = [
        [line(value) for value in selector] for selector in fields.get(b"selectors", [])
    ]
    return fields


def log(reply):
    """ACL LOG without ages, and of clients the command and the user only."""
    out = []
    for entry in reply:
        fields = dict(zip(entry[::2], entry[1::2]))
        info = dict(word.split(b"=", 1) for word in fields.pop(b"client-info").split())
        fields["client"] = [info[b"cmd"], info[b"user"], info[b"multi"]]
        check(0 <= float(fields.pop(b"age-seconds")) < 60, "the age of an entry")
        out.append(fields)
    return out



def test_categories(pair):
    names = pair.same("admin", "ACL", "CAT")
    mine, theirs = pair.both("admin", "COMMAND", "LIST")
    common = set(mine) & set(theirs)
    for name in names:
        got = [set(reply) & common for reply in pair.both("admin", "ACL", "CAT", name)]
        check(
            got[0] == got[1],
            f"ACL CAT {name}: too many {got[0] - got[1]}, too few {got[1] - got[0]}",
        )
    infos = [
        {info[0]: info for info in reply if info}
        for reply in pair.both("admin", "COMMAND", "INFO", *sorted(common))
    ]
    for name in common:
        equal(sorted(infos[0][name][6]), sorted(infos[1][name][6]), f"categories of {name}")
    pair.same("admin", "ACL", "CAT", "nonsense")
    pair.same("admin", "ACL", "CAT", "a", "b")


RULES = [
    "on >secret ~a* %R~b* %W~c* &ch* +@all -@dangerous (+get ~z) (+set %W~y &x)",
    "+@string +@hash -hset",
    "+@all -@write +del",
    "allkeys allchannels allcommands",
    "resetkeys resetchannels nocommands",
    "+config|get +client -client|kill +select|1 +select|2",
    "-client +@connection",
    "%RW~q %rw~r %R~ ~",
    "nopass sanitize-payload",
    "skip-sanitize-payload resetpass",
    "( +ping ~\"a\" )",
    "clearselectors",
    "+@scripting +@pubsub -@blocking",
    "reset",
    "off +@all -get +get",
    "+nonsense",
    "+@nonsense",
    "-@nonsense",
    "nonsense",
    "+get|",
    "+config|nonsense",
    "+config|get|x",
    "-get|x",
    "~* ~a",
    "&* &a",
    "%X~a",
    "%R",
    "<nothing",
    "!abc",
    "#ABC",
    "(~a",
    "(~a (~b",
    "(on)",
    "(nonsense)",
    "on ) off",
    "(~x)) +get",
]


def test_rules(pair):
    for rules in RULES:
        pair.same("admin", "ACL", "SETUSER", "carol", *rules.split(" "))
        pair.same("admin", "ACL", "GETUSER", "carol", shape=user)
    pair.same("admin", "ACL", "SETUSER", "dave", "on", "nopass", "( +ping ~\"a b\" )")
    pair.same("admin", "ACL", "SETUSER", "dave", "")
    pair.same("admin", "ACL", "SETUSER", "with blank", "on")
    pair.same("admin", "ACL", "SETUSER", b"with\0nul", "on")
    pair.same("admin", "ACL", "LIST", shape=lines)
    pair.same("admin", "ACL", "USERS")
    pair.same("admin", "ACL", "GETUSER", "nobody")
    pair.same("admin", "ACL", "DELUSER", "carol", "nobody", "dave")
    pair.same("admin", "ACL", "DELUSER", "default")
    pair.same("admin", "ACL", "DELUSER", "nobody", "default")
    for args in ["WHOAMI", "LOAD", "SAVE", "GENPASS 0", "GENPASS 4097", "GENPASS x", "LOG x",
                 "LOG -1", "LOG 1 2", "NONSENSE", "SETUSER", "GETUSER", "DRYRUN x"]:
        pair.same("admin", "ACL", *args.split())
    for bits in (1, 4, 5, 8, 127, 4096):
        mine, theirs = pair.both("admin", "ACL", "GENPASS", bits)
        equal(len(mine), len(theirs), "ACL GENPASS")
    pair.same("admin", "CONFIG", "SET", "acl-pubsub-default", "allchannels")
    pair.same("admin", "ACL", "SETUSER", "erin", "(+get)")
    pair.same("admin", "ACL", "GETUSER", "erin", shape=user)
    pair.same("admin", "CONFIG", "SET", "acl-pubsub-default", "resetchannels")
    pair.same("admin", "ACL", "SETUSER", "erin", "reset")
    pair.same("admin", "ACL", "GETUSER", "erin", shape=user)
    pair.same("admin", "ACL", "DELUSER", "erin")


COMMANDS = [
    "PING", "GET a1", "SET a1 v", "GET b1", "SET b1 v", "SET c1 v", "GET c1", "GET z", "SET y v",
    "SET c1 v GET", "MGET a1 b1", "MGET a1 q", "MSET a1 1 a2 2", "COPY b1 c2", "COPY c1 b2",
    "EXISTS c1 b1", "EXISTS q", "TYPE c1", "RENAME a1 a2", "BITOP AND c3 b1 b2",
    "BITFIELD c1 GET u8 0", "BITFIELD b1 GET u8 0", "BITFIELD b1 SET u8 0 1",
    "SORT b1", "SORT b1 STORE c1", "SORT b1 BY w_*", "SORT b1 GET #", "SORT b1 BY nosort",
    "SORT_RO b1 GET x", "EVAL return 1", "EVAL x 1 q", "EVAL x 1 a1", "EVALSHA x 2 a1 q",
    "ZUNIONSTORE c1 2 b1 b2", "ZUNIONSTORE b1 1 b1", "XREAD STREAMS b1 0", "XREAD STREAMS c1 0",
    "XREADGROUP GROUP g c STREAMS b1 0", "GEORADIUS b1 1 1 1 m STORE c1",
    "GEORADIUS b1 1 1 1 m STORE b2", "LMPOP 1 b1 LEFT", "LMPOP 1 a1 LEFT", "OBJECT ENCODING b1",
    "OBJECT FREQ c1", "MEMORY USAGE c1", "KEYS *", "FLUSHALL", "CONFIG GET x", "CLIENT ID",
    "CLIENT KILL 1", "PUBLISH ch1 m", "PUBLISH other m", "SPUBLISH ch1 m", "SPUBLISH other m",
    "SUBSCRIBE ch1", "SUBSCRIBE other", "SSUBSCRIBE other", "PSUBSCRIBE ch*", "PSUBSCRIBE ch1*",
    "UNSUBSCRIBE other", "PUBSUB CHANNELS", "SELECT 1", "SELECT 2", "AUTH x", "ACL WHOAMI",
    "GETEX b1", "GETDEL b1", "LPUSH c1 x", "RPOPLPUSH b1 c1", "SINTERSTORE c1 b1 b2",
    "PFCOUNT b1", "PFMERGE c1 b1", "DEL b1", "DEL c1", "UNLINK c1", "EXPIRE c1 1", "TTL c1",
    "TOUCH b1", "WATCH b1", "SCAN 0", "RANDOMKEY", "DBSIZE", "SINTERCARD 2 b1 q", "LCS b1 c1",
    "SETRANGE c1 0 x", "HSET c1 f v", "HGETALL b1", "XADD c1 * f v", "XGROUP CREATE c1 g $",
    "XINFO STREAM c1", "GET", "NONSENSE x", "FCALL f 1 q", "FCALL_RO f 0", "DEBUG OBJECT b1",
    "ZADD c1 1 m", "ZRANGESTORE c1 b1 0 1", "ZDIFF 1 b1", "RESTORE c1 0 x", "DUMP b1", "MOVE c1 1",
]


def test_dryrun(pair):
    for rules in [
        "on nopass +@all ~a* %R~b* %W~c* &ch*",
        "on nopass +@all -@dangerous +select|1 -@scripting ~a* (+get ~z) (+sort %R~* +@write %W~*)",
        "on nopass +@read -get ~* &* (+publish &other) (+@all &ch1)",
    ]:
        pair.same("admin", "ACL", "SETUSER", "bob", "reset", *rules.split())
        for command in COMMANDS:
            pair.same("admin", "ACL", "DRYRUN", "bob", *command.split())
    pair.same("admin", "ACL", "DRYRUN", "nobody", "GET", "x")


def test_denied(pair):
    """Texts at dispatch, in MULTI, in EXEC, and the log of them."""
    pair.same("admin", "ACL", "LOG", "RESET")
    pair.same("admin", "ACL", "SETUSER", "bob", "reset", "on", ">pw", "+@all", "-keys", "~a*", "&ch*")
    pair.same("bob", "AUTH", "bob", "wrong")
    pair.same("bob", "AUTH", "nobody", "pw")
    pair.same("bob", "AUTH", "bob", "pw")
    pair.same("bob", "ACL", "WHOAMI")
    pair.same("bob", "SET", "a", "1")
    pair.same("bob", "SET", "b", "1")
    pair.same("bob", "SET", "b", "1")
    pair.same("bob", "KEYS", "*")
    pair.same("bob", "PUBLISH", "other", "m")
    pair.same("bob", "MULTI")
    pair.same("bob", "SET", "a", "2")
    pair.same("bob", "KEYS", "*")
    pair.same("bob", "EXEC")
    pair.same("bob", "MULTI")
    for command in ["SET a 3", "SET aa 3", "PUBLISH ch1 m", "GET a"]:
        pair.same("bob", *command.split())
    pair.same("admin", "ACL", "SETUSER", "bob", "-get", "resetkeys", "~aa", "resetchannels")
    pair.same("bob", "EXEC")
    pair.same("admin", "ACL", "LOG", shape=log)
    pair.same("admin", "ACL", "LOG", 2, shape=log)
    pair.same("bob", "MULTI")
    pair.same("admin", "ACL", "SETUSER", "bob", "-exec")
    pair.same("bob", "EXEC")
    pair.same("admin", "CONFIG", "SET", "acllog-max-len", 2)
    pair.same("bob", "GET", "a")
    pair.same("admin", "ACL", "LOG", shape=log)
    pair.same("admin", "CONFIG", "SET", "acllog-max-len", 128)
    pair.same("admin", "ACL", "LOG", "RESET")
    pair.same("admin", "ACL", "LOG")
    pair.close("bob")


LIBRARY = """#!lua name=lib
redis.register_function('put', function(keys, args)
    return redis.call('set', keys[1], args[1]) end)
redis.register_function('hidden', function(keys, args)
    return redis.call('set', 'b', args[1]) end)
"""
SCRIPTS = [
    "return redis.call('set', 'a', 1)",
    "return redis.call('set', 'b', 1)",
    "return redis.pcall('set', 'b', 1)",
    "return redis.call('keys', '*')",
    "return redis.call('publish', 'other', 1)",
    "return redis.call('publish', 'ch1', 1)",
    "return redis.pcall('keys', '*')['err']",
    "return {redis.acl_check_cmd('set', 'a', 1), redis.acl_check_cmd('set', 'b', 1)}",
    "return {redis.acl_check_cmd('get', 'a'), redis.acl_check_cmd('keys', '*')}",
    "return {redis.acl_check_cmd('publish', 'ch', 1), redis.acl_check_cmd('publish', 'x', 1)}",
    "return redis.acl_check_cmd('nonsense')",
    "return redis.acl_check_cmd('config', 'nonsense')",
    "return redis.acl_check_cmd()",
    "redis.setresp(3); return redis.acl_check_cmd('set', 'b', 1)",
    "return redis.call('acl', 'whoami')",
    "return redis.call('sort', 'a2', 'by', 'w_*')",
    "return redis.call('sort', 'a2', 'get', '#')",
    "return redis.call('sort', 'a2', 'by', 'nosort')",
]


def test_scripts(pair):
    pair.same("admin", "FUNCTION", "LOAD", "REPLACE", LIBRARY)
    pair.same("admin", "ACL", "LOG", "RESET")
    pair.same("admin", "ACL", "SETUSER", "bob", "reset", "on", "nopass", "+@all", "-keys", "~a*", "&ch*")
    pair.same("bob", "AUTH", "bob", "x")
    for script in SCRIPTS:
        pair.same("bob", "EVAL", script, 0)
        pair.same("bob", "MULTI")
        pair.same("bob", "EVAL", script, 1, "a")
        pair.same("bob", "EXEC")
    pair.same("bob", "EVAL", "return 1", 1, "b")
    pair.same("bob", "FCALL", "put", 1, "a", 1)
    pair.same("bob", "FCALL", "put", 1, "b", 1)
    pair.same("bob", "FCALL", "hidden", 0, 1)
    pair.same("admin", "ACL", "LOG", 20, shape=log)
    pair.same("admin", "ACL", "SETUSER", "bob", "-eval", "+eval|return 7")
    pair.same("bob", "EVAL", "return 7", 0)
    pair.same("bob", "EVAL", "return 8", 0)
    pair.same("admin", "ACL", "SETUSER", "bob", "reset", "on", "+@all", "%R~*", "%W~a*")
    for args in ["SORT a2 BY w_* GET #", "SORT a2 GET x*", "SORT a2 BY w_* STORE a3",
                 "SORT a2 BY w_* STORE b", "SORT_RO a2 BY w_*"]:
        pair.same("bob", *args.split())
    pair.same("admin", "ACL", "DELUSER", "bob")
    pair.gone("bob")


def test_login(pair):
    """Who has to log in, and as whom."""
    pair.same("admin", "ACL", "SETUSER", "bob", "reset", "on", ">pw", "+@all", "~*", "-acl")
    pair.same("admin", "CONFIG", "SET", "requirepass", "sesame")
    pair.same("admin", "ACL", "GETUSER", "default", shape=user)
    pair.same("admin", "PING")
    for args in ["PING", "AUTH x", "AUTH default x", "HELLO", "HELLO 3 AUTH bob no", "GET a",
                 "HELLO 2 SETNAME n", "AUTH sesame", "PING", "RESET", "PING", "AUTH bob pw", "PING",
                 "ACL WHOAMI", "RESET", "HELLO 3 AUTH bob pw SETNAME n", "PING", "CLIENT GETNAME"]:
        pair.same("new", *args.split(), shape=lambda r: "map" if isinstance(r, dict) else r)
    pair.close("new")
    pair.same("admin", "ACL", "SETUSER", "default", "nopass")
    pair.same("admin", "CONFIG", "GET", "requirepass")
    pair.same("new", "AUTH", "sesame")
    pair.same("new", "AUTH", "default", "anything")
    pair.same("new", "PING")
    pair.close("new")
    pair.same("admin", "CONFIG", "SET", "requirepass", "")
    pair.same("admin", "ACL", "GETUSER", "default", shape=user)
    pair.same("admin", "ACL", "SETUSER", "default", "off")
    pair.same("new", "PING")
    pair.same("new", "AUTH", "default", "x")
    pair.same("admin", "ACL", "SETUSER", "default", "on")
    pair.same("new", "PING")
    pair.same("new", "HELLO", shape=lambda r: r if isinstance(r, RespError) else "map")
    pair.close("new")


def test_disconnects(pair):
    """Users that go take their clients along, on every core."""
    clients = [f"client{i}" for i in range(8)]
    pair.same("admin", "ACL", "SETUSER", "bob", "reset", "on", ">pw", "+@all", "~*", "&*")
    for who in clients:
        pair.same(who, "AUTH", "bob", "pw")
    for who in clients[:4]:
        pair.same(who, "SUBSCRIBE", "news")
    pair.same(clients[4], "PSUBSCRIBE", "n*")
    pair.same(clients[5], "SSUBSCRIBE", "news")
    pair.same("admin", "ACL", "SETUSER", "bob", "off")
    pair.same(clients[7], "PING")  # who is there stays
    pair.same("other", "AUTH", "bob", "pw")
    pair.same("admin", "ACL", "SETUSER", "bob", "resetchannels", "&news", "&n*")
    pair.same("admin", "PUBLISH", "news", "1")
    for who in clients[:4]:
        for conn in pair.conn(who):
            equal(conn.read(), [b"message", b"news", b"1"], "a message")
    pair.same("admin", "ACL", "SETUSER", "bob", "resetchannels", "&n*")
    pair.same("admin", "ACL", "SETUSER", "bob", "resetchannels", "&news")
    pair.gone(clients[4])
    pair.same("admin", "PUBLISH", "news", "2")
    for who in clients[:4]:
        for conn in pair.conn(who):
            equal(conn.read(), [b"message", b"news", b"2"], "a message")
    pair.same("admin", "ACL", "SETUSER", "bob", "resetchannels")
    pair.same("admin", "PUBLISH", "news", "nobody may hear this")
    for who in clients[:4]:
        for conn in pair.conn(who):
            try:
                raise AssertionError(f"heard {conn.read()}")
            except ConnectionError:
                conn.close()
        del pair.conns[who]
    pair.gone(clients[5])
    pair.same(clients[7], "PING")
    pair.same("admin", "ACL", "DELUSER", "bob")
    pair.gone(clients[6])
    pair.gone(clients[7])
    # oneself: the reply still comes
    pair.same("admin", "ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*")
    pair.same("bob", "AUTH", "bob", "x")
    pair.same("bob", "ACL", "DELUSER", "bob")
    pair.gone("bob")
    pair.same("other", "PING")
    pair.close("other")


def test_kill_user(pair):
    pair.same("admin", "ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*")
    pair.same("bob", "AUTH", "bob", "x")
    pair.same("admin", "CLIENT", "KILL", "USER", "nobody")
    pair.same("admin", "CLIENT", "KILL", "USER", "bob")
    pair.gone("bob")
    pair.same("admin", "ACL", "DELUSER", "bob")


def test_known_at_once(node):
    """Whoever has got the reply to a change knows that every core goes by it."""
    with node.connect() as admin:
        admin.call("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*")
        clients = [node.connect() for _ in range(6)]
        for conn in clients:
            conn.call("AUTH", "bob", "x")
        for i in range(200):
            admin.call("ACL", "SETUSER", "bob", "-get" if i % 2 else "+get")
            for conn in clients:
                conn.send("GET", "k")
            for conn in clients:
                equal(isinstance(conn.read(), RespError), i % 2 == 1, f"GET in round {i}")
        for conn in clients:
            conn.close()
        admin.call("ACL", "DELUSER", "bob")


def with_file(server, lines):
    """Has the server start with a configuration file."""
    path = os.path.join(server.dir, "node.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    args = server.command()
    server.command = lambda: [args[0], path, *args[1:]]
    return path


def words_of(path, begin):
    with open(path, encoding="ascii") as file:
        return [sorted(text.split()) for text in file if text.startswith(begin)]


def pair_of(lab, number, lines, acl=None):
    """A node and redis-server with the same configuration file and the same ACL file."""
    servers = (
        lab.node(f"node{number}", port=7780 + 2 * number, options=["--poll-cores", "0-1"]),
        lab.stock(f"stock{number}", port=7781 + 2 * number),
    )
    paths = [with_file(server, lines) for server in servers]
    for server in servers:
        if acl is not None:
            with open(os.path.join(server.dir, "users.acl"), "w", encoding="ascii") as file:
                file.write(acl)
        server.start()
    return Pair(*servers), paths


def restart(pair):
    for server in pair.servers:
        server.stop()
        server.start()
    pair.conns = {}


def test_config_file(lab):
    """Users in the configuration, changed and written back."""
    pair, paths = pair_of(
        lab,
        1,
        [
            "# users",
            "user bob on >pw ~a* (+get ~b) resetchannels -@all +set",
            "acl-pubsub-default allchannels",
            "user eve off +@all",
            "user default on nopass ~* +@all -debug",
        ],
    )
    pair.same("admin", "ACL", "LIST", shape=lines)
    pair.same("admin", "ACL", "SETUSER", "bob", "+@hash", '%R~"q\\', ">other")
    pair.same("admin", "ACL", "SETUSER", "joe", "on", "nopass", "(+ping)")
    pair.same("admin", "ACL", "DELUSER", "eve")
    pair.same("admin", "CONFIG", "SET", "acllog-max-len", 7)
    mine, _ = pair.both("admin", "CONFIG", "REWRITE")
    equal(mine, b"OK", "CONFIG REWRITE")
    equal(len(words_of(paths[0], "user ")), 3, "user lines")
    pair.same("admin", "ACL", "SETUSER", "bob", "reset")
    before = pair.conn("admin")[0].call("ACL", "LIST")
    pair.servers[0].stop()
    pair.servers[0].start()
    pair.conns = {}
    after = pair.conn("admin")[0].call("ACL", "LIST")
    equal(lines(after)[1:], lines(before)[1:], "users after a restart")
    check(b'%R~"q\\' in after[0], f"a pattern with quotes: {after[0]}")
    equal(pair.conn("admin")[0].call("CONFIG", "GET", "acllog-max-len")[1], b"7", "acllog-max-len")
    for server in pair.servers:
        server.stop()


GOOD = """user bob on #2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 ~a* +@all

 user joe  on nopass ~* &* (~x +get) -@all\t
"""
BAD = [
    "user bob on nonsense +nosuch more",
    "nouser bob",
    "user",
    "user bob on\nuser joe off\nuser bob off",
    "user b\tb on",
    "user bob (~a",
    "user bob ~* ~a +nosuch\nuser joe -@nosuch\n# comment",
]


def test_acl_file(lab):
    pair, paths = pair_of(lab, 2, ["aclfile users.acl"], GOOD)
    files = [os.path.join(server.dir, "users.acl") for server in pair.servers]
    pair.same("admin", "ACL", "LIST", shape=lines)
    pair.same("bob", "AUTH", "bob", "x")
    pair.same("joe", "AUTH", "joe", "")
    for text in BAD:
        for path in files:
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
        pair.same("admin", "ACL", "LOAD")
    pair.same("bob", "SET", "a", "1")
    pair.same("admin", "ACL", "SETUSER", "bob", "-get", ">y", "(+get %R~q*)")
    pair.same("admin", "ACL", "SETUSER", "ann", "on")
    pair.same("admin", "ACL", "SAVE")
    equal(words_of(files[0], "user "), words_of(files[1], "user "), "the files that were written")
    pair.same("admin", "ACL", "DELUSER", "ann")
    pair.same("admin", "ACL", "LOAD")
    pair.same("admin", "ACL", "USERS")
    pair.gone("bob")  # all but default begin anew
    pair.gone("joe")
    pair.same("admin", "PING")
    restart(pair)
    pair.same("admin", "ACL", "LIST", shape=lines)
    mine, _ = pair.both("admin", "CONFIG", "REWRITE")
    equal(mine, b"OK", "CONFIG REWRITE")
    equal(words_of(paths[0], "user "), [], "users in the configuration file")
    for path in files:
        os.unlink(path)
    pair.same("admin", "ACL", "LOAD")
    for server in pair.servers:
        server.stop()


def test_replication(pair):
    """Each is the other's replica, as a user who may do nothing else; once with the password set only
    after REPLICAOF."""
    for master, replica in (pair.servers, pair.servers[::-1]):
        with master.connect() as above, replica.connect() as below:
            above.call("ACL", "SETUSER", "repl", "reset", "on", ">pw", "+psync", "+replconf", "+ping")
            above.call("CONFIG", "SET", "requirepass", "sesame")
            below.call("CONFIG", "SET", "masteruser", "repl")
            below.call("REPLICAOF", "127.0.0.1", master.port)
            until("the link is refused", lambda: "NOAUTH" in replica.log_text())
            below.call("CONFIG", "SET", "masterauth", "pw")
            until("the link is up", lambda: below.info("replication")["master_link_status"] == "up")
            above.call("SET", "told", master.name)
            until("the key arrives", lambda: below.call("GET", "told") == master.name.encode())
            # What the master sends is not the user's business, and nobody's rights.
            below.call("ACL", "SETUSER", "default", "-set")
            above.call("SET", "told", 2)
            until("the key changes", lambda: below.call("GET", "told") == b"2")
            below.call("ACL", "SETUSER", "default", "+@all")
            below.call("REPLICAOF", "NO", "ONE")
            below.call("CONFIG", "SET", "masterauth", "", "masteruser", "")
            above.call("CONFIG", "SET", "requirepass", "")


def test(lab):
    node = lab.node(options=["--poll-cores", "0-1"]).start()
    stock = lab.stock().start()
    pair = Pair(node, stock)
    test_categories(pair)
    test_rules(pair)
    test_dryrun(pair)
    test_denied(pair)
    test_scripts(pair)
    test_login(pair)
    test_disconnects(pair)
    test_kill_user(pair)
    test_known_at_once(node)
    test_replication(pair)
    for server in (node, stock):
        server.stop()
    test_config_file(lab)
    test_acl_file(lab)


sys.exit(run_test(test))
