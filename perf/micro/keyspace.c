/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The keyspace at several sizes: keys found and not found, written over, new ones, and a set that
 * grows from nothing, with the single inserts that took longest.
 *
 * Names of 16 and values of 32 bytes, in a random order over the whole set; each access takes and
 * leaves the partition's lock, as a command does.
 */
#include "app/keyspace/keyspace.h"

#include "dataplane/clock.h"
#include "perf/micro/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NR_PARTS      1024u /* the node's default */
#define NAME_BYTES    16u
#define VALUE_BYTES   32u
#define MAX_SAMPLE    (1u << 20)
#define STAGED        16u /* keys whose loads overlap */
#define INSERTS       1024u
#define NOW_MS        INT64_C(1700000000000)
#define BYTES_PER_KEY 150u /* at most, while a table grows */
#define NR_BUCKETS    256u /* of times: four for each power of two */
#define SLOW_US       5.0

struct fixture {
	struct keyspace *ks;
	uint64_t nr;        /* keys of the whole set: the names 0 to nr - 1 */
	uint64_t filled;    /* those that are there */
	uint64_t next_name; /* names from here on were never used */
	uint32_t sample, at;
	char (*names)[NAME_BYTES]; /* a random sample of the whole set */
	char value[VALUE_BYTES];
	/* growing */
	double us_per_cycle;
	uint64_t best_worst; /* cycles of the longest insert of a fill, the least of all fills */
	uint64_t worst, nr_fills;
	uint64_t slow;    /* cycles from which on it is asked whether the thread was interrupted */
	long nr_switches; /* when that was last asked */
	uint64_t times[NR_BUCKETS];
};

static void name_make(char name[NAME_BYTES], uint64_t i)
{
	memcpy(name, "key:name", 8);
	memcpy(name + 8, &i, 8);
}

static struct keyspace *keyspace_make(void)
{
	struct ks_config cfg = {.nr_parts = NR_PARTS, .nr_dbs = 16};

	for (unsigned i = 0; i < sizeof(cfg.hash_seed); i++)
		cfg.hash_seed[i] = (uint8_t)(i * 7 + 1);
	return ks_create(&cfg);
}

static bool set(struct fixture *f, const char *name)
{
	struct ks_key k = ks_key(f->ks, name, NAME_BYTES);
	bool ok;

	while (!ks_part_trylock(f->ks, k.part))
		;
	ok = ks_set_str(f->ks, 0, 0, &k, f->value, VALUE_BYTES, 0, NOW_MS) != NULL;
	ks_part_unlock(f->ks, k.part);
	return ok;
}

static bool get(struct fixture *f, const struct ks_key *k)
{
	char buf[KS_INT_STR_MAX];
	struct entry *e;

	while (!ks_part_trylock(f->ks, k->part))
		;
	e = ks_find(f->ks, 0, k);
	if (e) {
		struct slice s = entry_str(e, buf);

		bench_keep(s.ptr);
	}
	ks_part_unlock(f->ks, k->part);
	return e;
}

static bool remove_name(struct fixture *f, uint64_t i)
{
	char name[NAME_BYTES];

	name_make(name, i);
	struct ks_key k = ks_key(f->ks, name, NAME_BYTES);

	while (!ks_part_trylock(f->ks, k.part))
		;
	struct entry *e = ks_find(f->ks, 0, &k);

	if (e)
		ks_del(f->ks, 0, 0, e);
	ks_part_unlock(f->ks, k.part);
	return e;
}

static const char *sample_next(struct fixture *f)
{
	const char *name = f->names[f->at];

	f->at = f->at + 1 == f->sample ? 0 : f->at + 1;
	return name;
}

static uint64_t memory_available(void)
{
	FILE *in = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[256];

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (in)
		fclose(in);
	return (uint64_t)kib << 10;
}

static void keyspace_teardown(void *ctx)
{
	struct fixture *f = ctx;

	ks_destroy(&f->ks);
	free(f->names);
	free(f);
}

static void *keyspace_setup(int64_t nr, const char **why)
{
	struct fixture *f;
	uint64_t random = 42;

	*why = "not enough memory for that many keys";
	if ((uint64_t)nr * BYTES_PER_KEY > memory_available())
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->nr = f->next_name = (uint64_t)nr;
	f->sample = f->nr < MAX_SAMPLE ? (uint32_t)f->nr : MAX_SAMPLE;
	memset(f->value, 'v', sizeof(f->value));
	f->ks = keyspace_make();
	f->names = calloc(f->sample, NAME_BYTES);
	if (!f->ks || !f->names) {
		keyspace_teardown(f);
		return NULL;
	}
	for (uint32_t i = 0; i < f->sample; i++)
		name_make(f->names[i], bench_random(&random) % f->nr);
	return f;
}

/* Adds, untimed, what is missing of the set. */
static void fill(struct bench_run *r, struct fixture *f)
{
	char name[NAME_BYTES];

	if (f->filled == f->nr)
		return;
	bench_pause(r);
	for (; f->filled < f->nr; f->filled++) {
		name_make(name, f->filled);
		if (!set(f, name)) {
			bench_fail(r, "no memory");
			return;
		}
	}
	/* What is still being moved would be moved by the first benchmark that writes. */
	for (uint32_t part = 0; part < NR_PARTS; part++)
		while (ks_maintain_part(f->ks, part, 1000))
			;
	bench_resume(r);
}

static void hit(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	fill(r, f);
	while (n-- > 0) {
		struct ks_key k = ks_key(f->ks, sample_next(f), NAME_BYTES);

		if (!get(f, &k))
			bench_fail(r, "a key is missing");
	}
}

/* As a burst does it: hash all, load all buckets, load all entries, then look. */
static void hit_staged(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	struct ks_key k[STAGED];

	fill(r, f);
	for (uint64_t done = 0; done < n; done += STAGED) {
		for (unsigned i = 0; i < STAGED; i++) {
			k[i] = ks_key(f->ks, sample_next(f), NAME_BYTES);
			ks_prefetch(f->ks, 0, &k[i]);
		}
		for (unsigned i = 0; i < STAGED; i++)
			ks_prefetch_entry(f->ks, 0, &k[i]);
		for (unsigned i = 0; i < STAGED; i++)
			if (!get(f, &k[i]))
				bench_fail(r, "a key is missing");
	}
}

static void miss(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	char name[NAME_BYTES];

	fill(r, f);
	for (uint64_t i = 0; i < n; i++) {
		name_make(name, f->next_name + i);
		struct ks_key k = ks_key(f->ks, name, NAME_BYTES);

		if (get(f, &k))
			bench_fail(r, "a key is there that was not set");
	}
	f->next_name += n;
}

static void overwrite(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;

	fill(r, f);
	while (n-- > 0)
		if (!set(f, sample_next(f)))
			bench_fail(r, "no memory");
}

/* New keys; they are removed again, untimed, so that the set keeps its size. */
static void insert(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	const uint64_t first = f->next_name;
	char name[NAME_BYTES];

	fill(r, f);
	for (uint64_t i = 0; i < n; i++) {
		name_make(name, first + i);
		if (!set(f, name))
			bench_fail(r, "no memory");
	}
	bench_pause(r);
	for (uint64_t i = 0; i < n; i++)
		if (!remove_name(f, first + i))
			bench_fail(r, "a key is missing");
	f->next_name += n;
	bench_resume(r);
}

static unsigned time_bucket(uint64_t cycles)
{
	unsigned bits;

	if (cycles < 4)
		return 0;
	bits = 63 - (unsigned)__builtin_clzll(cycles);
	return bits * 4 + (unsigned)(cycles >> (bits - 2) & 3);
}

/* The time, in cycles, that all but one of `of` inserts stay below. */
static double time_quantile(const struct fixture *f, uint64_t of)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < NR_BUCKETS; i++)
		total += f->times[i];
	for (unsigned i = 0; i < NR_BUCKETS; i++) {
		seen += f->times[i];
		if (seen >= total - total / of)
			return (double)(4 + i % 4 + 1) / 4 * (double)(1ull << i / 4);
	}
	return 0;
}

static long switches(void)
{
	struct rusage usage = {0};

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw + usage.ru_nvcsw;
}

static void clock_calibrate(struct fixture *f)
{
	uint64_t us = clock_mono_us(), cycles = clock_cycles();

	while (clock_mono_us() - us < 20000)
		;
	f->us_per_cycle = (double)(clock_mono_us() - us) / (double)(clock_cycles() - cycles);
	f->slow = (uint64_t)(SLOW_US / f->us_per_cycle);
}

/* Notes how long an insert took, unless the thread had lost its processor meanwhile. */
static void time_note(struct fixture *f, uint64_t took)
{
	if (took >= f->slow) {
		long now = switches();

		if (now != f->nr_switches) {
			f->nr_switches = now;
			return;
		}
	}
	f->times[time_bucket(took)]++;
	if (took > f->worst)
		f->worst = took;
}

/* The set is whole: notes that and begins anew. False: no memory. */
static bool grow_anew(struct fixture *f)
{
	if (f->nr_fills == 0 || f->worst < f->best_worst)
		f->best_worst = f->worst;
	f->nr_fills++;
	f->worst = 0;
	ks_destroy(&f->ks);
	f->ks = keyspace_make();
	f->filled = 0;
	f->nr_switches = switches();
	return f->ks;
}

/* From nothing to nr keys, over and over. The time stamp counter is read once an insert. */
static void grow(struct bench_run *r, void *ctx, uint64_t n)
{
	struct fixture *f = ctx;
	char name[NAME_BYTES];
	uint64_t last;

	if (f->us_per_cycle == 0) {
		bench_pause(r);
		clock_calibrate(f);
		bench_resume(r);
	}
	last = clock_cycles();
	while (n-- > 0) {
		if (f->filled == f->nr) {
			bench_pause(r);
			if (!grow_anew(f)) {
				bench_fail(r, "no memory");
				return;
			}
			bench_resume(r);
			last = clock_cycles();
		}
		name_make(name, f->filled++);
		if (!set(f, name)) {
			bench_fail(r, "no memory");
			return;
		}
		uint64_t now = clock_cycles();

		time_note(f, now - last);
		last = now;
	}
	bench_report(
		r, "worst_us", (double)(f->nr_fills ? f->best_worst : f->worst) * f->us_per_cycle);
	bench_report(r, "p9999_us", time_quantile(f, 10000) * f->us_per_cycle);
}

void bench_keyspace_add(const struct bench_options *opt)
{
	static const struct {
		const char *name;
		void (*run)(struct bench_run *r, void *ctx, uint64_t n);
	} all[] = {
		{"grow", grow}, /* first: it leaves the set for the others */
		{"hit", hit},
		{"hit_staged", hit_staged},
		{"miss", miss},
		{"overwrite", overwrite},
		{"insert", insert},
	};
	static const struct {
		int64_t nr;
		const char *text;
	} sizes[] = {{1000, "1k"}, {100000, "100k"}, {10000000, "10M"}, {100000000, "100M"}};

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && sizes[s].nr <= opt->max_keys;
			i++) {
			char name[64];
			struct bench b = {
				.name = name,
				.setup = keyspace_setup,
				.run = all[i].run,
				.teardown = keyspace_teardown,
				.arg = sizes[s].nr,
				.batch = all[i].run == insert ? INSERTS
					 : all[i].run == grow ? 1000
							      : 256,
			};

			snprintf(name, sizeof(name), "keyspace/%s/%s", all[i].name, sizes[s].text);
			if (all[i].run == grow && sizes[s].nr > 1000000)
				b.iterations = (uint64_t)sizes[s].nr;
			bench_add(&b);
		}
	}
}
