#include "lib/compat/heap.h"

void
heap_trim(void)
{
}
