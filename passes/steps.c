/* steps.c - pipelines in text.
 *
 *     pipeline = [step {"," step} [","]]
 *     step     = pass ["(" setting {"," setting} ")"]  |  "(" pipeline ")" "*"  |  "repeat" "("
 * pipeline ")" setting  = name "=" integer
 *
 * The table is such a text, too.  A group runs until a round of it leaves the graph as it was. */
#include "steps.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Reading. */

typedef struct StepReader {
    Graph *g;
    const PassOptions *options;
    const char *at;
    bool is_standard; /* rows that the options leave out are dropped */
    int depth;
} StepReader;

enum { MAX_GROUPS = 16 };

static bool wrong(StepReader *r, const char *what) {
    return diag(r->g->unit, NO_PLACE, D_PASS_TEXT, what, *r->at ? r->at : "the end");
}

static bool accept(StepReader *r, const char *text) {
    while (*r->at == ' ') r->at++;
    if (strncmp(r->at, text, strlen(text))) return false;
    r->at += strlen(text);
    return true;
}

static const char *read_name(StepReader *r) {
    while (*r->at == ' ') r->at++;
    size_t n = 0;
    while (isalnum((unsigned char)r->at[n]) || r->at[n] == '_' || r->at[n] == '-') n++;
    const char *name = arena_copy(r->g->unit->arena, r->at, n);
    r->at += n;
    return name;
}

static bool read_settings(StepReader *r, Step *step) {
    if (!accept(r, "(")) return true;
    do {
        GivenSetting given = {.name = read_name(r)};
        if (!pass_setting_find(step->pass->name, given.name))
            return diag(r->g->unit, NO_PLACE, D_PASS_SETTING, step->pass->name, given.name);
        char *end;
        if (!accept(r, "=")) return wrong(r, "'=' is missing");
        given.value = strtoll(r->at, &end, 10);
        if (end == r->at) return wrong(r, "an integer is missing");
        r->at = end;
        vec_push(r->g->unit->arena, &step->settings, given);
    } while (accept(r, ","));
    return accept(r, ")") ? true : wrong(r, "')' is missing");
}

static bool read_steps(StepReader *r, Step **first);

static bool read_group(StepReader *r, bool starred, Step *step) {
    if (++r->depth > MAX_GROUPS) return wrong(r, "too many groups in each other");
    if (!read_steps(r, &step->body)) return false;
    r->depth--;
    if (!accept(r, ")")) return wrong(r, "')' is missing");
    return !starred || accept(r, "*") ? true : wrong(r, "'*' is missing");
}

/* Of the table's own pipeline only what level and exactness allow, and what the graph is for. */
static bool is_wanted(const StepReader *r, const Pass *p) {
    if (!r->is_standard) return true;
    if (p->for_files && !r->options->keep_operators) return false;
    return p->level <= r->options->level && p->promise <= r->options->exactness;
}

static bool read_step(StepReader *r, Step *step, bool *wanted) {
    Unit *u = r->g->unit;
    *wanted = true;
    if (accept(r, "(")) return read_group(r, true, step);
    const char *name = read_name(r);
    if (!*name) return wrong(r, "a pass is missing");
    if (!strcmp(name, "repeat") && accept(r, "(")) return read_group(r, false, step);
    step->pass = pass_lookup(r->options, name);
    if (!step->pass) return diag(u, NO_PLACE, D_PASS_UNKNOWN, name);
    *wanted = is_wanted(r, step->pass);
    if (!r->is_standard && step->pass->promise > r->options->exactness)
        return diag(u, NO_PLACE, D_PASS_CLASS, name, pass_class_names[step->pass->promise]);
    return read_settings(r, step);
}

/* Passes from outside come after the row that they name. */
static Step **add_more(StepReader *r, const Pass *row, Step **end) {
    for (int i = 0; r->is_standard && i < r->options->n_more; i++) {
        const Pass *p = &r->options->more[i];
        if (!p->after || strcmp(p->after, row->name) || !is_wanted(r, p)) continue;
        *end = NEW(r->g->unit->arena, Step);
        (*end)->pass = p;
        end = &(*end)->next;
    }
    return end;
}

static bool read_steps(StepReader *r, Step **first) {
    Step **end = first;
    while (accept(r, ""), *r->at && *r->at != ')') {
        Step *step = NEW(r->g->unit->arena, Step);
        bool wanted;
        if (!read_step(r, step, &wanted)) return false;
        if (wanted) {
            *end = step;
            end = &step->next;
        }
        if (step->pass) end = add_more(r, step->pass, end);
        if (!accept(r, ",")) break;
    }
    return true;
}

bool steps_of(Graph *g, const PassOptions *options, Step **steps) {
    StepReader r = {.g = g,
                    .options = options,
                    .at = options->only ? options->only : pass_standard_pipeline,
                    .is_standard = !options->only};
    *steps = NULL;
    if (!read_steps(&r, steps)) return false;
    return *r.at ? wrong(&r, "there is more than a pipeline") : true;
}
