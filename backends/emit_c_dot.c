/* emit_c_dot.c - products of pairs of 16-bit integers: the x86 instruction where there is one,
 * which neither gcc nor clang finds by itself; else lanes.  Integers: the same bits by every way.
 */
#include "emit_c_text.h"

#include <string.h>

void dot2_print(Text *out) {
    text_add(out, "%s",
             "INLINE int32_t dot2_i32(int32_t a, int32_t b, int32_t c) {\n"
             "    uint32_t low = (uint32_t)((int16_t)a * (int16_t)b);\n"
             "    return (int32_t)((uint32_t)c + low + (uint32_t)((a >> 16) * (b >> 16)));\n"
             "}\n");
}

/* A call under a condition; `add` adds c to it. */
static void print_way(Text *out, const char *condition, const char *v, int bits, const char *name,
                      bool add) {
    const char *width = bits == 128 ? "" : bits == 256 ? "256" : "512";
    text_add(out, "%s\n    return (%s)", condition, v);
    if (add)
        text_add(out, "_mm%s_add_epi32((__m%di)c, _mm%s_%s((__m%di)a, (__m%di)b));\n", width, bits,
                 width, name, bits, bits);
    else
        text_add(out, "_mm%s_%s((__m%di)c, (__m%di)a, (__m%di)b);\n", width, name, bits, bits,
                 bits);
}

/* clang tells by macros what the command line asks for, not what the file switches on. */
static const char *switched_on(const char *features, const char *feature) {
    return features && strstr(features, feature) ? " || (defined(__clang__) && defined(__x86_64__))"
                                                 : "";
}

static void print_ways(Text *out, const char *v, int bits, const char *features) {
    char condition[128];
    const char *guard = bits == 512   ? "defined(__AVX512BW__)"
                        : bits == 256 ? "defined(__AVX2__)"
                                      : "defined(__SSE2__)";
    const char *feature = bits == 512 ? "avx512bw" : bits == 256 ? "avx2" : "sse";
    print_way(out, "#if defined(__AVX512VNNI__) && defined(__AVX512VL__)", v, bits, "dpwssd_epi32",
              false);
    if (bits < 512)
        print_way(out, "#elif defined(__AVXVNNI__)", v, bits, "dpwssd_avx_epi32", false);
    snprintf(condition, sizeof condition, "#elif %s%s", guard, switched_on(features, feature));
    print_way(out, condition, v, bits, "madd_epi16", true);
    text_add(out, "#else\n");
}

void dot2_print_vector(Text *out, const char *v, const char *bits_type, int lanes,
                       const char *features) {
    int bits = 32 * lanes;
    bool has_ways = bits == 128 || bits == 256 || bits == 512;
    text_add(out, "INLINE %s dot2_%s(%s a, %s b, %s c) {\n", v, v, v, v, v);
    if (has_ways) print_ways(out, v, bits, features);
    text_add(out, "    %s low = (%s)(((%s)((%s)a << 16) >> 16) * ((%s)((%s)b << 16) >> 16));\n",
             bits_type, bits_type, v, bits_type, v, bits_type);
    text_add(out, "    return (%s)((%s)c + low + (%s)((a >> 16) * (b >> 16)));\n", v, bits_type,
             bits_type);
    text_add(out, "%s}\n", has_ways ? "#endif\n" : "");
}
