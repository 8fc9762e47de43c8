#include "daemon/parent/fit.h"

#include <stddef.h>
#include <string.h>

static const char *const words[] = { "%{user}", "%{tag}", "%{domain}" };

/* Octets of the word that pattern begins with; 0: it begins with none. */
static size_t
word_at(const char *pattern)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(pattern, words[i], strlen(words[i])) == 0)
			return strlen(words[i]);
	return 0;
}

/* A name takes the place of a word: it is not hidden and stays one name. */
static bool
matches(const char *pattern, const char *path)
{
	size_t word, n, most;

	for (; *pattern != '\0'; pattern++, path++) {
		word = word_at(pattern);
		if (word > 0) {
			most = *path == '.' ? 0 : strcspn(path, "/");
			for (n = 0; n <= most; n++)
				if (matches(pattern + word, path + n))
					return true;
			return false;
		}
		if (strncmp(pattern, "%%", 2) == 0)
			pattern++;
		if (*pattern != *path)
			return false;
	}
	return *path == '\0';
}

bool
fit_path(const struct conf *c, enum conf_action_kind kind, const char *path)
{
	const struct conf_action *a;
	size_t i;

	for (i = 0; i < c->nactions; i++) {
		a = &c->actions[i];
		if (a->kind == kind &&
		    matches(a->path == NULL ? "" : a->path, path))
			return true;
	}
	return false;
}
