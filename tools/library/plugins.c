/* plugins.c - fills the unit's registry: the folders of custom_ops/ (the build lists them), then
 * shared objects. */
#include "plugins.h"

#include "custom.h"
#include "diag.h"
#include <dlfcn.h>
#include <string.h>

typedef void Register(const struct sonoc_registry *r);

#define CUSTOM_OPS(folder) Register folder##_register;
#include "custom_ops.def"
#undef CUSTOM_OPS

static const struct {
    const char *name;
    Register *enter;
} folders[] = {
#define CUSTOM_OPS(folder) {#folder, folder##_register},
#include "custom_ops.def"
#undef CUSTOM_OPS
    {NULL, NULL},
};

static void unload(void *object) { dlclose(object); }

/* What is loaded stays until the unit ends: its functions are called until then. */
static bool load(Unit *u, const char *path) {
    const char *from = strchr(path, '/') ? path : arena_format(u->arena, "./%s", path);
    void *object = dlopen(from, RTLD_NOW | RTLD_LOCAL);
    void *found = object ? dlsym(object, "sonoc_register") : NULL;
    Register *enter;
    memcpy(&enter, &found, sizeof enter);
    const char *why = enter ? NULL : dlerror();
    if (object) unit_at_end(u, unload, object);
    if (!enter) return diag(u, NO_PLACE, D_PLUGIN, path, why ? why : "it has no sonoc_register");
    return registry_enter(u, enter, path);
}

bool plugins_load(Unit *u, const char *const *files, int n_files) {
    bool ok = true;
    for (int i = 0; folders[i].name; i++)
        ok &= registry_enter(u, folders[i].enter, folders[i].name);
    for (int i = 0; i < n_files; i++) ok &= load(u, files[i]);
    return ok;
}
