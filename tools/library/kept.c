/* kept.c - models from the cache, and into it.
 *
 * The key of an entry is a hash of the model, of everything that decides what it is compiled to,
 * and of what the code depends on.  External data is known only once a model was read: an entry
 * tells its files, and counts as absent when one of them has other contents now. */
#include "kept.h"

#include "build_id.h"
#include "file.h"
#include "meta.h"
#include "weights.h"
#include <inttypes.h>
#include <string.h>

enum { PART_LABEL, PART_META, PART_CODE, PART_WEIGHTS };

static CacheKey key_of_bytes(const void *bytes, size_t n) {
    CacheSpan span = {bytes, n};
    return cache_key(&span, 1);
}

/* Everything about the compilation that is not a file. */
static const char *settings_text(const Recipe *r) {
    const Driver *d = r->driver;
    const PassOptions *p = r->passes;
    Text text = {.arena = d->unit->arena};
    text_add(&text, "%s -O%d class %d of %" PRId64 " bits fold %" PRId64 " target %s plain %d",
             r->backend, p->level, (int)p->exactness, p->fast_bits, p->fold_limit, d->target->name,
             d->plain);
    text_add(&text, " passes '%s' stop '%s' limit %" PRId64, p->only ? p->only : "",
             p->stop_after ? p->stop_after : "", p->limited ? p->rewrite_limit : -1);
    for (int i = 0; i < d->n_dims; i++) text_add(&text, " dim '%s'", d->dims[i]);
#define LIMIT(field, standard, what)                                                               \
    text_add(&text, " " #field " %" PRId64, d->import.limits.field);
#include "limits.def"
#undef LIMIT
    return text.at;
}

typedef VEC(CacheSpan) Spans;

static void add_text(Arena *a, Spans *spans, const char *text) {
    vec_push(a, spans, ((CacheSpan){text, strlen(text)}));
}

static bool add_file(Unit *u, Spans *spans, const char *path) {
    Span bytes;
    if (file_try_map(u, path, &bytes)) return false;
    vec_push(u->arena, spans, ((CacheSpan){bytes.at, bytes.n}));
    return true;
}

/* The model is mapped here: what is hashed is what is compiled. */
static bool map_model(Driver *d, Span *bytes) {
    *bytes = (Span){0};
    if (d->bytes) return true;
    if (file_try_map(d->unit, d->path, bytes)) return false;
    d->bytes = bytes->at;
    d->n_bytes = bytes->n;
    return true;
}

/* false: a file cannot be read, and whoever needs it will say so. */
static bool find_key(const Recipe *r, const char *machine, CacheKey *key) {
    Driver *d = r->driver;
    Arena *a = d->unit->arena;
    Spans spans = {0};
    const char *dot = strrchr(d->path, '.');
    add_text(a, &spans, build_id(a));
    add_text(a, &spans, machine);
    add_text(a, &spans, settings_text(r));
    add_text(a, &spans, dot ? dot : "");
    if (d->rules && !add_file(d->unit, &spans, d->rules)) return false;
    if (d->choices && !add_file(d->unit, &spans, d->choices)) return false;
    add_text(a, &spans, d->choices ? "choices" : "");
    for (int i = 0; i < r->n_plugins; i++)
        if (!add_file(d->unit, &spans, r->plugins[i])) return false;
    Span mapped;
    if (!map_model(d, &mapped)) return false;
    vec_push(a, &spans, ((CacheSpan){d->bytes, d->n_bytes}));
    *key = cache_key(spans.at, spans.n);
    unit_forget(d->unit, mapped.at, mapped.n);
    return true;
}

/* Finding. */

static bool files_are_same(Unit *u, const MetaFiles *files) {
    Folder *folder = files->n ? folder_new(u, NULL) : NULL;
    for (int i = 0; i < files->n; i++) {
        const char *why, *location = name_intern(u->names, files->at[i].location);
        const Span *bytes = folder_map(folder, location, &why);
        if (!bytes) return false;
        CacheKey key = key_of_bytes(bytes->at, bytes->n);
        unit_forget(u, bytes->at, bytes->n);
        if (key.high != files->at[i].key.high || key.low != files->at[i].key.low) return false;
    }
    return true;
}

static void close_entry(void *entry) { cache_close(entry); }

/* An entry that is closed when the model's unit ends. */
static CacheEntry *entry_new(struct sonoc_model *m) {
    CacheEntry *entry = NEW(m->unit->arena, CacheEntry);
    unit_at_end(m->unit, close_entry, entry);
    return entry;
}

static bool load_code(struct sonoc_model *m, const Recipe *r, CacheSpan code, CacheSpan weights,
                      RunError *error) {
    const CodeBackend *b = code_backend_find(r->backend);
    m->opened = b->load(m->unit->arena, code.at, code.n, weights.at, weights.n, error);
    return m->opened;
}

static bool find_entry(struct sonoc_model *m, const Recipe *r, CacheKey key) {
    CacheEntry *entry = entry_new(m);
    MetaFiles files = {0};
    RunError error;
    if (!cache_open(r->cache, key, entry)) return false;
    const CacheSpan *parts = entry->parts;
    return meta_read(parts[PART_META].at, parts[PART_META].n, m, &files) &&
           files_are_same(m->unit, &files) &&
           load_code(m, r, parts[PART_CODE], parts[PART_WEIGHTS], &error);
}

/* Making. */

/* What is made of a model, in memory that outlives the making. */
typedef struct Made {
    Text meta, code;
    CacheEntry *entry; /* mapped, if it was kept */
    CacheSpan weights; /* if it was not */
} Made;

static void write_label(CacheWriter *w, const Recipe *r) {
    cache_write(w, r->driver->path, strlen(r->driver->path));
    cache_write(w, ": ", 2);
    const char *settings = settings_text(r);
    cache_write(w, settings, strcspn(settings, "'"));
}

static int64_t largest_constant(const Program *p, const WeightsImage *image) {
    int64_t most = 0;
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        int64_t bytes = image->offsets[i] < 0 ? 0 : buffer_bytes(b);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* The image of weights.h, one constant after the other: it is never in memory as a whole. */
static void write_weights(CacheWriter *w, const Program *p) {
    static const char zeros[WEIGHTS_ALIGN];
    WeightsImage image = weights_place(p);
    char *elements = arena_alloc(p->unit->arena, (size_t)largest_constant(p, &image));
    int64_t at = 0;
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (image.offsets[i] < 0 || !b->count) continue;
        if (image.offsets[i] < at || image.offsets[i] - at >= WEIGHTS_ALIGN)
            BUG(p->unit, "constant '%s' is out of its order in the image", b->name);
        size_t bytes = (size_t)buffer_bytes(b);
        constant_copy(b, elements);
        cache_write(w, zeros, (size_t)(image.offsets[i] - at));
        cache_write(w, elements, bytes);
        at = image.offsets[i] + (int64_t)bytes;
    }
    cache_write(w, zeros, (size_t)(image.bytes - at));
}

/* A writer that is still there when memory ends. */
static void abandon_writer(void *context) {
    CacheWriter **w = context;
    if (*w) cache_end(*w, false, 0, NULL);
}

/* false: it cannot be kept. */
static bool keep(const struct sonoc_model *m, const Recipe *r, CacheKey key, const Made *made) {
    CacheWriter **w = NEW(m->unit->arena, CacheWriter *);
    if (weights_place(m->program).bytes > r->cache_bytes) return false;
    unit_at_end(m->unit, abandon_writer, w);
    *w = cache_begin(r->cache, key);
    if (!*w) {
        diag_note(m->unit, "the compiled model cannot be kept in %s", r->cache);
        return false;
    }
    write_label(*w, r);
    cache_next_part(*w);
    cache_write(*w, made->meta.at, made->meta.n);
    cache_next_part(*w);
    cache_write(*w, made->code.at, made->code.n);
    cache_next_part(*w);
    write_weights(*w, m->program);
    bool kept = cache_end(*w, true, r->cache_bytes, made->entry);
    *w = NULL;
    return kept;
}

static CacheSpan make_weights(const Program *p) {
    WeightsImage image = weights_place(p);
    char *at = arena_alloc_large(unit_lasting(p->unit), (size_t)image.bytes);
    weights_fill(p, &image, at);
    return (CacheSpan){at, (size_t)image.bytes};
}

typedef struct Collected {
    Unit *unit;
    MetaFiles files;
} Collected;

static void collect_file(void *context, const char *location, const void *bytes, size_t n) {
    Collected *c = context;
    vec_push(c->unit->arena, &c->files, ((MetaFile){location, key_of_bytes(bytes, n)}));
}

/* Code first, weights then, in memory that the code's making has left. */
static bool make(struct sonoc_model *m, Recipe *r, const CacheKey *key, Made *made) {
    Collected collected = {.unit = m->unit};
    RunError error = {0};
    r->driver->import.on_file = key ? collect_file : NULL;
    r->driver->import.context = &collected;
    r->driver->make_later = true;
    m->program = r->compile(r->context);
    if (!m->program) return false;
    driver_stage(r->driver, "making code");
    model_fill(m, r->backend);
    meta_write(m, &collected.files, &made->meta);
    if (!code_backend_find(r->backend)->compile(m->program, r->compiler, &made->code, &error))
        return model_failed(m, &error);
    memory_trim();
    unit_forget_files(m->unit);
    driver_stage(r->driver, "packing weights");
    if (!key || !keep(m, r, *key, made)) made->weights = make_weights(m->program);
    return true;
}

static bool open_made(struct sonoc_model *m, const Recipe *r, const Made *made) {
    CacheSpan code = {made->code.at, made->code.n};
    MetaFiles files = {0};
    RunError error = {0};
    if (!meta_read(made->meta.at, made->meta.n, m, &files))
        BUG(m->unit, "what was written of the model makes no sense");
    return load_code(m, r, code,
                     made->entry->map ? made->entry->parts[PART_WEIGHTS] : made->weights, &error) ||
           model_failed(m, &error);
}

/* Graph and loops end before the model runs. */
static bool make_apart(struct sonoc_model *m, Recipe *r, const CacheKey *key) {
    Unit *u = m->unit;
    Made made = {.meta.arena = u->arena, .code.arena = u->arena, .entry = entry_new(m)};
    unit_part_begin(u);
    bool ok = make(m, r, key, &made);
    unit_part_end(u);
    m->program = NULL;
    unit_forget_files(u);
    memory_trim();
    return ok && open_made(m, r, &made);
}

static bool make_here(struct sonoc_model *m, const Recipe *r) {
    m->program = r->compile(r->context);
    if (!m->program) return false;
    driver_stage(r->driver, "making code");
    return model_open_program(m, r->backend, r->compiler);
}

bool model_make(struct sonoc_model *m, Recipe *r) {
    const CodeBackend *b = r->whole ? NULL : code_backend_find(r->backend);
    RunError error = {0};
    CacheKey key;
    m->backend = backend_find(r->backend);
    if (!b) return make_here(m, r);
    if (!r->cache) return make_apart(m, r, NULL);
    driver_stage(r->driver, "looking into the cache");
    const char *machine = b->machine(m->unit->arena, r->compiler, &error);
    if (!machine) return model_failed(m, &error);
    if (!find_key(r, machine, &key)) return make_apart(m, r, NULL);
    return find_entry(m, r, key) || make_apart(m, r, &key);
}
