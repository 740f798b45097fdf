/* plugins.c - fills the unit's registry: the folders of custom_ops/ (the build lists them), then shared objects. */
#include "plugins.h"

#include "custom.h"
#include <dlfcn.h>
#include <string.h>

typedef void Register(const struct sonoc_registry *r);

#define CUSTOM_OPS(folder) Register folder##_register;
#include "custom_ops.def"
#undef CUSTOM_OPS

static const struct { const char *name; Register *enter; } folders[] = {
#define CUSTOM_OPS(folder) {#folder, folder##_register},
#include "custom_ops.def"
#undef CUSTOM_OPS
    {NULL, NULL},
};

/* What is loaded stays: its functions are called until the end. */
static bool load(Session *s, const char *path) {
    const char *from = strchr(path, '/') ? path : arena_format(s->unit.arena, "./%s", path);
    void *object = dlopen(from, RTLD_NOW | RTLD_LOCAL);
    void *found = object ? dlsym(object, "sonoc_register") : NULL;
    Register *enter;
    memcpy(&enter, &found, sizeof enter);
    if (!enter) {
        const char *why = dlerror();
        return diag(&s->unit, NO_PLACE, D_PLUGIN, path, why ? why : "it has no sonoc_register");
    }
    return registry_enter(&s->unit, enter, path);
}

bool plugins_load(Session *s) {
    bool ok = true;
    for (int i = 0; folders[i].name; i++) ok &= registry_enter(&s->unit, folders[i].enter, folders[i].name);
    for (int i = 0; i < s->options->plugin.n; i++) ok &= load(s, s->options->plugin.at[i]);
    return ok;
}
