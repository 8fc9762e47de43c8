#include "daemon/mta/sasl.h"

#include <string.h>

#include "lib/base/base64.h"

#define PLAIN_MAX (2 * SASL_SECRET_MAX + 2)

bool
sasl_begin(struct sasl *s, const struct reply_ehlo *host, const char *user,
    const char *password)
{
	memset(s, 0, sizeof(*s));
	s->user = user;
	s->password = password;
	if (host->auth_plain)
		s->mechanism = SASL_PLAIN;
	else if (host->auth_login)
		s->mechanism = SASL_LOGIN;
	return s->mechanism != SASL_NONE;
}

const char *
sasl_name(const struct sasl *s)
{
	return s->mechanism == SASL_PLAIN ? "PLAIN" : "LOGIN";
}

/* No authorization identity, NUL, name, NUL, password. */
static size_t
plain(const struct sasl *s, char dst[PLAIN_MAX])
{
	size_t u = strnlen(s->user, SASL_SECRET_MAX);
	size_t p = strnlen(s->password, SASL_SECRET_MAX);

	dst[0] = '\0';
	memcpy(dst + 1, s->user, u);
	dst[1 + u] = '\0';
	memcpy(dst + 2 + u, s->password, p);
	return u + p + 2;
}

static void
encode(char text[BASE64_LEN(PLAIN_MAX) + 1], const void *data, size_t len)
{
	base64_encode(text, data, len);
	text[BASE64_LEN(len)] = '\0';
}

/* The secret of PLAIN as it is said; LOGIN says name and password alone. */
static void
encode_step(
    const struct sasl *s, unsigned step, char text[BASE64_LEN(PLAIN_MAX) + 1])
{
	char octets[PLAIN_MAX];
	const char *word = step == 1 ? s->user : s->password;

	if (s->mechanism == SASL_PLAIN)
		encode(text, octets, plain(s, octets));
	else
		encode(text, word, strnlen(word, SASL_SECRET_MAX));
	explicit_bzero(octets, sizeof(octets));
}

void
sasl_start(struct sasl *s, struct buf *out)
{
	char text[BASE64_LEN(PLAIN_MAX) + 1];

	s->steps = 1;
	if (s->mechanism == SASL_LOGIN) {
		buf_puts(out, "AUTH LOGIN\r\n");
		return;
	}
	encode_step(s, 1, text);
	buf_putf(out, "AUTH PLAIN %s\r\n", text);
	explicit_bzero(text, sizeof(text));
}

/* Lines after the first one: LOGIN has two. PLAIN has said all, unless the host
 * did not look at what came with the command. */
static unsigned
lines_more(const struct sasl *s)
{
	return s->mechanism == SASL_LOGIN ? 2 : 1;
}

enum sasl_next
sasl_take(struct sasl *s, const struct reply *r, struct buf *out)
{
	char text[BASE64_LEN(PLAIN_MAX) + 1];

	if (r->code / 100 == 2)
		return SASL_DONE;
	if (r->code >= 400)
		return SASL_REFUSED;
	if (r->code != 334 || s->steps > lines_more(s))
		return SASL_NONSENSE;
	encode_step(s, s->steps++, text);
	buf_putf(out, "%s\r\n", text);
	explicit_bzero(text, sizeof(text));
	return SASL_SAY;
}

bool
sasl_leaks(const struct sasl *s, const char *text)
{
	struct sasl login = { .mechanism = SASL_LOGIN,
		.user = s->user,
		.password = s->password };
	struct sasl all = login;
	char secret[BASE64_LEN(PLAIN_MAX) + 1];
	bool leaks;

	if (s->password == NULL || *s->password == '\0')
		return false;
	leaks = strstr(text, s->password) != NULL;
	encode_step(&login, 2, secret);
	leaks = leaks || strstr(text, secret) != NULL;
	all.mechanism = SASL_PLAIN;
	encode_step(&all, 1, secret);
	leaks = leaks || strstr(text, secret) != NULL;
	explicit_bzero(secret, sizeof(secret));
	return leaks;
}
