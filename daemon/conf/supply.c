/*
 * supply - the files whose contents the parent reads for other roles
 *
 * Passwords and keys go to the mta alone, and their files must be nobody
 * else's to read.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "daemon/conf/anchor.h"
#include "daemon/conf/conf.h"
#include "daemon/conf/lines.h"
#include "daemon/conf/pairs.h"
#include "daemon/conf/pem.h"
#include "lib/base/hmap.h"
#include "lib/base/mem.h"
#include "lib/base/text.h"

/* All of it must fit in a slice, as base64. */
#define TOTAL_MAX (8u << 20)

struct supply {
	struct conf *conf;
	bool check; /* what may not be read is passed over */
	void (*report)(void *, const char *);
	void *arg;
	bool ok;
	bool rows_ok; /* of all tables */
	size_t total;
};

static void
say(struct supply *s, const char *place, const char *word, const char *what,
    const char *why)
{
	char line[1000], shown[300];

	if (s->report == NULL)
		return;
	snprintf(line, sizeof(line), "%.300s: %s: %s%s%s", place, word,
	    text_printable(shown, sizeof(shown), what),
	    *what != '\0' ? " " : "", why);
	s->report(s->arg, line);
}

static void
fault(struct supply *s, const char *place, const char *word, const char *what,
    const char *why)
{
	s->ok = false;
	say(s, place, word, what, why);
}

/* May nobody but its owner read it? */
static bool
is_private(const struct stat *st, char why[PEM_WHY_MAX])
{
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(why, PEM_WHY_MAX,
		    "belongs to uid %lu, not to root or to who starts this",
		    (unsigned long)st->st_uid);
		return false;
	}
	if ((st->st_mode & 077) == 0)
		return true;
	snprintf(why, PEM_WHY_MAX,
	    "has mode %04o: others than its owner may use it; 0600 is right",
	    (unsigned)(st->st_mode & 07777));
	return false;
}

/* All of fd, of which nobody said that it stays as long as it is. */
static char *
slurp(int fd, size_t max, size_t *len, char why[PEM_WHY_MAX])
{
	char *text = mem_zalloc(max + 1);
	ssize_t n = 1;

	*len = 0;
	while (*len < max && n != 0) {
		n = read(fd, text + *len, max - *len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			snprintf(why, PEM_WHY_MAX, "%s", strerror(errno));
			pairs_wipe(text);
			return NULL;
		}
		*len += (size_t)n;
	}
	return text;
}

/* Its text, owned; NULL after a report, or when it is left unchecked. */
static char *
read_file(struct supply *s, const char *place, const char *word,
    const char *path, bool private, size_t *len)
{
	char why[PEM_WHY_MAX], *text = NULL;
	struct stat st;
	int fd;

	/* A FIFO would hold us up without O_NONBLOCK. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && s->check && errno == EACCES && geteuid() != 0) {
		say(s, place, word, path,
		    "is not checked: you may not read it");
		return NULL;
	}
	if (fd == -1 || fstat(fd, &st) == -1)
		snprintf(
		    why, sizeof(why), "cannot be read: %s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(why, sizeof(why), "is not a regular file");
	else if ((uint64_t)st.st_size > TOTAL_MAX - s->total)
		snprintf(why, sizeof(why),
		    "is too long: together such files may hold %u octets",
		    TOTAL_MAX);
	else if (!private || is_private(&st, why))
		text = slurp(fd, (size_t)st.st_size, len, why);
	if (fd != -1)
		close(fd);
	if (text == NULL)
		fault(s, place, word, path, why);
	else
		s->total += *len;
	return text;
}

/* The rows of a file's table, while it is read. */
struct rows {
	struct conf_table *t;
	struct hmap *known;
	size_t room;
	bool urls;
};

static void
on_row(void *arg, const char *key, const char *value)
{
	struct rows *r = arg;
	struct conf_table *t = r->t;
	char *whole, *folded, *there;
	uint64_t hash;

	/* A URL without its quotes ends as a key at its first colon. */
	if (r->urls && strncmp(value, "//", 2) == 0) {
		whole = mem_printf("%s:%s", key, value);
		value = "";
	} else {
		whole = mem_strdup(key);
	}
	folded = mem_strdup(whole);
	text_lower(folded);
	hash = hmap_hash(folded, strlen(folded));
	there = hmap_get(r->known, hash);
	if (there != NULL && strcasecmp(there, whole) == 0) {
		/* Of two the first counts. */
		free(folded);
		free(whole);
		return;
	}
	if (t->n == r->room) {
		r->room = r->room == 0 ? 8 : 2 * r->room;
		t->keys = mem_rearray(t->keys, r->room, sizeof(t->keys[0]));
		t->values =
		    mem_rearray(t->values, r->room, sizeof(t->values[0]));
	}
	hmap_put(r->known, hash, whole);
	t->keys[t->n] = whole;
	t->values[t->n++] = mem_strdup(value);
	free(folded);
}

static bool
holds_urls(const struct conf *c, const struct conf_table *t)
{
	const char *via;
	size_t i;

	for (i = 0; i < c->nactions; i++) {
		via = c->actions[i].relay.via;
		if (via != NULL && strcmp(via, t->name) == 0)
			return true;
	}
	return false;
}

static void
read_table(struct supply *s, struct conf_table *t)
{
	struct rows r = { .t = t, .urls = holds_urls(s->conf, t) };
	char why[PEM_WHY_MAX], text[PEM_WHY_MAX + 20], *whole;
	size_t len;

	whole = read_file(s, t->place, "table", t->path, t->secret, &len);
	if (whole == NULL)
		return;
	r.known = hmap_new();
	t->given = true;
	if (lines_read(whole, len, on_row, &r, why, sizeof(why)) == -1) {
		snprintf(text, sizeof(text), "%s", why);
		fault(s, t->place, "table", t->path, text);
	}
	hmap_free(r.known);
	explicit_bzero(whole, len);
	free(whole);
}

/* Passwords in the configuration itself make that file one of secrets. */
static void
check_own_file(struct supply *s, const struct conf_table *t)
{
	char why[PEM_WHY_MAX], *path = mem_strdup(t->place);
	struct stat st;

	*strrchr(path, ':') = '\0';
	if (stat(path, &st) == 0 && !is_private(&st, why))
		fault(s, t->place, "table", path, why);
	free(path);
}

static void
supply_tables(struct supply *s)
{
	struct conf_table *t;
	size_t i;

	for (i = 0; i < s->conf->ntables; i++) {
		t = &s->conf->tables[i];
		if (t->outgoing && t->path != NULL)
			read_table(s, t);
		else if (t->secret)
			check_own_file(s, t);
	}
}

static bool
known_and_empty(const struct conf *c, const char *name)
{
	const struct conf_table *t = name == NULL ? NULL : conf_table(c, name);

	return t != NULL && t->n == 0 && (t->path == NULL || t->given);
}

static bool
has_key(const struct conf_list *l, const char *key)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcasecmp(l->pairs[i].key, key) == 0)
			return true;
	return false;
}

static void
check_labels(struct supply *s, const struct conf_action *a)
{
	const struct conf_relay *r = &a->relay;
	const struct conf_table *t;
	char text[CONF_URL_MAX];
	size_t i;

	t = r->auth.table == NULL ? NULL : conf_table(s->conf, r->auth.table);
	if (t == NULL || (t->path != NULL && !t->given))
		return;
	for (i = 0; i < r->nurls; i++) {
		if (r->urls[i].label == NULL ||
		    has_key(&r->auth, r->urls[i].label))
			continue;
		snprintf(text, sizeof(text), "has no label \"%s\"",
		    r->urls[i].label);
		fault(s, a->place, "auth", t->name, text);
	}
}

static char *
read_pem(struct supply *s, const char *place, const char *word,
    const char *path, bool key)
{
	char why[PEM_WHY_MAX], *pem;
	size_t len;
	bool ok;

	pem = read_file(s, place, word, path, key, &len);
	if (pem == NULL)
		return NULL;
	if (strlen(pem) != len) {
		snprintf(why, sizeof(why), "holds a NUL: it is no PEM");
		ok = false;
	} else {
		ok = key ? pem_key_ok(pem, why) : pem_certificates_ok(pem, why);
	}
	if (ok)
		return pem;
	fault(s, place, word, path, why);
	pairs_wipe(pem);
	return NULL;
}

static void
supply_pki(struct supply *s, struct conf_pki *k)
{
	k->certificate_pem =
	    read_pem(s, k->place, "certificate", k->certificate, false);
	k->key_pem = read_pem(s, k->place, "key", k->key, true);
	if (k->certificate_pem != NULL && k->key_pem != NULL &&
	    !pem_fit(k->certificate_pem, k->key_pem))
		fault(
		    s, k->place, "key", k->key, "does not fit the certificate");
}

/* The mta stands in an empty directory, where there is no store of the system.
 * NULL: nor is there one here in one file. */
static char *
system_ca(void)
{
	const char *path = getenv(X509_get_default_cert_file_env());

	if (path == NULL)
		path = X509_get_default_cert_file();
	return access(path, R_OK) == 0 ? mem_strdup(path) : NULL;
}

static void
supply_relay(struct supply *s, struct conf_action *a)
{
	struct conf_relay *r = &a->relay;

	if (known_and_empty(s->conf, r->via))
		fault(s, a->place, "via", r->via, "is an empty table");
	if (known_and_empty(s->conf, r->source.table))
		fault(s, a->place, "source", r->source.table,
		    "is an empty table");
	if (s->rows_ok)
		check_labels(s, a);
	if (r->protocols != NULL && !pem_protocols_ok(r->protocols))
		fault(s, a->place, "protocols", r->protocols,
		    "is not understood: such as \"TLSv1.2, TLSv1.3\"");
	if (r->ciphers != NULL && !pem_ciphers_ok(r->ciphers))
		fault(s, a->place, "ciphers", r->ciphers,
		    "holds what OpenSSL does not know");
	if (r->ca == NULL && r->tls == CONF_TLS_VERIFY)
		r->ca = system_ca();
	if (r->ca != NULL)
		r->ca_pem = read_pem(s, a->place, "ca", r->ca, false);
}

static void
supply_anchor(struct supply *s)
{
	struct conf *c = s->conf;
	char why[ANCHOR_WHY], *text;
	size_t len;

	if (c->trust_anchor == NULL)
		return;
	text = read_file(s, c->trust_anchor_place, "trust-anchor",
	    c->trust_anchor, false, &len);
	if (text == NULL)
		return;
	snprintf(why, sizeof(why), "holds octets that are no text");
	if (strlen(text) != len || anchor_each(text, NULL, NULL, why) == -1) {
		fault(s, c->trust_anchor_place, "trust-anchor", c->trust_anchor,
		    why);
		free(text);
		return;
	}
	c->trust_anchor_text = text;
}

static void
on_list(void *arg, const char *line)
{
	struct supply *s = arg;

	s->ok = false;
	if (s->report != NULL)
		s->report(s->arg, line);
}

bool
conf_supply(
    struct conf *c, bool check, void (*report)(void *, const char *), void *arg)
{
	struct supply s = { .conf = c,
		.check = check,
		.report = report,
		.arg = arg,
		.ok = true };
	size_t i;

	supply_tables(&s);
	/* Those given in place were checked when they were read. */
	pairs_fill(c, on_list, &s);
	s.rows_ok = s.ok;
	for (i = 0; i < c->npkis; i++)
		supply_pki(&s, &c->pkis[i]);
	for (i = 0; i < c->nactions; i++)
		if (c->actions[i].kind == CONF_RELAY)
			supply_relay(&s, &c->actions[i]);
	supply_anchor(&s);
	return s.ok;
}
