# Finds a CUDA compiler for kernels/. Sets ASSAY_HAVE_CUDA.
#
#   ASSAY_CUDA       AUTO: use a compiler if there is one; ON: fail without; OFF: never
#   ASSAY_CUDA_ROOT  the toolkit's folder (bin/nvcc below it); default: what tools/cuda installed
#
# It stands in the top folder because a language must be enabled above every target that links it.
# CMake 3.25 silently drops CUDA_STANDARD 20 for nvcc 13, so -std=c++20 is passed by hand.

set(ASSAY_HAVE_CUDA OFF)
if(ASSAY_CUDA STREQUAL "OFF")
    message(STATUS "CUDA: off, kernels/ is built with the stub")
    return()
endif()

if(DEFINED ENV{XDG_CACHE_HOME})
    set(_cache $ENV{XDG_CACHE_HOME})
else()
    set(_cache $ENV{HOME}/.cache)
endif()
set(ASSAY_CUDA_ROOT "" CACHE PATH "CUDA toolkit; empty: the system's, else what tools/cuda set up")
set(_root "${ASSAY_CUDA_ROOT}")
if(NOT _root)
    find_program(_system_nvcc nvcc PATHS /usr/local/cuda/bin NO_CACHE)
    if(_system_nvcc)
        get_filename_component(_bin "${_system_nvcc}" REALPATH)
        get_filename_component(_bin "${_bin}" DIRECTORY)
        get_filename_component(_root "${_bin}" DIRECTORY)
    elseif(EXISTS "${_cache}/assay/cuda/nvidia/cu13/bin/nvcc")
        set(_root "${_cache}/assay/cuda/nvidia/cu13")
    endif()
endif()
if(_root AND NOT CMAKE_CUDA_COMPILER)
    # A compiler that does not exist would stop the configure inside check_language.
    if(EXISTS "${_root}/bin/nvcc")
        set(CMAKE_CUDA_COMPILER "${_root}/bin/nvcc")
    else()
        message(WARNING "ASSAY_CUDA_ROOT: there is no ${_root}/bin/nvcc")
    endif()
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-virtual 90a-real)
endif()

include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    set(ASSAY_HAVE_CUDA ON)
    message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION}")
elseif(ASSAY_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ASSAY_CUDA=ON but no CUDA compiler works; run tools/cuda, or set "
                        "ASSAY_CUDA_ROOT to a toolkit's folder")
else()
    message(STATUS "CUDA: no compiler, kernels/ is built with the stub (tools/cuda installs one)")
endif()
