/* pass_table.c - what passes.def says, as data: the rows, their settings, bounds and order, and the
 * pipeline in text. */
#include "pass.h"

#include <string.h>

enum {
#define PASS(name, function, class, level, summary) PASS_##name,
#include "passes.def"
};

#define AFTER(late, early, why)                                                                    \
    _Static_assert(PASS_##early < PASS_##late, #early " runs before " #late ": " why);
#include "passes.def"

const Pass passes[] = {
#define PASS(name, function, class, level, summary)                                                \
    {#name, function, CLASS_##class, level, summary, NULL, false},
#define FILE_PASS(name, function, class, level, summary)                                           \
    {#name, function, CLASS_##class, level, summary, NULL, true},
#include "passes.def"
    {0},
};

const PassOrder pass_orders[] = {
#define AFTER(late, early, why) {#late, #early, why},
#include "passes.def"
    {0},
};

const PassSetting pass_settings[] = {
#define SETTING(pass, name, standard, what) {#pass, #name, standard, what},
#include "passes.def"
    {0},
};

static const struct {
    const char *pass;
    double relative;
} bounds[] = {
#define BOUND(pass, relative, why) {#pass, relative},
#include "passes.def"
    {0},
};

const char pass_standard_pipeline[] =
#define PASS(name, function, class, level, summary) #name ","
#define REPEAT(name) "("
#define END(name) ")*,"
#include "passes.def"
    "";

const char *const pass_class_names[] = {"BIT", "REAL", "FAST"};

const Pass *pass_find(const char *name) {
    for (const Pass *p = passes; p->name; p++)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}

const PassSetting *pass_setting_find(const char *pass, const char *name) {
    for (const PassSetting *s = pass_settings; s->pass; s++)
        if (!strcmp(s->pass, pass) && !strcmp(s->name, name)) return s;
    return NULL;
}

double pass_bound(const Pass *p) {
    static const double standard[] = {[CLASS_BIT] = 0, [CLASS_REAL] = 1e-5, [CLASS_FAST] = 2e-2};
    for (size_t i = 0; bounds[i].pass; i++)
        if (!strcmp(bounds[i].pass, p->name)) return bounds[i].relative;
    return standard[p->promise];
}
