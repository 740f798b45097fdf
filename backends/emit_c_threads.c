/* emit_c_threads.c - what the forms of --threads put into the C file and its header beside the
 * kernels.
 *
 * In all of them a shared loop is asked for by parallel_for; they differ in who runs its parts. The
 * pool of
 * --threads=pthreads is the text of runtime/pool.h and pool.c. */
#include "emit_c_text.h"

#include <string.h>

static bool has_form(const Emit *e, ThreadsForm form) { return e->options->threads == form; }
static bool has_threads(const Emit *e) { return !has_form(e, THREADS_NONE); }

/* The static arena has room for so many; elsewhere there is no limit but the pool's. */
static bool has_limit(const Emit *e) {
    return has_threads(e) && !e->options->caller_arena && e->arena_bytes > 0;
}

/* The header. */

void threads_comment(const Emit *e, Text *out) {
    static const char *const who[] = {
        [THREADS_PTHREADS] =
            "so many threads run the model, the caller's among them; they end with",
        [THREADS_OPENMP] = "OpenMP runs the model in so many threads (compile with -fopenmp)",
        [THREADS_CALLBACK] = "the caller's parallel_for runs the model in so many parts",
    };
    if (!has_threads(e)) return;
    text_add(out, " * Argument threads of %s_init: %s", e->options->prefix,
             who[e->options->threads]);
    if (has_form(e, THREADS_PTHREADS)) text_add(out, " %s_stop", e->options->prefix);
    text_add(out, ".\n * The results do not depend on it.\n");
}

static void print_sizes(const Emit *e, Text *out) {
    const char *up = upper_prefix(e);
    text_add(
        out,
        "#define %s_SCRATCH_BYTES %lld /* that each thread but the first has behind the arena */\n",
        up, (long long)e->scratch_bytes);
    text_add(out,
             "#define %s_ARENA_SIZE(threads) \\\n    ((size_t)%s_ARENA_BYTES + (size_t)((threads) "
             "- 1) * "
             "%s_SCRATCH_BYTES)\n",
             up, up, up);
    if (has_limit(e))
        text_add(out, "#ifndef %s_MOST_THREADS\n#define %s_MOST_THREADS 16\n#endif\n", up, up);
    text_add(out, "\n");
}

static void print_pool_types(Text *out) {
    const char *end = strstr(pool_h_text, "/* The functions. */");
    text_add_bytes(out, pool_h_text, (size_t)(end - pool_h_text));
    text_add(out, "#endif\n\n");
}

void threads_types(const Emit *e, Text *out) {
    if (!has_threads(e)) return;
    const char *up = upper_prefix(e), *prefix = e->options->prefix;
    text_add(out, "#define %s_NO_THREAD 3 /* a thread could not be started */\n", up);
    print_sizes(e, out);
    if (has_form(e, THREADS_PTHREADS)) print_pool_types(out);
    if (has_form(e, THREADS_CALLBACK))
        text_add(out,
                 "/* Runs part(job, k) once for each 0 <= k < parts, in any order, side by side or "
                 "one after "
                 "the other;\n * all are done when it returns.  `context` is that of %s_init. */\n"
                 "typedef void %s_parallel_for(void *context, void (*part)(void *job, int k), void "
                 "*job, "
                 "int parts);\n\n",
                 prefix, prefix);
}

void threads_fields(const Emit *e, Text *out) {
    if (has_form(e, THREADS_PTHREADS)) text_add(out, "    struct sonoc_pool pool;\n");
    if (has_form(e, THREADS_OPENMP)) text_add(out, "    int threads;\n");
    if (has_form(e, THREADS_CALLBACK))
        text_add(out, "    int threads;\n    %s_parallel_for *parallel_for;\n    void *context;\n",
                 e->options->prefix);
}

void threads_arguments(const Emit *e, Text *out) {
    if (has_threads(e)) text_add(out, ", int threads");
    if (has_form(e, THREADS_CALLBACK))
        text_add(out, ", %s_parallel_for *parallel_for, void *context", e->options->prefix);
}

/* The functions that the header declares. */

void threads_checks(const Emit *e, Text *out) {
    const char *up = upper_prefix(e);
    if (!has_threads(e)) return;
    text_add(out, "    if (threads < 1");
    if (has_limit(e)) text_add(out, " || threads > %s_MOST_THREADS", up);
    if (has_form(e, THREADS_PTHREADS)) text_add(out, " || threads > SONOC_POOL_MOST");
    if (has_form(e, THREADS_CALLBACK)) text_add(out, " || !parallel_for");
    text_add(out, ") return %s_BAD_ARGUMENT;\n", up);
}

void threads_init(const Emit *e, Text *out) {
    if (has_form(e, THREADS_PTHREADS))
        text_add(out, "    if (sonoc_pool_start(&m->pool, threads)) return %s_NO_THREAD;\n",
                 upper_prefix(e));
    if (has_form(e, THREADS_OPENMP) || has_form(e, THREADS_CALLBACK))
        text_add(out, "    m->threads = threads;\n");
    if (has_form(e, THREADS_CALLBACK))
        text_add(out, "    m->parallel_for = parallel_for;\n    m->context = context;\n");
}

void threads_stop(const Emit *e, Text *out, bool declares) {
    const char *prefix = e->options->prefix;
    if (!has_form(e, THREADS_PTHREADS)) return;
    text_add(out, "%svoid %s_stop(struct %s *m)%s", declares ? "" : "\n", prefix, prefix,
             declares ? "; /* ends the threads */\n" : " {\n    sonoc_pool_stop(&m->pool);\n}\n");
}

/* Before the kernels. */

void threads_pool(const Emit *e, Text *out) {
    static const char own_include[] = "#include \"pool.h\"\n";
    if (!has_form(e, THREADS_PTHREADS)) return;
    const char *cut = strstr(pool_c_text, own_include);
    text_add(out, "\n#define SONOC_POOL_FUNCTION static __attribute__((unused))\n");
    text_add_bytes(out, pool_c_text, (size_t)(cut - pool_c_text));
    text_add(out, "%s", cut + sizeof own_include - 1);
}

static void print_openmp_runner(const Emit *e, Text *out) {
    text_add(
        out,
        "typedef void parallel_loop(void *captured, int64_t begin, int64_t end, int worker);\n\n"
        "/* Each thread gets a run of neighbouring iterations. */\n"
        "static __attribute__((unused)) void parallel_for(const struct %s *m, parallel_loop *loop, "
        "void *captured,\n        int64_t count) {\n"
        "    const int workers = m->threads;\n"
        "    const int64_t each = count / workers, more = count %% workers;\n"
        "#if defined(_OPENMP)\n#pragma omp parallel for num_threads(workers) schedule(static, 1)\n"
        "#endif\n"
        "    for (int worker = 0; worker < workers; worker++) {\n"
        "        const int64_t begin = each * worker + (worker < more ? worker : more);\n"
        "        const int64_t end = begin + each + (worker < more);\n"
        "        if (begin < end) loop(captured, begin, end, worker);\n    }\n}\n\n",
        e->options->prefix);
}

static void print_callback_runner(const Emit *e, Text *out) {
    text_add(
        out, "%s",
        "typedef void parallel_loop(void *captured, int64_t begin, int64_t end, int worker);\n\n"
        "struct parallel_job {\n    parallel_loop *loop;\n    void *captured;\n    int64_t count;\n"
        "    int parts;\n};\n\n"
        "/* Each part is a run of neighbouring iterations. */\n"
        "static __attribute__((unused)) void parallel_part(void *job, int k) {\n"
        "    const struct parallel_job *j = (const struct parallel_job *)job;\n"
        "    const int64_t each = j->count / j->parts, more = j->count % j->parts;\n"
        "    const int64_t begin = each * k + (k < more ? k : more);\n"
        "    j->loop(j->captured, begin, begin + each + (k < more), k);\n}\n\n");
    text_add(
        out,
        "static __attribute__((unused)) void parallel_for(const struct %s *m, parallel_loop *loop, "
        "void *captured,\n        int64_t count) {\n"
        "    struct parallel_job job = {loop, captured, count, count < m->threads ? (int)count : "
        "m->threads};\n"
        "    if (job.parts > 0) m->parallel_for(m->context, parallel_part, &job, "
        "job.parts);\n}\n\n",
        e->options->prefix);
}

void threads_runner(const Emit *e, Text *out) {
    if (has_form(e, THREADS_PTHREADS))
        text_add(out,
                 "INLINE void parallel_for(struct %s *m, sonoc_loop *loop, void *captured, int64_t "
                 "count) "
                 "{\n    sonoc_pool_run(&m->pool, loop, captured, count);\n}\n\n",
                 e->options->prefix);
    if (has_form(e, THREADS_OPENMP)) print_openmp_runner(e, out);
    if (has_form(e, THREADS_CALLBACK)) print_callback_runner(e, out);
}
