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
#define TEXT_MAX (1u << 20)

struct facts {
	struct bounce b;
	struct bounce_failure failures[FAILURES_MAX];
	char header[BOUNCE_HEADER_MAX];
	char text[TEXT_MAX]; /* the values, one after the other */
	size_t len;
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

/* Keeps the value; NULL at the line "header" and at the end. */
static char *
next_line(struct facts *t, char **name)
{
	char *line = t->text + t->len;

	if (fgets(line, (int)(TEXT_MAX - t->len), stdin) == NULL)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	t->len += strlen(line) + 1;
	*name = strsep(&line, " ");
	return line;
}

int
main(int argc, char *argv[])
{
	struct facts *t = mem_zalloc(sizeof(*t));
	struct buf *out = buf_new(argc > 1 ? (size_t)atoll(argv[1]) : 1u << 24);
	char *name, *value;
	int code = 0;

	t->b.hostname = "mx.example.org";
	t->b.sender = "sender@example.com";
	t->b.msgid = 0x0123456789ab;
	t->b.original = 0x3f9a0c41d7b2;
	t->b.arrived = 1795353669;
	t->b.now = 1795353700;
	t->b.failures = t->failures;
	t->b.header = t->header;
	while ((value = next_line(t, &name)) != NULL)
		take(t, name, value);
	t->b.header_len = fread(t->header, 1, sizeof(t->header), stdin);
	if (bounce_write(&t->b, out) == -1)
		code = buf_len(out) == 0 ? 75 : 70;
	fwrite(buf_data(out), 1, buf_len(out), stdout);
	buf_free(out);
	free(t);
	return code;
}
