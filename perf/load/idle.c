/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Connections that do nothing, but for one that can ask the server how much memory it uses.
 */
#include "dataplane/obuf.h"
#include "perf/load/worker.h"

#include <errno.h>
#include <string.h>

static const char info[] = "*2\r\n$4\r\nINFO\r\n$6\r\nmemory\r\n";

static uint32_t on_data(struct tcp_conn *tc, const uint8_t *data, uint32_t len)
{
	struct load_conn *c = tcp_conn_user(tc);
	struct worker *w = c->worker;
	const uint32_t room = WORKER_ANSWER_MAX - 1 - w->answer_len;
	static const struct expect e = {.kind = EXPECT_ANY};
	enum check_result result;
	uint32_t used = 0;

	worker_count_in(w, len);
	if (c->head != c->tail && c == &w->conns[0]) {
		memcpy(w->answer + w->answer_len, data, len < room ? len : room);
		w->answer_len += len < room ? len : room;
		w->answer[w->answer_len] = 0;
	}
	result = check_reply(&w->checker, &c->check, &e, data, len, &used);
	if (result == CHECK_MORE)
		return len;
	if (c->head == c->tail) { /* nobody asked */
		worker_conn_fail(w, c);
		return len;
	}
	c->head++;
	w->nr_under_way--;
	if (result == CHECK_BROKEN || used != len)
		worker_conn_fail(w, c);
	else if (result == CHECK_WRONG)
		w->answer_len = w->answer[0] = 0; /* an error: it does not say */
	atomic_store_explicit(&w->is_asked, false, memory_order_release);
	return len;
}

static const struct tcp_ops idle_ops = {
	.connected = worker_conn_connected,
	.data = on_data,
	.eof = worker_conn_eof,
	.closed = worker_conn_closed,
};

static void idle_begin(struct worker *w)
{
}

static void idle_work(struct worker *w)
{
	struct load_conn *c = &w->conns[0];

	worker_tell(&w->is_drained, w->nr_under_way == 0);
	if (!atomic_load_explicit(&w->is_asked, memory_order_acquire) || !c->is_up ||
		c->head != c->tail)
		return;
	w->answer_len = 0;
	if (obuf_append(tcp_conn_obuf(c->tcp), info, sizeof(info) - 1)) {
		worker_error(w, ENOMEM);
		return;
	}
	tcp_conn_push(c->tcp);
	c->tail++;
	w->nr_under_way++;
}

const struct worker_mode worker_idle = {.ops = &idle_ops, .begin = idle_begin, .work = idle_work};
