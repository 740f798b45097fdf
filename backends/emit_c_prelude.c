/* emit_c_prelude.c - what stands before the kernels: checks of the compiler, macros, vector types
 * and helpers.
 *
 * Only what the kernels asked for is printed, in a fixed order.  The forms are those that gcc 12
 * and clang 19 both turn into the one instruction that is meant: gcc takes vectors apart when it
 * sees their lanes, so under gcc the x86 instructions for fma, min and max are named; everywhere
 * else plain lane loops and bit operations do. */
#include "emit_c_text.h"

#include <string.h>

static const char *const helper_names[HELPER_COUNT] = {
    [HELPER_FMA] = "fma_",
    [HELPER_DOT2] = "dot2_",
    [HELPER_SQRT] = "sqrt_",
    [HELPER_MIN] = "min_",
    [HELPER_MAX] = "max_",
    [HELPER_ABS] = "abs_",
    [HELPER_DIV] = "div_",
    [HELPER_REM] = "rem_",
    [HELPER_SPLAT] = "splat_",
    [HELPER_SELECT] = "select_",
    [HELPER_LANES] = "lanes_",
    [HELPER_BITS] = "bits_",
    [HELPER_FROM_F16] = "from_f16_",
    [HELPER_FROM_BF16] = "from_bf16_",
    [HELPER_TO_F16] = "to_f16_",
    [HELPER_TO_BF16] = "to_bf16_",
    [HELPER_TYPE] = "",
};

DType type_signed(int bytes) {
    return bytes == 1 ? DT_I8 : bytes == 2 ? DT_I16 : bytes == 4 ? DT_I32 : DT_I64;
}

DType type_unsigned(int bytes) {
    return bytes == 1 ? DT_U8 : bytes == 2 ? DT_U16 : bytes == 4 ? DT_U32 : DT_U64;
}

static int log_of(int lanes) {
    int log = 0;
    while (1 << log < lanes) log++;
    return log;
}

static bool needed(const Emit *e, Helper h, DType t, int log) { return e->needs[h][t][log]; }

/* What the text of a helper itself calls. */
static void need_parts(Emit *e, Helper h, DType t, int lanes) {
    bool real = t == DT_F32 || t == DT_F64;
    if (lanes > 1 && h != HELPER_TYPE) {
        helper(e, HELPER_TYPE, t, lanes);
        if (h == HELPER_SELECT || (h == HELPER_ABS && real))
            helper(e, HELPER_TYPE, type_signed(dtypes[t].bytes), lanes);
        if (h == HELPER_MIN || h == HELPER_MAX || (h == HELPER_ABS && !real))
            helper(e, HELPER_SELECT, t, lanes);
        if ((h == HELPER_ABS && dtypes[t].kind == DK_SIGNED) || h == HELPER_DOT2)
            helper(e, HELPER_TYPE, type_unsigned(dtypes[t].bytes), lanes);
        if (h == HELPER_SQRT || h == HELPER_FMA) helper(e, h, t, 1);
    }
    if (lanes == 1 && h == HELPER_SQRT && t == DT_F32) helper(e, HELPER_SQRT, DT_F64, 1);
    if (lanes == 1 && (h == HELPER_FMA || (h == HELPER_SQRT && t == DT_F64))) {
        helper(e, HELPER_BITS, DT_F64, 1);
        helper(e, HELPER_BITS, DT_U64, 1);
    }
    if (lanes == 1 && h == HELPER_ABS && real) {
        helper(e, HELPER_BITS, t, 1);
        helper(e, HELPER_BITS, type_unsigned(dtypes[t].bytes), 1);
    }
    if (h == HELPER_FROM_F16 || h == HELPER_FROM_BF16 || h == HELPER_TO_F16 ||
        h == HELPER_TO_BF16) {
        helper(e, HELPER_BITS, DT_F32, 1);
        helper(e, HELPER_BITS, DT_U32, 1);
        if (t == DT_F64) helper(e, h, DT_F32, 1);
    }
}

static const char *lane_suffix(const Emit *e, int lanes) {
    return lanes > 1 ? arena_format(e->arena, "x%d", lanes) : "";
}

static const char *helper_name(const Emit *e, Helper h, DType t, int lanes) {
    return arena_format(e->arena, "%s%s%s", helper_names[h], dtypes[t].text, lane_suffix(e, lanes));
}

const char *helper(Emit *e, Helper h, DType t, int lanes) {
    bool *need = &e->needs[h][t][log_of(lanes)];
    if (!*need) {
        *need = true;
        need_parts(e, h, t, lanes);
    }
    return helper_name(e, h, t, lanes);
}

const char *vector_type(Emit *e, DType t, int lanes) { return helper(e, HELPER_TYPE, t, lanes); }

/* Scalar helpers. */

static void print_scalar_minmax(Text *out, Helper h, DType t) {
    const char *c = c_type(t);
    text_add(out, "INLINE %s %s%s(%s a, %s b) { return a %s b ? a : b; }\n", c, helper_names[h],
             dtypes[t].text, c, c, h == HELPER_MIN ? "<" : ">");
}

/* Division by 0 gives 0 (and the remainder then is the dividend): it must not stop the program. */
static void print_scalar_div(Text *out, Helper h, DType t) {
    const char *c = c_type(t), *name = dtypes[t].text;
    bool is_signed = dtypes[t].kind == DK_SIGNED, wide = dtypes[t].bytes >= 4;
    const char *u = dtypes[t].bytes == 8 ? "uint64_t" : wide ? "uint32_t" : "unsigned";
    text_add(out, "INLINE %s %s%s(%s a, %s b) {\n    if (b == 0) return %s;\n", c, helper_names[h],
             name, c, c, h == HELPER_DIV ? "0" : "a");
    if (is_signed && h == HELPER_DIV)
        text_add(out, "    if (b == -1) return (%s)(0u - (%s)a);\n", c, u);
    if (is_signed && h == HELPER_REM) text_add(out, "    if (b == -1) return 0;\n");
    text_add(out, "    return (%s)(a %s b);\n}\n", c, h == HELPER_DIV ? "/" : "%");
}

static void print_scalar_abs(Text *out, DType t) {
    const char *c = c_type(t), *name = dtypes[t].text;
    if (dtype_is_float(t)) {
        int bits = 8 * dtypes[t].bytes;
        text_add(out,
                 "INLINE %s abs_%s(%s a) { return bits_%s(bits_u%d(a) & UINT%d_C(0x7f%s)); }\n", c,
                 name, c, name, bits, bits, bits == 32 ? "ffffff" : "ffffffffffffff");
        return;
    }
    const char *u = dtypes[t].bytes == 8   ? "uint64_t"
                    : dtypes[t].bytes == 4 ? "uint32_t"
                                           : "unsigned";
    if (dtypes[t].kind == DK_UNSIGNED)
        text_add(out, "INLINE %s abs_%s(%s a) { return a; }\n", c, name, c);
    else
        text_add(out, "INLINE %s abs_%s(%s a) { return a < 0 ? (%s)(0u - (%s)a) : a; }\n", c, name,
                 c, c, u);
}

static void print_bits(Text *out, DType t) {
    const char *c = c_type(t);
    bool from_float = !dtype_is_float(t);
    const char *from = dtypes[t].bytes == 4 ? (from_float ? "float" : "uint32_t")
                                            : (from_float ? "double" : "uint64_t");
    text_add(
        out,
        "INLINE %s bits_%s(%s a) {\n    %s r;\n    memcpy(&r, &a, sizeof r);\n    return r;\n}\n",
        c, dtypes[t].text, from, c);
}

static void print_from_half(Text *out) {
    text_add(
        out, "%s",
        "INLINE float from_f16_f32(uint16_t h) {\n"
        "    uint32_t sign = (uint32_t)(h & 0x8000) << 16, bits = (uint32_t)(h & 0x7fff) << 13;\n"
        "    if (bits >= 0x0f800000) return bits_f32(sign | (bits + 0x70000000)); /* inf, NaN */\n"
        "    return bits_f32(sign | bits_u32(bits_f32(bits) * 0x1p112f));\n"
        "}\n");
}

static void print_to_f16(Text *out) {
    text_add(out, "%s",
             "INLINE uint16_t to_f16_f32(float f) { /* to nearest, ties to even */\n"
             "    uint32_t bits = bits_u32(f), sign = bits >> 16 & 0x8000;\n"
             "    bits &= 0x7fffffff;\n"
             "    if (bits > 0x7f800000) return (uint16_t)(sign | 0x7e00);\n"
             "    if (bits >= 0x477ff000) return (uint16_t)(sign | 0x7c00);\n"
             "    if (bits < 0x38800000) return (uint16_t)(sign | (bits_u32(bits_f32(bits) + 0.5f) "
             "- 0x3f000000));\n"
             "    return (uint16_t)(sign | (bits + 0xfff + (bits >> 13 & 1) - 0x38000000) >> 13);\n"
             "}\n");
}

static void print_to_bf16(Text *out) {
    text_add(out, "%s",
             "INLINE uint16_t to_bf16_f32(float f) { /* to nearest, ties to even */\n"
             "    uint32_t bits = bits_u32(f);\n"
             "    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);\n"
             "    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);\n"
             "}\n");
}

/* By way of an f32 whose last bit is set when anything was lost, so that nothing is rounded
 * twice. */
static void print_to_half_f64(Text *out, const char *half) {
    text_add(out,
             "INLINE uint16_t to_%s_f64(double d) {\n"
             "    float f = (float)d;\n"
             "    double back = f, rest = d < 0 ? d - back : back - d;\n"
             "    uint32_t bits = bits_u32(f);\n"
             "    if (back != d && d == d) bits = (rest > 0 ? bits - 1 : bits) | 1;\n"
             "    return to_%s_f32(bits_f32(bits));\n"
             "}\n",
             half, half);
}

static void print_scalar_helper(Text *out, Helper h, DType t) {
    switch (h) {
    case HELPER_FMA: exact_fma_print(out, t); return;
    case HELPER_SQRT: exact_sqrt_print(out, t); return;
    case HELPER_DOT2: dot2_print(out); return;
    case HELPER_MIN:
    case HELPER_MAX: print_scalar_minmax(out, h, t); return;
    case HELPER_ABS: print_scalar_abs(out, t); return;
    case HELPER_DIV:
    case HELPER_REM: print_scalar_div(out, h, t); return;
    case HELPER_BITS: print_bits(out, t); return;
    case HELPER_FROM_F16: print_from_half(out); return;
    case HELPER_FROM_BF16:
        text_add(
            out,
            "INLINE float from_bf16_f32(uint16_t h) { return bits_f32((uint32_t)h << 16); }\n");
        return;
    case HELPER_TO_F16:
        if (t == DT_F32)
            print_to_f16(out);
        else
            print_to_half_f64(out, "f16");
        return;
    case HELPER_TO_BF16:
        if (t == DT_F32)
            print_to_bf16(out);
        else
            print_to_half_f64(out, "bf16");
        return;
    case HELPER_SPLAT:
    case HELPER_SELECT:
    case HELPER_LANES:
    case HELPER_TYPE:
    case HELPER_COUNT: return;
    }
}

/* Vector helpers.  v is the vector type's name, like f32x8. */

typedef struct Vector {
    const char *v, *mask, *bits, *c, *text, *features;
    DType t;
    int lanes, size; /* bytes */
} Vector;

static void print_type(Text *out, const Vector *v) {
    int align = dtypes[v->t].bytes;
    text_add(out, "typedef %s %s __attribute__((vector_size(%d), aligned(%d), may_alias));\n", v->c,
             v->v, v->size, align);
}

static void print_splat(Text *out, const Vector *v) {
    text_add(out, "INLINE %s splat_%s(%s s) {\n", v->v, v->v, v->c);
    if (dtypes[v->t].bytes >= 4)
        text_add(out, "    const %s zero = {0};\n    return s %s zero;\n}\n", v->v,
                 dtype_is_float(v->t) ? "-" : "+");
    else
        text_add(out,
                 "    %s r = {0};\n    for (int i = 0; i < %d; i++) r[i] = s;\n    return r;\n}\n",
                 v->v, v->lanes);
}

/* The x86 instruction of that name under gcc; false: there is none of this width. */
static bool print_named(Text *out, const Vector *v, const char *name, const char *args,
                        bool is_fma) {
    if (v->size < 16 || v->size > 64 || !dtype_is_float(v->t)) return false;
    const char *guard = v->size == 64   ? "__AVX512F__"
                        : is_fma        ? "__FMA__"
                        : v->size == 32 ? "__AVX__"
                                        : "__SSE2__";
    int bits = 8 * v->size;
    const char *width = bits == 128 ? "" : bits == 256 ? "256" : "512";
    text_add(out, "#if defined(%s) && !defined(__clang__)\n", guard);
    text_add(out, "    return (%s)_mm%s_%s_p%c(", v->v, width, name, v->t == DT_F32 ? 's' : 'd');
    for (const char *a = args; *a; a++)
        text_add(out, "%s(__m%d%s)%c", a == args ? "" : ", ", bits, v->t == DT_F32 ? "" : "d", *a);
    text_add(out, ");\n#else\n");
    return true;
}

static void print_vector_minmax(Text *out, Helper h, const Vector *v) {
    const char *name = h == HELPER_MIN ? "min" : "max";
    text_add(out, "INLINE %s %s_%s(%s a, %s b) {\n", v->v, name, v->v, v->v, v->v);
    bool named = print_named(out, v, name, "ab", false);
    text_add(out, "    return select_%s((%s)(a %s b), a, b);\n%s}\n", v->v, v->mask,
             h == HELPER_MIN ? "<" : ">", named ? "#endif\n" : "");
}

static void print_vector_fma(Text *out, const Vector *v) {
    text_add(out, "INLINE %s fma_%s(%s a, %s b, %s c) {\n", v->v, v->v, v->v, v->v, v->v);
    bool named = print_named(out, v, "fmadd", "abc", true);
    text_add(out,
             "    %s r = c;\n    for (int i = 0; i < %d; i++) r[i] = fma_%s(a[i], b[i], c[i]);\n",
             v->v, v->lanes, v->text);
    text_add(out, "    return r;\n%s}\n", named ? "#endif\n" : "");
}

static void print_vector_sqrt(Text *out, const Vector *v) {
    text_add(out, "INLINE %s sqrt_%s(%s a) {\n", v->v, v->v, v->v);
    bool named = print_named(out, v, "sqrt", "a", false);
    text_add(out, "    for (int i = 0; i < %d; i++) a[i] = sqrt_%s(a[i]);\n    return a;\n%s}\n",
             v->lanes, v->text, named ? "#endif\n" : "");
}

static void print_vector_select(Text *out, const Vector *v) {
    text_add(out, "INLINE %s select_%s(%s m, %s a, %s b) {\n", v->v, v->v, v->mask, v->v, v->v);
    text_add(out, "    return (%s)((m & (%s)a) | (~m & (%s)b));\n}\n", v->v, v->mask, v->mask);
}

static void print_vector_abs(Text *out, const Vector *v) {
    text_add(out, "INLINE %s abs_%s(%s a) {\n", v->v, v->v, v->v);
    if (dtype_is_float(v->t))
        text_add(out, "    return (%s)((%s)a & INT%d_MAX);\n}\n", v->v, v->mask,
                 8 * dtypes[v->t].bytes);
    else if (dtypes[v->t].kind == DK_UNSIGNED)
        text_add(out, "    return a;\n}\n");
    else
        text_add(
            out,
            "    const %s zero = {0};\n    return select_%s((%s)(a < zero), (%s)(-(%s)a), a);\n}\n",
            v->v, v->v, v->mask, v->v, v->bits);
}

static void print_vector_lanes(Text *out, const Vector *v) {
    text_add(out, "INLINE %s lanes_%s(void) {\n    const %s r = {", v->v, v->v, v->v);
    for (int i = 0; i < v->lanes; i++) text_add(out, "%s%d", i ? ", " : "", i);
    text_add(out, "};\n    return r;\n}\n");
}

static void print_vector_helper(Text *out, Helper h, const Vector *v) {
    switch (h) {
    case HELPER_FMA: print_vector_fma(out, v); return;
    case HELPER_SQRT: print_vector_sqrt(out, v); return;
    case HELPER_DOT2: dot2_print_vector(out, v->v, v->bits, v->lanes, v->features); return;
    case HELPER_MIN:
    case HELPER_MAX: print_vector_minmax(out, h, v); return;
    case HELPER_ABS: print_vector_abs(out, v); return;
    case HELPER_SPLAT: print_splat(out, v); return;
    case HELPER_SELECT: print_vector_select(out, v); return;
    case HELPER_LANES: print_vector_lanes(out, v); return;
    case HELPER_TYPE: print_type(out, v); return;
    case HELPER_DIV:
    case HELPER_REM:
    case HELPER_BITS:
    case HELPER_FROM_F16:
    case HELPER_FROM_BF16:
    case HELPER_TO_F16:
    case HELPER_TO_BF16:
    case HELPER_COUNT: return;
    }
}

static void print_vectors(Emit *e, Text *out, Helper h) {
    for (int t = 1; t < DT_COUNT; t++)
        for (int log = 1; log <= MAX_LANES_LOG; log++) {
            if (!needed(e, h, (DType)t, log)) continue;
            int lanes = 1 << log, bytes = dtypes[t].bytes;
            Vector v = {.v = helper_name(e, HELPER_TYPE, (DType)t, lanes),
                        .mask = helper_name(e, HELPER_TYPE, type_signed(bytes), lanes),
                        .bits = helper_name(e, HELPER_TYPE, type_unsigned(bytes), lanes),
                        .c = c_type((DType)t),
                        .text = dtypes[t].text,
                        .features = e->program->target->gcc_target,
                        .t = (DType)t,
                        .lanes = lanes,
                        .size = lanes * bytes};
            print_vector_helper(out, h, &v);
        }
}

static void print_scalars(const Emit *e, Text *out, Helper h) {
    for (int t = DT_COUNT - 1; t > 0; t--)
        if (needed(e, h, (DType)t, 0)) print_scalar_helper(out, h, (DType)t);
}

static void print_scalars_up(const Emit *e, Text *out, Helper h) {
    for (int t = 1; t < DT_COUNT; t++)
        if (needed(e, h, (DType)t, 0)) print_scalar_helper(out, h, (DType)t);
}

/* Each after what it calls. */
static void print_helpers(Emit *e, Text *out) {
    static const Helper scalars[] = {HELPER_BITS, HELPER_ABS, HELPER_FMA, HELPER_SQRT, HELPER_DOT2,
                                     HELPER_MIN,  HELPER_MAX, HELPER_DIV, HELPER_REM};
    static const Helper halves[] = {HELPER_FROM_F16, HELPER_FROM_BF16, HELPER_TO_F16,
                                    HELPER_TO_BF16};
    static const Helper vectors[] = {HELPER_TYPE, HELPER_LANES, HELPER_SPLAT, HELPER_SELECT,
                                     HELPER_ABS,  HELPER_FMA,   HELPER_SQRT,  HELPER_MIN,
                                     HELPER_MAX,  HELPER_DOT2};
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) print_scalars(e, out, scalars[i]);
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) print_scalars_up(e, out, halves[i]);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) print_vectors(e, out, vectors[i]);
}

static bool uses_x86(const Emit *e) {
    for (int t = 1; t < DT_COUNT; t++)
        for (int log = 0; log <= MAX_LANES_LOG; log++) {
            if (needed(e, HELPER_SQRT, (DType)t, log)) return true;
            if (log &&
                (needed(e, HELPER_DOT2, (DType)t, log) || needed(e, HELPER_FMA, (DType)t, log) ||
                 needed(e, HELPER_MIN, (DType)t, log) || needed(e, HELPER_MAX, (DType)t, log)))
                return true;
        }
    return false;
}

static bool uses_fma(const Emit *e) {
    for (int t = 1; t < DT_COUNT; t++)
        for (int log = 0; log <= MAX_LANES_LOG; log++)
            if (needed(e, HELPER_FMA, (DType)t, log)) return true;
    return false;
}

static void print_target(const Emit *e, Text *out) {
    const char *features = e->program->target->gcc_target;
    text_add(out, "\n/* The instructions that the plan is made for, and a * b + c rounded twice "
                  "unless fma is written. */\n");
    text_add(out, "#if defined(__clang__)\n#pragma clang fp contract(off)\n");
    if (features)
        text_add(out,
                 "#if defined(__x86_64__)\n#pragma clang attribute "
                 "push(__attribute__((target(\"%s\"))), "
                 "apply_to = function)\n#endif\n",
                 features);
    text_add(out, "#else\n#pragma GCC push_options\n");
    if (features)
        text_add(out, "#if defined(__x86_64__)\n#pragma GCC target(\"%s\")\n#endif\n", features);
    /* gcc 12 -O3 turns a load in an arm of a conditional into a masked load and gets the mask wrong
     * (tests/cases/num/select.t); without its if-conversion of loops there are no masked loads. */
    text_add(out,
             "#pragma GCC optimize(\"fp-contract=off\", \"no-tree-loop-if-convert\")\n#endif\n");
    if (uses_fma(e)) exact_fma_checks(out, features);
    text_add(out, "\n");
}

static void print_macros(Text *out) {
    text_add(out, "%s",
             "\n#if defined(__cplusplus)\n#define restrict __restrict\n#endif\n"
             "#if defined(__clang__)\n#define UNROLL _Pragma(\"clang loop unroll(full)\")\n"
             "#else\n#define UNROLL _Pragma(\"GCC unroll 64\")\n#endif\n"
             "#define INLINE static inline __attribute__((always_inline, unused))\n"
             "#define KERNEL static __attribute__((noinline))\n"
             "#define LOCAL __attribute__((aligned(64)))\n"
             "#define PREFETCH(p) __builtin_prefetch((p), 0, 2)\n"
             "/* vectors never cross a call, so it does not matter how they would be passed */\n"
             "#pragma GCC diagnostic ignored \"-Wpsabi\"\n");
}

static void print_checks(Text *out) {
    text_add(out, "%s",
             "#if !defined(__GNUC__)\n#error \"needs the vector extensions of GNU C: gcc or "
             "clang\"\n#endif\n"
             "#if defined(__FAST_MATH__)\n#error \"compile without -ffast-math: results would not "
             "be those of the model\"\n#endif\n"
             "#if __FLT_EVAL_METHOD__ < 0 || __FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2\n"
             "#error \"float must be computed in float: compile with -msse2 -mfpmath=sse (32-bit "
             "x86), -fexcess-precision=fast (s390x)\"\n#endif\n");
}

void prelude_begin(const Emit *const *versions, int n, Text *out) {
    bool x86 = false;
    for (int i = 0; i < n; i++) x86 |= uses_x86(versions[i]);
    print_checks(out);
    text_add(out, "\n#include <string.h>\n");
    if (x86)
        text_add(out,
                 "#if defined(__x86_64__) || defined(__SSE2__)\n#include <immintrin.h>\n#endif\n");
    threads_pool(versions[0], out);
    print_macros(out);
}

void prelude_version(Emit *e, Text *out) {
    print_target(e, out);
    threads_runner(e, out);
    print_helpers(e, out);
}

void prelude_end(const Emit *e, Text *out) {
    text_add(out, "\n#if !defined(__clang__)\n#pragma GCC pop_options\n");
    if (e->program->target->gcc_target)
        text_add(out, "#elif defined(__x86_64__)\n#pragma clang attribute pop\n");
    text_add(out, "#endif\n");
}
