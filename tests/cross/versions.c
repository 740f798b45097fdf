/* versions.c - runs a model that holds several plans, model.c, with the version that is asked for.
 *
 *     versions VERSION        reads model.in, writes model.out; 0: the version that init chooses,
 * which it prints */
#include "model.h"

#include "runner.h"

int main(int argc, char **argv) {
    int version = argc > 1 ? atoi(argv[1]) : 0;
    struct model probe;
    if (model_init(&probe)) return 1;
    if (!version) return printf("%d\n", probe.version) < 0;
    RUN_AFTER(model, MODEL, (model_init(&m), m.version = version, 0));
    return 0;
}
