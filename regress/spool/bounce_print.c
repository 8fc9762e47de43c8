/*
 * bounce_print - prints the bounce for the facts on standard input
 *
 * Lines "name value"; "recipient" begins another failure; after the line
 * "header" comes the header of the original up to the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/spooler/bounce.h"
#include "lib/base/mem.h"

#define FAILURES_MAX 2000
#define LINE_SIZE 8192

struct facts {
	struct bounce b;
	struct bounce_failure failures[FAILURES_MAX];
	char header[BOUNCE_HEADER_MAX];
};

static void
take_failure(struct bounce_failure *f, const char *name, char *value)
{
	if (strcmp(name, "destination") == 0)
		f->destination = value;
	else if (strcmp(name, "status") == 0)
		f->status = value;
	else if (strcmp(name, "remote") == 0)
		f->remote = value;
	else if (strcmp(name, "last_try") == 0)
		f->last_try = atoll(value);
	else if (strcmp(name, "expired") == 0)
		f->expired = true;
	else
		exit(64);
}

static void
take(struct facts *t, const char *name, char *value)
{
	struct bounce *b = &t->b;
	struct bounce_failure *f;

	if (strcmp(name, "hostname") == 0) {
		b->hostname = value;
	} else if (strcmp(name, "sender") == 0) {
		b->sender = value;
	} else if (strcmp(name, "arrived") == 0) {
		b->arrived = atoll(value);
	} else if (strcmp(name, "recipient") == 0 && b->n < FAILURES_MAX) {
		f = &t->failures[b->n++];
		f->recipient = value;
		f->status = f->remote = "";
	} else if (b->n > 0) {
		take_failure(&t->failures[b->n - 1], name, value);
	} else {
		exit(64);
	}
}

int
main(int argc, char *argv[])
{
	struct facts *t = mem_zalloc(sizeof(*t));
	struct buf *out = buf_new(argc > 1 ? (size_t)atoll(argv[1]) : 1u << 24);
	char line[LINE_SIZE], *value;

	t->b.hostname = "mx.example.org";
	t->b.sender = "sender@example.com";
	t->b.msgid = 0x0123456789ab;
	t->b.original = 0x3f9a0c41d7b2;
	t->b.arrived = 1795353669;
	t->b.now = 1795353700;
	t->b.failures = t->failures;
	t->b.header = t->header;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "header") == 0)
			break;
		value = strchr(line, ' ');
		if (value == NULL)
			return 64;
		*value++ = '\0';
		take(t, line, mem_strdup(value));
	}
	t->b.header_len = fread(t->header, 1, sizeof(t->header), stdin);
	if (bounce_write(&t->b, out) == -1)
		return buf_len(out) == 0 ? 75 : 70;
	fwrite(buf_data(out), 1, buf_len(out), stdout);
	return 0;
}
