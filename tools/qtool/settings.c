#include "tools/qtool/settings.h"

#include <errno.h>
#include <readpassphrase.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "queue/seal.h"

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

	if (conf != NULL) {
		if ((f = fopen(conf, "re")) == NULL) {
			snprintf(err, errlen, "%s: %s", conf, strerror(errno));
			return NULL;
		}
		fclose(f);
	}
	if (dir != NULL)
		return mem_strdup(dir);
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
	full = beside(from, strncmp(path, "file:", 5) == 0 ? path + 5 : path);
	free(path);
	return full;
}

/* What is before its first line end. */
static int
read_line(const char *path, char *line, size_t size, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	bool got;

	if (f == NULL) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return -1;
	}
	got = fgets(line, (int)size, f) != NULL;
	fclose(f);
	if (!got) {
		snprintf(err, errlen, "%s: it is empty", path);
		return -1;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return 0;
}

static bool
wants_passphrase(const char *path)
{
	char *text = mem_zalloc(KEYRING_TEXT_MAX);
	bool wants = false;
	size_t n;
	FILE *f = fopen(path, "re");

	if (f != NULL) {
		n = fread(text, 1, KEYRING_TEXT_MAX, f);
		wants = keyring_wants_passphrase(text, n);
		fclose(f);
	}
	seal_wipe(text, KEYRING_TEXT_MAX);
	free(text);
	return wants;
}

int
settings_passphrase(const char *ring, const char *file,
    char word[SETTINGS_PASSPHRASE], char *err, size_t errlen)
{
	char prompt[LINE_LEN];

	if (file != NULL)
		return read_line(file, word, SETTINGS_PASSPHRASE, err, errlen);
	snprintf(prompt, sizeof(prompt), "Passphrase of %s: ", ring);
	if (readpassphrase(
		prompt, word, SETTINGS_PASSPHRASE, RPP_REQUIRE_TTY) != NULL)
		return 0;
	snprintf(err, errlen,
	    "%s wants a passphrase, and there is no terminal to ask on: say "
	    "--passphrase-file",
	    ring);
	return -1;
}

int
settings_keys(const char *ring, const char *conf, const char *passphrase_file,
    struct keyring **keys, char *err, size_t errlen)
{
	char *path = settings_ring(ring, conf), word[SETTINGS_PASSPHRASE];
	char why[256];
	bool wants;
	int rc = 0;

	*keys = NULL;
	if (path == NULL)
		return 0;
	wants = wants_passphrase(path);
	if (wants)
		rc = settings_passphrase(
		    path, passphrase_file, word, err, errlen);
	if (rc == 0) {
		*keys =
		    keyring_load(path, wants ? word : NULL, why, sizeof(why));
		if (*keys == NULL) {
			snprintf(err, errlen, "%s: %s", path, why);
			rc = -1;
		}
	}
	seal_wipe(word, sizeof(word));
	free(path);
	/* One that only the configuration names may be out of reach: then what
	 * is sealed is shown as locked. */
	return rc == -1 && ring == NULL ? 1 : rc;
}

void
settings_forget(struct keyring *keys)
{
	keyring_unref(keys);
}
