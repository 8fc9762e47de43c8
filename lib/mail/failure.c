#include "lib/mail/failure.h"

#include <stdbool.h>
#include <string.h>

/* "name [address]:port", "[address]", as daemon/mta/host writes labels. */
struct label {
	const char *name, *address;
	size_t name_len, address_len;
	const char *end;
};

static bool
read_label(struct label *l, const char *s)
{
	const char *shut;

	memset(l, 0, sizeof(*l));
	l->name = s;
	l->name_len = strcspn(s, " [:");
	s += l->name_len;
	if (l->name_len > 0 && *s++ != ' ')
		return false;
	if (*s != '[')
		return false;
	shut = strchr(s, ']');
	if (shut == NULL)
		return false;
	l->address = s + 1;
	l->address_len = (size_t)(shut - s - 1);
	s = shut + 1;
	if (*s == ':' && s[1] >= '0' && s[1] <= '9')
		s += 1 + strspn(s + 1, "0123456789");
	l->end = s;
	return l->address_len > 0 &&
	    strspn(l->address, "0123456789abcdefABCDEF:.") == l->address_len;
}

static void
take_mx(struct failure *f, const struct label *l)
{
	const char *s = l->name_len > 0 ? l->name : l->address;
	size_t n = l->name_len > 0 ? l->name_len : l->address_len;

	if (n > sizeof(f->mx) - 1)
		n = sizeof(f->mx) - 1;
	memcpy(f->mx, s, n);
	f->mx[n] = '\0';
}

/* The last " from HOST" of the text, if nothing stands behind it. */
static void
from_host(struct failure *f)
{
	const char *at = f->text, *last = NULL;
	struct label l;

	for (; (at = strstr(at, " from ")) != NULL; at++)
		last = at;
	if (last == NULL || !read_label(&l, last + 6) || *l.end != '\0')
		return;
	take_mx(f, &l);
	f->len = (size_t)(last - f->text);
}

/* As daemon/mta/conn and daemon/mta/dialogue call them. */
static const struct {
	const char *says, *phase;
} phases[] = {
	{ "connect", "connect" },
	{ "the greeting", "greeting" },
	{ "EHLO", "ehlo" },
	{ "HELO", "helo" },
	{ "MAIL FROM", "mail" },
	{ "RCPT TO", "rcpt" },
	{ "DATA", "data" },
	{ "the end of the message", "end" },
	{ "the session", "session" },
};

/* "HOST: why in PHASE" */
static void
in_phase(struct failure *f)
{
	const char *at = f->text, *last = NULL;
	struct label l;
	size_t i;

	if (!read_label(&l, f->text) || *l.end != ':')
		return;
	take_mx(f, &l);
	for (; (at = strstr(at, " in ")) != NULL; at++)
		last = at;
	for (i = 0; last != NULL && i < sizeof(phases) / sizeof(phases[0]); i++)
		if (strcmp(last + 4, phases[i].says) == 0)
			f->phase = phases[i].phase;
}

void
failure_read(struct failure *f, const char *error)
{
	static const char to[] = "connect to ";
	struct status s;
	struct label l;

	memset(f, 0, sizeof(*f));
	f->phase = "";
	status_parse(&s, error);
	f->code = s.code;
	f->klass = s.klass != 0 ? s.klass : s.code / 100;
	if (f->klass != 2 && f->klass != 4 && f->klass != 5)
		f->klass = 0;
	status_enhanced(f->enhanced, &s);
	f->text = s.text;
	f->len = strlen(s.text);
	if (strncmp(s.text, to, sizeof(to) - 1) == 0 &&
	    read_label(&l, s.text + sizeof(to) - 1) && *l.end == ':') {
		take_mx(f, &l);
		f->phase = "connect";
		return;
	}
	in_phase(f);
	if (f->mx[0] == '\0')
		from_host(f);
}
