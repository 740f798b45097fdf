/* use_library.c - runs a model once, with zeros in every input, by libsonoc. */
#include <sonoc.h>
#include <stdio.h>

static int fail(const struct sonoc_error *error) {
    fprintf(stderr, "%s\n", error->text);
    return 1;
}

int main(int argc, char **argv) {
    struct sonoc_error error;
    struct sonoc_model *model = sonoc_open(argc > 1 ? argv[1] : "model.onnx", NULL, &error);
    if (!model) return fail(&error);
    struct sonoc_context *context = sonoc_context_open(model, &error);
    if (!context || sonoc_run(context, NULL, NULL, &error) != SONOC_OK) return fail(&error);
    for (int i = 0; i < sonoc_output_count(model); i++) {
        const struct sonoc_port *port = sonoc_output(model, i);
        const float *values = sonoc_output_buffer(context, i);
        printf("%s: %zu elements of type %s", port->name, port->count, sonoc_dtype_name(port->dtype));
        if (port->dtype == SONOC_F32 && port->count) printf(", the first is %g", values[0]);
        printf("\n");
    }
    sonoc_context_close(context);
    sonoc_close(model);
}
