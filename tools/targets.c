/* targets.c - sonoc targets: the table of targets. */
#include "command.h"

#include "json.h"
#include "target.h"

static void print_one(const Target *t) {
    printf("%-12s %5d %9d  %2d x %d  %-3s %7d %8d  %s\n", t->name, t->lanes, t->registers,
           t->tile_rows, t->tile_vectors, t->fma ? "yes" : "no", t->l1_bytes, t->l2_bytes,
           t->summary);
}

static void json_one(Json *j, const Target *t) {
    json_begin(j, NULL, '{');
    json_text(j, "name", t->name);
    json_int(j, "lanes", t->lanes);
    json_int(j, "registers", t->registers);
    json_int(j, "tile_rows", t->tile_rows);
    json_int(j, "tile_vectors", t->tile_vectors);
    json_int(j, "fma", t->fma);
    json_int(j, "l1_bytes", t->l1_bytes);
    json_int(j, "l2_bytes", t->l2_bytes);
    json_int(j, "word_bits", t->word);
    json_text(j, "byte_order", t->order == ORDER_BIG ? "big" : "little");
    json_text(j, "summary", t->summary);
    json_end(j, '}');
}

int command_targets(Session *s) {
    Json j = {.out = stdout};
    if (s->options->json)
        json_begin(&j, NULL, '[');
    else
        printf("%-12s lanes registers  tile    fma      L1       L2\n", "target");
    for (const Target *t = targets; t->name; t++)
        if (s->options->json)
            json_one(&j, t);
        else
            print_one(t);
    if (s->options->json)
        json_end(&j, ']');
    else
        printf("native is the best of these for this machine: %s\n", target_native()->name);
    return STATUS_OK;
}
