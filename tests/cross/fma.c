/* fma.c - the software fma of generated C against the C library's, on operands that are hard to
 * round.
 *
 * products.c, which has it, is taken in whole, to get at its static functions. */
#include "products.c"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 1;

static uint64_t draw(void) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 33;
}

/* Few bits set, so that sums cancel and lie half-way, now and then. */
static uint64_t sparse(int bits) {
    uint64_t mantissa = 0;
    for (int i = (int)(draw() % 4); i > 0; i--)
        mantissa ^= UINT64_C(1) << (draw() % (unsigned)bits);
    if (draw() % 4 == 0) mantissa = ~mantissa;
    if (draw() % 4 == 0) mantissa = draw() << 31 ^ draw();
    return mantissa & ((UINT64_C(1) << bits) - 1);
}

/* An exponent near the middle, or near an end. */
static uint64_t exponent(int largest) {
    int at = (int)(draw() % 4), spread = (int)(draw() % 60);
    int e = at == 0 ? spread : at == 1 ? largest - spread : largest / 2 + spread - 30;
    return (uint64_t)(e < 0 ? 0 : e > largest ? largest : e);
}

static double random_double(void) {
    return bits_f64((draw() & 1) << 63 | exponent(2047) << 52 | sparse(52));
}

static float random_float(void) {
    uint32_t bits = (uint32_t)((draw() & 1) << 31 | exponent(255) << 23 | sparse(23));
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static int differs(double got, double want) {
    return bits_u64(got) != bits_u64(want) && !(isnan(got) && isnan(want));
}

/* c is sometimes near -a * b, where the sum is what rounding the product lost. */
static int check_double(void) {
    double a = random_double(), b = random_double(), c = random_double();
    if (draw() % 3 == 0) c = -(a * b);
    if (draw() % 8 == 0) c = nextafter(c, draw() % 2 ? 0 : INFINITY);
    double got = fma_f64(a, b, c), want = fma(a, b, c);
    if (differs(got, want)) printf("fma(%a, %a, %a) is %a, should be %a\n", a, b, c, got, want);
    return differs(got, want);
}

static int check_float(void) {
    float a = random_float(), b = random_float(), c = random_float();
    if (draw() % 3 == 0) c = -(a * b);
    if (draw() % 8 == 0) c = nextafterf(c, draw() % 2 ? 0 : INFINITY);
    float got = fma_f32(a, b, c), want = fmaf(a, b, c);
    if (differs(got, want)) printf("fmaf(%a, %a, %a) is %a, should be %a\n", a, b, c, got, want);
    return differs(got, want);
}

int main(void) {
    int wrong = HAS_FMA_F32 || HAS_FMA_F64; /* nothing would be tested */
    for (int i = 0; i < 2000000 && wrong < 10; i++) wrong += check_double() + check_float();
    return wrong != 0;
}
