/*
 * lockstatus - who works on the spool
 */
#include <stdio.h>
#include <string.h>

#include "lib/proto/record.h"
#include "queue/lock.h"
#include "tools/qtool/commands.h"

#define ROW_MAX 4096

int
lockstatus_run(struct qtool *t, int argc, char *argv[])
{
	struct lock_owner o;
	struct buf *b;
	char text[512];
	int code;

	if (qtool_getopt(t, argc, argv, "", NULL) != -1)
		return EXIT_USAGE;
	code = qtool_open(t);
	if (code != EXIT_DONE)
		return code;
	if (lock_look(view_layout(t->view)->root, &o) == -1)
		return qtool_fail(t, EXIT_NOPERM, "LOCK: %m");
	qtool_begin(t, OUT_LIST);
	if (!t->o.json) {
		lock_print(&o, text, sizeof(text));
		printf("%s\n", o.held ? text : "nobody holds the spool's lock");
		return EXIT_DONE;
	}
	b = buf_new(ROW_MAX);
	record_begin(b, "lock");
	record_bool(b, "held", o.held);
	if (o.pid != 0) {
		record_u64(b, "pid", (uint64_t)o.pid);
		record_str(b, "host", o.host);
		record_str(b, "program", o.program);
		record_i64(b, "since", o.since);
	}
	(void)out_record(t->out, buf_data(b), buf_len(b));
	buf_free(b);
	return qtool_end(t, EXIT_DONE, 1, 0, "");
}
