/* rules.c - sonoc rules: the rewrite rules, or how they fare on instances of their patterns. */
#include "command.h"

#include "json.h"
#include "pass.h"
#include "rule_check.h"

static void print_rule(Json *j, const Options *o, const Rule *r, const RuleCheck *c) {
    if (!o->json) {
        printf("%-22s %-4s -O%d  %s:%d", r->name, pass_class_names[r->promise], r->level, r->file,
               r->line);
        if (c)
            printf("  %d instances, %d refusals, %d near misses", c->instances, c->refusals,
                   c->near_misses);
        if (c && r->promise != CLASS_BIT) printf(", at worst %.2g of what is allowed", c->worst);
        putchar('\n');
        return;
    }
    json_begin(j, NULL, '{');
    json_text(j, "name", r->name);
    json_text(j, "class", pass_class_names[r->promise]);
    json_int(j, "level", r->level);
    json_text(j, "file", r->file);
    json_int(j, "line", r->line);
    if (c) json_int(j, "instances", c->instances);
    if (c) json_int(j, "refusals", c->refusals);
    if (c) json_int(j, "near_misses", c->near_misses);
    if (c) json_bool(j, "ok", !c->wrong && c->instances);
    json_end(j, '}');
}

static bool check(Session *s, const Rule *r, RuleCheck *c) {
    *c = rule_check(&s->unit, r, (int)s->options->check.value);
    if (c->wrong)
        diag(&s->unit, NO_PLACE, D_RULE_WRONG, r->file, r->line, r->name,
             pass_class_names[r->promise], c->why);
    else if (!c->instances)
        diag(&s->unit, NO_PLACE, D_RULE_UNTRIED, r->file, r->line, r->name);
    return !c->wrong && c->instances;
}

int command_rules(Session *s) {
    const Options *o = s->options;
    RuleSet *set = pipeline_rules(s);
    if (!set) return diag_status(&s->unit);
    if (!o->rules) set = rules_built_in(&s->unit);
    Json j = {.out = stdout};
    bool ok = true;
    if (o->json) json_begin(&j, NULL, '[');
    for (int i = 0; i < set->rules.n; i++) {
        const Rule *r = set->rules.at[i];
        RuleCheck c = {0};
        bool is_checked = o->check.value > 0;
        if (is_checked) ok &= check(s, r, &c);
        print_rule(&j, o, r, is_checked ? &c : NULL);
    }
    if (o->json) json_end(&j, ']');
    return ok ? STATUS_OK : STATUS_DIFFERS;
}
