/* passing.c - the passes as the options say, and what they told: remarks as text or JSON, on
 * stderr. */
#include "pipeline.h"

#include "check.h"
#include "json.h"
#include "trial.h"
#include <inttypes.h>
#include <string.h>

static PassClass class_of(const char *exactness) {
    return !strcmp(exactness, "bit")    ? CLASS_BIT
           : !strcmp(exactness, "real") ? CLASS_REAL
                                        : CLASS_FAST;
}

PassOptions session_pass_options(const Session *s, PassReport *report) {
    const Options *o = s->options;
    PassOptions to = pass_options_default();
    to.level = o->level[0] - '0';
    to.exactness = class_of(o->exactness);
    to.fast_bits = !strcmp(o->fast, "int8") ? 8 : 12;
    to.fold_limit = o->max_fold.value;
    to.only = o->passes;
    to.stop_after = o->stop_after;
    to.print_before = o->print_before_all ? "all" : o->print_before;
    to.print_after = o->print_after_all ? "all" : o->print_after;
    to.print_changed = o->print_changed;
    to.dot = o->dot;
    to.verify_each = o->verify_each;
    to.limited = o->bisect_limit.given;
    to.rewrite_limit = o->bisect_limit.value;
    to.want_remarks = o->remarks != NULL;
    to.rules = s->rules;
    to.keep_operators = o->command == CMD_opt && o->output && path_ends(o->output, ".onnx");
    to.report = report;
    return to;
}

static void print_saved(const char *what, int64_t saved) {
    if (saved > 0) fprintf(stderr, ", %" PRId64 " %s fewer", saved, what);
    if (saved < 0) fprintf(stderr, ", %" PRId64 " %s more", -saved, what);
}

static void print_remark(const Remark *r) {
    bool matched = r->kind == REMARK_MATCHED;
    fprintf(stderr, "%s: %s: %s '%s': %s", r->pass, matched ? "done" : "missed", r->op, r->node,
            r->text);
    if (matched) {
        print_saved("nodes", r->saved.nodes);
        print_saved("multiply-adds", r->saved.macs);
        print_saved("bytes", r->saved.bytes);
        fprintf(stderr, " (rewrite %" PRId64 ")", r->rewrite);
    }
    fputc('\n', stderr);
}

static void json_remark(Json *j, const Remark *r) {
    json_begin(j, NULL, '{');
    json_text(j, "kind", r->kind == REMARK_MATCHED ? "matched" : "missed");
    json_text(j, "pass", r->pass);
    json_text(j, "operator", r->op);
    json_text(j, "node", r->node);
    json_text(j, "text", r->text);
    if (r->kind == REMARK_MATCHED) {
        json_int(j, "rewrite", r->rewrite);
        json_int(j, "saved_nodes", r->saved.nodes);
        json_int(j, "saved_multiply_adds", r->saved.macs);
        json_int(j, "saved_bytes", r->saved.bytes);
    }
    json_end(j, '}');
}

static void print_remarks(const PassReport *report, bool as_json) {
    Json j = {.out = stderr};
    if (as_json) json_begin(&j, NULL, '[');
    for (int i = 0; i < report->remarks.n; i++)
        if (as_json)
            json_remark(&j, &report->remarks.at[i]);
        else
            print_remark(&report->remarks.at[i]);
    if (as_json) json_end(&j, ']');
}

static bool write_reduced(Session *s, const CheckReport *r) {
    if (!r->graph) return true;
    if (!s->options->reduced) return fprintf(stderr, "# a graph that shows it\n%s", r->graph) >= 0;
    return output_add(&s->unit, &s->outputs, s->options->reduced, r->graph, strlen(r->graph)) &&
           output_commit(&s->unit, &s->outputs);
}

/* A promise that is broken is told as a difference is: exit status 1. */
static bool check_passes(Session *s, const PassOptions *options) {
    CheckReport r;
    session_stage(s, "checking passes");
    if (passes_check(s->graph, options, &r)) {
        if (r.unchecked)
            diag_note(&s->unit, "%d passes could not be checked; the last: %s", r.unchecked,
                      r.unchecked_why);
        const char *size =
            arena_format(s->unit.arena, ", at extents of at most %" PRId64, r.shrunk_to);
        diag_note(&s->unit, "%d passes changed the graph and kept their promise%s", r.checked,
                  r.shrunk_to ? size : "");
        if (r.whole) diag_note(&s->unit, "%d of them were judged by the whole graph", r.whole);
        return true;
    }
    const Pass *p = pass_find(r.pass);
    const char *where =
        r.rewrite ? arena_format(s->unit.arena,
                                 "rewrite %" PRId64 " of it, at %s '%s': ", r.rewrite, r.op, r.node)
                  : "";
    diag(&s->unit, NO_PLACE, D_PASS_BROKEN, r.pass, p ? pass_class_names[p->promise] : "?", where,
         r.what);
    return write_reduced(s, &r) && false;
}

bool pipeline_passes(Session *s) {
    PassReport report = {0};
    PassOptions options = session_pass_options(s, &report);
    if (s->options->check_passes && !check_passes(s, &options)) return false;
    session_stage(s, "running passes");
    bool ok = passes_run(s->graph, &options);
    for (int i = 0; i < report.times.n; i++) timeline_add(&s->timeline, &report.times.at[i]);
    if (s->options->remarks) {
        session_stage(s, NULL);
        print_remarks(&report, !strcmp(s->options->remarks, "json"));
    }
    return ok;
}

void session_stage(Session *s, const char *what) {
    progress_stage(s->progress, what);
    timeline_stage(&s->timeline, what);
}
