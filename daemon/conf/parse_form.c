/*
 * parse_form - how the queue is stored: its compression and encryption
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/parse.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

#define LEVEL 1 /* of zstd, when none is given */
#define LEVEL_MAX 19 /* more asks readers for much memory */

/* none | zstd[:LEVEL] */
bool
parse_compression(struct parse *p, void *unused)
{
	const char *s = p->tok.text;
	uint64_t level = LEVEL;

	(void)unused;
	if (parse_accept(p, "none")) {
		p->conf->compression = 0;
		return true;
	}
	if (p->tok.kind != LEX_WORD || strncmp(s, "zstd", 4) != 0 ||
	    (s[4] != '\0' && s[4] != ':'))
		return parse_expected(p, "none or zstd[:LEVEL]");
	if (s[4] == ':' &&
	    (!text_number(s + 5, LEVEL_MAX, &level) || level < 1))
		return parse_expected(p, "a level from zstd:1 to zstd:19");
	p->conf->compression = (int)level;
	parse_next(p);
	return true;
}

static bool
keys(struct parse *p)
{
	struct conf *c = p->conf;

	/* As a role is told of it: the keys come on a descriptor. */
	if (p->is_slice && parse_accept(p, "given")) {
		c->keyed = true;
		return true;
	}
	if (!parse_accept(p, "key"))
		return c->seal ? parse_expected(p, "none or key file:PATH")
			       : true;
	c->keyed = true;
	c->keys_place =
	    mem_printf("%s:%u", p->statement.file, p->statement.line);
	if (!parse_file(p, "file:PATH", &c->keys_path))
		return false;
	if (!parse_accept(p, "passphrase"))
		return true;
	return parse_file(p, "file:PATH", &c->passphrase_path);
}

/* [none] [key file:PATH [passphrase file:PATH]] */
bool
parse_encryption(struct parse *p, void *unused)
{
	(void)unused;
	p->conf->seal = !parse_accept(p, "none");
	return keys(p);
}
