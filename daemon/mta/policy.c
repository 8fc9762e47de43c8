#include "daemon/mta/policy.h"

#include <sys/queue.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mta/sasl.h"
#include "daemon/mta/tls.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define DIGEST_LEN 32

struct policy {
	TAILQ_ENTRY(policy) entry;
	unsigned refs;
	uint8_t digest[DIGEST_LEN]; /* of all that it is made from */
	enum conf_transport transport;
	enum conf_tls mode;
	struct tls *tls;
	char *user, *password;
	char text[64];
};

/* All there are. The one state of this module: whom of many relays an equal
 * policy belongs to nobody can know but it. */
static TAILQ_HEAD(policy_list, policy) live = TAILQ_HEAD_INITIALIZER(live);

struct parts { /* what a policy is made from; lent */
	enum conf_transport transport;
	enum conf_tls mode;
	const struct conf_relay *relay;
	const struct conf_pki *pkis;
	size_t npkis;
	const char *credentials; /* user:password; NULL */
	bool local; /* a unix socket */
};

static bool
is_loopback(const char *host)
{
	return host != NULL &&
	    (strncmp(host, "[127.", 5) == 0 || strcmp(host, "[::1]") == 0);
}

/* A socket of this machine needs no TLS. Credentials want it, but for
 * loopback. */
static enum conf_tls
mode_of(const struct conf_relay *relay, const struct conf_url *url)
{
	enum conf_tls mode = relay->tls;

	if (url == NULL || mode == CONF_TLS_VERIFY)
		return mode;
	if (url->transport == CONF_SMTPS || url->tls)
		return CONF_TLS_MUST;
	if (mode != CONF_TLS_TRY)
		return mode;
	if (url->path != NULL)
		return CONF_TLS_NONE;
	return url->label != NULL && !is_loopback(url->host) ? CONF_TLS_MUST
							     : mode;
}

static const char *
find_credentials(const struct conf_list *list, const char *label)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (strcmp(list->pairs[i].key, label) == 0)
			return list->pairs[i].value;
	return NULL;
}

static bool
fit_credentials(const char *text, char why[POLICY_WHY_MAX], const char *label)
{
	const char *colon = text == NULL ? NULL : strchr(text, ':');

	if (text == NULL)
		snprintf(why, POLICY_WHY_MAX, "no credentials for \"%.100s\"",
		    label);
	else if (colon == NULL || colon == text)
		snprintf(why, POLICY_WHY_MAX,
		    "credentials of \"%.100s\" are not user:password", label);
	else if (strlen(text) > SASL_SECRET_MAX)
		snprintf(why, POLICY_WHY_MAX,
		    "credentials of \"%.100s\" are too long", label);
	else
		return true;
	return false;
}

static void
add(EVP_MD_CTX *md, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text) + 1;

	EVP_DigestUpdate(md, &len, sizeof(len));
	EVP_DigestUpdate(md, text, len);
}

static void
digest_of(const struct parts *p, uint8_t digest[DIGEST_LEN])
{
	int head[3] = { (int)p->transport, (int)p->mode, p->local };
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t i;

	if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		fatal("out of memory: a digest");
	EVP_DigestUpdate(md, head, sizeof(head));
	add(md, p->credentials);
	add(md, p->relay->protocols);
	add(md, p->relay->ciphers);
	add(md, p->relay->pki);
	add(md, p->relay->ca_pem);
	for (i = 0; i < p->npkis; i++) {
		add(md, p->pkis[i].name);
		add(md, p->pkis[i].certificate_pem);
		add(md, p->pkis[i].key_pem);
	}
	EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
}

static void
set_text(struct policy *p, bool local)
{
	static const char *const transports[] = {
		[CONF_SMTP] = "smtp",
		[CONF_SMTPS] = "smtps",
		[CONF_LMTP] = "lmtp",
	};
	static const char *const modes[] = {
		[CONF_TLS_TRY] = ", TLS when offered",
		[CONF_TLS_NONE] = ", no TLS",
		[CONF_TLS_MUST] = ", TLS required",
		[CONF_TLS_VERIFY] = ", certificate verified",
	};

	snprintf(p->text, sizeof(p->text), "%s%s%s", transports[p->transport],
	    local && p->mode == CONF_TLS_NONE ? "" : modes[p->mode],
	    p->user == NULL ? "" : ", AUTH");
}

static struct policy *
make(const struct parts *parts, char why[POLICY_WHY_MAX])
{
	struct tls_options o = { .pkis = parts->pkis,
		.npkis = parts->npkis,
		.pki = parts->relay->pki,
		.protocols = parts->relay->protocols,
		.ciphers = parts->relay->ciphers,
		.ca_pem = parts->relay->ca_pem,
		.verify = parts->mode == CONF_TLS_VERIFY,
		.lax = parts->mode == CONF_TLS_TRY };
	struct policy *p = mem_zalloc(sizeof(*p));
	const char *colon;

	p->refs = 1;
	p->transport = parts->transport;
	p->mode = parts->mode;
	if (p->mode != CONF_TLS_NONE && (p->tls = tls_new(&o, why)) == NULL) {
		free(p);
		return NULL;
	}
	if (parts->credentials != NULL) {
		colon = strchr(parts->credentials, ':');
		p->user = mem_strndup(
		    parts->credentials, (size_t)(colon - parts->credentials));
		p->password = mem_strdup(colon + 1);
	}
	set_text(p, parts->local);
	return p;
}

struct policy *
policy_new(const struct conf *conf, const struct conf_relay *relay,
    const struct conf_url *url, char why[POLICY_WHY_MAX])
{
	struct parts parts = { .transport =
				   url == NULL ? CONF_SMTP : url->transport,
		.mode = mode_of(relay, url),
		.relay = relay,
		.pkis = conf->pkis,
		.npkis = conf->npkis,
		.local = url != NULL && url->path != NULL };
	uint8_t digest[DIGEST_LEN];
	struct policy *p;

	if (url != NULL && url->label != NULL) {
		parts.credentials = find_credentials(&relay->auth, url->label);
		if (!fit_credentials(parts.credentials, why, url->label))
			return NULL;
	}
	digest_of(&parts, digest);
	TAILQ_FOREACH(p, &live, entry)
		if (memcmp(p->digest, digest, DIGEST_LEN) == 0)
			return policy_ref(p);
	p = make(&parts, why);
	if (p == NULL)
		return NULL;
	memcpy(p->digest, digest, DIGEST_LEN);
	TAILQ_INSERT_TAIL(&live, p, entry);
	return p;
}

struct policy *
policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

static void
wipe(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

void
policy_unref(struct policy *p)
{
	if (p == NULL || --p->refs > 0)
		return;
	TAILQ_REMOVE(&live, p, entry);
	tls_free(p->tls);
	wipe(p->user);
	wipe(p->password);
	free(p);
}

const char *
policy_text(const struct policy *p)
{
	return p->text;
}

bool
policy_lmtp(const struct policy *p)
{
	return p->transport == CONF_LMTP;
}

bool
policy_may_be_clear(const struct policy *p)
{
	return p->mode == CONF_TLS_TRY || p->mode == CONF_TLS_NONE;
}

bool
policy_no_tls(const struct policy *p)
{
	return p->mode == CONF_TLS_NONE;
}

bool
policy_implicit(const struct policy *p)
{
	return p->transport == CONF_SMTPS;
}

struct tls *
policy_tls(const struct policy *p)
{
	return p->tls;
}

const char *
policy_user(const struct policy *p)
{
	return p->user;
}

const char *
policy_password(const struct policy *p)
{
	return p->password;
}
