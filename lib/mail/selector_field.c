#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/mail/selector_tree.h"

#define NEAR 2 /* the edits a name may be away, and a third of its length */

static const char *const types[] = { "mta", "mda", "bounce", NULL };
static const char *const states[] = { "ready", "deferred", "held", "inflight",
	"paused", "bounce", "corrupt", "locked", "trash", "offline", NULL };
static const char *const message_states[] = { "ready", "deferred", "held",
	"inflight", "paused", "bounce", "corrupt", "locked", "trash", "offline",
	"mixed", NULL };
static const char *const phases[] = { "connect", "greeting", "ehlo", "helo",
	"mail", "rcpt", "data", "end", "session", NULL };
static const char *const compressions[] = { "none", "zstd", NULL };
static const char *const ciphers[] = { "none", "aes-256-gcm", NULL };

#define OPT FIELD_OPTIONAL
#define ARR FIELD_ARRIVAL
#define MSG FIELD_MESSAGE
#define SIB FIELD_SIBLINGS
#define ROW(f, name, kind, flags)                                              \
	[SELECT_##f] = { name, KIND_##kind, flags, SELECT_##f, NULL }
#define FROM(f, base, name, kind, flags)                                       \
	[SELECT_##f] = { name, KIND_##kind, flags, SELECT_##base, NULL }
#define WORDS(f, base, name, words, flags)                                     \
	[SELECT_##f] = { name, KIND_WORD, flags, SELECT_##base, words }

const struct field selector_fields[SELECT_FIELDS] = {
	ROW(ID, "id", ID, ARR),
	FROM(MSGID, ID, "msgid", MSGID, ARR),
	WORDS(TYPE, TYPE, "type", types, ARR),
	WORDS(STATE, STATE, "state", states, 0),
	ROW(HELD, "held", FLAG, 0),
	ROW(PAUSED, "paused", FLAG, 0),
	ROW(INFLIGHT, "inflight", FLAG, 0),
	ROW(SENDER, "sender", ADDRESS, ARR),
	FROM(SENDER_DOMAIN, SENDER, "sender.domain", DOMAIN, OPT | ARR),
	FROM(SENDER_NULL, SENDER, "sender.null", FLAG, ARR),
	ROW(RCPT, "rcpt", ADDRESS, ARR),
	FROM(RCPT_DOMAIN, RCPT, "rcpt.domain", DOMAIN, OPT | ARR),
	FROM(RCPT_LOCAL, RCPT, "rcpt.local", TEXT, ARR),
	ROW(DEST, "dest", ADDRESS, ARR),
	FROM(AGE, ARRIVED, "age", SPAN, 0),
	ROW(SIZE, "size", SIZE, ARR),
	ROW(STORED, "stored", SIZE, 0),
	ROW(TRIES, "tries", NUMBER, 0),
	ROW(NEXT, "next", TIME, OPT),
	ROW(LAST, "last", TIME, OPT),
	ROW(EXPIRES, "expires", TIME, OPT | ARR),
	FROM(TTL, EXPIRES, "ttl", SPAN, 0),
	ROW(ARRIVED, "arrived", TIME, ARR),
	ROW(ERROR, "error", TEXT, OPT),
	FROM(ERROR_CODE, ERROR, "error.code", NUMBER, OPT),
	FROM(ERROR_CLASS, ERROR, "error.class", NUMBER, OPT),
	FROM(ERROR_ENH, ERROR, "error.enh", TEXT, OPT),
	FROM(ERROR_MX, ERROR, "error.mx", DOMAIN, OPT),
	WORDS(ERROR_PHASE, ERROR, "error.phase", phases, OPT),
	ROW(ROUTE, "route", DOMAIN, OPT),
	ROW(RELAY, "relay", DOMAIN, OPT),
	ROW(SRC, "src", TEXT, OPT),
	ROW(LISTENER, "listener", TEXT, OPT | ARR),
	ROW(CLIENT_IP, "client.ip", NET, OPT | ARR),
	ROW(CLIENT_NAME, "client.name", DOMAIN, OPT | ARR),
	ROW(HELO, "helo", DOMAIN, OPT | ARR),
	ROW(AUTH, "auth", TEXT, OPT | ARR),
	ROW(TLS, "tls", TEXT, OPT | ARR),
	ROW(TAG, "tag", TEXT, OPT),
	ROW(RULE, "rule", TEXT, OPT),
	WORDS(ENC, ENC, "enc", ciphers, OPT),
	WORDS(COMP, COMP, "comp", compressions, OPT),
	ROW(KID, "kid", TEXT, OPT),
	ROW(HOST, "host", DOMAIN, OPT | ARR),
	ROW(SUBJECT, "subject", TEXT, OPT | ARR | MSG),
	ROW(HDR, "hdr", TEXT, OPT | ARR | MSG),
	ROW(MSG_RCPTS, "msg.rcpts", NUMBER, SIB),
	FROM(MSG_SIZE, SIZE, "msg.size", SIZE, ARR),
	WORDS(MSG_STATE, STATE, "msg.state", message_states, SIB),
	ROW(BODY, "body", TEXT, ARR | MSG),
};

/* What people type, by habit from elsewhere. */
struct habit {
	const char *typed, *meant;
};

static const struct habit fields[] = {
	{ "from", "sender" },
	{ "mailfrom", "sender" },
	{ "return-path", "sender" },
	{ "to", "rcpt" },
	{ "recipient", "rcpt" },
	{ "recipients", "msg.rcpts" },
	{ "domain", "rcpt.domain" },
	{ "local", "rcpt.local" },
	{ "destination", "dest" },
	{ "attempts", "tries" },
	{ "retries", "tries" },
	{ "message-size", "size" },
	{ "bytes", "size" },
	{ "arrival", "arrived" },
	{ "time", "arrived" },
	{ "due", "next" },
	{ "reason", "error" },
	{ "status", "state" },
	{ "queue", "state" },
	{ "kind", "type" },
	{ "deferred", "state = deferred" },
	{ "ready", "state = ready" },
	{ "corrupt", "state = corrupt" },
	{ "bounce", "state = bounce" },
	{ "code", "error.code" },
	{ "class", "error.class" },
	{ "mx", "error.mx" },
	{ "phase", "error.phase" },
	{ "ip", "client.ip" },
	{ "client", "client.ip" },
	{ "ehlo", "helo" },
	{ "user", "auth" },
	{ "evpid", "id" },
	{ "header", "hdr.\"NAME\"" },
	{ "key", "kid" },
	{ "hold", "held" },
	{ "null", "sender.null" },
};

static const struct habit words[] = {
	{ "queued", "ready or deferred" },
	{ "active", "inflight" },
	{ "frozen", "held" },
	{ "hold", "held" },
	{ "broken", "corrupt" },
	{ "failed", "bounce" },
	{ "relay", "mta" },
	{ "smtp", "mta" },
	{ "deliver", "mda" },
	{ "local", "mda" },
	{ "plain", "none" },
	{ "no", "none" },
	{ "gcm", "aes-256-gcm" },
	{ "aes", "aes-256-gcm" },
};

const char *
selector_field_name(enum selector_field f)
{
	return selector_fields[f].name;
}

enum selector_field
selector_field_of(const char *name)
{
	unsigned f;

	for (f = 0; f < SELECT_FIELDS; f++)
		if (strcmp(selector_fields[f].name, name) == 0)
			break;
	return (enum selector_field)f;
}

int
selector_word(const char *const *list, const char *text)
{
	int i;

	for (i = 0; list[i] != NULL; i++)
		if (strcmp(list[i], text) == 0)
			return i;
	return -1;
}

static void
add(char *text, size_t size, const char *meant)
{
	size_t at = strlen(text);

	snprintf(text + at, size - at, ", did you mean %s?", meant);
}

/* A typed name to compare with: lower case, cut. */
#define TYPED 32

static void
lower(char dst[TYPED], const char *typed)
{
	strncpy(dst, typed, TYPED - 1);
	dst[TYPED - 1] = '\0';
	text_lower(dst);
}

static bool
near(unsigned distance, const char *typed)
{
	return distance <= NEAR && distance <= strlen(typed) / 2;
}

static const char *
habit_of(const struct habit *table, size_t n, const char *typed)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(table[i].typed, typed) == 0)
			return table[i].meant;
	return NULL;
}

void
selector_near_field(char *text, size_t size, const char *typed)
{
	const char *meant;
	char name[TYPED];
	unsigned f, d, best = TYPED;

	lower(name, typed);
	meant = habit_of(fields, sizeof(fields) / sizeof(fields[0]), name);
	for (f = 0; meant == NULL && f < SELECT_FIELDS; f++) {
		d = text_distance(selector_fields[f].name, name);
		if (d < best)
			best = d;
	}
	for (f = 0; meant == NULL && near(best, name) && f < SELECT_FIELDS; f++)
		if (text_distance(selector_fields[f].name, name) == best)
			meant = selector_fields[f].name;
	if (meant != NULL)
		add(text, size, meant);
}

void
selector_near_word(
    char *text, size_t size, const char *const *list, const char *typed)
{
	const char *meant;
	char name[TYPED];
	unsigned d, best = TYPED;
	size_t i, at;

	lower(name, typed);
	meant = habit_of(words, sizeof(words) / sizeof(words[0]), name);
	/* A habit counts only where its word may stand. */
	if (meant != NULL && strchr(meant, ' ') == NULL &&
	    selector_word(list, meant) == -1)
		meant = NULL;
	if (meant != NULL && strchr(meant, ' ') != NULL && list[0] != states[0])
		meant = NULL;
	for (i = 0; meant == NULL && list[i] != NULL; i++) {
		d = text_distance(list[i], name);
		if (d >= best || !near(d, name))
			continue;
		best = d;
	}
	for (i = 0; meant == NULL && best < TYPED && list[i] != NULL; i++)
		if (text_distance(list[i], name) == best)
			meant = list[i];
	if (meant != NULL) {
		add(text, size, meant);
		return;
	}
	for (i = 0; list[i] != NULL; i++) {
		at = strlen(text);
		snprintf(text + at, size - at, "%s %s",
		    i == 0                    ? ": it is one of"
			: list[i + 1] == NULL ? " or"
					      : ",",
		    list[i]);
	}
}
