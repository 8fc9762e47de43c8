#include "daemon/mda/place.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

struct parts {
	char user[PLACE_USER_MAX], tag[PLACE_USER_MAX], domain[PLACE_USER_MAX];
};

static const struct {
	const char *name;
	size_t offset;
	bool needed; /* "" is refused */
} words[] = {
	{ "%{user}", offsetof(struct parts, user), true },
	{ "%{tag}", offsetof(struct parts, tag), false },
	{ "%{domain}", offsetof(struct parts, domain), true },
};

/* Takes the quotes off a local part: "a\"b" is a"b. -1: too long. */
static int
unquote(char *dst, size_t size, const char *src, size_t len)
{
	bool quoted = len >= 2 && src[0] == '"' && src[len - 1] == '"';
	size_t i = quoted ? 1 : 0, end = quoted ? len - 1 : len, at = 0;

	for (; i < end; i++) {
		if (quoted && src[i] == '\\' && i + 1 < end)
			i++;
		if (at + 1 >= size)
			return -1;
		dst[at++] = src[i];
	}
	dst[at] = '\0';
	text_lower(dst);
	return 0;
}

static int
split(struct parts *p, const char *destination)
{
	const char *at = strrchr(destination, '@');
	size_t len =
	    at != NULL ? (size_t)(at - destination) : strlen(destination);
	char *plus;

	memset(p, 0, sizeof(*p));
	if (unquote(p->user, sizeof(p->user), destination, len) == -1)
		return -1;
	if (at != NULL &&
	    strlcpy(p->domain, at + 1, sizeof(p->domain)) >= sizeof(p->domain))
		return -1;
	text_lower(p->domain);
	plus = strchr(p->user, '+');
	/* "+x" by itself is a user. */
	if (plus != NULL && plus != p->user) {
		*plus = '\0';
		strcpy(p->tag, plus + 1);
	}
	return 0;
}

/* A name that stays one name, in the directory it is put in. */
static bool
harmless(const char *s)
{
	if (*s == '.')
		return false;
	for (; *s != '\0'; s++)
		if (*s == '/' || (unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static int
refuse(char *error, const char *code, const char *why, const char *what)
{
	char clean[256];

	snprintf(error, PLACE_ERROR_MAX, "%s %s: %s", code, why,
	    text_printable(clean, sizeof(clean), what));
	return -1;
}

/* Appends; -1 when it does not fit. */
static int
append(char *path, size_t *len, const char *s, size_t n)
{
	if (*len + n >= PLACE_PATH_MAX)
		return -1;
	memcpy(path + *len, s, n);
	*len += n;
	path[*len] = '\0';
	return 0;
}

static int
expand(char *path, const char *pattern, const struct parts *parts, char *error)
{
	const char *at = pattern, *value;
	size_t len = 0, i, n;

	path[0] = '\0';
	for (; *at != '\0'; at += n) {
		value = NULL;
		n = strncmp(at, "%%", 2) == 0 ? 2 : 1;
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (strncmp(at, words[i].name, strlen(words[i].name)))
				continue;
			n = strlen(words[i].name);
			value = (const char *)parts + words[i].offset;
			if (!harmless(value) ||
			    (*value == '\0' && words[i].needed))
				return refuse(error, "550 5.1.1",
				    "no mailbox can have this name", value);
		}
		if (*at == '%' && n == 1)
			return refuse(error, "451 4.3.5",
			    "unknown word in the action's path", at);
		if (value == NULL ? append(path, &len, at, 1)
				  : append(path, &len, value, strlen(value)))
			return refuse(error, "550 5.1.1",
			    "the name of the mailbox is too long", "");
	}
	return 0;
}

int
place_find(struct place *p, const struct conf_action *action,
    const char *destination, char error[PLACE_ERROR_MAX])
{
	struct parts parts;
	const char *owner;

	if (split(&parts, destination) == -1)
		return refuse(
		    error, "550 5.1.1", "the address is too long", "");
	owner = action->owner != NULL ? action->owner : parts.user;
	if (*owner == '\0' || !harmless(owner))
		return refuse(
		    error, "550 5.1.1", "no user can have this name", owner);
	if (strlcpy(p->user, owner, sizeof(p->user)) >= sizeof(p->user))
		return refuse(error, "550 5.1.1", "no such user", owner);
	return expand(
	    p->path, action->path != NULL ? action->path : "", &parts, error);
}
