#include "tools/qtool/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/ident.h"
#include "lib/base/text.h"
#include "lib/mail/envelope.h"
#include "queue/envfile.h"

#define CLOCK_SLACK 300 /* seconds that two clocks may differ by */

enum inspect_kind
inspect_name(const char *name, uint64_t *id)
{
	char digits[IDENT_TEXT_MAX];
	size_t len = strlen(name),
	       digits_len = strspn(name, "0123456789abcdef");
	uint64_t msgid;

	*id = 0;
	if (len == digits_len && ident_msgid_parse(name, &msgid)) {
		*id = ident_evpid(msgid, 0);
		return INSPECT_MESSAGE;
	}
	if (len == digits_len && ident_evpid_parse(name, id))
		return INSPECT_ENVELOPE;
	/* 3f9a0c41d7b20001.new: what replaces a file is first called so. */
	if (len == digits_len + 4 && strcmp(name + digits_len, ".new") == 0 &&
	    (digits_len == IDENT_MSGID_DIGITS ||
		digits_len == IDENT_EVPID_DIGITS)) {
		memcpy(digits, name, digits_len);
		digits[digits_len] = '\0';
		if (ident_msgid_parse(digits, &msgid) ||
		    ident_evpid_parse(digits, &msgid))
			return INSPECT_TEMP;
	}
	return INSPECT_FOREIGN;
}

static void
check_owner(const struct inspect_known *k, const struct stat *st, mode_t want,
    const char *file, struct problems *p)
{
	if ((st->st_mode & 07777) != want)
		problems_add(p, PROBLEM_PERMISSIONS, file,
		    "mode %04o, not %04o", (unsigned)(st->st_mode & 07777),
		    (unsigned)want);
	if (st->st_uid != k->owner)
		problems_add(p, PROBLEM_PERMISSIONS, file,
		    "belongs to uid %u, not to uid %u", (unsigned)st->st_uid,
		    (unsigned)k->owner);
}

static const char *
type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFIFO:
		return "a fifo";
	case S_IFSOCK:
		return "a socket";
	case S_IFREG:
		return "a regular file";
	default:
		return "a device";
	}
}

bool
inspect_file(const struct inspect_known *k, const struct stat *st,
    const char *file, struct problems *p)
{
	if (!S_ISREG(st->st_mode)) {
		problems_add(p, PROBLEM_FOREIGN_FILE, file,
		    "%s, not a regular file", type_name(st->st_mode));
		return false;
	}
	check_owner(k, st, 0600, file, p);
	if (st->st_nlink > 1)
		problems_add(p, PROBLEM_PERMISSIONS, file, "%lu links, not 1",
		    (unsigned long)st->st_nlink);
	return true;
}

bool
inspect_dir(const struct inspect_known *k, const struct stat *st,
    const char *file, struct problems *p)
{
	if (!S_ISDIR(st->st_mode)) {
		problems_add(p, PROBLEM_FOREIGN_FILE, file,
		    "%s, not a directory", type_name(st->st_mode));
		return false;
	}
	check_owner(k, st, 0700, file, p);
	return true;
}

static void
check_clock(const struct inspect_known *k, const struct envelope *e,
    const char *file, struct problems *p)
{
	char when[TEXT_TIME_MAX], then[TEXT_TIME_MAX];

	if (e->arrived > k->now + CLOCK_SLACK)
		problems_add(p, PROBLEM_CLOCK, file,
		    "arrived in the future, %s", text_time(when, e->arrived));
	if (e->last_try > k->now + CLOCK_SLACK)
		problems_add(p, PROBLEM_CLOCK, file, "tried in the future, %s",
		    text_time(when, e->last_try));
	if (e->expires < e->arrived)
		problems_add(p, PROBLEM_CLOCK, file,
		    "expires %s, before it arrived, %s",
		    text_time(then, e->expires), text_time(when, e->arrived));
}

/* 0 when there is none, or when it is the file's own. */
static uint64_t
other_id(const char *text, size_t len, uint64_t evpid)
{
	uint64_t id = envfile_id(text, len);

	return id == evpid ? 0 : id;
}

bool
inspect_envelope(const struct inspect_known *k, uint64_t evpid,
    const char *text, size_t len, const char *file, uint64_t *said,
    struct problems *p)
{
	enum envelope_result rc;
	struct envelope e;
	char reason[256];

	rc = envelope_parse(&e, text, len, reason, sizeof(reason));
	*said = 0;
	switch (rc) {
	case ENVELOPE_TORN:
		problems_add(p, PROBLEM_TRUNCATED, file, "%s", reason);
		break;
	case ENVELOPE_EDITED:
	case ENVELOPE_BROKEN:
		problems_add(p, PROBLEM_BAD_FIELD, file, "%s", reason);
		break;
	case ENVELOPE_OK:
		*said = other_id(text, len, evpid);
		if (*said != 0) {
			rc = ENVELOPE_BROKEN;
			break;
		}
		check_clock(k, &e, file, p);
		if (k->action != NULL && !k->action(k->ctx, e.action)) {
			char word[128];

			problems_add(p, PROBLEM_UNKNOWN_ACTION, file,
			    "action %s is not in the configuration",
			    text_quote(word, sizeof(word), e.action));
		}
		break;
	}
	envelope_clear(&e);
	return rc == ENVELOPE_OK;
}

void
inspect_body_begin(struct inspect_body *b)
{
	memset(b, 0, sizeof(*b));
	b->field = b->header = true;
}

/* An octet of the first line: a field's name, then a colon. */
static void
feed_name(struct inspect_body *b, unsigned char c)
{
	if (c == ':' && b->line > 0) {
		b->named = true;
		b->field = false;
	} else if ((c <= ' ' || c >= 0x7f) && c != ' ' && c != '\t')
		b->field = false;
}

static void
feed_lf(struct inspect_body *b)
{
	if (b->last != '\r')
		b->bare_lf = true;
	/* Nothing but the CR on this line: the header ends. */
	if (b->line <= 1)
		b->header = false;
	b->line = 0;
	b->field = false;
}

void
inspect_body_feed(struct inspect_body *b, const void *data, size_t len)
{
	const unsigned char *p = data, *end = p + len, *cr, *lf;

	while (p < end) {
		if (b->field && *p != '\n') {
			feed_name(b, *p);
		} else if (*p != '\r' && *p != '\n' && b->last != '\r') {
			/* The rest of the line, or what there is of it. */
			lf = memchr(p, '\n', (size_t)(end - p));
			lf = lf == NULL ? end : lf;
			cr = memchr(p, '\r', (size_t)(lf - p));
			cr = cr == NULL ? lf : cr;
			b->line += (uint64_t)(cr - p);
			p = cr;
			b->last = p[-1];
			continue;
		}
		if (b->last == '\r' && *p != '\n')
			b->bare_cr = true;
		if (*p == '\n')
			feed_lf(b);
		else
			b->line++;
		b->last = *p++;
	}
	b->at += len;
}

void
inspect_body_end(
    const struct inspect_body *b, const char *file, struct problems *p)
{
	if (b->at > 0 && !b->named)
		problems_add(p, PROBLEM_BAD_FIELD, file,
		    "its body does not begin with a header");
	if (b->bare_lf)
		problems_add(p, PROBLEM_BAD_FIELD, file,
		    "a line of its body ends without CR");
	if (b->bare_cr || b->last == '\r')
		problems_add(p, PROBLEM_BAD_FIELD, file,
		    "a CR in its body that ends no line");
	else if (b->at > 0 && b->last != '\n')
		problems_add(
		    p, PROBLEM_BAD_FIELD, file, "its body ends within a line");
}
