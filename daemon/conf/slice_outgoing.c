/*
 * slice_outgoing - prints what concerns outgoing mail
 */
#include <stdint.h>
#include <string.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/slice.h"
#include "lib/base/base64.h"

#define PIECE 1200u /* octets of content a line */

/* One value in place, or a table. */
static int
put_list(struct buf *b, const char *word, const struct conf_list *l)
{
	if (l->table != NULL)
		return buf_putf(b, " %s <%s>", word, l->table);
	if (l->n == 0)
		return 0;
	/* See conf.h: where it stands depends on which has a key. */
	return slice_option(b, word,
	    l->pairs[0].key[0] != '\0' ? l->pairs[0].key : l->pairs[0].value);
}

int
slice_relay(const struct conf_relay *r, struct buf *b)
{
	static const char *const tls[] = { [CONF_TLS_TRY] = "",
		[CONF_TLS_NONE] = " no-tls",
		[CONF_TLS_MUST] = " tls",
		[CONF_TLS_VERIFY] = " tls verify" };
	char url[CONF_URL_MAX];
	int bad = buf_puts(b, "relay");

	if (r->via != NULL)
		bad |= buf_putf(b, " via <%s>", r->via);
	else if (r->nurls > 0)
		bad |= slice_option(b, "via", conf_url_text(&r->urls[0], url));
	bad |= put_list(b, "source", &r->source) |
	    put_list(b, "helo", &r->helo) | put_list(b, "auth", &r->auth) |
	    slice_option(b, "as", r->as);
	if (r->backup)
		bad |= buf_puts(b, " backup");
	if (r->backup_name != NULL)
		bad |= buf_puts(b, " ") | slice_string(b, r->backup_name);
	return bad | buf_puts(b, tls[r->tls]) |
	    slice_option(b, "protocols", r->protocols) |
	    slice_option(b, "ciphers", r->ciphers) |
	    slice_option(b, "pki", r->pki) | slice_option(b, "ca", r->ca);
}

int
slice_limits(const struct conf *c, struct buf *b)
{
	const struct conf_limit *l;
	size_t i;
	int bad = 0;

	for (i = 0; i < c->nlimits; i++) {
		l = &c->limits[i];
		bad |= buf_puts(b, "limit mta");
		if (l->domains.table != NULL)
			bad |=
			    buf_putf(b, " for domain <%s>", l->domains.table);
		else
			bad |= slice_option(b, "for domain", l->domain);
		bad |=
		    buf_putf(b, " %s %u\n", conf_limit_name(l->key), l->value);
	}
	return bad;
}

int
slice_pkis(const struct conf *c, struct buf *b)
{
	const struct conf_pki *k;
	size_t i;
	int bad = 0;

	for (i = 0; i < c->npkis; i++) {
		k = &c->pkis[i];
		bad |= buf_puts(b, "pki ") | slice_string(b, k->name) |
		    slice_option(b, "certificate", k->certificate) |
		    slice_option(b, "key", k->key) | buf_puts(b, "\n");
	}
	return bad;
}

int
slice_trust_anchor(const struct conf *c, struct buf *b)
{
	if (c->trust_anchor == NULL)
		return 0;
	return buf_puts(b, "trust-anchor ") | slice_string(b, c->trust_anchor) |
	    buf_puts(b, "\n");
}

/* Content that is put in pieces: what does not fill one waits. */
struct content {
	struct buf *b;
	uint8_t piece[PIECE];
	size_t n;
	int bad;
};

static void
flush(struct content *c)
{
	char text[BASE64_LEN(PIECE)];

	if (c->n == 0)
		return;
	base64_encode(text, c->piece, c->n);
	c->bad |= buf_puts(c->b, "\t\"") |
	    buf_put(c->b, text, BASE64_LEN(c->n)) | buf_puts(c->b, "\",\n");
	c->n = 0;
}

static void
put(struct content *c, const char *s, size_t len)
{
	size_t take;

	for (; len > 0; s += take, len -= take) {
		take = len < PIECE - c->n ? len : PIECE - c->n;
		memcpy(c->piece + c->n, s, take);
		c->n += take;
		if (c->n == PIECE)
			flush(c);
	}
}

static void
begin(struct content *c, const char *kind, const char *name, struct buf *b)
{
	c->b = b;
	c->n = 0;
	c->bad = buf_putf(b, "given %s ", kind) | slice_string(b, name) |
	    buf_puts(b, " {\n");
}

static int
end(struct content *c)
{
	flush(c);
	explicit_bzero(c->piece, sizeof(c->piece));
	return c->bad | buf_puts(c->b, "}\n");
}

int
slice_given_table(const struct conf_table *t, bool rows, struct buf *b)
{
	struct content c;
	const char *value;
	size_t i;

	begin(&c, "table", t->name, b);
	for (i = 0; rows && i < t->n; i++) {
		value = t->values[i] != NULL ? t->values[i] : "";
		put(&c, t->keys[i], strlen(t->keys[i]) + 1);
		put(&c, value, strlen(value) + 1);
	}
	return end(&c);
}

/* Those of a slice that has been read stand for a use of it. */
static bool
is_outgoing(const struct conf_table *t)
{
	return t->outgoing || (t->given && t->path == NULL);
}

static int
put_tables(const struct conf *c, bool rows, struct buf *b)
{
	size_t i;
	int bad = 0;

	for (i = 0; i < c->ntables; i++)
		if (is_outgoing(&c->tables[i]))
			bad |= slice_given_table(&c->tables[i], rows, b);
	return bad;
}

int
slice_outgoing_tables(const struct conf *c, struct buf *b)
{
	return put_tables(c, true, b);
}

int
slice_table_names(const struct conf *c, struct buf *b)
{
	return put_tables(c, false, b);
}

static int
put_text(const char *kind, const char *name, const char *text, struct buf *b)
{
	struct content c;

	if (text == NULL)
		return 0;
	begin(&c, kind, name, b);
	put(&c, text, strlen(text));
	return end(&c);
}

/* Was it printed with a relay before? */
static bool
is_first_ca(const struct conf *c, size_t action)
{
	const char *ca = c->actions[action].relay.ca, *other;
	size_t i;

	for (i = 0; i < action; i++) {
		other = c->actions[i].relay.ca;
		if (other != NULL && strcmp(other, ca) == 0)
			return false;
	}
	return true;
}

int
slice_given_texts(const struct conf *c, struct buf *b)
{
	const struct conf_relay *r;
	const struct conf_pki *k;
	size_t i;
	int bad = 0;

	for (i = 0; i < c->npkis; i++) {
		k = &c->pkis[i];
		bad |= put_text("certificate", k->name, k->certificate_pem, b) |
		    put_text("key", k->name, k->key_pem, b);
	}
	for (i = 0; i < c->nactions; i++) {
		r = &c->actions[i].relay;
		if (r->ca != NULL && is_first_ca(c, i))
			bad |= put_text("ca", r->ca, r->ca_pem, b);
	}
	return bad;
}

int
slice_given_anchor(const struct conf *c, struct buf *b)
{
	return put_text(
	    "trust-anchor", c->trust_anchor, c->trust_anchor_text, b);
}
