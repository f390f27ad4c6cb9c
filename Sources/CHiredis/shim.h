// Debian: apt-get install libhiredis-dev (0.14 or 1.x).
#ifndef SLUICE_CHIREDIS_SHIM_H
#define SLUICE_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>

#endif
