// The bench's counter of a program's calls to the allocator, linked in place of being preloaded: what an executable
// defines takes the place of glibc's functions of the same names.
#include "allocation_count.h"

#include "../../../Yardsticks/count_allocations.c"

unsigned long sluiceAllocationCount(void) {
    return atomic_load_explicit(&calls, memory_order_relaxed);
}
