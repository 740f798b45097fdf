/* passes_outside.c - passes that are not of the table: they run where they say, may take a row's
 * place, and are checked. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

static const char model[] = "graph g(%x: f32[1,2,4,4]) -> (%y) {\n"
                            "    %a = Relu(%x) : ?\n    %b = Sigmoid(%a) : ?\n    %c = Relu(%b) : "
                            "?\n    %y = Neg(%c) : ?\n}\n";

static void check(bool ok, const char *what) {
    if (ok) return;
    printf("FAILED: %s\n", what);
    exit(1);
}

/* Relu of Sigmoid is Sigmoid: true.  Relu of anything is that: not true. */
static bool drop_relu(Graph *g, const PassOptions *options, bool only_true) {
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        if (n->op->id != OP_Relu) continue;
        const Node *before = n->inputs[0]->producer;
        bool matches = before && before->op->id == OP_Sigmoid;
        if (!matches) remark(g, options, REMARK_MISSED, n, "what comes in may be negative");
        if ((only_true && !matches) || !rewrite_allowed(g, options, n)) continue;
        graph_replace_uses(g, n->outputs[0], n->inputs[0]);
    }
    graph_sweep(g);
    return true;
}

static bool drop_right(Graph *g, const PassOptions *options) { return drop_relu(g, options, true); }
static bool drop_wrong(Graph *g, const PassOptions *options) {
    return drop_relu(g, options, false);
}

static int count_nodes(const char *pipeline, const Pass *more, int level, PassReport *report) {
    Unit u;
    check(unit_begin(&u, NULL, 0), "memory");
    check(!setjmp(u.escape.jump), "no mistake of ours");
    Graph *g = graph_parse(&u, model, NULL);
    PassOptions options = pass_options_default();
    options.level = level;
    options.only = pipeline;
    options.more = more;
    options.n_more = 1;
    options.report = report;
    check(g && passes_run(g, &options), "the passes run");
    int n = g->nodes.n;
    unit_end(&u);
    return n;
}

static void check_blame(const Pass *more, const char *blamed, const char *node) {
    Unit u;
    CheckReport report;
    check(unit_begin(&u, NULL, 0), "memory");
    Graph *g = graph_parse(&u, model, NULL);
    PassOptions options = pass_options_default();
    options.more = more;
    options.n_more = 1;
    bool ok = passes_check(g, &options, &report);
    check(ok == !blamed && !report.unchecked, "the check tells whether the pass is right");
    if (blamed) {
        check(!strcmp(report.pass, blamed) && report.rewrite == 1 && !strcmp(report.node, node),
              "the first wrong rewrite is named");
        check(report.graph && strstr(report.graph, "Relu") && !strstr(report.graph, "Sigmoid"),
              "a small graph shows it");
    }
    unit_end(&u);
}

int main(void) {
    const Pass right = {"drop_relu", drop_right, CLASS_BIT, 1, "Relu of Sigmoid", "tidy", false};
    const Pass wrong = {"drop_relu", drop_wrong, CLASS_BIT, 1, "any Relu", "tidy", false};
    const Pass instead = {"tidy", drop_wrong, CLASS_BIT, 1, "takes the place of a row",
                          NULL,   false};
    const Pass alone = {"drop_relu", drop_right, CLASS_BIT, 1, "runs if it is named", NULL, false};
    PassReport report = {0};
    check(count_nodes(NULL, &right, 0, NULL) == 4, "not below its level");
    check(count_nodes(NULL, &right, 1, &report) == 3 && report.rewrites >= 1,
          "behind the row that it names");
    check(count_nodes(NULL, &alone, 2, NULL) == 4, "not unless it is named");
    check(count_nodes("infer,drop_relu", &alone, 0, NULL) == 3, "where a pipeline names it");
    check_blame(&right, NULL, NULL);
    check_blame(&wrong, "drop_relu", "a");
    check_blame(&instead, "tidy", "a");
    printf("passes from outside: all as it should be\n");
    return 0;
}
