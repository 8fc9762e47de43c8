/*
 * parse_value - the values of options: paths, names, numbers, durations
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"
#include "lib/mail/addr.h"

bool
parse_value(struct parse *p, const char *what, char **value)
{
	if (p->tok.kind != LEX_WORD)
		return parse_expected(p, what);
	free(*value);
	*value = mem_strdup(p->tok.text);
	parse_next(p);
	return true;
}

bool
parse_path(struct parse *p, char **path)
{
	const char *s = p->tok.text;

	if (p->tok.kind != LEX_WORD || s[0] == '\0')
		return parse_expected(p, "a path");
	free(*path);
	if (p->base == NULL || s[0] == '/') {
		*path = mem_strdup(s);
	} else {
		while (s[0] == '.' && s[1] == '/')
			for (s++; s[0] == '/'; s++)
				continue;
		*path = mem_printf("%s/%s", p->base, s);
	}
	parse_next(p);
	return true;
}

bool
parse_file(struct parse *p, const char *what, char **path)
{
	static const char prefix[] = "file:";
	const char *s = p->tok.text + strlen(prefix);

	if (p->tok.kind != LEX_WORD ||
	    strncmp(p->tok.text, prefix, strlen(prefix)) != 0 || *s == '\0')
		return parse_expected(p, what);
	free(*path);
	if (*s == '/' || p->base == NULL)
		*path = mem_strdup(s);
	else
		*path = mem_printf("%s/%s", p->base, s);
	parse_next(p);
	return true;
}

bool
parse_domain_ok(const char *s)
{
	return addr_domain_ok(s, strlen(s), true);
}

bool
parse_domain(struct parse *p, char **domain)
{
	const char *s = p->tok.text;

	if (p->tok.kind != LEX_WORD || !parse_domain_ok(s))
		return parse_expected(p, "a domain name");
	free(*domain);
	*domain = mem_strdup(s);
	text_lower(*domain);
	parse_next(p);
	return true;
}

bool
parse_name(struct parse *p, const char *what, char **name)
{
	const char *s = p->tok.text;
	size_t i;

	if (p->tok.kind != LEX_WORD)
		return parse_expected(p, what);
	for (i = 0; s[i] != '\0'; i++)
		if (!isalnum((unsigned char)s[i]) &&
		    strchr("._-", s[i]) == NULL)
			break;
	if (i == 0 || i > 63 || s[i] != '\0')
		return parse_expected(p, what);
	return parse_value(p, what, name);
}

struct parse_use *
parse_use(struct parse *p, enum parse_named what, const char *name)
{
	struct parse_use *u;

	p->uses = mem_rearray(p->uses, p->nuses + 1, sizeof(p->uses[0]));
	u = &p->uses[p->nuses++];
	memset(u, 0, sizeof(*u));
	u->at = (struct parse_place){ p->tok.file, p->tok.line };
	u->name = mem_strdup(name);
	u->what = what;
	return u;
}

char *
parse_place_text(const struct parse_place *at)
{
	return mem_printf("%s:%u", at->file, at->line);
}

static bool
use_table(struct parse *p, char **name, bool outgoing, bool secret)
{
	struct parse_use *u;

	if (p->tok.kind != LEX_TABLE)
		return parse_expected(p, "a table: <name>");
	u = parse_use(p, PARSE_TABLE, p->tok.text);
	u->outgoing = outgoing;
	u->secret = secret;
	free(*name);
	*name = mem_strdup(p->tok.text);
	parse_next(p);
	return true;
}

bool
parse_table_use(struct parse *p, char **name)
{
	return use_table(p, name, false, false);
}

bool
parse_outgoing_use(struct parse *p, char **name, bool secret)
{
	return use_table(p, name, true, secret);
}

bool
parse_number(struct parse *p, uint64_t least, uint64_t most, uint64_t *n)
{
	char what[80];
	uint64_t v;

	if (p->tok.kind != LEX_WORD || !text_number(p->tok.text, most, &v) ||
	    v < least) {
		snprintf(what, sizeof(what), "a number from %llu to %llu",
		    (unsigned long long)least, (unsigned long long)most);
		return parse_expected(p, what);
	}
	*n = v;
	parse_next(p);
	return true;
}

bool
parse_u32(struct parse *p, uint32_t least, uint32_t most, uint32_t *n)
{
	uint64_t v;

	if (!parse_number(p, least, most, &v))
		return false;
	*n = (uint32_t)v;
	return true;
}

bool
parse_span(struct parse *p, uint32_t most, uint32_t *seconds)
{
	char what[80], upto[TEXT_SPAN_MAX];
	int64_t v;

	if (p->tok.kind != LEX_WORD || !text_span_parse(p->tok.text, &v) ||
	    v < 1 || v > most) {
		snprintf(what, sizeof(what),
		    "a duration such as 30s, 5m, 4h or 2d, at most %s",
		    text_span(upto, most));
		return parse_expected(p, what);
	}
	*seconds = (uint32_t)v;
	parse_next(p);
	return true;
}

bool
parse_size(struct parse *p, uint64_t least, uint64_t *size)
{
	char what[80], from[TEXT_SPAN_MAX];
	uint64_t v;

	if (p->tok.kind != LEX_WORD || !text_size_parse(p->tok.text, &v) ||
	    v < least) {
		snprintf(what, sizeof(what),
		    "a size such as 512K, 35M or 2G, at least %s",
		    text_size(from, least));
		return parse_expected(p, what);
	}
	*size = v;
	parse_next(p);
	return true;
}
