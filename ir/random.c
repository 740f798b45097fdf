/* random.c - the random tensors of runs without inputs: the same for a seed on every machine. */
#include "graph_run.h"

#include <string.h>

uint64_t random_next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void random_element(DType dtype, uint64_t *state, char *to) {
    uint64_t bits = random_next(state);
    double real = (double)(int64_t)(bits >> 53) / 1024 - 1;
    float single = dtype == DT_F32 ? (float)((double)(bits >> 40) / 8388608 - 1) : (float)real;
    uint16_t half = dtype == DT_BF16 ? float_to_bfloat(single) : float_to_half(single);
    uint64_t whole = bits >> 63;
    if (dtype == DT_F32)
        memcpy(to, &single, 4);
    else if (dtype == DT_F64)
        memcpy(to, &real, 8);
    else if (dtype == DT_F16 || dtype == DT_BF16)
        memcpy(to, &half, 2);
    else
        for (int i = 0; i < dtypes[dtype].bytes; i++) to[i] = (char)(whole >> 8 * i);
}

const Tensor *tensor_random(Arena *a, DType dtype, int rank, const int64_t *dims, uint64_t *state) {
    Tensor *t = tensor_new(a, dtype, rank, dims);
    int bytes = dtypes[dtype].bytes;
    for (int64_t i = 0; i < t->count; i++)
        random_element(dtype, state, (char *)t->data + i * bytes);
    return t;
}
