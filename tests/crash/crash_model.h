/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A pool on recorded memory, driven at random beside a model of what it must hold, with the power
 * cut at every fence and between any two steps.
 *
 * Several writers are interleaved in one thread. Whatever image a power cut may leave has to
 * be accepted, and to recover to: an end of the log at or above all that the watermark had promised
 * and at or below what was ever appended; the model's bytes up to there; the snapshot and the
 * ids in force, or, inside the step that replaces them, those before or those after.
 */
#ifndef MILLRACE_TESTS_CRASH_MODEL_H
#define MILLRACE_TESTS_CRASH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "persist/flush_record.h"

/* Which part of the pool a dropped fence concerns. */
enum crash_area {
	CRASH_AREA_NONE,
	CRASH_AREA_SUPERBLOCK,
	CRASH_AREA_HINT,
	CRASH_AREA_COMMIT,
	CRASH_AREA_RING,
	CRASH_AREA_EXTENTS,
};

#define CRASH_SITES_MAX 128

struct crash_cfg {
	uint64_t seed;
	bool grouped;            /* as an ordinary file, with msync; else persistent memory */
	unsigned int nr_writers; /* 1..4 */
	unsigned int nr_steps;
	unsigned int nr_images;   /* per sampled point */
	unsigned int point_every; /* one point in so many is sampled, at random */
	enum crash_area drop;     /* fences that do nothing, to see the test notice */
	const void *skip;         /* a call of a fence, a sync or a persist that does nothing */
	bool calm; /* one long life: no resets, no restarts, so that all rings wrap */
};

struct crash_result {
	char fault[256]; /* "" if none */
	uint64_t nr_images;
	uint64_t nr_dropped;
	uint64_t bytes;     /* appended */
	uint64_t runs;      /* commit records written */
	uint64_t hints;     /* hint cells written */
	uint64_t stalls;    /* admissions that had to wait */
	uint64_t published; /* snapshots */
	uint64_t most_runs; /* in one life */
	uint64_t resets, power_cuts, kills;
	/* what calls fences, syncs and persists, in the run and in recoveries inside it */
	struct flush_site sites[CRASH_SITES_MAX];
	unsigned int nr_sites;
	uint64_t tails_discarded; /* power cuts that lost a part of the log */
};

/* Runs until @cfg->nr_steps or the first fault. */
void crash_run(const struct crash_cfg *cfg, struct crash_result *result);

#endif
