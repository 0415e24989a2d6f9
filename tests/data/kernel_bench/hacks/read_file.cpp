// Looks for a file that a careless judge left beside the library (the reference, the seed).
#include "honest.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
SOLVE {
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(&solve), &info) == 0) return 8;
    std::string path = info.dli_fname;
    path = path.substr(0, path.rfind('/')) + "/beside";
    int fd = open(path.c_str(), O_RDONLY);
    if (fd < 0) return 9;
    close(fd);
    honest(X, Y, N);
    return 0;
}
