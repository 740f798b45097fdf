/* pass.h - the graph passes and what drives them. */
#ifndef SONOC_PASS_H
#define SONOC_PASS_H

#include "graph.h"

typedef enum PassClass { CLASS_BIT, CLASS_REAL, CLASS_FAST } PassClass;
typedef enum RemarkKind { REMARK_MATCHED, REMARK_MISSED } RemarkKind;

typedef struct PassOptions PassOptions;

typedef bool PassFn(Graph *g, const PassOptions *options);    /* false: reported */

typedef struct Pass {
    const char *name;
    PassFn *run;
    PassClass promise;
    int level;                   /* the -O from which it runs */
    const char *summary;
    const char *after;           /* of a pass from outside the table: the row that it follows; NULL: runs if named */
    bool for_files;              /* only where the graph is written as ONNX */
} Pass;

typedef struct PassOrder { const char *late, *early, *why; } PassOrder;
typedef struct PassSetting { const char *pass, *name; int64_t standard; const char *what; } PassSetting;

/* What of a graph costs something: of the nodes that an output needs. */
typedef struct GraphCost {
    int64_t nodes, macs, bytes;  /* multiply-adds of convolutions and matrix products; bytes of all results */
} GraphCost;
GraphCost graph_cost(const Graph *g);

/* When a pass ran, or a group of them. */
typedef struct PassTime {
    const char *name;
    int depth;                   /* groups around it */
    double begin, end;           /* seconds, of a clock that only goes forward */
    int64_t rewrites;
} PassTime;

typedef struct Remark {
    RemarkKind kind;
    const char *pass;
    const char *node, *op;       /* where: the node's name, or that of its first output */
    const char *text;            /* what matched; or which condition failed of what nearly matched */
    int64_t rewrite;             /* MATCHED: its number, as --bisect-limit counts; from 1 */
    GraphCost saved;             /* MATCHED: measured around the rewrite; what grew is negative */
} Remark;

/* What the passes tell whoever runs them. */
typedef struct PassReport {
    VEC(Remark) remarks;
    VEC(PassTime) times;         /* a group before what is in it */
    int64_t rewrites;            /* that passes asked for */
    const char *last_pass, *last_node, *last_op;   /* of the last rewrite that was done; NULL: none was */
} PassReport;

struct PassOptions {
    int level;                   /* -O0 to -O3: rows of a higher level do not run */
    PassClass exactness;         /* nor do rows that promise less than this */
    int64_t fast_bits;           /* of weights that passes of class FAST round */
    int64_t fold_limit;          /* bytes of the largest constant that is computed */
    const char *only;            /* a pipeline in text instead of that of the table: "a,b,c" */
    const char *stop_after;      /* a pass, or NULL */
    const char *print_before;    /* a pass, or "all", or NULL: the graph is printed to stderr */
    const char *print_after;
    bool print_changed;          /* how each pass changed the text of the graph, to stderr */
    const char *dot;             /* a folder that gets a picture of the graph after each pass; NULL: none */
    bool verify_each;            /* graph_check after every pass; else after the last */
    bool limited;                /* no more than `rewrite_limit` rewrites are done */
    int64_t rewrite_limit;
    bool want_remarks;           /* remarks are collected in `report` */
    const Pass *more;            /* passes besides those of the table; one of the same name takes a row's place */
    int n_more;
    const struct RuleSet *rules; /* those of the user, after our own, or NULL: rule.h */
    bool keep_operators;         /* for a file: the standard pipeline stops where operators are taken apart for the lowering */
    PassReport *report;          /* NULL: nothing is told */
    struct PassCheck *check;     /* the promise of each pass is checked: passes_check sets it, else NULL */
    struct PassRun *run;         /* the run that calls the pass; kept by passes_run, NULL outside of one */
};

/* -O2, real, folding up to 64 MB. */
PassOptions pass_options_default(void);

/* The table; each ends with a name NULL. */
extern const Pass passes[];      /* in order */
extern const PassOrder pass_orders[];
extern const PassSetting pass_settings[];
extern const char pass_standard_pipeline[];    /* in text, of all levels */
extern const char *const pass_class_names[];

#define PASS(name, function, class, level, summary) PassFn function;
#include "passes.def"

const Pass *pass_find(const char *name);                     /* NULL if unknown */
const PassSetting *pass_setting_find(const char *pass, const char *name);
/* How far the results of a pass may be from those without it, as a part of the largest element; BIT: 0. */
double pass_bound(const Pass *p);

/* Runs the passes.  false: reported. */
bool passes_run(Graph *g, const PassOptions *options);

/* For passes.  A pass of level 1 or more asks before each rewrite, once it is sure that it matches; false: leave
 * the graph as it is here, and go on.  It counts, so that the rewrite that breaks something can be found. */
bool rewrite_allowed(Graph *g, const PassOptions *options, const Node *at);
/* The setting of the pass that runs, as the pipeline gives it, or the standard of passes.def. */
int64_t pass_setting(const PassOptions *options, const char *name);
/* Tells what matched (after rewrite_allowed), or what nearly did and which condition failed. */
void remark(Graph *g, const PassOptions *options, RemarkKind kind, const Node *at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
