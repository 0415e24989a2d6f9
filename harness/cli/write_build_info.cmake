# Writes OUT with the commit that is built; touches it only if something changed.
execute_process(COMMAND git -C ${SOURCE} rev-parse HEAD OUTPUT_VARIABLE _commit
                OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _failed ERROR_QUIET)
if(_failed)
    set(_commit unknown)
    set(_modified false)
else()
    execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE _changes ERROR_QUIET)
    set(_modified true)
    if("${_changes}" STREQUAL "")
        set(_modified false)
    endif()
endif()
set(_text "#pragma once
#define ASSAY_VERSION \"${VERSION}\"
#define ASSAY_BUILD_COMMIT \"${_commit}\"
#define ASSAY_BUILD_MODIFIED ${_modified}
#define ASSAY_BUILD_TYPE \"${TYPE}\"
#define ASSAY_COMPILER \"${COMPILER}\"
")
set(_old "")
if(EXISTS ${OUT})
    file(READ ${OUT} _old)
endif()
if(NOT "${_old}" STREQUAL "${_text}")
    file(WRITE ${OUT} "${_text}")
endif()
