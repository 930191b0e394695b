// SPDX-License-Identifier: BSD-3-Clause
// Ordinary work with ioredis and with node-redis; exit status 0 when every answer is right.
// usage: node work.mjs HOST PORT
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import Redis from "ioredis";
import { commandOptions, createClient, WatchError } from "redis";

const [host, port] = [process.argv[2], Number(process.argv[3])];
const big = randomBytes(3 << 20);

async function withIoredis() {
	const client = new Redis({ host, port, retryStrategy: null });
	const other = client.duplicate();

	await client.flushall();
	assert.equal(await client.set("a", "1", "EX", 100), "OK");
	assert.equal(await client.incrby("a", 41), 42);
	await client.set("big", big);
	assert.ok(big.equals(await client.getBuffer("big")));

	const pipeline = client.pipeline();
	for (let i = 0; i < 500; i++) pipeline.set(`p${i}`, i);
	pipeline.get("p499").call("NOSUCH");
	const replies = await pipeline.exec();
	assert.equal(replies.length, 502);
	assert.deepEqual(replies[500], [null, "499"]);
	assert.match(replies[501][0].message, /unknown command/);
	let seen = 0;
	for await (const keys of client.scanStream({ match: "p*", count: 50 })) seen += keys.length;
	assert.equal(seen, 500);

	await client.watch("a");
	await other.set("a", "changed");
	assert.equal(await client.multi().set("a", "mine").exec(), null);
	assert.deepEqual(await client.multi().set("a", "7").incr("a").exec(), [[null, "OK"], [null, 8]]);

	await client.hset("h", { f: "v", g: "w" });
	assert.deepEqual(await client.hgetall("h"), { f: "v", g: "w" });
	await client.zadd("z", 2, "two", 1, "one");
	assert.deepEqual(await client.zrange("z", 0, -1, "WITHSCORES"), ["one", "1", "two", "2"]);

	const popped = other.blpop("l", 5);
	await client.rpush("l", "x");
	assert.deepEqual(await popped, ["l", "x"]);

	client.defineCommand("double", {
		numberOfKeys: 1,
		lua: "return redis.call('set', KEYS[1], 2 * redis.call('get', KEYS[1]))",
	});
	await client.double("a");
	assert.equal(await client.get("a"), "16");

	await client.xgroup("CREATE", "s", "g", "$", "MKSTREAM");
	const read = other.xreadgroup("GROUP", "g", "me", "BLOCK", 5000, "STREAMS", "s", ">");
	const id = await client.xadd("s", "*", "k", "v");
	assert.deepEqual(await read, [["s", [[id, ["k", "v"]]]]]);
	assert.equal(await client.xack("s", "g", id), 1);

	const messages = [];
	const heard = new Promise((done) => {
		other.on("message", (channel, text) => messages.push([channel, text]) === 20 && done());
	});
	await other.subscribe("news");
	for (let i = 0; i < 20; i++) assert.equal(await client.publish("news", `n${i}`), 1);
	await heard;
	assert.deepEqual(messages, [...Array(20).keys()].map((i) => ["news", `n${i}`]));
	await other.quit();
	await client.quit();
}

async function withNodeRedis() {
	const client = createClient({ socket: { host, port, reconnectStrategy: false } });
	await client.connect();
	const other = client.duplicate();
	await other.connect();

	await client.flushAll();
	assert.equal(await client.set("a", "1", { EX: 100, NX: true }), "OK");
	assert.equal(await client.incrBy("a", 41), 42);
	await client.set("big", big);
	assert.ok(big.equals(await client.get(commandOptions({ returnBuffers: true }), "big")));

	// Commands of one turn of the event loop go out together.
	await Promise.all([...Array(500).keys()].map((i) => client.set(`p${i}`, String(i))));
	let seen = 0;
	for await (const key of client.scanIterator({ MATCH: "p*", COUNT: 50 })) seen += !!key;
	assert.equal(seen, 500);

	await client.watch("a");
	await other.set("a", "changed");
	await assert.rejects(client.multi().set("a", "mine").exec(), WatchError);
	assert.deepEqual(await client.multi().set("a", "7").incr("a").exec(), ["OK", 8]);

	await client.hSet("h", { f: "v", g: "w" });
	assert.deepEqual({ ...(await client.hGetAll("h")) }, { f: "v", g: "w" });
	await client.zAdd("z", [{ score: 2, value: "two" }, { score: 1, value: "one" }]);
	assert.deepEqual(await client.zRangeWithScores("z", 0, -1), [
		{ value: "one", score: 1 },
		{ value: "two", score: 2 },
	]);

	const popped = other.blPop("l", 5);
	await client.rPush("l", "x");
	assert.deepEqual({ ...(await popped) }, { key: "l", element: "x" });

	const script = "return {KEYS[1], ARGV[1], redis.call('incr', 'a')}";
	assert.deepEqual(await client.eval(script, { keys: ["k"], arguments: ["v"] }), ["k", "v", 9]);
	const library = "#!lua name=l\nredis.register_function('f', function(k, a) return a[1] end)";
	assert.equal(await client.functionLoad(library), "l");
	assert.equal(await client.fCall("f", { keys: [], arguments: ["yes"] }), "yes");
	assert.equal(await client.functionDelete("l"), "OK");

	await client.xGroupCreate("s", "g", "$", { MKSTREAM: true });
	const read = other.xReadGroup("g", "me", { key: "s", id: ">" }, { BLOCK: 5000 });
	const id = await client.xAdd("s", "*", { k: "v" });
	const [stream] = await read;
	assert.equal(stream.messages[0].id, id);
	assert.deepEqual({ ...stream.messages[0].message }, { k: "v" });

	const messages = [];
	await new Promise((done) => {
		other.pSubscribe("n*", (text) => messages.push(text) === 20 && done()).then(async () => {
			for (let i = 0; i < 20; i++) await client.publish("news", `n${i}`);
		});
	});
	assert.deepEqual(messages, [...Array(20).keys()].map((i) => `n${i}`));
	await other.pUnsubscribe();
	await other.quit();
	await client.quit();
}

for (const work of [withIoredis, withNodeRedis]) {
	await work();
	console.log(`${work.name}: ok`);
}
