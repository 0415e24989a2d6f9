# Compiler flags, ccache and linker: the same for every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(ASSAY_CCACHE ccache)
if(ASSAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Relative paths, so that a second checkout of the same sources hits the cache too.
    set(_launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
                  CCACHE_SLOPPINESS=pch_defines,time_macros ${ASSAY_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${_launcher})
    set(CMAKE_C_COMPILER_LAUNCHER ${_launcher})
endif()
find_program(ASSAY_MOLD mold)
if(ASSAY_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=mold)
endif()

add_library(assay_warnings INTERFACE)
target_compile_options(assay_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
      -Woverloaded-virtual -Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Known false positives of g++ 12 in inlined std::string and std::variant code.
    target_compile_options(assay_warnings INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow
          -Wno-array-bounds -Wno-stringop-overread>)
else()
    # libstdc++ 12 uses its own deprecated get_temporary_buffer inside stable_sort.
    target_compile_options(assay_warnings INTERFACE
        $<$<COMPILE_LANGUAGE:CXX>:-Wno-deprecated-declarations>)
endif()

add_library(assay_sanitizers INTERFACE)
if(ASSAY_SANITIZE)
    if(ASSAY_SANITIZE MATCHES "thread" AND ASSAY_SANITIZE MATCHES "address")
        message(FATAL_ERROR "ASSAY_SANITIZE: address and thread exclude each other")
    endif()
    set(_san -fsanitize=${ASSAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
    if(ASSAY_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        list(APPEND _san -Wno-tsan) # Asio has fences, which this sanitizer does not model
    endif()
    target_compile_options(assay_sanitizers INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:${_san}>)
    target_compile_definitions(assay_sanitizers INTERFACE _GLIBCXX_ASSERTIONS)
    target_link_options(assay_sanitizers INTERFACE ${_san})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-Og> $<$<COMPILE_LANGUAGE:C,CXX>:-g1>)
elseif(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-g1>)
endif()
if(ASSAY_FUZZ) # not in the static helper programs, which link no sanitizer
    target_compile_options(assay_sanitizers INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=fuzzer-no-link>)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
