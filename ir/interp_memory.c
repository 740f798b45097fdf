/* interp_memory.c - the interpreter's loads, stores, accumulations and selections.
 *
 * Elements are copied by size, so that a constant in a mapped file may be unaligned.  An index is
 * uniform, told for the first lane with a stride (checked at both ends when all lanes are active),
 * or told for every lane. */
#include "interp_steps.h"

#include <math.h>
#include <string.h>

static inline char *element(const Step *s, Run *r, const char *what, int64_t index) {
    if (index < 0 || index >= s->buffer->count) run_fail_index(r, what, s->buffer, index);
    return s->memory + (size_t)index * (size_t)s->size;
}

/* May all lanes be accessed without a check of each? */
static inline bool whole_vector(const Step *s, const Run *r, int64_t first) {
    if (r->mask != r->full || first < 0 || first >= s->buffer->count) return false;
    int64_t last = first + s->stride * (r->lanes - 1);
    return last >= 0 && last < s->buffer->count;
}

static inline int64_t lane_index(const Step *s, IndexForm form, int lane) {
    const int64_t *x = s->x;
    if (form == INDEX_UNIFORM) return x[0];
    return form == INDEX_STRIDED ? x[0] + s->stride * lane : x[lane];
}

#define LOADS(size)                                                                                \
    static void load_##size(const Step *s, Run *r) {                                               \
        memcpy(s->dst, element(s, r, "read", ((const int64_t *)s->x)[0]), size);                   \
    }                                                                                              \
    static void load_lanes_##size(const Step *s, Run *r, IndexForm form) {                         \
        for (int i = 0; i < r->lanes; i++)                                                         \
            if (lane_active(r, i))                                                                 \
                memcpy((char *)s->dst + i * size, element(s, r, "read", lane_index(s, form, i)),   \
                       size);                                                                      \
    }                                                                                              \
    static void load_gather_##size(const Step *s, Run *r) {                                        \
        load_lanes_##size(s, r, INDEX_GATHER);                                                     \
    }                                                                                              \
    static void load_strided_##size(const Step *s, Run *r) {                                       \
        int64_t first = ((const int64_t *)s->x)[0];                                                \
        if (!whole_vector(s, r, first)) {                                                          \
            load_lanes_##size(s, r, INDEX_STRIDED);                                                \
            return;                                                                                \
        }                                                                                          \
        const char *from = s->memory + first * size;                                               \
        if (s->stride == 1) {                                                                      \
            memcpy(s->dst, from, (size_t)r->lanes *size);                                          \
            return;                                                                                \
        }                                                                                          \
        for (int i = 0; i < r->lanes; i++, from += s->stride * size)                               \
            memcpy((char *)s->dst + i * size, from, size);                                         \
    }

#define STORES(size)                                                                               \
    static void store_##size(const Step *s, Run *r) {                                              \
        memcpy(element(s, r, "write", ((const int64_t *)s->x)[0]), s->y, size);                    \
    }                                                                                              \
    static void store_lanes_##size(const Step *s, Run *r, IndexForm form) {                        \
        for (int i = 0; i < r->lanes; i++)                                                         \
            if (lane_active(r, i))                                                                 \
                memcpy(element(s, r, "write", lane_index(s, form, i)),                             \
                       (const char *)s->y + i * size, size);                                       \
    }                                                                                              \
    static void store_gather_##size(const Step *s, Run *r) {                                       \
        store_lanes_##size(s, r, INDEX_GATHER);                                                    \
    }                                                                                              \
    static void store_strided_##size(const Step *s, Run *r) {                                      \
        int64_t first = ((const int64_t *)s->x)[0];                                                \
        if (s->stride == 1 && whole_vector(s, r, first))                                           \
            memcpy(s->memory + first * size, s->y, (size_t)r->lanes * size);                       \
        else                                                                                       \
            store_lanes_##size(s, r, INDEX_STRIDED);                                               \
    }

LOADS(1)
LOADS(2)
LOADS(4)
LOADS(8)
STORES(1) STORES(2) STORES(4) STORES(8)

    static int size_log(int size) {
    return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

StepFn *step_load(IndexForm form, int size) {
    static StepFn *const fns[INDEX_FORMS][4] = {
        {load_1, load_2, load_4, load_8},
        {load_strided_1, load_strided_2, load_strided_4, load_strided_8},
        {load_gather_1, load_gather_2, load_gather_4, load_gather_8},
    };
    return fns[form][size_log(size)];
}

StepFn *step_store(IndexForm form, int size) {
    static StepFn *const fns[INDEX_FORMS][4] = {
        {store_1, store_2, store_4, store_8},
        {store_strided_1, store_strided_2, store_strided_4, store_strided_8},
        {store_gather_1, store_gather_2, store_gather_4, store_gather_8},
    };
    return fns[form][size_log(size)];
}

/* y and z are the addend, or the factors where fused; lanes that meet in one element add in their
 * order. */
#define ACC(name, T, sum)                                                                          \
    static inline void name##_lane(char *at, T y, T z) {                                           \
        T old;                                                                                     \
        memcpy(&old, at, sizeof old);                                                              \
        (void)z;                                                                                   \
        T new = (T)(sum);                                                                          \
        memcpy(at, &new, sizeof new);                                                              \
    }                                                                                              \
    static void name##_at(const Step *s, Run *r, IndexForm form, int i) {                          \
        T y = ((const T *)s->y)[i], z = s->z ? ((const T *)s->z)[i] : y;                           \
        name##_lane(element(s, r, "write", lane_index(s, form, i)), y, z);                         \
    }                                                                                              \
    static void name(const Step *s, Run *r) { name##_at(s, r, INDEX_UNIFORM, 0); }                 \
    static void name##_gather(const Step *s, Run *r) {                                             \
        for (int i = 0; i < r->lanes; i++)                                                         \
            if (lane_active(r, i)) name##_at(s, r, INDEX_GATHER, i);                               \
    }                                                                                              \
    WITH_FMA static void name##_row(char *restrict at, const T *restrict y, const T *restrict z,   \
                                    int n) {                                                       \
        for (int i = 0; i < n; i++) name##_lane(at + (size_t)i * sizeof(T), y[i], z[i]);           \
    }                                                                                              \
    static void name##_strided(const Step *s, Run *r) {                                            \
        int64_t first = ((const int64_t *)s->x)[0];                                                \
        if (!whole_vector(s, r, first)) {                                                          \
            for (int i = 0; i < r->lanes; i++)                                                     \
                if (lane_active(r, i)) name##_at(s, r, INDEX_STRIDED, i);                          \
            return;                                                                                \
        }                                                                                          \
        char *at = s->memory + first * (int64_t)sizeof(T);                                         \
        const T *y = s->y, *z = s->z ? s->z : s->y;                                                \
        if (s->stride == 1) {                                                                      \
            name##_row(at, y, z, r->lanes);                                                        \
            return;                                                                                \
        }                                                                                          \
        for (int i = 0; i < r->lanes; i++)                                                         \
            name##_lane(at + s->stride * i * (int64_t)sizeof(T), y[i], z[i]);                      \
    }

ACC(acc_F32, float, old + y)
ACC(acc_F64, double, old + y)
ACC(fused_F32, float, fmaf(y, z, old))
ACC(fused_F64, double, fma(y, z, old))
ACC(acc_8, uint8_t, old + y)
ACC(acc_16, uint16_t, old + y)
ACC(acc_32, uint32_t, old + y)
ACC(acc_64, uint64_t, old + y)

#define FORMS(name)                                                                                \
    [INDEX_UNIFORM] = name, [INDEX_STRIDED] = name##_strided, [INDEX_GATHER] = name##_gather

StepFn *step_acc(IndexForm form, DType type, bool fused) {
    static StepFn *const floats[2][2][INDEX_FORMS] = {
        {{FORMS(acc_F32)}, {FORMS(fused_F32)}},
        {{FORMS(acc_F64)}, {FORMS(fused_F64)}},
    };
    static StepFn *const integers[4][INDEX_FORMS] = {
        {FORMS(acc_8)}, {FORMS(acc_16)}, {FORMS(acc_32)}, {FORMS(acc_64)}};
    if (type == DT_F32 || type == DT_F64) return floats[type == DT_F64][fused][form];
    return dtype_is_int(type) && !fused ? integers[size_log(dtypes[type].bytes)][form] : NULL;
}

#define SPREAD(T)                                                                                  \
    {                                                                                              \
        T x = *(const T *)s->x, *restrict d = s->dst;                                              \
        for (int i = 0; i < s->n; i++) d[i] = x;                                                   \
        break;                                                                                     \
    }

void step_broadcast(const Step *s, Run *r) {
    (void)r;
    switch (s->size) {
    case 1: SPREAD(uint8_t)
    case 2: SPREAD(uint16_t)
    case 4: SPREAD(uint32_t)
    default: SPREAD(uint64_t)
    }
}

#define BLEND(T)                                                                                   \
    {                                                                                              \
        const T *restrict y = s->y, *restrict z = s->z;                                            \
        T *restrict d = s->dst;                                                                    \
        for (int i = 0; i < s->n; i++) d[i] = cond[i] ? y[i] : z[i];                               \
        break;                                                                                     \
    }

void step_select(const Step *s, Run *r) {
    const uint8_t *cond = s->x;
    (void)r;
    switch (s->size) {
    case 1: BLEND(uint8_t)
    case 2: BLEND(uint16_t)
    case 4: BLEND(uint32_t)
    default: BLEND(uint64_t)
    }
}

uint64_t run_mask(const Run *r, const void *cond) {
    const uint8_t *c = cond;
    uint64_t mask = 0;
    for (int i = 0; i < r->lanes; i++) mask |= (uint64_t)(c[i] != 0) << i;
    return mask & r->mask;
}

static void take(const Step *s, const void *from, uint64_t mask) {
    for (int i = 0; i < s->n; i++)
        if (mask >> i & 1)
            memcpy((char *)s->dst + i * s->size, (const char *)from + i * s->size, (size_t)s->size);
}

/* Each side is evaluated for the lanes that choose it, and not at all if there is none. */
void step_choice(const Step *s, Run *r) {
    const Choice *c = s->choice;
    uint64_t all = r->mask, yes = 0;
    if (c->vector)
        yes = run_mask(r, s->x);
    else if (*(const uint8_t *)s->x)
        yes = all;
    uint64_t no = all & ~yes;
    if (yes) {
        r->mask = yes;
        run_code(&c->yes, r);
        take(s, c->yes_value, s->n == 1 ? 1 : yes);
    }
    if (no) {
        r->mask = no;
        run_code(&c->no, r);
        take(s, c->no_value, s->n == 1 ? 1 : no);
    }
    r->mask = all;
}
