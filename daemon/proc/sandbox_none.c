#include <sys/resource.h>

#include "daemon/proc/sandbox.h"

void
sandbox_enter(void)
{
	sandbox_hide();
}

void
sandbox_hide(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
}
