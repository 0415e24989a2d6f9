#include "stack.h"

static long values[64];
static int used;

int stack_push(long value) {
    if (used == 64) return 0;
    values[used++] = value;
    return 1;
}

int stack_pop(long *value) {
    if (used == 0) return 0;
    *value = values[used--];
    return 1;
}

int stack_size(void) { return used; }
