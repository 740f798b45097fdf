/* ops.c - sonoc ops: the table of operators. */
#include "command.h"

#include "custom.h"
#include "json.h"
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"ELEM", "MOVE", "REDUCE", "EXPAND", "CODE"};

static int by_name(const void *a, const void *b) {
    const OpInfo *x = *(const OpInfo *const *)a, *y = *(const OpInfo *const *)b;
    int domain = strcmp(x->domain, y->domain);
    return domain ? domain : strcmp(x->name, y->name);
}

static void print_one(const OpInfo *op) {
    const char *domain = *op->domain ? op->domain : "ai.onnx";
    printf("%-28s %-24s %-6s %d\n", op->name, domain, kind_names[op->kind], op->since);
}

static void json_one(Json *j, const OpInfo *op) {
    json_begin(j, NULL, '{');
    json_text(j, "name", op->name);
    json_text(j, "domain", op->domain);
    json_text(j, "kind", kind_names[op->kind]);
    json_int(j, "since", op->since);
    json_end(j, '}');
}

int command_ops(Session *s) {
    int registered = registry_ops(&s->unit);
    const OpInfo **ops = NEW_ARRAY(s->unit.arena, const OpInfo *, OP_COUNT + registered);
    int n = 0;
    for (int i = 0; i < OP_COUNT; i++)
        if (op_infos[i].name) ops[n++] = &op_infos[i];
    for (int i = 0; i < registered; i++) ops[n++] = registry_op(&s->unit, i);
    qsort(ops, (size_t)n, sizeof *ops, by_name);
    Json j = {.out = stdout};
    if (s->options->json) json_begin(&j, NULL, '[');
    else printf("%-28s %-24s %-6s %s\n", "operator", "domain", "kind", "since opset");
    for (int i = 0; i < n; i++)
        if (s->options->json) json_one(&j, ops[i]);
        else print_one(ops[i]);
    if (s->options->json) json_end(&j, ']');
    return STATUS_OK;
}
