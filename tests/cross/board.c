/* board.c - runs model.c on a bare Cortex-M: inputs from model.in, outputs to model.out, the stack
 * that a run takes to stack.out. */
#include "model.h"
#include "startup.h"

#include <stdalign.h>

static alignas(64) unsigned char arena[MODEL_ARENA_BYTES + 1];
static unsigned char tensors[TENSOR_BYTES];

static size_t port_bytes(const struct model_port *port) {
    size_t n = 4; /* all are float32 */
    for (int d = 0; d < port->rank; d++) n *= (size_t)port->dims[d];
    return n;
}

int main(void) {
    static struct model model;
    const void *inputs[MODEL_INPUTS];
    void *outputs[MODEL_OUTPUTS];
    size_t read = 0, all;
    for (int i = 0; i < MODEL_INPUTS; i++) {
        inputs[i] = tensors + read;
        read += port_bytes(&model_input_ports[i]);
    }
    all = read;
    for (int i = 0; i < MODEL_OUTPUTS; i++) {
        outputs[i] = tensors + all;
        all += port_bytes(&model_output_ports[i]);
    }
    if (all != sizeof tensors) return 5;
    host_read("model.in", tensors, read);
    int status = model_init(&model, arena);
    stack_paint();
    size_t before = stack_used();
    if (!status) status = model_run_ports(&model, inputs, outputs);
    size_t used = stack_used() - before;
    host_write("model.out", tensors + read, all - read);
    host_write("stack.out", &used, sizeof used);
    return status;
}
