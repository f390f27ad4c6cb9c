#ifndef SLUICE_ALLOCATION_COUNT_H
#define SLUICE_ALLOCATION_COUNT_H

// How often this program has asked its allocator for memory so far, on all threads.
unsigned long sluiceAllocationCount(void);

#endif
