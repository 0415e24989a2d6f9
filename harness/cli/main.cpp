// The binary `assay`. Subcommands live in one file each.
#include <cstdio>

int main() {
    std::puts("assay: no commands yet");
    return 64;
}
