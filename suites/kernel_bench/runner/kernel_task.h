/* kernel-task/1: what an answer implements. Plain C, no dependency.
 *
 *   extern "C" int32_t solve(const kt_tensor* in, int32_t n_in, kt_tensor* out, int32_t n_out,
 *                            const kt_params* params, void* stream);
 *
 * Inputs and outputs are in the order of the task. Input memory is read-only, output memory is
 * given and holds rubbish; each tensor is contiguous (row-major) and aligned to 64 bytes. Return 0.
 * The work must be done when solve returns. The same process calls solve many times, each time with
 * new data, at changing addresses; it has no files, no network, no other process, and no threads
 * beyond those that the task allows. */
#ifndef ASSAY_KERNEL_TASK_H
#define ASSAY_KERNEL_TASK_H

#include <stdint.h>

enum { KT_F64 = 1, KT_F32 = 2, KT_BF16 = 4, KT_I64 = 7, KT_I32 = 8, KT_I8 = 9, KT_U8 = 10 };

typedef struct {
    void* data;
    int32_t dtype;
    int32_t rank;
    int64_t shape[8];
    int64_t strides[8]; /* in elements */
} kt_tensor;

typedef struct {
    int32_t n_axes;
    int32_t threads; /* how many the answer may use, itself included */
    const char* const* names;
    const int64_t* values;
} kt_params;

#ifdef __cplusplus
extern "C"
#endif
    int32_t
    solve(const kt_tensor* in, int32_t n_in, kt_tensor* out, int32_t n_out, const kt_params* params,
          void* stream);

#endif
