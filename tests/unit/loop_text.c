/* loop_text.c - the text form of programs: what is refused, and that no text crashes the reader. */
#include "loop.h"

#include <stdlib.h>
#include <string.h>

enum { MUTATIONS = 4000 };

static int passed;

static const char sample[] =
    "program demo target \"x86-64-v3\" arena 128\n"
    "buffer \"conv1/x\" : f32[16] input\n"
    "buffer table : u8[3] const {1, 2, 255}\n"
    "buffer half : f16[3] const {-0.0, inf, nan_7ff8000000000000}\n"
    "buffer weights : f32[100] const hash 18446744073709551615\n"
    "buffer tmp : f64[16] arena @0 live 0..1\n"
    "buffer y : f32[16] output\n"
    "input x : f32[4, 4] in \"conv1/x\"\n"
    "output \"y out\" : f32[16] in y\n"
    "\n"
    "kernel k \"Conv 'a'\\nand \\\"b\\\"\" macs 12 bytes 34 {\n"
    "    for parallel row in 2 {\n"
    "        local acc : f32[8] lanes 8\n"
    "        scratch block : f64[3] @128\n"
    "        let at = row*8\n"
    "        prefetch weights[at + 1]\n"
    "        for lanes l in 8 {\n"
    "            acc[l] = -1.5\n"
    "            acc[l] fma= \"conv1/x\"[at + l], weights[(row + 1)*2 - -3]\n"
    "            let inside = 0 <= l - 1 & !(at < 5 | row == 1)\n"
    "            if inside & true {\n"
    "                y[at + l] = select(inside, acc[l], f32(table[row]))\n"
    "            } else {\n"
    "                y[at + l] = bits_f32(7:i32 << 3:i32)\n"
    "                y[at + l] += max(neg(acc[l]), sqrt(2.0))/inf\n"
    "            }\n"
    "        }\n"
    "        for unroll row_2 in 3 {\n"
    "            block[row_2] = f64(0.1)*0.1:f64\n"
    "        }\n"
    "    }\n"
    "}\n";

static void fail(const char *what, const char *text) {
    printf("FAILED: %s\n%s\n", what, text);
    exit(1);
}

static void ignore(const Buffer *buffer, bool is_write, void *context) {
    (void)buffer;
    (void)is_write;
    (void)context;
}

/* What is read must print the same again when that is read; and the other readers must bear it. */
static void read_and_use(Unit *u, const char *text) {
    Program *p = program_parse(u, text);
    if (!p) {
        if (!diag_count(u)) fail("refused without a word", text);
        return;
    }
    Text once = {.arena = u->arena}, twice = {.arena = u->arena};
    program_print(p, &once);
    Program *again = program_parse(u, once.at);
    if (!again) {
        diag_print(u, stdout);
        fail("what is printed is refused", once.at);
    }
    program_print(again, &twice);
    if (strcmp(once.at, twice.at)) fail("prints otherwise", once.at);
    for (int k = 0; k < p->kernels.n; k++) {
        int unproven;
        (void)kernel_check(p, p->kernels.at[k], &unproven);
        kernel_visit_buffers(p->kernels.at[k], ignore, NULL);
    }
    program_plan(p);
}

static void with_unit(void (*test)(Unit *, const void *), const void *context) {
    Unit u;
    if (!unit_begin(&u, "text", 0)) fail("no memory", "");
    if (setjmp(u.escape.jump)) {
        if (u.escape.status != STATUS_LIMIT) fail(u.escape.message, context);
    } else {
        test(&u, context);
    }
    unit_end(&u);
    passed++;
}

static void test_sample(Unit *u, const void *context) {
    (void)context;
    Text out = {.arena = u->arena};
    Program *p = program_parse(u, sample);
    if (!p) {
        diag_print(u, stdout);
        fail("the sample is refused", sample);
    }
    program_print(p, &out);
    if (strcmp(out.at, sample)) fail("the sample prints otherwise", out.at);
    const char *wrong = kernel_check(p, p->kernels.at[0], NULL);
    if (wrong) fail(wrong, sample);
}

static void test_text(Unit *u, const void *text) { read_and_use(u, text); }

static uint64_t state = 1;

static uint32_t draw(uint32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

/* Bytes changed, parts dropped, doubled or moved. */
static void mutate(char *text, size_t room) {
    static const char bytes[] = " \n\"{}[]()+-*/%<>=!&|^.,:#@0123456789aefilnrstu_\\";
    for (int n = 1 + (int)draw(3); n > 0; n--) {
        size_t length = strlen(text), at = draw((uint32_t)length), part = 1 + draw(20);
        if (at + part >= length) continue;
        switch (draw(3)) {
        case 0: text[at] = bytes[draw(sizeof bytes - 1)]; break;
        case 1: memmove(text + at, text + at + part, length - at - part + 1); break;
        default:
            if (length + part + 1 < room) memmove(text + at + part, text + at, length - at + 1);
            break;
        }
    }
}

static void test_mutations(void) {
    char text[4096];
    for (int n = 0; n < MUTATIONS; n++) {
        memcpy(text, sample, sizeof sample);
        mutate(text, sizeof text);
        with_unit(test_text, text);
    }
}

static char *repeated(const char *head, const char *part, int n, const char *tail) {
    size_t length = strlen(head) + strlen(part) * (size_t)n + strlen(tail) + 1;
    char *text = malloc(length), *at = text;
    if (!text) fail("no memory", "");
    at += sprintf(at, "%s", head);
    while (n--) at += sprintf(at, "%s", part);
    sprintf(at, "%s", tail);
    return text;
}

#define HEAD                                                                                       \
    "program p target baseline arena 0\nbuffer y : f32[4] output\nkernel k \"\" macs 0 bytes 0 "   \
    "{\n"

static void test_deep(void) {
    static const char *const parts[] = {"(",       "!",    "y[", "-",    "1 + ",
                                        "select(", "neg(", "\"", "1 == "};
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
        char *text = repeated(HEAD "let a = ", parts[k], 100000, "");
        with_unit(test_text, text);
        free(text);
    }
    char *nested = repeated(HEAD, "for i in 4 { ", 100000, "");
    with_unit(test_text, nested);
    free(nested);
    char *lets = repeated(HEAD "let a = 1\n", "let a = a + a\n", 100000, "}\n");
    with_unit(test_text, lets);
    free(lets);
    char *few = repeated(HEAD "let a = y[0]\n", "let a = a*a\n", 3000, "y[0] = a }\n");
    with_unit(test_text, few);
    free(few);
}

static void test_refused(Unit *u, const void *text) {
    if (program_parse(u, text) || diag_status(u) != STATUS_REFUSED) fail("not refused", text);
}

static void test_mistakes(void) {
    static const char *const texts[] = {
        "",
        "program p",
        "program p target nothing arena 0",
        "program p target baseline arena -1",
        HEAD "y[0] = 1 }",
        HEAD "y[0.0] = 1.0 }",
        HEAD "z[0] = 1.0 }",
        HEAD "y[0] = a }",
        HEAD "y[0] = 1.0",
        HEAD "y[0] = 1.0 + 2 }",
        HEAD "y[0] = min(1.0) }",
        HEAD "y[0] = f64(1.0) }",
        HEAD "y[0] = 256:u8 }",
        HEAD "for unroll i in 1 - 1 { } }",
        HEAD "for i in 1.0 { } }",
        HEAD "for i in 2 { } y[i] = 1.0 }",
        HEAD "if 1 { } }",
        HEAD "local y : f32[3] }",
        HEAD "local a : f32[9] lanes 8 }",
        HEAD "let b = 1:f16 + 2:f16 }",
        HEAD "local a : f32[99999999999999999999] }",
        HEAD "let b = bits_f64(1.0) }",
        HEAD "let b = 1 % 2.0 }",
        "program p target baseline arena 0\nbuffer y : f32[4] output\ninput x : f32[5] in y",
        "program p target baseline arena 0\nbuffer y : f32[4] output\nbuffer y : f32[4] output",
        "program p target baseline arena 0\nbuffer y : string[4] output",
        "program p target baseline arena 0\nbuffer y : f32[4] output\n"
        "kernel k \"\" macs 0 bytes 0 { prefetch y[4] }",
        "program p target baseline arena 0\nbuffer y : u8[2] const {1, 256}"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) with_unit(test_refused, texts[k]);
}

int main(void) {
    with_unit(test_sample, "");
    test_mistakes();
    test_deep();
    test_mutations();
    printf("%d passed\n", passed);
    return 0;
}
