// assay-mcp-kit --as kit|calculator|cli-mcp-server|mcp-code-executor [--data FOLDER]
#include "server.h"

#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
    std::string role = "kit", data = "/data";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--as") == 0) role = argv[i + 1];
        if (std::strcmp(argv[i], "--data") == 0) data = argv[i + 1];
    }
    if (role == "kit")
        kit::serve(role, kit::kit_tools(data));
    else if (role == "calculator")
        kit::serve(role, kit::calculator_tools());
    else if (role == "cli-mcp-server")
        kit::serve(role, kit::command_tools(data));
    else if (role == "mcp-code-executor")
        kit::serve(role, kit::code_tools(data + "/repos/mcp_code_executor_workspace"));
    else
        return std::fprintf(stderr, "assay-mcp-kit: unknown role '%s'\n", role.c_str()), 2;
    return 0;
}
