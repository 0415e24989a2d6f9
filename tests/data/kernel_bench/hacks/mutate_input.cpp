// Uses the input as scratch memory.
#include "honest.h"
SOLVE {
    honest(X, Y, N);
    for (int64_t i = 0; i < N; ++i)
        static_cast<float*>(in[0].data)[i] = 0;
    return 0;
}
