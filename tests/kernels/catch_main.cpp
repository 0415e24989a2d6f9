// For tools/gpu, which has no CMake and no Catch2 library: the single header's own main.
#define CATCH_CONFIG_MAIN
#include "catch.h"
