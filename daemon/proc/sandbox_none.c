#include "daemon/proc/sandbox.h"

void
sandbox_enter(void)
{
}
