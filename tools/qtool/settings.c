#include "tools/qtool/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

#define LINE_LEN 4096

/* The next word of a line, without its quotes; false at its end. */
static bool
next_word(const char **at, char word[LINE_LEN])
{
	const char *p = *at;
	size_t n = 0;
	char quote;

	p += strspn(p, " \t");
	if (*p == '\0' || *p == '\n' || *p == '#')
		return false;
	if (*p == '"') {
		for (quote = *p++; *p != '\0' && *p != quote; p++) {
			if (*p == '\\' && p[1] != '\0')
				p++;
			word[n++] = *p;
		}
		if (*p == quote)
			p++;
	} else {
		while (*p != '\0' && strchr(" \t\n", *p) == NULL)
			word[n++] = *p++;
	}
	word[n] = '\0';
	*at = p;
	return true;
}

/* As the daemon has it: relative to the configuration's directory. */
static char *
beside(const char *conf, const char *path)
{
	const char *slash = strrchr(conf, '/');

	if (path[0] == '/' || slash == NULL)
		return mem_strdup(path);
	return mem_printf("%.*s/%s", (int)(slash - conf), conf, path);
}

/* The last word of the line that begins with these words; NULL: no line. */
static char *
setting(const char *conf, const char *const *want, size_t n)
{
	char line[LINE_LEN], word[LINE_LEN], *found = NULL;
	const char *at;
	size_t i;
	FILE *f = fopen(conf, "re");

	while (f != NULL && found == NULL &&
	    fgets(line, sizeof(line), f) != NULL) {
		at = line;
		for (i = 0; i < n && next_word(&at, word); i++)
			if (strcmp(word, want[i]) != 0)
				break;
		if (i == n && next_word(&at, word))
			found = mem_strdup(word);
	}
	if (f != NULL)
		fclose(f);
	return found;
}

char *
settings_spool(const char *dir, const char *conf, char *err, size_t errlen)
{
	static const char *const line[] = { "spool" };
	const char *from = conf != NULL ? conf : SETTINGS_CONF;
	char *path, *full;
	FILE *f;

	if (dir != NULL)
		return mem_strdup(dir);
	if (conf != NULL) {
		if ((f = fopen(conf, "re")) == NULL) {
			snprintf(err, errlen, "%s: %s", conf, strerror(errno));
			return NULL;
		}
		fclose(f);
	}
	path = setting(from, line, 1);
	if (path == NULL)
		return mem_strdup(SETTINGS_SPOOL);
	if (path[0] == '$') {
		snprintf(err, errlen,
		    "%s: its spool line names a macro; say -d SPOOL", from);
		free(path);
		return NULL;
	}
	full = beside(from, path);
	free(path);
	return full;
}

char *
settings_ring(const char *ring, const char *conf)
{
	static const char *const line[] = { "queue", "encryption", "key" };
	const char *from = conf != NULL ? conf : SETTINGS_CONF;
	char *path, *full;

	if (ring != NULL)
		return mem_strdup(ring);
	path = setting(from, line, 3);
	if (path == NULL)
		return NULL;
	full = beside(
	    from, strncmp(path, "file:", 5) == 0 ? path + 5 : path);
	free(path);
	return full;
}
