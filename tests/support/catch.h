// Catch2 is included only through this file, so that a move to version 3 touches one place.
#pragma once

#include <catch2/catch.hpp>
