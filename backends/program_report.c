/* program_report.c - what a program costs, kernel by kernel, and what lies where in the arena.
 *
 * All figures follow from the program alone: nothing is run. */
#include "program_report.h"
#include "code_size.h"

#include <string.h>

typedef struct Totals {
    int64_t macs, weights, inputs, outputs;
} Totals;


/* Does the arena hold b while kernel k runs? */
static bool is_live(const Buffer *b, int k) {
    return buffer_is_placed(b) && b->first_kernel >= 0 && b->first_kernel <= k &&
           k <= b->last_kernel;
}

static int64_t arena_in_use(const Program *p, int k) {
    int64_t bytes = 0;
    for (int i = 0; i < p->buffers.n; i++)
        if (is_live(p->buffers.at[i], k)) bytes += buffer_bytes(p->buffers.at[i]);
    return bytes;
}

static void mark_used(const Buffer *b, bool is_write, void *context) {
    (void)is_write;
    ((bool *)context)[b->id] = true;
}

static int64_t weight_bytes(const Program *p) {
    bool *used = NEW_ARRAY(p->unit->arena, bool, p->buffers.n + 1);
    int64_t bytes = 0;
    for (int i = 0; i < p->kernels.n; i++) kernel_visit_buffers(p->kernels.at[i], mark_used, used);
    for (int i = 0; i < p->outputs.n; i++) used[p->outputs.at[i].buffer->id] = true;
    for (int i = 0; i < p->buffers.n; i++)
        if (used[i] && p->buffers.at[i]->kind == BUF_CONST) bytes += buffer_bytes(p->buffers.at[i]);
    return bytes;
}

static Totals totals_of(const Program *p) {
    Totals t = {.weights = weight_bytes(p)};
    for (int i = 0; i < p->kernels.n; i++) t.macs += p->kernels.at[i]->macs;
    for (int i = 0; i < p->inputs.n; i++) t.inputs += buffer_bytes(p->inputs.at[i].buffer);
    for (int i = 0; i < p->outputs.n; i++) t.outputs += buffer_bytes(p->outputs.at[i].buffer);
    return t;
}

/* The arena's buffers by offset, then by when they live. */
static const Buffer **arena_map(const Program *p, int *n) {
    const Buffer **map = NEW_ARRAY(p->unit->arena, const Buffer *, p->buffers.n + 1);
    *n = 0;
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (!buffer_is_placed(b) || b->first_kernel < 0) continue;
        int at = (*n)++;
        for (; at > 0; at--) {
            const Buffer *before = map[at - 1];
            if (before->offset < b->offset) break;
            if (before->offset == b->offset && before->first_kernel <= b->first_kernel) break;
            map[at] = before;
        }
        map[at] = b;
    }
    return map;
}

static int first_line(const char *text) { return text ? (int)strcspn(text, "\n") : 0; }

/* Names come from the model: nothing in them may upset a terminal. */
static const char *plain(const Program *p, const char *text, int n) {
    char *copy = arena_copy(p->unit->arena, text ? text : "", (size_t)n);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    return copy;
}

static const char *plain_name(const Program *p, const char *text) {
    return plain(p, text, (int)strlen(text));
}

/* On a microcontroller: what is in flash and RAM. */
static void print_footprint(const Program *p, bool json, Text *out) {
    if (!code_is_known(p->target)) return;
    Footprint f = footprint_of(p);
    const char *format =
        json ? ", \"code_bytes\": %lld, \"constants_bytes\": %lld, \"flash_bytes\": %lld, "
               "\"stack_bytes\": %lld, \"ram_bytes\": %lld"
             : "code            %lld bytes, about (gcc -Os)\nconstants       %lld bytes\n"
               "flash           %lld bytes, about\nstack           %lld bytes at most\n"
               "RAM             %lld bytes at most\n";
    text_add(out, format, (long long)f.code, (long long)f.constants, (long long)f.flash,
             (long long)f.stack, (long long)f.ram);
}

static void print_code(const Program *p, const Kernel *k, Text *out) {
    CodeParts parts;
    code_parts(p, k, &parts);
    text_add(out, "%6lld %7lld  ", (long long)code_bytes(&parts), (long long)stack_bytes(k));
}

static void print_text(const Program *p, Text *out) {
    Totals t = totals_of(p);
    int n;
    const Buffer **map = arena_map(p, &n);
    bool has_code = code_is_known(p->target);
    text_add(out,
             "kernel  name                              multiply-adds         bytes   arena "
             "in use  %sfrom\n",
             has_code ? "  code   stack  " : "");
    for (int i = 0; i < p->kernels.n; i++) {
        const Kernel *k = p->kernels.at[i];
        text_add(out, "%6d  %-32s %14lld %13lld %14lld  ", i, k->name, (long long)k->macs,
                 (long long)k->bytes, (long long)arena_in_use(p, i));
        if (has_code) print_code(p, k, out);
        text_add(out, "%s\n", plain(p, k->comment, first_line(k->comment)));
    }
    text_add(out, "\n      offset         bytes  kernels        buffer\n");
    for (int i = 0; i < n; i++)
        text_add(out, "%12lld %13lld  %5d-%-5d    %s %s\n", (long long)map[i]->offset,
                 (long long)buffer_bytes(map[i]), map[i]->first_kernel, map[i]->last_kernel,
                 dtypes[map[i]->type].text, plain_name(p, map[i]->name));
    text_add(out, "\ntarget          %s\nkernels         %d\nmultiply-adds   %lld\n",
             p->target->name, p->kernels.n, (long long)t.macs);
    text_add(out, "weights         %lld bytes\narena           %lld bytes\n", (long long)t.weights,
             (long long)p->arena_bytes);
    text_add(out, "scratch         %lld bytes for each further thread\n",
             (long long)p->scratch_bytes);
    text_add(out, "inputs          %lld bytes\noutputs         %lld bytes\n", (long long)t.inputs,
             (long long)t.outputs);
    print_footprint(p, false, out);
}

static void json_string(Text *out, const char *text, int n) {
    text_add(out, "\"");
    for (int i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            text_add(out, "\\%c", c);
        else if (c < ' ' || c == 127)
            text_add(out, "\\u%04x", c);
        else
            text_add_bytes(out, text + i, 1);
    }
    text_add(out, "\"");
}

static void json_name(Text *out, const char *key, const char *text, int n) {
    text_add(out, "\"%s\": ", key);
    json_string(out, text ? text : "", n);
}

/* Of a kernel, where there are figures for the target. */
static void json_code(const Program *p, const Kernel *k, Text *out) {
    CodeParts parts;
    if (!code_is_known(p->target)) return;
    code_parts(p, k, &parts);
    text_add(out, ", \"code_bytes\": %lld, \"stack_bytes\": %lld, \"code_parts\": {",
             (long long)code_bytes(&parts), (long long)stack_bytes(k));
    for (int i = 0; i < CODE_COUNT; i++)
        text_add(out, "%s\"%s\": %lld", i ? ", " : "", code_part_names[i], (long long)parts.n[i]);
    text_add(out, "}");
}

/* How the kernel is computed, where there was a choice. */
static void json_choice(const Program *p, const Kernel *k, Text *out) {
    for (int i = 0; i < p->chosen.n; i++) {
        const Chosen *c = &p->chosen.at[i];
        if (c->kernel != k) continue;
        text_add(out, ", ");
        json_name(out, "node", c->node, (int)strlen(c->node));
        text_add(out, ", \"variant\": \"%s\", \"estimated_ms\": %.6g, \"effort\": {", c->variant,
                 1e-6 * effort_nanoseconds(&c->effort));
        for (int e = 0; e < COST_COUNT; e++)
            text_add(out, "%s\"%s\": %.9g", e ? ", " : "", cost_names[e], c->effort.n[e]);
        text_add(out, "}");
        return; /* of kernels that were joined, the first */
    }
}

static void print_json(const Program *p, Text *out) {
    Totals t = totals_of(p);
    int n;
    const Buffer **map = arena_map(p, &n);
    text_add(out, "{\n  \"kernels\": [");
    for (int i = 0; i < p->kernels.n; i++) {
        const Kernel *k = p->kernels.at[i];
        text_add(out, "%s\n    {", i ? "," : "");
        json_name(out, "name", k->name, (int)strlen(k->name));
        text_add(out, ", ");
        json_name(out, "from", k->comment, first_line(k->comment));
        text_add(out, ", \"multiply_adds\": %lld, \"bytes\": %lld, \"arena_in_use\": %lld",
                 (long long)k->macs, (long long)k->bytes, (long long)arena_in_use(p, i));
        json_code(p, k, out);
        json_choice(p, k, out);
        text_add(out, "}");
    }
    text_add(out, "\n  ],\n  \"arena\": [");
    for (int i = 0; i < n; i++) {
        text_add(out, "%s\n    {", i ? "," : "");
        json_name(out, "buffer", map[i]->name, (int)strlen(map[i]->name));
        text_add(out,
                 ", \"dtype\": \"%s\", \"offset\": %lld, \"bytes\": %lld, \"first_kernel\": %d, "
                 "\"last_kernel\": %d}",
                 dtypes[map[i]->type].text, (long long)map[i]->offset,
                 (long long)buffer_bytes(map[i]), map[i]->first_kernel, map[i]->last_kernel);
    }
    text_add(out, "\n  ],\n  \"target\": \"%s\", \"multiply_adds\": %lld,\n", p->target->name,
             (long long)t.macs);
    text_add(out,
             "  \"weights_bytes\": %lld, \"arena_bytes\": %lld, \"inputs_bytes\": %lld, "
             "\"outputs_bytes\": %lld, \"scratch_bytes\": %lld, \"ports\": %d",
             (long long)t.weights, (long long)p->arena_bytes, (long long)t.inputs,
             (long long)t.outputs, (long long)p->scratch_bytes, p->inputs.n + p->outputs.n);
    print_footprint(p, true, out);
    text_add(out, "\n}\n");
}

void program_report(const Program *p, bool json, Text *out) {
    if (json)
        print_json(p, out);
    else
        print_text(p, out);
}
