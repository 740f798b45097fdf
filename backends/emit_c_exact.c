/* emit_c_exact.c - square root and fused multiply-add, correctly rounded on every machine: the
 * instruction where there is one, else integer arithmetic. */
#include "emit_c_text.h"

static void print_sqrt_f64(Text *out) {
    text_add(
        out, "%s",
        "INLINE double sqrt_f64(double a) {\n"
        "#if defined(__SSE2__)\n"
        "    return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(a)));\n"
        "#elif defined(__aarch64__)\n"
        "    __asm__(\"fsqrt %d0, %d1\" : \"=w\"(a) : \"w\"(a));\n"
        "    return a;\n"
        "#elif defined(__riscv_flen) && __riscv_flen >= 64\n"
        "    __asm__(\"fsqrt.d %0, %1\" : \"=f\"(a) : \"f\"(a));\n"
        "    return a;\n"
        "#elif defined(__s390x__)\n"
        "    __asm__(\"sqdbr %0, %1\" : \"=f\"(a) : \"f\"(a));\n"
        "    return a;\n"
        "#elif defined(__ARM_FP) && (__ARM_FP & 8)\n"
        "    __asm__(\"vsqrt.f64 %P0, %P1\" : \"=w\"(a) : \"w\"(a));\n"
        "    return a;\n"
        "#else /* bit by bit, correctly rounded */\n"
        "    uint64_t x = bits_u64(a), q = 0, r = 0;\n"
        "    int exponent = (int)(x >> 52 & 2047);\n"
        "    if (!(a > 0) || exponent == 2047) return a == 0 || a > 0 ? a : __builtin_nan(\"\");\n"
        "    x &= (UINT64_C(1) << 52) - 1;\n"
        "    if (exponent) x |= UINT64_C(1) << 52;\n"
        "    else exponent = 1;\n"
        "    for (; !(x >> 52); x <<= 1) exponent--;\n"
        "    exponent -= 1075;\n"
        "    if (exponent & 1) {\n"
        "        x <<= 1;\n"
        "        exponent--;\n"
        "    }\n"
        "    for (int i = 53; i >= 0; i--) {\n"
        "        uint64_t t = q << 2 | 1;\n"
        "        r = r << 2 | (i >= 27 ? x >> (2 * (i - 27)) & 3 : 0);\n"
        "        q <<= 1;\n"
        "        if (r >= t) {\n"
        "            r -= t;\n"
        "            q |= 1;\n"
        "        }\n"
        "    }\n"
        "    q = (q >> 1) + (q & 1) - (UINT64_C(1) << 52);\n"
        "    return bits_f64(((uint64_t)(exponent / 2 + 26 + 1023) << 52) + q);\n"
        "#endif\n"
        "}\n");
}

static void print_sqrt_f32(Text *out) {
    text_add(
        out, "%s",
        "INLINE float sqrt_f32(float a) {\n"
        "#if defined(__SSE2__)\n"
        "    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a)));\n"
        "#elif defined(__aarch64__)\n"
        "    __asm__(\"fsqrt %s0, %s1\" : \"=w\"(a) : \"w\"(a));\n"
        "    return a;\n"
        "#elif defined(__riscv_flen)\n"
        "    __asm__(\"fsqrt.s %0, %1\" : \"=f\"(a) : \"f\"(a));\n"
        "    return a;\n"
        "#elif defined(__s390x__)\n"
        "    __asm__(\"sqebr %0, %1\" : \"=f\"(a) : \"f\"(a));\n"
        "    return a;\n"
        "#elif defined(__ARM_FP) && (__ARM_FP & 4)\n"
        "    __asm__(\"vsqrt.f32 %0, %1\" : \"=t\"(a) : \"t\"(a));\n"
        "    return a;\n"
        "#else\n"
        "    return (float)sqrt_f64(a); /* 53 bits are enough to round to 24 without error */\n"
        "#endif\n"
        "}\n");
}

void exact_sqrt_print(Text *out, DType t) {
    if (t == DT_F32)
        print_sqrt_f32(out);
    else
        print_sqrt_f64(out);
}

/* The product is exact in double; what the sum loses sets its last bit, so that nothing is rounded
 * twice. */
static void print_fma_f32(Text *out) {
    text_add(out, "%s",
             "INLINE float fma_f32(float a, float b, float c) {\n"
             "#if HAS_FMA_F32\n"
             "    return __builtin_fmaf(a, b, c);\n"
             "#else\n"
             "    double p = (double)a * (double)b, s = p + (double)c, t = s - p;\n"
             "    double lost = (p - (s - t)) + ((double)c - t);\n"
             "    uint64_t bits = bits_u64(s);\n"
             "    if ((lost < 0 || lost > 0) && !(bits & 1)) bits = (lost > 0) == (s > 0) ? bits + "
             "1 : bits - 1;\n"
             "    return (float)bits_f64(bits);\n"
             "#endif\n"
             "}\n");
}

/* Numbers are hi:lo * 2^exponent with the first bit of hi at 62 or 61; bits that are shifted out
 * set the last one. */
static void print_fma_f64_parts(Text *out) {
    text_add(out, "%s",
             "#if !HAS_FMA_F64\n"
             "struct fma_wide {\n    uint64_t hi, lo;\n    int exponent;\n};\n"
             "static inline int fma_split(uint64_t bits, uint64_t *mantissa) { /* gives the "
             "exponent */\n"
             "    int exponent = (int)(bits >> 52 & 2047);\n"
             "    *mantissa = bits & ((UINT64_C(1) << 52) - 1);\n"
             "    if (exponent) *mantissa |= UINT64_C(1) << 52;\n"
             "    else exponent = 1;\n"
             "    for (; !(*mantissa >> 52); *mantissa <<= 1) exponent--;\n"
             "    return exponent - 1075;\n"
             "}\n"
             "static inline struct fma_wide fma_shift(struct fma_wide x, int n) {\n"
             "    struct fma_wide r = {0, 1, x.exponent + n};\n"
             "    if (n >= 127) return r;\n"
             "    if (n >= 64) {\n"
             "        r.lo = x.hi >> (n - 64) | (x.lo || (n > 64 && x.hi << (128 - n)));\n"
             "    } else if (n > 0) {\n"
             "        r.hi = x.hi >> n;\n"
             "        r.lo = x.hi << (64 - n) | x.lo >> n | (x.lo << (64 - n) != 0);\n"
             "    } else {\n"
             "        r = x;\n"
             "    }\n"
             "    return r;\n"
             "}\n");
}

static void print_fma_f64_product(Text *out) {
    text_add(
        out, "%s",
        "static inline struct fma_wide fma_product(uint64_t x, uint64_t y) {\n"
        "    uint64_t a, b;\n"
        "    struct fma_wide r;\n"
        "    r.exponent = fma_split(x, &a) + fma_split(y, &b) - 20;\n"
        "    a <<= 10;\n"
        "    b <<= 10;\n"
        "    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;\n"
        "    uint64_t low = al * bl, mid = ah * bl + (low >> 32), mid2 = al * bh + (uint32_t)mid;\n"
        "    r.hi = ah * bh + (mid >> 32) + (mid2 >> 32);\n"
        "    r.lo = mid2 << 32 | (uint32_t)low;\n"
        "    return r;\n"
        "}\n"
        "static inline double fma_round(struct fma_wide x, uint64_t sign) {\n"
        "    for (; !(x.hi >> 62); x.exponent--) {\n"
        "        x.hi = x.hi << 1 | x.lo >> 63;\n"
        "        x.lo <<= 1;\n"
        "    }\n"
        "    int exponent = x.exponent + 64 + 62 + 1023;\n"
        "    if (exponent >= 2047) return bits_f64(sign | UINT64_C(2047) << 52);\n"
        "    if (exponent < 1) x = fma_shift(x, 1 - exponent);\n"
        "    uint64_t bits = x.hi >> 10, rest = (x.hi & 1023) << 1 | (x.lo != 0);\n"
        "    if (exponent > 1) bits += (uint64_t)(exponent - 1) << 52;\n"
        "    return bits_f64(sign | (bits + (rest > 1024 || (rest == 1024 && (bits & 1)))));\n"
        "}\n");
}

static void print_fma_f64(Text *out) {
    print_fma_f64_parts(out);
    print_fma_f64_product(out);
    text_add(
        out, "%s",
        "static double fma_exact(double a, double b, double c) {\n"
        "    uint64_t x = bits_u64(a), y = bits_u64(b), z = bits_u64(c), top = UINT64_C(1) << 63;\n"
        "    int infinite = (x >> 52 & 2047) == 2047 || (y >> 52 & 2047) == 2047;\n"
        "    if (infinite || !(x << 1) || !(y << 1)) return a * b + c;\n"
        "    if ((z >> 52 & 2047) == 2047) return c + c;\n"
        "    struct fma_wide p = fma_product(x, y), q = {0, 0, 0}, r;\n"
        "    uint64_t sign = (x ^ y) & top;\n"
        "    if (!(z << 1)) return fma_round(p, sign);\n"
        "    q.exponent = fma_split(z, &q.hi) - 73;\n"
        "    q.hi <<= 9;\n"
        "    if (p.exponent > q.exponent) q = fma_shift(q, p.exponent - q.exponent);\n"
        "    else p = fma_shift(p, q.exponent - p.exponent);\n"
        "    r.exponent = p.exponent;\n"
        "    if (sign == (z & top)) {\n"
        "        r.lo = p.lo + q.lo;\n"
        "        r.hi = p.hi + q.hi + (r.lo < q.lo);\n"
        "        return fma_round(r, sign);\n"
        "    }\n"
        "    if (p.hi < q.hi || (p.hi == q.hi && p.lo < q.lo)) {\n"
        "        r = p;\n"
        "        p = q;\n"
        "        q = r;\n"
        "        sign ^= top;\n"
        "    }\n"
        "    r.lo = p.lo - q.lo;\n"
        "    r.hi = p.hi - q.hi - (p.lo < q.lo);\n"
        "    return r.hi || r.lo ? fma_round(r, sign) : 0;\n"
        "}\n"
        "#endif\n"
        "INLINE double fma_f64(double a, double b, double c) {\n"
        "#if HAS_FMA_F64\n"
        "    return __builtin_fma(a, b, c);\n"
        "#else\n"
        "    return fma_exact(a, b, c);\n"
        "#endif\n"
        "}\n");
}

void exact_fma_print(Text *out, DType t) {
    if (t == DT_F32)
        print_fma_f32(out);
    else
        print_fma_f64(out);
}

/* A plan with fma on a machine without: an error, since that is slow, unless it is wanted.  Where
 * float has the instruction and double is software anyway, so is its fma. */
void exact_fma_checks(Text *out, const char *features) {
    const char *x86 = features ? " || defined(__x86_64__)" : "";
    text_add(out,
             "#if defined(__FMA__) || defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA) || \\\n"
             "    defined(__riscv_flen) || defined(__s390x__)%s\n#define HAS_FMA_F32 1\n"
             "#elif defined(SOFTWARE_FMA)\n#define HAS_FMA_F32 0\n"
             "#else\n"
             "#error \"this plan needs a fused multiply-add: compile with an -march that has it, "
             "or with \\\n"
             "-DSOFTWARE_FMA (the same bits, slowly), or make the file with "
             "--target=baseline\"\n#endif\n",
             x86);
    text_add(out,
             "#if defined(__FMA__) || defined(__FP_FAST_FMA) || defined(__aarch64__) || "
             "defined(__s390x__) || \\\n"
             "    (defined(__ARM_FEATURE_FMA) && (__ARM_FP & 8)) || (defined(__riscv_flen) && "
             "__riscv_flen >= 64)%s\n"
             "#define HAS_FMA_F64 1\n#else\n#define HAS_FMA_F64 0\n#endif\n",
             x86);
}
