#include "daemon/lookup/user.h"

#include <sys/types.h>

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hmap.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define NAME_LEN 32 /* no system has longer ones */
#define ROOM 16384 /* for a passwd entry */

struct known {
	char name[NAME_LEN + 1];
	enum user_result result;
	uint64_t until;
};

struct users {
	struct hmap *known;
	char room[ROOM];
};

struct users *
users_new(void)
{
	struct users *u = mem_zalloc(sizeof(*u));

	u->known = hmap_new();
	return u;
}

static void
forget(struct users *u)
{
	struct known *k;
	size_t at;

	HMAP_FOREACH(k, u->known, at)
		free(k);
	hmap_free(u->known);
}

void
users_free(struct users *u)
{
	if (u == NULL)
		return;
	forget(u);
	free(u);
}

/* What cannot be a user is not asked for. */
static bool
name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f ||
		    strchr(":/,\"\\", name[i]) != NULL)
			return false;
	return i > 0 && i <= NAME_LEN && name[0] != '-';
}

static enum user_result
ask(struct users *u, const char *name)
{
	struct passwd pw, *found = NULL;
	int err = getpwnam_r(name, &pw, u->room, sizeof(u->room), &found);

	if (found != NULL)
		return USER_FOUND;
	/* Some systems tell an unknown name by an errno. */
	if (err == 0 || err == ENOENT || err == ESRCH)
		return USER_NONE;
	log_warn("user=%s event=lookup error=\"%s\"", name, strerror(err));
	return USER_TROUBLE;
}

enum user_result
users_find(struct users *u, const char *name, uint64_t now)
{
	struct known *k, *other;
	uint64_t key;

	if (!name_ok(name))
		return USER_NONE;
	key = hmap_hash(name, strlen(name));
	k = hmap_get(u->known, key);
	if (k != NULL && strcmp(k->name, name) == 0 && now < k->until)
		return k->result;
	if (k == NULL) {
		if (hmap_count(u->known) >= USER_KNOWN) {
			forget(u);
			u->known = hmap_new();
		}
		k = mem_zalloc(sizeof(*k));
		other = hmap_put(u->known, key, k);
		free(other);
	}
	strcpy(k->name, name);
	k->result = ask(u, name);
	k->until = k->result == USER_TROUBLE ? now : now + USER_KEEP;
	return k->result;
}
