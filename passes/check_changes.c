/* check_changes.c - compares what differs between two graphs, and nothing else. */
#include "check.h"
#include "check_claims.h"

#include "graph_run.h"
#include <math.h>
#include <string.h>

enum { ROUNDS = 6, SEED = 1, MANY = 1 << 13 /* elements */, EXTENT = 5 };

/* Small parts show most; what depends on where its inputs come from needs more. */
static const PartSize part_sizes[] = {{0, false}, {3, false}, {12, true}};

/* What parts are run for. */
typedef struct Changes {
    const Pass *pass;
    Claims *claims;
    Map shown; /* numbers of claims that hold */
} Changes;

static void put_double(DType t, double x, char *to) {
    float single = (float)x;
    uint16_t half = t == DT_BF16 ? float_to_bfloat(single) : float_to_half(single);
    if (t == DT_F64)
        memcpy(to, &x, 8);
    else if (t == DT_F32)
        memcpy(to, &single, 4);
    else
        memcpy(to, &half, 2);
}

/* One element in eight is what arithmetic likes to get wrong. */
static void add_specials(const Tensor *t, uint64_t *state) {
    static const double specials[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1e30, -1e-30, 1.0};
    if (!dtype_is_float(t->dtype) || dtypes[t->dtype].bytes < 2) return;
    for (int64_t i = 0; i < t->count; i++) {
        uint64_t bits = random_next(state);
        if (bits >> 61) continue;
        put_double(t->dtype, specials[bits >> 32 & 7],
                   (char *)t->data + i * dtypes[t->dtype].bytes);
    }
}

const Tensor *random_input(Arena *a, const Value *v, uint64_t seed, bool special) {
    int64_t dims[MAX_RANK];
    uint64_t state = SEED + seed;
    for (int d = 0; d < v->rank; d++) dims[d] = v->dims[d].size;
    const Tensor *t = tensor_random(a, v->dtype, v->rank, dims, &state);
    if (special) add_specials(t, &state);
    return t;
}

/* Parts. */

typedef struct Part {
    Graph *graph;
    const uint64_t *numbers; /* of its inputs */
} Part;

static const Tensor **run_part(Unit *u, const Part *part, bool special, bool wide) {
    const Graph *g = part->graph;
    const Tensor **inputs = NEW_ARRAY(u->arena, const Tensor *, g->inputs.n + 1);
    const char *why;
    for (int i = 0; i < g->inputs.n; i++)
        inputs[i] = random_input(u->arena, g->inputs.at[i], part->numbers[i], special);
    return graph_run(u->arena, g, inputs, wide, &why);
}

/* What is made up may be smaller, if what the pass left takes that. */
static bool shrink(Part *part) {
    bool any = false;
    for (int i = 0; i < part->graph->inputs.n; i++) {
        Value *v = part->graph->inputs.at[i];
        bool many = value_count(v) > MANY;
        for (int d = 2; many && d < v->rank; d++) {
            any |= v->dims[d].size > EXTENT;
            if (v->dims[d].size > EXTENT) v->dims[d].size = EXTENT;
        }
    }
    return any;
}

static bool says_something(const Tensor *t) {
    for (int64_t i = 0; i < t->count; i++)
        if (!dtype_is_float(t->dtype) || !isnan(tensor_get_double(t, i))) return true;
    return !t->count;
}

static bool parts_agree(Unit *u, const Pass *pass, const Part *parts, bool special) {
    bool wide = pass->promise != CLASS_BIT;
    const Tensor **want = run_part(u, &parts[0], special, wide);
    const Tensor **got = want ? run_part(u, &parts[1], special, wide) : NULL;
    return got && (special || says_something(want[0])) &&
           !results_differ(u->arena, pass, parts[0].graph, got, want);
}

static bool claim_holds(Changes *c, const Claim *claim, PartSize size, bool small) {
    Unit apart;
    volatile bool holds = false; /* set between setjmp and longjmp */
    const Unit *around = c->claims->graph[0]->unit;
    if (!unit_begin_apart(&apart, around, 0)) return false;
    if (!setjmp(apart.escape.jump)) {
        Part parts[SIDES];
        part_find(c->claims, claim, size);
        bool shrunk = false;
        for (int side = 0; side < SIDES; side++) {
            parts[side].graph =
                part_make(&apart, c->claims, claim, size, side, &parts[side].numbers);
            shrunk |= small && shrink(&parts[side]);
        }
        bool specials = c->pass->promise == CLASS_BIT && parts[0].graph->nodes.n <= CHECK_SPECIALS;
        holds = shrunk == small && parts_agree(&apart, c->pass, parts, false) &&
                (!specials || parts_agree(&apart, c->pass, parts, true));
    }
    unit_end(&apart);
    return holds;
}

static bool claim_shown(Changes *c, const Claim *claim) {
    if (map_get(&c->shown, (uintptr_t)claim->number)) return true;
    for (size_t i = 0; i < sizeof part_sizes / sizeof *part_sizes; i++) {
        if (!claim_holds(c, claim, part_sizes[i], true) &&
            !claim_holds(c, claim, part_sizes[i], false))
            continue;
        map_set(&c->shown, (uintptr_t)claim->number, c);
        return true;
    }
    return false;
}

typedef enum Outcome { ALL_HOLD, SOME_DROPPED, OUTPUT_DIFFERS } Outcome;

/* A claim that does not hold is dropped: what was behind it has to hold by itself then. */
static Outcome round_of_claims(Changes *c) {
    Outcome outcome = ALL_HOLD;
    claims_make(c->claims);
    for (int i = 0; i < c->claims->open.n; i++) {
        const Claim *claim = &c->claims->open.at[i];
        if (claim_shown(c, claim)) continue;
        if (claim->is_output) return OUTPUT_DIFFERS;
        claims_ban(c->claims, claim);
        outcome = SOME_DROPPED;
    }
    return outcome;
}

bool changes_hold(const Pass *p, const Graph *before, const Graph *after) {
    Unit apart;
    volatile Outcome outcome = OUTPUT_DIFFERS; /* set between setjmp and longjmp */
    if (!unit_begin_apart(&apart, before->unit, 0)) return false;
    if (!setjmp(apart.escape.jump)) {
        Changes c = {.pass = p,
                     .claims = claims_new(apart.arena, before, after),
                     .shown.arena = apart.arena};
        if (c.claims) outcome = SOME_DROPPED;
        for (int round = 0; outcome == SOME_DROPPED && round < ROUNDS; round++)
            outcome = round_of_claims(&c);
    }
    unit_end(&apart);
    return outcome == ALL_HOLD;
}
