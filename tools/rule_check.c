/* rule_check.c - tries rewrite rules on instances of their patterns.
 *
 * BIT: the same bits before and after, NaN for NaN, on inputs with NaN, infinities, -0 and
 * denormals among them. REAL: both are compared with the pattern run in f64 on the same inputs; the
 * error may grow by a factor. FAST: the error may be a part of the largest result. Instances on
 * which a condition fails, and graphs that nearly have the pattern, have to stay as they are, or
 * become what they were. */
#include "rule_check.h"

#include "graph_run.h"
#include "rule_miss.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    MOST_SEEDS = 1500,
    SEEDS_OF_MISSES = 200,
    FEWEST_MISSES = 3,
    REAL_FACTOR = 4,
    REAL_ULPS = 8
};
static const double fast_part = 0x1p-8;

typedef struct Sample {
    Unit *unit;
    const Rule *rule;
    uint64_t state;
    Graph *before, *after;
    const Tensor **got, **want, **reference;
    RuleCheck *result;
} Sample;

static uint64_t draw(Sample *t) {
    t->state = t->state * 6364136223846793005u + 1442695040888963407u;
    return t->state >> 20;
}

/* Inputs. */

static double draw_special(Sample *t, DType type) {
    static const double specials[] = {NAN,  INFINITY, -INFINITY, 0.0,  -0.0,  1,      -1,
                                      0.5,  -0.5,     1.5,       2.5,  -2.5,  3e-45,  1e-310,
                                      6e-8, -3e-45,   65504,     1e30, -1e30, 0x1p23, 0x1p52};
    if (draw(t) % 3 == 0) return specials[draw(t) % (sizeof specials / sizeof *specials)];
    double x = (double)(int64_t)(draw(t) % 2000001) / 1000 - 1000;
    return type == DT_F64 ? x / 3 : x;
}

static void put_float(Sample *t, DType type, void *at) {
    double x = t->rule->promise == CLASS_BIT ? draw_special(t, type)
                                             : (double)(draw(t) % 6000001) / 1000000 - 3;
    const Tensor *one = tensor_scalar(t->unit->arena, type, x);
    memcpy(at, one->data, (size_t)dtypes[type].bytes);
}

static void put_int(Sample *t, DType type, void *at) {
    static const uint64_t specials[] = {0,   1,   2,     UINT64_MAX, UINT64_C(1) << 63,
                                        128, 127, 32768, INT64_MAX,  INT32_MAX};
    uint64_t x = draw(t) % 2 ? specials[draw(t) % (sizeof specials / sizeof *specials)]
                             : draw(t) ^ draw(t) << 30;
    if (t->rule->promise != CLASS_BIT) x = draw(t) % 7;
    if (type == DT_BOOL) x &= 1;
    memcpy(at, &x, (size_t)dtypes[type].bytes);
}

static Tensor *tensor_like(Unit *u, const Value *v, DType type) {
    int64_t dims[MAX_RANK];
    for (int k = 0; k < v->rank; k++) dims[k] = v->dims[k].size;
    return tensor_new(u->arena, type, v->rank, dims);
}

static Tensor *draw_input(Sample *t, const Value *v) {
    Tensor *to = tensor_like(t->unit, v, v->dtype);
    for (int64_t i = 0; i < to->count; i++) {
        char *at = (char *)to->data + (size_t)i * (size_t)dtypes[v->dtype].bytes;
        if (dtype_is_float(v->dtype))
            put_float(t, v->dtype, at);
        else
            put_int(t, v->dtype, at);
    }
    return to;
}

static void print_graph(Text *text, const char *what, const char *printed) {
    text_add(text, "%s:\n%s", what, printed);
}

static const char *printed(Unit *u, const Graph *g) {
    Text text = {.arena = u->arena};
    graph_print(g, &text);
    return text.at;
}

/* Comparing. */

static bool same_bits(const Tensor *a, const Tensor *b, int64_t i) {
    size_t bytes = (size_t)dtypes[a->dtype].bytes;
    const char *x = (const char *)a->data + (size_t)i * bytes,
               *y = (const char *)b->data + (size_t)i * bytes;
    if (!memcmp(x, y, bytes)) return true;
    return dtype_is_float(a->dtype) && isnan(tensor_get_double(a, i)) &&
           isnan(tensor_get_double(b, i));
}

static int64_t first_other_bits(const Tensor *got, const Tensor *want) {
    for (int64_t i = 0; i < got->count; i++)
        if (!same_bits(got, want, i)) return i;
    return -1;
}

static double epsilon_of(DType type) {
    return type == DT_F64 ? 0x1p-52 : type == DT_F32 ? 0x1p-23 : type == DT_F16 ? 0x1p-10 : 0x1p-7;
}

/* The largest error where the reference is finite; NaN and infinity in its place are the largest of
 * all. */
static double largest_error(const Tensor *t, const Tensor *reference, int64_t *where,
                            double *scale) {
    double worst = 0;
    *scale = 0;
    *where = -1;
    for (int64_t i = 0; i < t->count; i++) {
        double r = tensor_get_double(reference, i), error = fabs(tensor_get_double(t, i) - r);
        if (!isfinite(r)) continue;
        if (!isfinite(error)) error = INFINITY;
        *scale = fmax(*scale, fabs(r));
        if (error > worst) {
            worst = error;
            *where = i;
        }
    }
    return worst;
}

/* -1: within the bound. */
static int64_t first_beyond(Sample *t, const Tensor *got, const Tensor *want,
                            const Tensor *reference) {
    int64_t where, unused;
    double scale;
    if (!dtype_is_float(got->dtype)) return first_other_bits(got, want);
    double before = largest_error(want, reference, &unused, &scale),
           after = largest_error(got, reference, &where, &scale);
    double allowed = REAL_FACTOR * before + REAL_ULPS * epsilon_of(got->dtype) * scale;
    if (t->rule->promise == CLASS_FAST) allowed = fmax(allowed, fast_part * scale);
    double part = after > 0 ? after / allowed : 0;
    if (!isfinite(before)) return -1;
    if (part > t->result->worst) t->result->worst = part;
    return part > 1 ? where : -1;
}

static bool compare(Sample *t, const char *before, const char *after) {
    for (int i = 0; i < t->before->outputs.n; i++) {
        const Tensor *got = t->got[i], *want = t->want[i];
        const Tensor *right = t->reference ? t->reference[i] : want;
        int64_t k = t->rule->promise == CLASS_BIT ? first_other_bits(got, want)
                                                  : first_beyond(t, got, want, right);
        if (k < 0) continue;
        Text text = {.arena = t->unit->arena};
        text_add(&text, "output '%s', element %" PRId64 ": %.9g becomes %.9g",
                 t->before->outputs.at[i]->name, k, tensor_get_double(want, k),
                 tensor_get_double(got, k));
        if (t->reference) text_add(&text, ", in f64 %.17g", tensor_get_double(right, k));
        text_add(&text, "\n");
        print_graph(&text, "before", before);
        print_graph(&text, "after", after);
        t->result->why = text.at;
        return false;
    }
    return true;
}

static bool apply(Sample *t, RulesDone *done) {
    const PassOptions options = pass_options_default();
    *done = rules_apply(t->after, &options, NULL, 0, t->rule->promise, t->rule->level, t->rule);
    if (done->restless) t->result->why = "it matches again and again what it makes";
    return !done->restless;
}

/* False: what the rule made of a graph is not what it was. */
static bool judge(Sample *t, uint64_t seed) {
    Unit *u = t->unit;
    const char *before = printed(u, t->before), *after = printed(u, t->after),
               *broken = graph_check(t->after);
    if (broken) BUG(u, "rule %s: %s", t->rule->name, broken);
    const Tensor **inputs = NEW_ARRAY(u->arena, const Tensor *, t->before->inputs.n + 1);
    const char *why;
    t->state = seed;
    for (int i = 0; i < t->before->inputs.n; i++)
        inputs[i] = draw_input(t, t->before->inputs.at[i]);
    t->want = graph_run(u->arena, t->before, inputs, false, &why);
    if (!t->want) return true;
    t->got = graph_run(u->arena, t->after, inputs, false, &why);
    if (!t->got) BUG(u, "rule %s: what it makes cannot be run: %s\n%s", t->rule->name, why, after);
    t->reference =
        t->rule->promise == CLASS_BIT ? NULL : graph_run(u->arena, t->before, inputs, true, &why);
    t->result->instances++;
    return compare(t, before, after);
}

/* False: the rule is wrong here. */
static bool try_instance(Sample *t, uint64_t seed) {
    RulesDone done;
    t->before = rule_instance(t->unit, t->rule, seed);
    if (!t->before) return true;
    t->after = rule_instance(t->unit, t->rule, seed);
    if (!apply(t, &done)) return false;
    if (done.rewrites) return judge(t, seed);
    t->result->refusals++;
    return true;
}

/* What the rule rewrites all the same has to be right as well. */
static bool try_near_miss(Sample *t, uint64_t seed) {
    RulesDone done;
    t->before = rule_instance(t->unit, t->rule, seed);
    t->after = t->before ? rule_instance(t->unit, t->rule, seed) : NULL;
    if (!t->before || !rule_miss(t->before, seed) || !rule_miss(t->after, seed)) return true;
    if (!apply(t, &done)) return false;
    if (done.rewrites) return judge(t, seed);
    t->result->near_misses++;
    return true;
}

static bool try_seed(Sample *t, uint64_t seed) {
    return try_instance(t, seed) && try_near_miss(t, seed);
}

/* Each trial has a unit of its own: many leave nothing behind. */
static bool try_apart(Unit *u, const Rule *rule, uint64_t seed, RuleCheck *result) {
    Unit apart;
    if (!unit_begin(&apart, rule->file, 0)) escape(&u->escape, STATUS_LIMIT, "out of memory");
    if (setjmp(apart.escape.jump)) {
        Escape why = apart.escape;
        unit_end(&apart);
        escape(&u->escape, why.status, "%s", why.message);
    }
    Sample *t = NEW(apart.arena, Sample);
    *t = (Sample){.unit = &apart, .rule = rule, .result = result};
    bool ok = try_seed(t, seed);
    if (!ok) result->why = arena_copy(u->arena, result->why, strlen(result->why));
    unit_end(&apart);
    return ok;
}

RuleCheck rule_check(Unit *u, const Rule *rule, int wanted) {
    RuleCheck result = {0};
    for (uint64_t seed = 0; seed < MOST_SEEDS && !result.wrong; seed++) {
        bool misses = result.near_misses >= FEWEST_MISSES && result.refusals >= FEWEST_MISSES;
        if (result.instances >= wanted && (misses || seed >= SEEDS_OF_MISSES)) break;
        result.wrong = !try_apart(u, rule, seed, &result);
    }
    return result;
}
