/* affinity.h: on which CPUs a thread may run. Where the system does not tell, nothing is bound. */
#ifndef ATTEND_CORE_AFFINITY_H
#define ATTEND_CORE_AFFINITY_H

#include <stdbool.h>

/* CPUs in the calling thread's affinity mask; 0: unknown. */
int attend_affinity_count(void);
/* The CPU that the calling thread runs on at this moment; -1: unknown. */
int attend_affinity_current(void);
/* Put CPU `enter` back into the calling thread's mask (-1: none) and take `leave` out of it, unless it is the only one; false: it
 * was not taken out. */
bool attend_affinity_change(int enter, int leave);

#endif
