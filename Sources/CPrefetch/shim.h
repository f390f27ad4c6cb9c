// The one instruction that Swift has no word for.
#ifndef SLUICE_CPREFETCH_SHIM_H
#define SLUICE_CPREFETCH_SHIM_H

// Asks for the cache line of an address, and nobody waits for it. A hint: any address will do, even one that is not mapped.
static inline __attribute__((always_inline)) void sluicePrefetch(const void *address) {
    __builtin_prefetch(address);
}

#endif
