/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Google Benchmark for C: the only C++ in the tree.
 */
#include "perf/micro/bench.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

struct bench_run {
	benchmark::State *state;
	bool failed;
};

namespace
{

struct bench_options options;
bool any_failed;

/* The one set-up that exists. */
struct {
	void *(*setup)(int64_t, const char **);
	void (*teardown)(void *);
	int64_t arg;
	void *ctx;
} present;

void present_drop()
{
	if (present.ctx)
		present.teardown(present.ctx);
	present = {};
}

/* Returns false when the machine lacks something. */
bool present_be(const struct bench &b, const char **why)
{
	if (b.setup == present.setup && b.arg == present.arg && present.ctx)
		return true;
	present_drop();
	if (!b.setup)
		return true;
	present.ctx = b.setup(b.arg, why);
	if (!present.ctx)
		return false;
	present.setup = b.setup;
	present.teardown = b.teardown;
	present.arg = b.arg;
	return true;
}

void measure(benchmark::State &state, const struct bench &b)
{
	struct bench_run run = {&state, false};
	const char *why = "no reason given";

	if (!present_be(b, &why)) {
		state.SkipWithError((std::string("skipped: ") + why).c_str());
		return;
	}
	while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(b.batch))) {
		b.run(&run, present.ctx, b.batch);
		if (run.failed)
			return;
	}
	state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(b.items));
	if (b.bytes)
		state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(b.bytes));
}

bool value_of(const char *arg, const char *name, const char **value)
{
	size_t len = std::strlen(name);

	if (std::strncmp(arg, name, len) != 0 || arg[len] != '=')
		return false;
	*value = arg + len + 1;
	return true;
}

bool option_take(const char *arg, struct bench_options *opt)
{
	const char *value;
	char *end;

	if (std::strcmp(arg, "--smoke") == 0) {
		opt->smoke = true;
		return true;
	}
	if (value_of(arg, "--max-keys", &value)) {
		opt->max_keys = std::strtoll(value, &end, 10);
		return *value && !*end && opt->max_keys >= 1000 && opt->max_keys <= 1000000000;
	}
	if (value_of(arg, "--dir", &value)) {
		opt->dir = value;
		return *value;
	}
	return false;
}

} // namespace

bool bench_options_parse(int *argc, char **argv, struct bench_options *opt)
{
	static char no_time[] = "--benchmark_min_time=0";
	std::vector<char *> args(argv, argv + *argc);
	int nr;

	for (int i = 1; i < *argc; i++)
		if (std::strcmp(argv[i], "--smoke") == 0)
			args.push_back(no_time);
	nr = static_cast<int>(args.size());
	args.push_back(nullptr);
	benchmark::Initialize(&nr, args.data());
	for (int i = 1; i < nr; i++) {
		if (option_take(args[static_cast<size_t>(i)], opt))
			continue;
		std::fprintf(stderr,
			"%s: %s: unknown, or out of range; known are --smoke, --max-keys=N (1000 to 1000000000), --dir=PATH, and Google Benchmark's (--help)\n",
			argv[0], args[static_cast<size_t>(i)]);
		return false;
	}
	if (opt->smoke)
		opt->max_keys = 1000;
	options = *opt;
#ifdef MILLRACE_CHECKS
	benchmark::AddCustomContext("checks", "compiled in: slower than what is used");
#else
	benchmark::AddCustomContext("checks", "none");
#endif
	return true;
}

void bench_add(const struct bench *given)
{
	struct bench b = *given;
	benchmark::internal::Benchmark *made;

	if (b.batch == 0)
		b.batch = 256;
	if (b.items == 0)
		b.items = 1;
	b.name = nullptr; /* the caller's */
	made = benchmark::RegisterBenchmark(
		given->name, [b](benchmark::State &state) { measure(state, b); });
	if (b.blocks)
		made->UseRealTime();
	if (options.smoke)
		made->Iterations(1);
	else if (b.iterations)
		made->Iterations(static_cast<benchmark::IterationCount>(b.iterations));
}

int bench_run_all(void)
{
	size_t nr = benchmark::RunSpecifiedBenchmarks();

	present_drop();
	benchmark::Shutdown();
	return nr == 0 || any_failed;
}

void bench_pause(struct bench_run *r)
{
	if (!r->failed)
		r->state->PauseTiming();
}

void bench_resume(struct bench_run *r)
{
	if (!r->failed)
		r->state->ResumeTiming();
}

void bench_report(struct bench_run *r, const char *name, double value)
{
	r->state->counters[name] = value;
}

void bench_fail(struct bench_run *r, const char *why)
{
	if (r->failed)
		return;
	std::fprintf(stderr, "failed: %s\n", why);
	r->state->SkipWithError(why);
	r->failed = true;
	any_failed = true;
}
