#include "daemon/control/counters.h"

#include <unistd.h>

#include "daemon/conf/role.h"
#include "lib/base/mono.h"
#include "lib/base/version.h"
#include "lib/proto/record.h"

#define ROW_MAX 4096

static void
send_row(struct caller *to, struct buf *row)
{
	caller_row(to, buf_data(row), buf_len(row));
	buf_reset(row);
}

void
counters_status(const struct counters *n, const char *host, struct caller *to)
{
	uint64_t uptime = (mono_ms() - n->started) / 1000;
	struct buf *row = buf_new(ROW_MAX);

	record_begin(row, "status");
	record_str(row, "version", "spoolkit " SPOOLKIT_VERSION);
	record_str(row, "host", host);
	record_u64(row, "uptime_s", uptime);
	send_row(to, row);
	record_begin(row, "role");
	record_str(row, "role", role_name(ROLE_CONTROL));
	record_u64(row, "pid", (uint64_t)getpid());
	record_u64(row, "uptime_s", uptime);
	record_u64(row, "callers", n->callers);
	send_row(to, row);
	buf_free(row);
}

void
counters_stats(const struct counters *n, struct caller *to)
{
	const struct {
		const char *name;
		uint64_t value;
	} stats[] = {
		{ "control.callers", n->callers },
		{ "control.accepted", n->accepted },
		{ "control.refused", n->refused },
		{ "control.requests", n->requests },
		{ "control.lines_lost", n->lines_lost },
	};
	struct buf *row = buf_new(ROW_MAX);
	size_t i;

	for (i = 0; i < sizeof(stats) / sizeof(stats[0]); i++) {
		record_begin(row, "stat");
		record_str(row, "name", stats[i].name);
		record_u64(row, "value", stats[i].value);
		send_row(to, row);
	}
	buf_free(row);
}
