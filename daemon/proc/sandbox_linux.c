#include <sys/prctl.h>
#include <sys/resource.h>

#include "daemon/proc/sandbox.h"

void
sandbox_enter(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	sandbox_hide();
}

void
sandbox_hide(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
