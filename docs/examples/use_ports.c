/* use_ports.c - the same with memory of the caller and weights from a file, by way of the table of ports.
 *
 * Knows nothing of the model's shapes: inputs are zeros, of outputs the first element is printed. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct model_port *port) {
    size_t n = strcmp(port->dtype, "f32") ? 8 : 4;
    for (int d = 0; d < port->rank; d++) n *= (size_t)port->dims[d];
    return n;
}

/* Zeros, aligned to 64. */
static void *memory(size_t bytes) {
    size_t whole = (bytes + 64) / 64 * 64;
    void *p = aligned_alloc(64, whole);
    if (!p) exit(2);
    return memset(p, 0, whole);
}

static void *read_weights(const char *path) {
    FILE *file = fopen(path, "rb");
    void *bytes = memory(MODEL_WEIGHTS_BYTES);
    if (!file || fread(bytes, 1, MODEL_WEIGHTS_BYTES, file) != MODEL_WEIGHTS_BYTES) exit(2);
    fclose(file);
    return bytes;
}

int main(void) {
    struct model model;
    const void *inputs[MODEL_INPUTS];
    void *outputs[MODEL_OUTPUTS], *arena = memory(MODEL_ARENA_BYTES), *weights = read_weights("model.weights");
    int status = model_init(&model, arena, weights, MODEL_WEIGHTS_BYTES);
    for (int i = 0; i < MODEL_INPUTS; i++) inputs[i] = memory(bytes_of(&model_input_ports[i]));
    for (int i = 0; i < MODEL_OUTPUTS; i++) outputs[i] = memory(bytes_of(&model_output_ports[i]));
    if (!status) status = model_run_ports(&model, inputs, outputs);
    for (int i = 0; !status && i < MODEL_OUTPUTS; i++)
        printf("%s: %g\n", model_output_ports[i].name, *(const float *)outputs[i]);
    return status;
}
