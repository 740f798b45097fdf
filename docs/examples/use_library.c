/* use_library.c - runs a model once, with 0.5 in every input, by libsonoc. */
#include <sonoc.h>
#include <stdio.h>

int main(int argc, char **argv) {
    struct sonoc_error error;
    struct sonoc_model *model = argc > 1 ? sonoc_open(argv[1], NULL, &error) : NULL;
    struct sonoc_context *context = model ? sonoc_context_open(model, &error) : NULL;
    if (!context) {
        fprintf(stderr, "%s\n", argc > 1 ? error.text : "which model?");
        return 1;
    }
    for (int i = 0; i < sonoc_input_count(model); i++) {
        float *x = sonoc_input_buffer(context, i);
        for (size_t k = 0; x && sonoc_input(model, i)->dtype == SONOC_F32 && k < sonoc_input(model, i)->count; k++)
            x[k] = 0.5f;
    }
    if (sonoc_run(context, NULL, NULL, &error) != SONOC_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (int i = 0; i < sonoc_output_count(model); i++) {
        const struct sonoc_port *port = sonoc_output(model, i);
        printf("%s: %zu elements of type %s", port->name, port->count, sonoc_dtype_name(port->dtype));
        if (port->dtype == SONOC_F32) printf(", the first is %g", *(float *)sonoc_output_buffer(context, i));
        putchar('\n');
    }
    sonoc_context_close(context);
    sonoc_close(model);
}
