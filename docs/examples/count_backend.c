/* count_backend.c - a backend that tells how much a program computes: loads, stores, arithmetic on floats.
 *
 * It runs the program by the interpreter and prints to stderr what the loops say.  Both sides of an IF count. */
#include "backends.h"

typedef struct Counts {
    double loads, stores, sums, multiply_adds, scalars[SC_COUNT];
} Counts;

static void count_expr(const Expr *e, double times, Counts *c) {
    if (e->kind == EX_LOAD) c->loads += times;
    if (e->kind == EX_SCALAR && dtype_is_float(e->type)) c->scalars[e->op] += times;
    for (int k = 0; k < e->n_args; k++) count_expr(e->args[k], times, c);
}

static void count_write(const Stmt *s, double times, Counts *c) {
    c->stores += times;
    if (s->kind == ST_ACC) *(s->factor ? &c->multiply_adds : &c->sums) += times;
    count_expr(s->index, times, c);
    count_expr(s->value, times, c);
    if (s->factor) count_expr(s->factor, times, c);
}

static void count_block(const Stmt *s, double times, Counts *c) {
    for (; s; s = s->next) {
        switch (s->kind) {
        case ST_FOR: count_block(s->body, times * (double)s->extent->hi, c); break;
        case ST_IF:
            count_expr(s->cond, times, c);
            count_block(s->body, times, c);
            count_block(s->other, times, c);
            break;
        case ST_LET: count_expr(s->value, times, c); break;
        case ST_LOCAL: break;
        case ST_STORE:
        case ST_ACC: count_write(s, times, c); break;
        case ST_PREFETCH: break;
        }
    }
}

static void print_count(const char *what, double count) {
    if (count > 0) fprintf(stderr, "%-14s %.0f\n", what, count);
}

static void print_counts(const Counts *c) {
    print_count("load", c->loads);
    print_count("store", c->stores);
    print_count("+=", c->sums);
    print_count("+= product", c->multiply_adds);
    for (int op = 0; op < SC_COUNT; op++) print_count(scalar_infos[op].text, c->scalars[op]);
}

void *backend_count_open(const Program *p, const char *options, RunError *error) {
    Counts counts = {0};
    for (int i = 0; i < p->kernels.n; i++) count_block(p->kernels.at[i]->body, 1, &counts);
    print_counts(&counts);
    return backend_interp_open(p, options, error);
}

bool backend_count_run(const void *opened, void *arena, const Crew *crew, const void *const *inputs,
                       void *const *outputs, const KernelHook *hook, RunError *error) {
    return backend_interp_run(opened, arena, crew, inputs, outputs, hook, error);
}

void backend_count_close(void *opened) { backend_interp_close(opened); }
