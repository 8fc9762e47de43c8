#include <malloc.h>

#include "lib/compat/heap.h"

void
heap_trim(void)
{
	malloc_trim(0);
}
