/* What comes over the control socket, and what a role sends as records:
 * frames, typed fields, control messages, rows on their way to a terminal. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cli/out.h"
#include "lib/proto/ctl.h"
#include "lib/proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
show(const struct ctl_row *row)
{
	static const enum out_form forms[] = { OUT_LIST, OUT_DETAIL, OUT_MAILQ,
		OUT_JSON };
	struct out_options o = { .host = "", .command = "", .width = 80 };
	struct out_end end = { 0, 0, 0, "" };
	struct out *out;
	char *text = NULL;
	size_t size, i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		o.form = forms[i];
		o.to = open_memstream(&text, &size);
		out = out_new(&o);
		(void)out_record(out, row->record, row->len);
		out_finish(out, &end);
		out_free(out);
		fclose(o.to);
		free(text);
		text = NULL;
	}
}

static void
message(uint16_t type, const uint8_t *data, size_t len)
{
	struct ctl_hello hello;
	struct ctl_request request;
	struct ctl_row row;
	struct ctl_line line;
	struct ctl_lost lost;
	struct ctl_end end;
	struct unpack u;

	unpack_init(&u, data, len);
	switch (type) {
	case CTL_HELLO:
		(void)ctl_hello_get(&u, &hello);
		break;
	case CTL_REQUEST:
		if (ctl_request_get(&u, &request) == 0)
			while (request.n-- > 0)
				(void)unpack_str(&u);
		break;
	case CTL_ROW:
		if (ctl_row_get(&u, &row) == 0)
			show(&row);
		break;
	case CTL_LINE:
		(void)ctl_line_get(&u, &line);
		break;
	case CTL_LOST:
		(void)ctl_lost_get(&u, &lost);
		break;
	case CTL_END:
		(void)ctl_end_get(&u, &end);
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct frame f;

	while (len >= FRAME_HEADER && frame_get(data, &f) == 0) {
		data += FRAME_HEADER;
		len -= FRAME_HEADER;
		if (f.len > len)
			break;
		message(f.type, data, f.len);
		data += f.len;
		len -= f.len;
	}
	return 0;
}
