/* Replies of a hostile host: parsed alike in one piece and in two. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum reply_state
feed(struct reply *r, const uint8_t *data, size_t size, size_t cut, size_t *at)
{
	enum reply_state state;
	size_t used;

	reply_init(r);
	state = reply_feed(r, data, cut, at);
	if (state != REPLY_MORE)
		return state;
	state = reply_feed(r, data + cut, size - cut, &used);
	*at += used;
	return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reply a, b;
	char one[REPLY_STATUS_MAX], two[REPLY_STATUS_MAX];
	enum reply_state state;
	struct reply_ehlo e;
	size_t cut, at_a, at_b;

	if (size == 0)
		return 0;
	cut = data[0] % size;
	state = feed(&a, data, size, size, &at_a);
	if (state != feed(&b, data, size, cut, &at_b) || at_a != at_b)
		abort();
	if (state != REPLY_WHOLE)
		return 0;
	if (strcmp(reply_status(one, &a), reply_status(two, &b)) != 0)
		abort();
	reply_ehlo(&e, &a);
	return 0;
}
