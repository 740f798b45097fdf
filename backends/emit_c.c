/* emit_c.c - a program as one C11 file and a header: the frame around kernels and weights.
 *
 * The order in the file: prelude, kernels, weights, and at the end the functions that the header
 * declares. */
#include "emit_c_text.h"

#include <string.h>

const char *upper_prefix(const Emit *e) {
    char *text = arena_copy(e->arena, e->options->prefix, strlen(e->options->prefix));
    for (char *c = text; *c; c++)
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
    return text;
}

/* Ports. */

static void name_ports(Emit *e) {
    const Program *p = e->program;
    for (int i = 0; i < p->inputs.n; i++) {
        e->input_names[i] = names_take(&e->names, p->inputs.at[i].name);
        e->places[p->inputs.at[i].buffer->id] = e->input_names[i];
    }
    for (int i = 0; i < p->outputs.n; i++) {
        e->output_names[i] = names_take(&e->names, p->outputs.at[i].name);
        if (program_output_is_direct(p, i))
            e->places[p->outputs.at[i].buffer->id] = e->output_names[i];
    }
}

const char *buffer_place(Emit *e, const Buffer *b) {
    const char *type = c_type(b->type);
    if (buffer_is_placed(b))
        return arena_format(e->arena, "(%s *)(arena + %lld)", type, (long long)b->offset);
    if (b->kind == BUF_CONST && e->form == WEIGHTS_ARRAYS) return e->array_names[b->id];
    if (b->kind == BUF_CONST)
        return arena_format(e->arena, "(const %s *)(weights + %lld)", type,
                            (long long)e->image.offsets[b->id]);
    if (!e->places[b->id]) BUG(e->unit, "buffer '%s' has no place", b->name);
    return e->places[b->id];
}

static bool has_arena(const Emit *e) { return e->arena_bytes > 0; }
static bool has_image(const Emit *e) { return e->image.bytes > 0 && e->form != WEIGHTS_ARRAYS; }

static void print_signature(Emit *e, Text *out, const char *star) {
    const Program *p = e->program;
    const char *prefix = e->options->prefix;
    text_add(out, "int %s_run(struct %s *m", prefix, prefix);
    for (int i = 0; i < p->inputs.n; i++)
        text_add(out, ", const %s *%s", c_type(p->inputs.at[i].dtype), e->input_names[i]);
    for (int i = 0; i < p->outputs.n; i++)
        text_add(out, ", %s *%s", c_type(p->outputs.at[i].dtype), e->output_names[i]);
    text_add(out, ")%s", star);
}

static void print_init_signature(Emit *e, Text *out, const char *end) {
    const char *prefix = e->options->prefix;
    text_add(out, "int %s_init(struct %s *m%s%s", prefix, prefix,
             e->options->caller_arena ? ", void *arena" : "",
             e->form == WEIGHTS_FILE ? ", const void *weights, size_t weights_bytes" : "");
    threads_arguments(e, out);
    text_add(out, ")%s", end);
}

static void print_ports_signature(Emit *e, Text *out, const char *end) {
    const char *prefix = e->options->prefix;
    text_add(out,
             "int %s_run_ports(struct %s *m, const void *const *inputs, void *const *outputs)%s",
             prefix, prefix, end);
}

/* The header. */

static const char *type_note(DType t) {
    switch ((int)t) {
    case DT_BOOL: return ", a byte each, 0 or 1";
    case DT_F16: return ", the bits of a float16";
    case DT_BF16: return ", the bits of a bfloat16";
    case DT_U4: return ", a byte each, 0 to 15";
    case DT_I4: return ", a byte each, -8 to 7";
    default: return "";
    }
}

static void print_port_comment(Text *out, const Port *port, const char *name) {
    text_add(out, " *   %s: %s[", name, c_type(port->dtype));
    for (int d = 0; d < port->rank; d++)
        text_add(out, "%s%lld", d ? "," : "", (long long)port->dims[d]);
    text_add(out, "]%s", type_note(port->dtype));
    if (strcmp(name, port->name)) {
        text_add(out, " (");
        comment_print(out, " * ", port->name);
        text_add(out, ")");
    }
    text_add(out, "\n");
}

static const char *target_text(const Emit *e) {
    return e->n_plans == 1 ? e->program->target->name : "multi";
}

/* What the caller's arena must have, for the number of threads in the argument of init. */
static const char *arena_size(const Emit *e) {
    const char *up = upper_prefix(e);
    return arena_format(e->arena, e->options->threads ? "%s_ARENA_SIZE(threads)" : "%s_ARENA_BYTES",
                        up);
}

static void print_header_comment(Emit *e, Text *out) {
    const Program *p = e->program;
    const char *prefix = e->options->prefix, *up = upper_prefix(e);
    text_add(out, "/* %s\n * The model ", e->options->header_name);
    comment_print(out, " * ", p->name);
    text_add(out, ", made by sonoc for the target %s.  All arrays are row-major.\n *\n * Inputs:\n",
             target_text(e));
    for (int i = 0; i < p->inputs.n; i++)
        print_port_comment(out, &p->inputs.at[i], e->input_names[i]);
    text_add(out, " * Outputs:\n");
    for (int i = 0; i < p->outputs.n; i++)
        print_port_comment(out, &p->outputs.at[i], e->output_names[i]);
    text_add(out,
             " *\n * %s_init once, then %s_run as often as wanted.  Outputs must not overlap "
             "inputs or each other.\n",
             prefix, prefix);
    text_add(out, " * Both give %s_OK, or tell what is wrong and write nothing.\n", up);
    if (e->options->caller_arena)
        text_add(out,
                 " * The caller gives %s bytes of scratch memory, aligned to 64; there "
                 "is no global state.\n",
                 arena_size(e));
    else if (has_arena(e))
        text_add(out, " * The scratch memory is static: one run at a time in a process.\n");
    pages_comment(e, out);
    threads_comment(e, out);
    if (e->form == WEIGHTS_FILE)
        text_add(out,
                 " * The caller maps or reads the file of weights, %s_WEIGHTS_BYTES long, aligned "
                 "to 16.\n",
                 up);
    text_add(out, " * The bits of the results are the same on every machine unless denormals are "
                  "flushed to zero. */\n");
}

static void print_status_macros(const Emit *e, Text *out, const char *up) {
    text_add(out, "#define %s_OK 0\n", up);
    text_add(out, "#define %s_BAD_ARGUMENT 1 /* a NULL, or memory that is not aligned */\n", up);
    text_add(out, "#define %s_BAD_WEIGHTS 2 /* not the weights that this code was made with */\n",
             up);
    if (e->n_plans > 1) text_add(out, "#define %s_BAD_MACHINE 4 /* not even x86-64-v2 */\n", up);
    text_add(out, "\n");
}

static void print_struct(Emit *e, Text *out) {
    const char *prefix = e->options->prefix;
    text_add(out,
             "/* Set by %s_init. */\nstruct %s {\n    unsigned char *arena;\n    const unsigned "
             "char *weights;\n",
             prefix, prefix);
    if (e->options->profile)
        text_add(
            out,
            "    /* If not NULL, called before each kernel, and at the end with their number "
            "(%d). */\n"
            "    void (*before_kernel)(void *context, int kernel);\n    void *profile_context;\n",
            e->program->kernels.n);
    if (e->n_plans > 1) text_add(out, "    int version; /* of x86-64 that is run: 2, 3 or 4 */\n");
    threads_fields(e, out);
    text_add(out, "};\n\n");
}

static void print_header(Emit *e, Text *out) {
    const Program *p = e->program;
    const char *prefix = e->options->prefix, *up = upper_prefix(e);
    print_header_comment(e, out);
    text_add(out, "#ifndef %s_H\n#define %s_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n", up,
             up);
    text_add(out, "#define %s_ARENA_BYTES %lld\n#define %s_WEIGHTS_BYTES %lld\n", up,
             (long long)e->arena_bytes, up, (long long)e->image.bytes);
    text_add(out, "#define %s_INPUTS %d\n#define %s_OUTPUTS %d\n\n", up, p->inputs.n, up,
             p->outputs.n);
    print_status_macros(e, out, up);
    threads_types(e, out);
    text_add(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    print_struct(e, out);
    print_init_signature(e, out, ";\n");
    print_signature(e, out, ";\n");
    threads_stop(e, out, true);
    text_add(out, "\n");
    text_add(
        out,
        "/* For tools that find the model at run time. */\nstruct %s_port {\n    const char *name; "
        " /* of the model */\n"
        "    const char *dtype; /* f32, i64, ... */\n    int rank;\n    int64_t dims[%d];\n};\n",
        prefix, program_largest_rank(p));
    text_add(out, "extern const struct %s_port %s_input_ports[%d], %s_output_ports[%d];\n", prefix,
             prefix, p->inputs.n ? p->inputs.n : 1, prefix, p->outputs.n ? p->outputs.n : 1);
    print_ports_signature(e, out, ";\n");
    text_add(out, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
}

/* The functions at the end of the source. */

static void print_port_table(Emit *e, Text *out, const char *which, const Port *ports, int n) {
    const char *prefix = e->options->prefix;
    text_add(out, "\nconst struct %s_port %s_%s_ports[%d] = {\n", prefix, prefix, which, n ? n : 1);
    for (int i = 0; i < n; i++) {
        text_add(out, "    {%s, \"%s\", %d, {", quoted(e->arena, ports[i].name),
                 dtypes[ports[i].dtype].text, ports[i].rank);
        for (int d = 0; d < ports[i].rank; d++)
            text_add(out, "%sINT64_C(%lld)", d ? ", " : "", (long long)ports[i].dims[d]);
        text_add(out, "%s}},\n", ports[i].rank ? "" : "0");
    }
    text_add(out, "%s};\n", n ? "" : "    {\"\", \"\", 0, {0}},\n");
}

static void print_init_checks(Emit *e, Text *out) {
    const char *up = upper_prefix(e);
    threads_checks(e, out);
    if (e->options->caller_arena && has_arena(e))
        text_add(out, "    if (!arena || (uintptr_t)arena %% 64) return %s_BAD_ARGUMENT;\n", up);
    if (e->form != WEIGHTS_FILE) return;
    if (has_image(e))
        text_add(out, "    if (!weights || (uintptr_t)weights %% 16) return %s_BAD_ARGUMENT;\n",
                 up);
    text_add(out, "    if (weights_bytes != %s_WEIGHTS_BYTES) return %s_BAD_WEIGHTS;\n", up, up);
    if (has_image(e))
        text_add(out,
                 "    if (weights_hash((const unsigned char *)weights, weights_bytes) != "
                 "UINT64_C(0x%016llx))\n"
                 "        return %s_BAD_WEIGHTS;\n",
                 (unsigned long long)e->image_hash, up);
}

static void print_init(Emit *e, Text *out) {
    const char *up = upper_prefix(e), *prefix = e->options->prefix;
    bool threads = e->options->threads != THREADS_NONE;
    if (!e->options->caller_arena && has_arena(e))
        text_add(out,
                 "\nstatic union {\n    unsigned char bytes[%s%s];\n    double aligned;\n} "
                 "%s_arena __attribute__((aligned(64)));\n",
                 up,
                 threads ? arena_format(e->arena, "_ARENA_SIZE(%s_MOST_THREADS)", up)
                         : "_ARENA_BYTES",
                 prefix);
    pages_function(e, out);
    text_add(out, "\n");
    print_init_signature(e, out, " {\n");
    text_add(out, "    if (!m) return %s_BAD_ARGUMENT;\n", up);
    print_init_checks(e, out);
    if (e->options->caller_arena)
        text_add(out, "    m->arena = (unsigned char *)arena;\n");
    else if (has_arena(e))
        text_add(out, "    m->arena = %s_arena.bytes;\n", prefix);
    else
        text_add(out, "    m->arena = NULL;\n");
    pages_call(e, out);
    if (e->form == WEIGHTS_FILE)
        text_add(out, "    m->weights = (const unsigned char *)weights;\n");
    else if (!has_image(e))
        text_add(out, "    m->weights = NULL;\n");
    else
        text_add(out, "    m->weights = (const unsigned char *)%s_weights%s;\n", prefix,
                 e->form == WEIGHTS_LITERAL ? ".bytes" : "");
    if (e->n_plans > 1) version_choose(arena_format(e->arena, "%s_BAD_MACHINE", up), out);
    if (e->options->profile)
        text_add(out, "    m->before_kernel = NULL;\n    m->profile_context = NULL;\n");
    threads_init(e, out);
    text_add(out, "    return %s_OK;\n}\n", up);
    threads_stop(e, out, false);
}

static void print_null_checks(Emit *e, Text *out) {
    const Program *p = e->program;
    const char *up = upper_prefix(e);
    text_add(out, "    if (!m");
    if (has_arena(e)) text_add(out, " || !m->arena");
    if (has_image(e)) text_add(out, " || !m->weights");
    text_add(out, ") return %s_BAD_ARGUMENT;\n", up);
    for (int i = 0; i < p->inputs.n; i++)
        if (p->inputs.at[i].buffer->count)
            text_add(out, "    if (!%s) return %s_BAD_ARGUMENT;\n", e->input_names[i], up);
    for (int i = 0; i < p->outputs.n; i++)
        if (p->outputs.at[i].buffer->count)
            text_add(out, "    if (!%s) return %s_BAD_ARGUMENT;\n", e->output_names[i], up);
}

/* Outputs that are an input, a constant or another output as well are copied at the end. */
static void print_copies(Emit *e, Text *out) {
    const Program *p = e->program;
    for (int i = 0; i < p->outputs.n; i++) {
        const Buffer *b = p->outputs.at[i].buffer;
        if (program_output_is_direct(p, i) || !b->count) continue;
        text_add(out, "    memcpy(%s, %s, %lld);\n", e->output_names[i], buffer_place(e, b),
                 (long long)buffer_bytes(b));
    }
}

static bool uses_kind(const Emit *e, BufferKind kind) {
    for (int i = 0; i < e->program->buffers.n; i++)
        if (e->used[i] && e->program->buffers.at[i]->kind == kind) return true;
    return false;
}

static void print_hook(const Emit *e, Text *out, int kernel) {
    if (e->options->profile)
        text_add(out, "    if (m->before_kernel) m->before_kernel(m->profile_context, %d);\n",
                 kernel);
}

void run_print(Emit *e, bool is_version, Text *out) {
    const Program *p = e->program;
    text_add(out, is_version ? "\nstatic " : "\n");
    print_signature(e, out, " {\n");
    print_null_checks(e, out);
    if (uses_kind(e, BUF_ARENA) || uses_kind(e, BUF_SCRATCH))
        text_add(out, "    unsigned char *arena = m->arena;\n");
    if (has_image(e)) text_add(out, "    const unsigned char *weights = m->weights;\n");
    Text kernels = e->out;
    e->out = *out;
    for (int i = 0; i < p->kernels.n; i++) {
        print_hook(e, &e->out, i);
        kernel_call(e, i);
    }
    print_hook(e, &e->out, p->kernels.n);
    *out = e->out;
    e->out = kernels;
    print_copies(e, out);
    for (int i = 0; i < p->inputs.n; i++)
        if (!e->used[p->inputs.at[i].buffer->id])
            text_add(out, "    (void)%s;\n", e->input_names[i]);
    text_add(out, "    return %s_OK;\n}\n", upper_prefix(e));
}

/* Of a file with several plans. */
static void print_dispatch(Emit *const *versions, int n, Text *out) {
    Emit *e = versions[0];
    const Program *p = e->program;
    Text arguments = {.arena = e->arena};
    text_add(&arguments, "m");
    for (int i = 0; i < p->inputs.n; i++) text_add(&arguments, ", %s", e->input_names[i]);
    for (int i = 0; i < p->outputs.n; i++) text_add(&arguments, ", %s", e->output_names[i]);
    text_add(out, "\n");
    print_signature(e, out, " {\n");
    text_add(out, "    if (!m) return %s_BAD_ARGUMENT;\n", upper_prefix(e));
    version_call(versions, n, arguments.at, out);
    text_add(out, "}\n");
}

static void print_run_ports(Emit *e, Text *out) {
    const Program *p = e->program;
    const char *prefix = e->options->prefix;
    text_add(out, "\n");
    print_ports_signature(e, out, " {\n");
    text_add(out, "    if (%s%s) return %s_BAD_ARGUMENT;\n", p->inputs.n ? "!inputs || " : "",
             "!outputs", upper_prefix(e));
    if (!p->inputs.n) text_add(out, "    (void)inputs;\n");
    text_add(out, "    return %s_run(m", prefix);
    for (int i = 0; i < p->inputs.n; i++)
        text_add(out, ",\n        (const %s *)inputs[%d]", c_type(p->inputs.at[i].dtype), i);
    for (int i = 0; i < p->outputs.n; i++)
        text_add(out, ",\n        (%s *)outputs[%d]", c_type(p->outputs.at[i].dtype), i);
    text_add(out, ");\n}\n");
}

static void print_source(Emit *const *versions, int n, Text *out) {
    Emit *e = versions[0];
    const Program *p = e->program;
    text_add(out, "/* The model ");
    comment_print(out, " * ", p->name);
    text_add(out, " as C, made by sonoc for the target %s; %s tells how to use it. */\n",
             target_text(e), e->options->header_name);
    text_add(out, "#include \"%s\"\n\n", e->options->header_name);
    prelude_begin((const Emit *const *)versions, n, out);
    if (n == 1) {
        prelude_version(e, out);
        text_add_bytes(out, e->out.at, e->out.n);
    }
    for (int i = 0; n > 1 && i < n; i++) version_print(versions[i], i == 0, out);
    weights_source(e, out);
    print_port_table(e, out, "input", p->inputs.at, p->inputs.n);
    print_port_table(e, out, "output", p->outputs.at, p->outputs.n);
    print_init(e, out);
    if (n == 1)
        run_print(e, false, out);
    else
        print_dispatch(versions, n, out);
    print_run_ports(e, out);
    if (n == 1) prelude_end(e, out);
}

static Emit *emit_new(const Program *const *plans, int n_plans, const WeightsImage *images,
                      int number, const EmitOptions *options) {
    const Program *p = plans[number];
    Arena *a = plans[0]->unit->arena;
    Emit *e = NEW(a, Emit);
    int n = p->buffers.n + 1;
    e->program = p;
    e->options = options;
    e->unit = p->unit;
    e->arena = a;
    e->out.arena = a;
    e->plans = plans;
    e->n_plans = n_plans;
    e->images = images;
    e->image = images[number];
    for (int i = 0; i < n_plans; i++)
        if (plans[i]->arena_bytes > e->arena_bytes) e->arena_bytes = plans[i]->arena_bytes;
    for (int i = 0; i < n_plans; i++)
        if (plans[i]->scratch_bytes > e->scratch_bytes) e->scratch_bytes = plans[i]->scratch_bytes;
    e->buffer_names = NEW_ARRAY(a, const char *, n);
    e->array_names = NEW_ARRAY(a, const char *, n);
    e->places = NEW_ARRAY(a, const char *, n);
    e->written = NEW_ARRAY(a, bool, n);
    e->overlaps = NEW_ARRAY(a, bool, n);
    e->used = NEW_ARRAY(a, bool, n);
    e->of_worker = NEW_ARRAY(a, bool, n);
    e->kernel_names = NEW_ARRAY(a, const char *, p->kernels.n + 1);
    e->input_names = NEW_ARRAY(a, const char *, p->inputs.n + 1);
    e->output_names = NEW_ARRAY(a, const char *, p->outputs.n + 1);
    names_begin(&e->names, a, p->unit->names);
    return e;
}

static void reserve_names(Emit *e) {
    static const char *const suffixes[] = {
        "init", "run",   "run_ports", "input_ports", "output_ports",
        "port", "arena", "weights",   "stop",        "parallel_for"};
    static const char *const locals[] = {"m",       "arena",         "weights", "inputs",
                                         "outputs", "weights_bytes", "threads", "parallel_for",
                                         "context", "large_pages"};
    names_take(&e->names, e->options->prefix);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        names_take(&e->names, arena_format(e->arena, "%s_%s", e->options->prefix, suffixes[i]));
    /* parameters of the functions that call kernels: a kernel of such a name could not be called */
    for (size_t i = 0; i < sizeof locals / sizeof *locals; i++) names_take(&e->names, locals[i]);
}

static void take_names(Emit *e) {
    const Program *p = e->program;
    reserve_names(e);
    for (int i = 0; i < p->kernels.n; i++)
        e->kernel_names[i] = names_take(&e->names, p->kernels.at[i]->name);
    for (int i = 0; i < p->kernels.n; i++) kernel_take_names(e, i);
    program_find_used(p, e->used);
    weights_layout(e);
}

/* Plans up to what their kernels need; and what does not need the kernels' text. */
static Emit **emit_begin(const Program *const *plans, int n, const EmitOptions *options,
                         EmitResult *result) {
    Arena *a = plans[0]->unit->arena;
    WeightsImage *images = NEW_ARRAY(a, WeightsImage, n);
    Emit **versions = NEW_ARRAY(a, Emit *, n);
    weights_place_all(plans, n, images);
    for (int i = 0; i < n; i++) {
        versions[i] = emit_new(plans, n, images, i, options);
        take_names(versions[i]);
    }
    *result = (EmitResult){
        .source.arena = a, .header.arena = a, .weights.arena = a, .form = versions[0]->form};
    weights_file(versions[0], &result->weights);
    return versions;
}

void emit_c_plans(const Program *const *plans, int n, const EmitOptions *options,
                  EmitResult *result) {
    Emit **versions = emit_begin(plans, n, options, result);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < plans[i]->kernels.n; k++) kernel_emit(versions[i], k);
        name_ports(versions[i]);
    }
    print_header(versions[0], &result->header);
    print_source(versions, n, &result->source);
}

void emit_c(const Program *p, const EmitOptions *options, EmitResult *result) {
    emit_c_plans(&p, 1, options, result);
}

void emit_c_header(const Program *p, const EmitOptions *options, EmitResult *result) {
    Emit *e = emit_begin(&p, 1, options, result)[0];
    name_ports(e);
    print_header(e, &result->header);
}
