# How every target of the project is declared. What the targets of a layer link, however they came to
# link it, is written to <build>/edges.txt, and tests/layering holds that against cmake/layers.txt.

set_property(GLOBAL PROPERTY ASSAY_LAYERED "") # pairs: layer, target

# assay_library(NAME SOURCES a.cpp... LINKS assay_base... [PRIVATE_LINKS fmt::fmt...])
# Public headers are in <folder>/include/assay/<name>/, private ones beside the sources.
function(assay_library NAME)
    cmake_parse_arguments(A "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
    set(_target assay_${NAME})
    if(A_SOURCES)
        add_library(${_target} STATIC ${A_SOURCES})
        target_include_directories(${_target} PUBLIC include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
        target_link_libraries(${_target} PUBLIC ${A_LINKS} PRIVATE ${A_PRIVATE_LINKS}
                              PRIVATE assay_warnings PUBLIC assay_sanitizers)
    else()
        add_library(${_target} INTERFACE)
        target_include_directories(${_target} INTERFACE include)
        target_link_libraries(${_target} INTERFACE ${A_LINKS})
    endif()
    set_property(GLOBAL APPEND PROPERTY ASSAY_LAYERED ${_target} ${_target})
endfunction()

# A small static helper program (launcher, init): no sanitizer, no shared library.
function(assay_static_tool NAME)
    add_executable(${NAME} ${ARGN})
    target_link_libraries(${NAME} PRIVATE assay_warnings)
    target_compile_options(${NAME} PRIVATE -O2 -fno-exceptions -fno-rtti -fno-stack-protector)
    target_link_options(${NAME} PRIVATE -static)
endfunction()

# The unit tests alone: what the preset tsan builds.
add_custom_target(unit_tests)

# assay_test(NAME LABEL unit SOURCES a.cpp... LINKS assay_base... [TIMEOUT 120] [SERIAL])
# One executable, one ctest entry. Exit code 77 means skipped; the program prints why.
function(assay_test NAME)
    cmake_parse_arguments(A "SERIAL" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
    add_executable(test_${NAME} ${A_SOURCES})
    target_link_libraries(test_${NAME} PRIVATE assay_test_support ${A_LINKS}
                          assay_warnings assay_sanitizers)
    if(A_LABEL STREQUAL unit)
        add_dependencies(unit_tests test_${NAME})
    endif()
    add_test(NAME ${NAME} COMMAND test_${NAME} -w NoTests
             WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 120)
    endif()
    set_tests_properties(${NAME} PROPERTIES LABELS ${A_LABEL} TIMEOUT ${A_TIMEOUT}
                         SKIP_RETURN_CODE 77)
    if(A_SERIAL)
        set_tests_properties(${NAME} PROPERTIES RUN_SERIAL ON)
    endif()
endfunction()

# assay_fuzz(NAME SOURCE f.cpp LINKS ...): libFuzzer under the preset fuzz, whose target "fuzzers" builds
# nothing else; elsewhere a program that replays the corpus in tests/fuzz/corpus/NAME as a regression
# test.
add_custom_target(fuzzers)
function(assay_fuzz NAME)
    cmake_parse_arguments(A "" "SOURCE" "LINKS" ${ARGN})
    set(_corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${NAME})
    if(ASSAY_FUZZ)
        add_executable(fuzz_${NAME} ${A_SOURCE})
        target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
        add_test(NAME fuzz_${NAME}
                 COMMAND fuzz_${NAME} -max_total_time=20 -rss_limit_mb=4096 -timeout=20
                         -artifact_prefix=${CMAKE_BINARY_DIR}/ ${CMAKE_BINARY_DIR}/corpus_${NAME} ${_corpus})
        file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus_${NAME})
    else()
        add_executable(fuzz_${NAME} ${A_SOURCE} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
        add_test(NAME fuzz_${NAME} COMMAND fuzz_${NAME} ${_corpus})
    endif()
    target_link_libraries(fuzz_${NAME} PRIVATE ${A_LINKS} assay_warnings assay_sanitizers)
    add_dependencies(fuzzers fuzz_${NAME})
    set_tests_properties(fuzz_${NAME} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

function(assay_write_edges)
    get_property(_pairs GLOBAL PROPERTY ASSAY_LAYERED)
    set(_edges "")
    while(_pairs)
        list(POP_FRONT _pairs _layer _target)
        foreach(_property LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
            get_target_property(_links ${_target} ${_property})
            string(GENEX_STRIP "${_links}" _links) # $<LINK_ONLY:x> repeats what LINK_LIBRARIES has
            foreach(_to IN LISTS _links)
                string(REGEX REPLACE "^assay_suite_.*" assay_suites _to ${_to})
                # "::@" is how CMake marks the folder of a link made from elsewhere.
                if(_to AND NOT _to STREQUAL _layer
                   AND NOT _to MATCHES "^(assay_(warnings|sanitizers)$|::@)")
                    list(APPEND _edges "${_layer} ${_to}")
                endif()
            endforeach()
        endforeach()
    endwhile()
    list(REMOVE_DUPLICATES _edges)
    list(SORT _edges)
    list(JOIN _edges "\n" _text)
    file(WRITE ${CMAKE_BINARY_DIR}/edges.txt "${_text}\n")
endfunction()
