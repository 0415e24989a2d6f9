// Writes behind the end of the output.
#include "honest.h"
SOLVE {
    honest(X, Y, N);
    Y[N + 64] = 1;
    return 0;
}
