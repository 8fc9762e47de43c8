#include "daemon/spooler/image.h"

#include <stdlib.h>

#include "daemon/spooler/spooler.h"
#include "lib/base/ident.h"
#include "lib/base/log.h"

/* What was decided must last, even when a person filled the envelope with lines
 * of their own: its history is what it can do without. */
static int
print(struct envelope *e, struct buf *text)
{
	int rc = envelope_print(e, text);

	while (rc == -1 && e->histories > 0) {
		free(e->history[--e->histories]);
		e->history[e->histories] = NULL;
		rc = envelope_print(e, text);
	}
	return rc;
}

void
image_write(struct spooler *s, struct entry *en, struct envelope *e)
{
	struct buf *text = buf_new(ENVELOPE_TEXT_MAX);
	char id[IDENT_TEXT_MAX];

	if (print(e, text) == 0)
		queue_image(
		    s->q, e->id, buf_text(text), buf_len(text), NULL, NULL);
	else
		log_err("evpid=%s event=not-written text=its envelope has "
			"become too long: a restart knows nothing of this",
		    ident_evpid_text(id, e->id));
	index_update(s->index, en, e);
	buf_free(text);
}
