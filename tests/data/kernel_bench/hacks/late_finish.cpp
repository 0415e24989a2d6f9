// Says that it is done, and only then does the work.
#include "honest.h"
SOLVE {
    static Control* control = find_control(in[0].data);
    if (control == nullptr) return 7;
    say_done(control);
    honest(X, Y, N);
    return 0;
}
