/* verify.c - sonoc verify: how far a backend's outputs are from the expected ones, from the
 * interpreter's, or from what an operator's own reference function gives. */
#include "command.h"

#include "json.h"
#include "ports.h"
#include "reference.h"
#include <inttypes.h>

static const char *backend_of(const Options *o) { return o->backend ? o->backend : "interp"; }

static Bound bound_of(const Options *o) {
    bool is_expected = o->expect.n > 0 || o->reference;
    return (Bound){
        .atol = o->atol.given ? o->atol.value
                : is_expected ? 1e-7
                              : 0,
        .rtol = o->rtol.given ? o->rtol.value
                : is_expected ? 1e-3
                              : 0,
        .ulp = o->ulp.given ? o->ulp.value : 0,
    };
}

static void print_text(const char *name, const Tensor *t, const Difference *d) {
    printf("%s: %s; ", name,
           d->count       ? "DIFFERS"
           : d->differing ? "within the bound"
                          : "the same bits");
    printf("max absolute %g, relative %g, ", d->absolute, d->relative);
    if (d->ulp == INT64_MAX)
        printf("ulp: no telling");
    else
        printf("ulp %" PRId64, d->ulp);
    printf("; %" PRId64 " of %" PRId64 " elements differ", d->differing, t->count);
    if (d->count)
        printf("; first beyond the bound: %" PRId64 ", is %.9g, should be %.9g", d->first, d->got,
               d->want);
    putchar('\n');
}

static void print_json(Json *j, const char *name, const Tensor *t, const Difference *d) {
    json_begin(j, NULL, '{');
    json_text(j, "name", name);
    json_bool(j, "ok", !d->count);
    json_int(j, "elements", t->count);
    json_int(j, "differing", d->differing);
    json_int(j, "beyond", d->count);
    json_real(j, "max_absolute", d->absolute);
    json_real(j, "max_relative", d->relative);
    json_int(j, "max_ulp", d->ulp);
    json_int(j, "first", d->first);
    json_end(j, '}');
}

static bool compare_all(Session *s, const Model *m, const Tensor *const *got,
                        const Tensor *const *want) {
    bool ok = true;
    Json j = {.out = stdout};
    if (s->options->json) {
        json_begin(&j, NULL, '{');
        json_int(&j, "version", 1);
        json_text(&j, "backend", backend_of(s->options));
        json_begin(&j, "outputs", '[');
    }
    for (int i = 0; i < m->n_outputs; i++) {
        Difference d = tensor_compare(got[i], want[i], bound_of(s->options));
        ok &= !d.count;
        if (s->options->json)
            print_json(&j, m->outputs[i].name, got[i], &d);
        else
            print_text(m->outputs[i].name, got[i], &d);
    }
    if (s->options->json) {
        json_end(&j, ']');
        json_end(&j, '}');
    }
    return ok;
}

static const Tensor **by_definition(Session *s, const Program *p, const Tensor *const *inputs) {
    Model *m = pipeline_model(s, p, "interp");
    return m ? ports_run(s, m, inputs) : NULL;
}

int command_verify(Session *s) {
    const Options *o = s->options;
    const Graph *reference = o->reference ? reference_graph(s) : NULL;
    if (o->reference && !reference) return diag_status(&s->unit);
    const Program *p = pipeline_program(s, o->plain);
    Model *m = p ? pipeline_model(s, p, backend_of(o)) : NULL;
    const Tensor **inputs = m ? ports_inputs(s, m) : NULL;
    const Tensor **got = inputs ? ports_run(s, m, inputs) : NULL;
    const Tensor **want = NULL;
    if (got && reference)
        want = reference_run(s, reference, m, inputs);
    else if (got)
        want = o->expect.n ? ports_expected(s, m) : by_definition(s, p, inputs);
    sonoc_close(m);
    if (!want) return diag_status(&s->unit);
    session_stage(s, NULL);
    return compare_all(s, m, got, want) ? STATUS_OK : STATUS_DIFFERS;
}
