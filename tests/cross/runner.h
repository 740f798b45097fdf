/* runner.h - runs a generated model on tensors from a file: RUN(prefix, PREFIX) reads prefix.in and
 * writes prefix.out.
 *
 * The files hold the tensors of all ports, one after the other, dense and little-endian, whatever
 * the machine is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t element_bytes(const char *dtype) {
    const char *digits = dtype;
    while (*digits && (*digits < '0' || *digits > '9')) digits++;
    int bits = atoi(digits); /* bool: 0 */
    return bits < 8 ? 1 : (size_t)bits / 8;
}

static void *memory(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!p) exit(2);
    return p;
}

/* Between the file's byte order and the machine's. */
static void swap(unsigned char *at, size_t bytes, size_t size) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (size_t i = 0; i < bytes; i += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char t = at[i + k];
            at[i + k] = at[i + size - 1 - k];
            at[i + size - 1 - k] = t;
        }
#else
    (void)at, (void)bytes, (void)size;
#endif
}

static FILE *open_file(const char *name, const char *end, const char *mode) {
    char path[200];
    snprintf(path, sizeof path, "%s%s", name, end);
    FILE *file = fopen(path, mode);
    if (!file) exit(3);
    return file;
}

static void *read_all(const char *name, const char *end, size_t bytes) {
    void *at = memory(bytes);
    if (!bytes) return at;
    FILE *file = open_file(name, end, "rb");
    if (fread(at, 1, bytes, file) != bytes) exit(3);
    fclose(file);
    return at;
}

#define PORT_BYTES(port, n)                                                                        \
    size_t n = element_bytes((port)->dtype);                                                       \
    for (int d = 0; d < (port)->rank; d++) n *= (size_t)(port)->dims[d]

#define TENSORS 64

#define RUN_AFTER(model, MODEL, init)                                                              \
    do {                                                                                           \
        static struct model m;                                                                     \
        const void *inputs[TENSORS];                                                               \
        void *outputs[TENSORS];                                                                    \
        FILE *from = open_file(#model, ".in", "rb"), *to = open_file(#model, ".out", "wb");        \
        int status = init;                                                                         \
        for (int i = 0; i < MODEL##_INPUTS; i++) {                                                 \
            PORT_BYTES(&model##_input_ports[i], n);                                                \
            void *at = memory(n);                                                                  \
            if (fread(at, 1, n, from) != n) exit(3);                                               \
            swap(at, n, element_bytes(model##_input_ports[i].dtype));                              \
            inputs[i] = at;                                                                        \
        }                                                                                          \
        for (int i = 0; i < MODEL##_OUTPUTS; i++) {                                                \
            PORT_BYTES(&model##_output_ports[i], n);                                               \
            outputs[i] = memory(n);                                                                \
        }                                                                                          \
        if (!status) status = model##_run_ports(&m, inputs, outputs);                              \
        if (status) exit(4);                                                                       \
        for (int i = 0; i < MODEL##_OUTPUTS; i++) {                                                \
            PORT_BYTES(&model##_output_ports[i], n);                                               \
            swap(outputs[i], n, element_bytes(model##_output_ports[i].dtype));                     \
            fwrite(outputs[i], 1, n, to);                                                          \
        }                                                                                          \
        fclose(from);                                                                              \
        fclose(to);                                                                                \
    } while (0)

#define RUN(model, MODEL) RUN_AFTER(model, MODEL, model##_init(&m))
#define RUN_FILE(model, MODEL)                                                                     \
    RUN_AFTER(model, MODEL,                                                                        \
              model##_init(&m, read_all(#model, ".weights", MODEL##_WEIGHTS_BYTES),                \
                           MODEL##_WEIGHTS_BYTES))
