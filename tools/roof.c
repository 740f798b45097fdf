/* roof.c - two kernels that measure the machine, as text of the loop IR.
 *
 * The first multiplies and adds on registers, in as many chains as hide the latency (from different
 * numbers, for compilers see what is equal); the second sums over more memory than caches hold.
 * Every number is a function of the lanes, so that vectors are as wide as the target's; threads
 * share both. */
#include "roof.h"

#include "graph_run.h"
#include "measure.h"

enum { SHARES = 16, CHAINS = 10, STEPS = 1 << 16, SUMS = 8, WIDE = 64 << 20, RUNS = 7 };

static void add_products(Text *text, const Target *t) {
    int l = t->lanes, n = CHAINS * l;
    text_add(text, "kernel products \"\" macs %lld bytes 0 {\n", (long long)SHARES * STEPS * n);
    text_add(text, "for parallel t in %d {\nlocal s : f32[%d] lanes %d\n", SHARES, n, l);
    text_add(text,
             "for unroll c in %d { for lanes l in %d { s[c*%d + l] = x[t*%d + c*%d + l] } }\n",
             CHAINS, l, l, n, l);
    text_add(text, "for k in %d { for unroll c in %d { for lanes l in %d { s[c*%d + l] ", STEPS,
             CHAINS, l, l);
    text_add(text, t->fma ? "fma= x[l], x[%d + l]" : "+= x[l]*x[%d + l]", l);
    text_add(text,
             " } } }\nfor unroll c in %d { for lanes l in %d { y[t*%d + c*%d + l] = s[c*%d + l] } "
             "}\n}\n}\n",
             CHAINS, l, n, l, l);
}

static void add_reads(Text *text, const Target *t) {
    int l = t->lanes, n = SUMS * l, share = WIDE / 4 / SHARES;
    text_add(text, "kernel reads \"\" macs 0 bytes %d {\n", WIDE);
    text_add(text, "for parallel t in %d {\nlocal s : f32[%d] lanes %d\n", SHARES, n, l);
    text_add(text, "for unroll c in %d { for lanes l in %d { s[c*%d + l] = 0.0 } }\n", SUMS, l, l);
    text_add(text,
             "for k in %d { for unroll c in %d { for lanes l in %d { s[c*%d + l] += x[t*%d + k*%d "
             "+ c*%d + l] } } }\n",
             share / n, SUMS, l, l, share, n, l);
    text_add(
        text,
        "for unroll c in %d { for lanes l in %d { y[t*%d + c*%d + l] = s[c*%d + l] } }\n}\n}\n",
        SUMS, l, n, l, l);
}

static const char *roof_text(Arena *a, const Target *t) {
    int results = SHARES * CHAINS * t->lanes;
    Text text = {.arena = a};
    text_add(&text, "program roof target \"%s\" arena 0\n", t->name);
    text_add(&text, "buffer x : f32[%d] input\nbuffer y : f32[%d] output\n", WIDE / 4, results);
    text_add(&text, "input x : f32[%d] in x\noutput y : f32[%d] in y\n", WIDE / 4, results);
    add_products(&text, t);
    add_reads(&text, t);
    return text.at;
}

bool measure_roof(Session *s, const Target *target, Roof *to) {
    Program *p = program_parse(&s->unit, roof_text(s->unit.arena, target));
    if (!p) BUG(&s->unit, "the program that measures the machine: %s", diag_first(&s->unit));
    uint64_t state = 1;
    const Tensor *x = tensor_random(s->unit.arena, DT_F32, 1, p->inputs.at[0].dims, &state);
    Measurement m;
    Model *model = pipeline_model(s, p, s->options->timed_backend);
    bool ok = model && measure(s, model, &x, 1, RUNS, false, &m);
    sonoc_close(model);
    if (!ok) return false;
    *to = (Roof){0};
    if (!m.n_kernels) return true;
    to->gflops = 2e-9 * (double)p->kernels.at[0]->macs / measured_kernel(&m, 0);
    to->gbytes = 1e-9 * (double)p->kernels.at[1]->bytes / measured_kernel(&m, 1);
    return true;
}

double roof_of(const Roof *roof, const Kernel *k) {
    if (!k->bytes) return roof->gflops;
    double by_memory = 2.0 * (double)k->macs / (double)k->bytes * roof->gbytes;
    return by_memory < roof->gflops ? by_memory : roof->gflops;
}
