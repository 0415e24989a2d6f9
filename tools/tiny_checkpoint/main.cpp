// make_tiny_checkpoint FOLDER [SEED]: writes a checkpoint with random weights, for tests and demos.
#include "tiny_checkpoint.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fputs("usage: make_tiny_checkpoint FOLDER [SEED]\n", stderr);
        return 64;
    }
    assay::test::TinyCheckpoint tiny;
    if (argc == 3) tiny.seed = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
    tiny.write(argv[1]);
}
