/* kept.c - compiled models that are kept: found again without being read, made anew when anything
 * differs.
 *
 *     library_kept FOLDER     as of library_api; works in copies of the models, and in FOLDER/cache
 */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static char folder[4096], cache[5000], model[5000], data[5000], plugin[5000];
static const char *backend;

static void run_shell(const char *format, const char *a, const char *b) {
    char command[12000];
    snprintf(command, sizeof command, format, a, b);
    if (system(command)) exit(1);
}

typedef struct Opened {
    float outputs[256];
    bool read; /* the model was, so it came not from the cache */
} Opened;

static void note_stage(void *context, enum sonoc_log kind, const char *text) {
    if (kind == SONOC_LOG_STAGE && !strcmp(text, "reading")) ((Opened *)context)->read = true;
}

static struct sonoc_options options_for(Opened *o) {
    struct sonoc_options options = SONOC_OPTIONS;
    *o = (Opened){.read = false};
    options.cache = cache;
    options.backend = backend;
    options.compiler = "cc -O1";
    options.log = note_stage;
    options.log_context = o;
    return options;
}

static void run_model(struct sonoc_model *m, Opened *to) {
    struct sonoc_error error;
    struct sonoc_context *c = sonoc_context_open(m, &error);
    CHECK_OK(c, error);
    fill(sonoc_input_buffer(c, 0), sonoc_input(m, 0)->count, 7);
    CHECK_OK(!sonoc_run(c, NULL, NULL, &error), error);
    CHECK(sonoc_output(m, 0)->bytes <= sizeof to->outputs);
    memcpy(to->outputs, sonoc_output_buffer(c, 0), sonoc_output(m, 0)->bytes);
    sonoc_context_close(c);
}

/* Opens and runs; tells whether the model was compiled for that. */
static bool compiles(const struct sonoc_options *options, Opened *o) {
    struct sonoc_error error;
    struct sonoc_model *m = sonoc_open(model, options, &error);
    CHECK_OK(m, error);
    CHECK(sonoc_input_count(m) == 1 && sonoc_input(m, 0)->dims[1] == 64 &&
          !strcmp(sonoc_output(m, 0)->name, "y"));
    run_model(m, o);
    sonoc_close(m);
    return o->read;
}

static bool compiles_usual(Opened *o) {
    struct sonoc_options options = options_for(o);
    return compiles(&options, o);
}

static void begin(void) {
    run_shell("rm -rf '%s'; cp '%s'/outside.* .", cache, folder);
    snprintf(model, sizeof model, "%s/copy/outside.onnx", folder);
    snprintf(data, sizeof data, "%s/copy/outside.data", folder);
}

static void test_found(void) {
    Opened first, again;
    CHECK(compiles_usual(&first));
    CHECK(!compiles_usual(&again));
    CHECK(!memcmp(first.outputs, again.outputs, sizeof first.outputs));
}

static void test_memory(void) {
    Opened o;
    struct sonoc_options options = options_for(&o);
    for (int i = 0; i < 2; i++) {
        o.read = false;
        struct sonoc_model *m = open_text(product_text, &options, NULL);
        CHECK(m && o.read == (i == 0) && sonoc_input_count(m) == 3);
        sonoc_close(m);
    }
}

/* What decides about the code decides about the entry. */
static void test_options(void) {
    Opened o;
    struct sonoc_options options = options_for(&o);
    CHECK(compiles_usual(&o));
    options.optimize = 1;
    CHECK(compiles(&options, &o));
    options = options_for(&o);
    options.exactness = SONOC_BIT;
    CHECK(compiles(&options, &o));
    options = options_for(&o);
    options.target = "baseline";
    CHECK(compiles(&options, &o));
    options = options_for(&o);
    options.passes = "infer";
    CHECK(compiles(&options, &o));
    CHECK(!compiles_usual(&o));
}

static void test_plugins(void) {
    Opened o;
    const char *const plugins[] = {plugin, NULL};
    struct sonoc_options options = options_for(&o);
    options.plugins = plugins;
    CHECK(compiles_usual(&o) && compiles(&options, &o));
    options = options_for(&o);
    options.plugins = plugins;
    CHECK(!compiles(&options, &o));
    run_shell("cp '%s' plugin.so && printf x >> plugin.so%s", plugin, "");
    options = options_for(&o);
    options.plugins = (const char *const[]){"plugin.so", NULL};
    CHECK(compiles(&options, &o));
}

static void enter_nothing(const struct sonoc_registry *r) { (void)r; }

/* What cannot be known again, or should not be kept, is not. */
static void test_not_kept(void) {
    Opened o;
    for (int i = 0; i < 2; i++) {
        struct sonoc_options options = options_for(&o);
        options.operators = (sonoc_registrar *const[]){enter_nothing, NULL};
        CHECK(compiles(&options, &o));
        options = options_for(&o);
        options.cache = "";
        CHECK(compiles(&options, &o));
        options = options_for(&o);
        options.cache_bytes = 100;
        CHECK(compiles(&options, &o));
        options = options_for(&o);
        options.backend = "interp";
        CHECK(compiles(&options, &o));
    }
    struct sonoc_options options = options_for(&o);
    options.cache = "/dev/null/cache";
    CHECK(compiles(&options, &o));
}

static void test_external_data(void) {
    Opened first, other, again;
    CHECK(compiles_usual(&first) && !compiles_usual(&again));
    run_shell("cp '%s' kept.data; head -c 64 /dev/zero | dd of='%s' conv=notrunc 2>/dev/null", data,
              data);
    CHECK(compiles_usual(&other) && memcmp(first.outputs, other.outputs, sizeof first.outputs));
    CHECK(!compiles_usual(&again) && !memcmp(other.outputs, again.outputs, sizeof other.outputs));
    run_shell("cp kept.data '%s'%s", data, "");
    CHECK(compiles_usual(&again) && !memcmp(first.outputs, again.outputs, sizeof first.outputs));
    struct sonoc_error error;
    struct sonoc_options options = options_for(&again);
    run_shell("rm '%s'%s", data, "");
    CHECK(!sonoc_open(model, &options, &error) && error.status == SONOC_REFUSED &&
          strstr(error.text, "outside.data"));
}

static void test_changed_model(void) {
    Opened o;
    CHECK(compiles_usual(&o));
    run_shell("printf '\\172\\000' >> '%s'%s", model, ""); /* a field that says nothing */
    CHECK(compiles_usual(&o) && !compiles_usual(&o));
}

static void test_damage(void) {
    static const int places[] = {8, 40, 4096, 8192 + 9, 12288 + 100};
    Opened first, o;
    CHECK(compiles_usual(&first));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char place[32];
        snprintf(place, sizeof place, "%d", places[i]);
        run_shell("for f in '%s'/*.model; do printf '\\253\\001\\177\\132' | dd of=$f bs=1 seek=%s "
                  "conv=notrunc 2>/dev/null; done",
                  cache, place);
        CHECK(compiles_usual(&o) && !memcmp(o.outputs, first.outputs, sizeof o.outputs));
        CHECK(!compiles_usual(&o));
    }
    run_shell("for f in '%s'/*.model; do head -c 5000 $f > short && cat short > $f; done%s", cache,
              "");
    CHECK(compiles_usual(&o) && !compiles_usual(&o));
    CHECK(!memcmp(o.outputs, first.outputs, sizeof o.outputs));
}

static void test_processes(void) {
    Opened first, o;
    pid_t children[6];
    CHECK(compiles_usual(&first));
    run_shell("rm -rf '%s'%s", cache, "");
    for (int c = 0; c < 6; c++) {
        children[c] = fork();
        CHECK(children[c] >= 0);
        if (children[c]) continue;
        for (int i = 0; i < 4; i++) {
            compiles_usual(&o);
            if (memcmp(first.outputs, o.outputs, sizeof o.outputs)) _exit(1);
        }
        _exit(o.read ? 2 : 0); /* by then it is kept */
    }
    for (int c = 0; c < 6; c++) {
        int status;
        CHECK(waitpid(children[c], &status, 0) == children[c] && status == 0);
    }
    run_shell("test $(ls '%s' | wc -l) = 2%s", cache, ""); /* the entry and the lock */
}

static const struct {
    const char *name;
    void (*test)(void);
} tests[] = {
    {"found", test_found},
    {"memory", test_memory},
    {"options", test_options},
    {"plugins", test_plugins},
    {"not kept", test_not_kept},
    {"external data", test_external_data},
    {"changed model", test_changed_model},
    {"damage", test_damage},
    {"processes", test_processes},
};

int main(int argc, char **argv) {
    if (argc != 2 || !realpath(argv[1], folder)) return 2;
    snprintf(cache, sizeof cache, "%s/cache", folder);
    snprintf(plugin, sizeof plugin, "%s/plugin.so", folder);
    run_shell("mkdir -p '%s/copy'%s", folder, "");
    char copy[5000];
    snprintf(copy, sizeof copy, "%s/copy", folder);
    if (chdir(copy)) return 1;
    for (int b = 0; sonoc_backend(b); b++) {
        backend = sonoc_backend(b);
        for (size_t i = 0; strcmp(backend, "interp") && i < sizeof tests / sizeof *tests; i++) {
            printf("%s: %s\n", backend, tests[i].name);
            fflush(stdout);
            begin();
            tests[i].test();
        }
    }
    return 0;
}
