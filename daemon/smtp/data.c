#include "daemon/smtp/data.h"

#include <assert.h>

enum data_state {
	LINE_START,
	TEXT,
	TEXT_CR,
	DOT, /* at the start of a line, held back */
	DOT_CR /* and a CR, held back too */
};

void
data_init(struct data *d)
{
	d->state = LINE_START;
	d->flags = 0;
	d->ended = false;
}

/* Where an octet of text leads; c is part of the text. */
static enum data_state
after(struct data *d, uint8_t c)
{
	if (d->state == TEXT_CR && c == '\n')
		return LINE_START;
	if (d->state == TEXT_CR)
		d->flags |= DATA_BARE_CR;
	if (c == '\r')
		return TEXT_CR;
	if (c == '\n')
		d->flags |= DATA_BARE_LF;
	else if (c == '\0')
		d->flags |= DATA_NUL;
	return TEXT;
}

size_t
data_feed(struct data *d, const uint8_t *in, size_t len,
    void (*emit)(void *arg, const uint8_t *text, size_t len), void *arg)
{
	static const uint8_t cr = '\r';
	size_t i, from = 0; /* text not yet emitted starts here */

	assert(!d->ended);
	for (i = 0; i < len; i++) {
		/* All that is special lies below. */
		if (d->state == TEXT)
			while (i < len && in[i] > '\r')
				i++;
		if (i == len)
			break;
		if (d->state == LINE_START && in[i] == '.') {
			if (i > from)
				emit(arg, in + from, i - from);
			from = i + 1;
			d->state = DOT;
			continue;
		}
		if (d->state == DOT && in[i] == '\r') {
			from = i + 1;
			d->state = DOT_CR;
			continue;
		}
		if (d->state == DOT_CR && in[i] == '\n') {
			d->ended = true;
			return i + 1;
		}
		if (d->state == DOT_CR) {
			emit(arg, &cr, 1);
			d->state = TEXT_CR;
		}
		d->state = (uint8_t)after(d, in[i]);
	}
	if (len > from)
		emit(arg, in + from, len - from);
	return len;
}
