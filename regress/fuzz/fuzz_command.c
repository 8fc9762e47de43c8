/* Input is cut into lines as a session does; each is parsed. What was accepted
 * must keep the promises of the header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const char *line, size_t len)
{
	char text[ADDR_TEXT_MAX];
	struct command c;
	size_t i;

	command_parse(&c, line, len);
	if (c.verb >= COMMAND_VERBS)
		abort();
	if (c.error != NULL) {
		if (strlen(c.error) < 10 || strlen(c.error) > 510 ||
		    strpbrk(c.error, "\r\n") != NULL)
			abort();
		return;
	}
	addr_text(text, &c.addr);
	for (i = 0; text[i] != '\0'; i++)
		if (text[i] < ' ' || text[i] > '~')
			abort();
	for (i = 0; c.name[i] != '\0'; i++)
		if (c.name[i] <= ' ' || c.name[i] > '~')
			abort();
	if (c.verb == COMMAND_RCPT && addr_is_null(&c.addr))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data;
	bool skipping = false;
	enum command_cut cut;
	size_t used;

	while (size > 0) {
		if (skipping) {
			skipping = !command_skip(in, size, &used);
			if (skipping && used == 0)
				break;
		} else {
			cut = command_cut(in, size, &used);
			if (used > size || used > COMMAND_MAIL_MAX)
				abort();
			if (cut == COMMAND_MORE)
				break;
			if (cut == COMMAND_WHOLE)
				check(in, used - 2);
			skipping =
			    cut == COMMAND_LONG || cut == COMMAND_BARE_LF;
		}
		in += used;
		size -= used;
	}
	/* What no session would let pass is parsed as well. */
	if (size < COMMAND_MAIL_MAX - 2)
		check(in, size);
	return 0;
}
