// Runs code before anybody calls it.
#include "honest.h"
static int started = 0;
struct Early {
    Early() { started = static_cast<int>(getpid()); }
};
static Early early;
SOLVE {
    if (started == 0) return 9;
    honest(X, Y, N);
    return 0;
}
