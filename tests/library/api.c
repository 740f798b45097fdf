/* api.c - libsonoc as its callers see it: what it answers, how it runs, what it refuses, and that
 * nothing stays behind.
 *
 *     library_api FOLDER      with small.onnx, outside.onnx (weights beside it) and plugin.so, as
 * tests/library.py makes them */
#include "check.h"

#include <dirent.h>
#include <math.h>
#include <unistd.h>

static const char *folder, *outside, *plugin, *cache;

static const char *in_folder(const char *name) {
    size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (!path) exit(1);
    snprintf(path, n, "%s/%s", folder, name);
    return path;
}

static void test_facts(void) {
    CHECK(strchr(sonoc_version(), '.'));
    CHECK(!strcmp(sonoc_dtype_name(SONOC_F32), "f32") && sonoc_dtype_bytes(SONOC_F32) == 4);
    CHECK(!sonoc_dtype_name(99) && !sonoc_dtype_bytes(99) && !sonoc_dtype_name(-1) &&
          !sonoc_dtype_name(0));
    int n = 0;
    while (sonoc_backend(n)) n++;
    CHECK(n >= 2 && !sonoc_backend(n) && !sonoc_backend(n + 1) && !sonoc_backend(-1));
}

static void test_ports(void) {
    struct sonoc_error error;
    struct sonoc_model *m = open_text(product_text, NULL, &error);
    CHECK_OK(m, error);
    CHECK(error.status == SONOC_OK && !*error.text);
    CHECK(sonoc_input_count(m) == 3 && sonoc_output_count(m) == 2);
    const struct sonoc_port *w = sonoc_input(m, 1);
    CHECK(!strcmp(w->name, "w") && w->dtype == SONOC_F32 && w->rank == 2 && w->dims[0] == 8 &&
          w->dims[1] == 16);
    CHECK(w->count == 128 && w->bytes == 512);
    CHECK(sonoc_find_input(m, "b") == 2 && sonoc_find_input(m, "z") == -1 &&
          sonoc_find_output(m, "z") == 1);
    CHECK(!sonoc_input(m, 3) && !sonoc_input(m, -1) && !sonoc_output(m, 2));
    sonoc_close(m);
}

static void compute(const float *x, const float *w, const float *b, double *y) {
    for (int i = 0; i < 64; i++) {
        y[i] = b[i % 16];
        for (int k = 0; k < 8; k++) y[i] += (double)x[i / 16 * 8 + k] * w[k * 16 + i % 16];
        y[i] = y[i] > 0 ? y[i] : 0;
    }
}

static void check_near(const float *got, const double *want, double (*through)(double)) {
    for (int i = 0; i < 64; i++) {
        double right = through ? through(want[i]) : want[i];
        CHECK(fabs(got[i] - right) <= 1e-5 * (1 + fabs(right)));
    }
}

/* The caller's buffers and the context's, mixed in every way, on every backend. */
static void run_mixed(struct sonoc_model *m) {
    struct sonoc_error error;
    float x[32], w[128], b[16], y[64], z[64];
    double want[64];
    struct sonoc_context *c = sonoc_context_open(m, &error);
    CHECK_OK(c, error);
    fill(x, 32, 1);
    fill(w, 128, 2);
    fill(b, 16, 3);
    compute(x, w, b, want);
    const void *inputs[] = {x, w, b};
    void *outputs[] = {y, z};
    CHECK_OK(!sonoc_run(c, inputs, outputs, &error), error);
    check_near(y, want, NULL);
    check_near(z, want, tanh);
    memcpy(sonoc_input_buffer(c, 1), w, sizeof w);
    inputs[1] = NULL;
    memset(y, 0, sizeof y);
    outputs[1] = NULL;
    CHECK_OK(!sonoc_run(c, inputs, outputs, NULL), error);
    check_near(y, want, NULL);
    check_near(sonoc_output_buffer(c, 1), want, tanh);
    memcpy(sonoc_input_buffer(c, 0), x, sizeof x);
    memcpy(sonoc_input_buffer(c, 2), b, sizeof b);
    CHECK_OK(!sonoc_run(c, NULL, NULL, &error), error);
    CHECK(!memcmp(sonoc_output_buffer(c, 0), y, sizeof y));
    CHECK(!sonoc_input_buffer(c, 3) && !sonoc_output_buffer(c, -1));
    CHECK((size_t)sonoc_input_buffer(c, 0) % 64 == 0);
    sonoc_context_close(c);
}

static void test_runs(void) {
    for (int i = 0; sonoc_backend(i); i++) {
        struct sonoc_options options = SONOC_OPTIONS;
        struct sonoc_error error;
        options.backend = sonoc_backend(i);
        struct sonoc_model *m = open_text(product_text, &options, &error);
        CHECK_OK(m, error);
        run_mixed(m);
        sonoc_close(m);
    }
}

/* What a model holds stays as long as a context does. */
static void test_order_of_closing(void) {
    struct sonoc_model *m = sonoc_open(outside, NULL, NULL);
    struct sonoc_context *one = sonoc_context_open(m, NULL), *two = sonoc_context_open(m, NULL);
    sonoc_close(m);
    sonoc_context_close(one);
    CHECK(sonoc_run(two, NULL, NULL, NULL) == SONOC_OK);
    sonoc_context_close(two);
    sonoc_context_close(NULL);
    sonoc_close(NULL);
}

typedef struct Log {
    int stages, notes, errors;
    char last_error[256];
} Log;

static void keep_log(void *context, enum sonoc_log kind, const char *text) {
    Log *log = context;
    log->stages += kind == SONOC_LOG_STAGE;
    log->notes += kind == SONOC_LOG_NOTE;
    log->errors += kind == SONOC_LOG_ERROR;
    if (kind == SONOC_LOG_ERROR) snprintf(log->last_error, sizeof log->last_error, "%s", text);
}

static void expect(const char *path, const struct sonoc_options *options, enum sonoc_status status,
                   const char *part) {
    struct sonoc_error error;
    struct sonoc_model *m = sonoc_open(path, options, &error);
    CHECK(!m);
    CHECK_OK(error.status == status && strstr(error.text, part), error);
}

static void expect_text(const char *text, const struct sonoc_options *options,
                        enum sonoc_status status, const char *part) {
    struct sonoc_error error;
    struct sonoc_model *m = open_text(text, options, &error);
    CHECK(!m);
    CHECK_OK(error.status == status && strstr(error.text, part), error);
}

static void test_wrong_options(void) {
    const char *dims[] = {"batch=none", NULL}, *plugins[] = {"no_such.so", NULL};
    struct {
        struct sonoc_options options;
        enum sonoc_status status;
        const char *part;
    } wrong[] = {
        {SONOC_OPTIONS, SONOC_USAGE, "SONOC_OPTIONS"},
        {SONOC_OPTIONS, SONOC_USAGE, "optimize is 4"},
        {SONOC_OPTIONS, SONOC_USAGE, "exactness is 7"},
        {SONOC_OPTIONS, SONOC_USAGE, "threads is -1"},
        {SONOC_OPTIONS, SONOC_USAGE, "backend 'abacus'"},
        {SONOC_OPTIONS, SONOC_USAGE, "target 'abacus'"},
        {SONOC_OPTIONS, SONOC_USAGE, "batch=none"},
        {SONOC_OPTIONS, SONOC_USAGE, "no pass 'fly'"},
        {SONOC_OPTIONS, SONOC_REFUSED, "no_such.rules"},
        {SONOC_OPTIONS, SONOC_REFUSED, "no_such.so"},
        {SONOC_OPTIONS, SONOC_REFUSED, "C compiler failed"},
        {SONOC_OPTIONS, SONOC_LIMIT, "memory limit"},
    };
    wrong[0].options.size = 3;
    wrong[1].options.optimize = 4;
    memset(&wrong[2].options.exactness, 7, 1);
    wrong[3].options.threads = -1;
    wrong[4].options.backend = "abacus";
    wrong[5].options.target = "abacus";
    wrong[6].options.dims = dims;
    wrong[7].options.passes = "fly";
    wrong[8].options.rules = "no_such.rules";
    wrong[9].options.plugins = plugins;
    wrong[10].options.backend = "c";
    wrong[10].options.compiler = "false";
    wrong[11].options.max_memory = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        wrong[i].options.cache = i % 2 ? "" : cache;
        expect_text(product_text, &wrong[i].options, wrong[i].status, wrong[i].part);
    }
}

static void test_wrong_models(void) {
    Log log = {0};
    struct sonoc_options options = SONOC_OPTIONS;
    options.log = keep_log;
    options.log_context = &log;
    expect(NULL, NULL, SONOC_USAGE, "path is missing");
    expect("", NULL, SONOC_USAGE, "path is missing");
    expect("no_such.onnx", NULL, SONOC_REFUSED, "No such file");
    expect(folder, NULL, SONOC_REFUSED, "directory");
    expect_text("graph g(%x: f32[2]) -> (%y) {\n    %y = Fly(%x)\n}\n", &options, SONOC_REFUSED,
                "Fly");
    CHECK(log.errors == 1 && strstr(log.last_error, "Fly"));
    struct sonoc_error error;
    CHECK(!sonoc_open_memory("\x89PNG", 4, NULL, NULL, &error) && strstr(error.text, "memory: ") &&
          strstr(error.text, "PNG"));
    CHECK(!sonoc_open_memory(NULL, 9, NULL, NULL, &error) && error.status == SONOC_REFUSED);
    CHECK(!sonoc_open_memory("", 0, NULL, NULL, NULL));
    CHECK(open_text("", NULL, &error) == NULL && error.status == SONOC_REFUSED);
}

/* Where many things are wrong, the text ends within its room. */
static void test_long_error(void) {
    static char text[1 << 16];
    size_t n = (size_t)sprintf(text, "graph g(%%x: f32[2]) -> (%%y) {\n");
    for (int i = 0; i < 900; i++)
        n += (size_t)sprintf(text + n, "    %%v%d = Operator%d(%%x)\n", i, i);
    sprintf(text + n, "    %%y = Relu(%%x)\n}\n");
    struct sonoc_error error;
    memset(&error, 'x', sizeof error);
    CHECK(!open_text(text, NULL, &error));
    CHECK(memchr(error.text, 0, sizeof error.text) && strstr(error.text, "Operator0"));
}

static void test_stages(void) {
    Log log = {0};
    struct sonoc_options options = SONOC_OPTIONS;
    options.log = keep_log;
    options.log_context = &log;
    options.cache = "";
    struct sonoc_model *m = open_text(product_text, &options, NULL);
    CHECK(m && log.stages >= 4 && log.errors == 0);
    sonoc_close(m);
}

/* example::Twice: x + x. */
static sonoc_x twice_element(const struct sonoc *s, const struct sonoc_node *n, const sonoc_x *x) {
    (void)n;
    return s->add(s, x[0], x[0]);
}

static void enter_twice(const struct sonoc_registry *r) {
    static const struct sonoc_op twice = {.api = SONOC_API,
                                          .domain = "example",
                                          .name = "Twice",
                                          .min_inputs = 1,
                                          .max_inputs = 1,
                                          .element = twice_element};
    r->add_op(r, &twice);
}

static void run_operator(const char *text, const struct sonoc_options *options, const float *want) {
    struct sonoc_error error;
    const float x[] = {-1, 0.25f, 3};
    const void *inputs[] = {x};
    struct sonoc_model *m = open_text(text, options, &error);
    CHECK_OK(m, error);
    struct sonoc_context *c = sonoc_context_open(m, NULL);
    CHECK(sonoc_run(c, inputs, NULL, NULL) == SONOC_OK);
    CHECK(!memcmp(sonoc_output_buffer(c, 0), want, sizeof x));
    sonoc_context_close(c);
    sonoc_close(m);
}

static void test_operators(void) {
    static const char twice[] = "graph g(%x: f32[3]) -> (%y) {\n    %y = example::Twice(%x)\n}\n";
    static const char soft[] =
        "graph g(%x: f32[3]) -> (%y) {\n    %y = example::SoftThreshold(%x)\n}\n";
    sonoc_registrar *const own[] = {enter_twice, NULL}, *const same[] = {enter_twice, enter_twice,
                                                                         NULL};
    const char *const plugins[] = {plugin, NULL};
    struct sonoc_options options = SONOC_OPTIONS;
    expect_text(twice, &options, SONOC_REFUSED, "Twice");
    options.operators = own;
    run_operator(twice, &options, (const float[]){-2, 0.5f, 6});
    expect_text(soft, &options, SONOC_REFUSED, "SoftThreshold");
    options.plugins = plugins;
    run_operator(soft, &options, (const float[]){-0.5f, 0, 2.5f});
    options.operators = same;
    expect_text(twice, &options, SONOC_REFUSED, "operators[1]");
}

/* An allocator that counts, and may fail. */
typedef struct Meter {
    long left, blocks, bytes, asked;
} Meter;

static void *meter_allocate(void *context, size_t bytes) {
    Meter *m = context;
    m->asked++;
    if (m->left-- <= 0) return NULL;
    m->blocks++;
    m->bytes += (long)bytes;
    void *at = aligned_alloc(16, (bytes + 15) / 16 * 16);
    return at ? memset(at, 0xa5, bytes) : NULL;
}

static void meter_release(void *context, void *at, size_t bytes) {
    Meter *m = context;
    m->blocks--;
    m->bytes -= (long)bytes;
    free(at);
}

/* true: everything had memory. */
static bool run_metered(Meter *meter, const char *backend, const char *kept) {
    struct sonoc_allocator allocator = {meter_allocate, meter_release, meter};
    struct sonoc_options options = SONOC_OPTIONS;
    struct sonoc_error error = {.status = SONOC_OK};
    options.allocator = &allocator;
    options.backend = backend;
    options.cache = kept;
    struct sonoc_model *m = sonoc_open(outside, &options, &error);
    struct sonoc_context *c = m ? sonoc_context_open(m, &error) : NULL;
    if (c) sonoc_run(c, NULL, NULL, &error);
    sonoc_context_close(c);
    sonoc_close(m);
    CHECK_OK(error.status == SONOC_OK || (error.status != SONOC_MISTAKE && *error.text), error);
    CHECK(meter->blocks == 0 && meter->bytes == 0);
    return error.status == SONOC_OK;
}

static int count_entries(const char *path) {
    DIR *dir = opendir(path);
    int n = 0;
    while (dir && readdir(dir)) n++;
    if (dir) closedir(dir);
    return n;
}

/* Whichever request for memory fails: it is told, and nothing stays behind. */
static void fail_each(const char *backend, const char *kept) {
    Meter meter = {.left = 1000000000};
    CHECK(run_metered(&meter, backend, kept) && meter.asked >= 5);
    int files = count_entries("/proc/self/fd");
    for (long n = 0;; n++) {
        meter = (Meter){.left = n};
        if (run_metered(&meter, backend, kept)) break;
        CHECK(n < 100000);
    }
    CHECK(count_entries("/proc/self/fd") == files);
}

static void test_allocator(void) {
    fail_each("interp", "");
    fail_each(NULL, cache); /* after the first it is kept */
}

static long resident_pages(void) {
    long all, resident = -1;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &all, &resident) != 2) exit(1);
    fclose(f);
    return resident;
}

static int count_mappings(void) {
    FILE *f = fopen("/proc/self/maps", "r");
    int n = 0;
    for (int c; f && (c = getc(f)) != EOF;) n += c == '\n';
    if (f) fclose(f);
    return n;
}

static void open_run_close(const char *path, const struct sonoc_options *options) {
    struct sonoc_error error;
    struct sonoc_model *m = sonoc_open(path, options, &error);
    CHECK_OK(m, error);
    struct sonoc_context *c = sonoc_context_open(m, &error);
    CHECK_OK(c && !sonoc_run(c, NULL, NULL, &error), error);
    sonoc_context_close(c);
    sonoc_close(m);
}

static void do_rounds(const char *backend, const char *kept) {
    const char *const plugins[] = {plugin, NULL};
    struct sonoc_options options = SONOC_OPTIONS;
    options.plugins = plugins;
    options.backend = backend;
    options.cache = kept;
    for (int i = 0; i < 20; i++) open_run_close(outside, &options);
    long pages = resident_pages();
    int mappings = count_mappings(), files = count_entries("/proc/self/fd");
    for (int i = 0; i < 200; i++) open_run_close(outside, &options);
    long grown = (resident_pages() - pages) * sysconf(_SC_PAGESIZE);
    printf("200 rounds: %ld KiB more, %d mappings more\n", grown / 1024,
           count_mappings() - mappings);
    CHECK(grown < 2 << 20);
    CHECK(count_mappings() - mappings < 4 && count_entries("/proc/self/fd") == files);
}

/* Compiled anew in every round; and from the cache. */
static void test_rounds_compiled(void) { do_rounds(NULL, ""); }
static void test_rounds_kept(void) { do_rounds(NULL, cache); }
static void test_rounds_interpreted(void) { do_rounds("interp", ""); }

static const struct {
    const char *name;
    void (*test)(void);
} tests[] = {
    {"facts", test_facts},
    {"ports", test_ports},
    {"runs", test_runs},
    {"order of closing", test_order_of_closing},
    {"wrong options", test_wrong_options},
    {"wrong models", test_wrong_models},
    {"long error", test_long_error},
    {"stages", test_stages},
    {"operators", test_operators},
    {"allocator", test_allocator},
    {"rounds, compiled", test_rounds_compiled},
    {"rounds, kept", test_rounds_kept},
    {"rounds, interpreted", test_rounds_interpreted},
};

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    folder = argv[1];
    outside = in_folder("outside.onnx");
    plugin = in_folder("plugin.so");
    cache = in_folder("api_cache");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        printf("%s\n", tests[i].name);
        fflush(stdout);
        tests[i].test();
    }
    return 0;
}
