#include "daemon/mta/sender.h"

#include <string.h>

void
sender_as(struct addr *from, const char *as)
{
	struct addr new = *from;
	const char *at;
	size_t len;

	if (as == NULL || addr_is_null(from))
		return;
	at = strrchr(as, '@');
	len = at == NULL ? strlen(as) : (size_t)(at - as);
	if (len >= sizeof(new.local) ||
	    (at != NULL && strlen(at + 1) >= sizeof(new.domain)))
		return;
	if (len > 0) {
		memcpy(new.local, as, len);
		new.local[len] = '\0';
	}
	if (at != NULL)
		memcpy(new.domain, at + 1, strlen(at + 1) + 1);
	*from = new;
}
