/* main.c - runs model.o on tensors from the file `in` and writes what it gives to the file `out`:
 * the tensors of all ports, one after the other.  Says on stdout what model_init and model_run
 * answer when they are given nothing. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 16 };

static size_t port_bytes(const struct model_port *port) {
    const char *digits = port->dtype;
    while (*digits && (*digits < '0' || *digits > '9')) digits++;
    int bits = atoi(digits); /* bool: 0 */
    size_t n = bits < 8 ? 1 : (size_t)bits / 8;
    for (int d = 0; d < port->rank; d++) n *= (size_t)port->dims[d];
    return n;
}

static void *memory(size_t bytes) {
    void *at = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!at) exit(2);
    return at;
}

int main(void) {
    struct model m = {0};
    const void *inputs[MOST] = {0};
    void *outputs[MOST] = {0};
    FILE *from = fopen("in", "rb"), *to = fopen("out", "wb");
    if (!from || !to) return 3;
#ifdef CALLER_ARENA
    printf("init %d %d\n", model_init(&m, NULL),
           model_init(&m, (char *)memory(MODEL_ARENA_BYTES) + 4));
    int status = model_init(&m, memory(MODEL_ARENA_BYTES));
#else
    printf("init %d\n", model_init(NULL));
    int status = model_init(&m);
#endif
    printf("run %d %d %d\n", model_run_ports(NULL, inputs, outputs),
           model_run_ports(&m, inputs, outputs), model_run_ports(&m, inputs, NULL));
    for (int i = 0; i < MODEL_INPUTS; i++) {
        size_t n = port_bytes(&model_input_ports[i]);
        void *at = memory(n);
        if (fread(at, 1, n, from) != n) return 3;
        inputs[i] = at;
    }
    for (int i = 0; i < MODEL_OUTPUTS; i++) outputs[i] = memory(port_bytes(&model_output_ports[i]));
    if (!status) status = model_run_ports(&m, inputs, outputs);
    for (int i = 0; i < MODEL_OUTPUTS; i++)
        fwrite(outputs[i], 1, port_bytes(&model_output_ports[i]), to);
    return fclose(to) || status;
}
