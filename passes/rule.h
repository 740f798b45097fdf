/* rule.h - rewrite rules in text: what is parsed, and what applies it.
 *
 *     rule silu: REAL level 2
 *         match y = Mul(x, Sigmoid(x))
 *         make  y = Swish(x) {alpha = 1.0}
 *
 * docs/rules.md tells how to write one; the grammar heads rule_parse.c. */
#ifndef SONOC_RULE_H
#define SONOC_RULE_H

#include "pass.h"

/* A number, a text or a list of numbers: what conditions and attributes are computed from.  DATUM_NONE: there is no
 * such thing (an attribute that is not given, the value of what is no constant); it makes a condition fail. */
typedef enum DatumKind { DATUM_NONE, DATUM_NUMBER, DATUM_TEXT, DATUM_LIST } DatumKind;

typedef struct Number {
    bool is_int;
    int64_t i;               /* is_int */
    double f;                /* always */
} Number;

typedef struct Datum {
    DatumKind kind;
    Number number;
    const char *text;
    const Number *items;
    int n;
} Datum;

typedef enum TermKind {
    TERM_NUMBER,             /* 0.5, ~0.7071 (near) */
    TERM_TEXT,               /* "tanh" */
    TERM_LIST,               /* [0, k + 1] */
    TERM_NAME,               /* x, ?b (may be absent) */
    TERM_ABSENT,             /* _ */
    TERM_OP,                 /* Conv(x, w) {group = 1} */
    TERM_CALL                /* a function or an operator of conditions */
} TermKind;

typedef struct Term Term;
typedef struct Match Match;

/* What a function of conditions is given. */
typedef struct Argument {
    const Value *value;
    Datum datum;
} Argument;

typedef struct RuleFunction {
    const char *name;
    const char *takes;       /* a letter each, v: a tensor, d: a datum; what stands after | may be left out */
    Datum (*run)(const Match *m, const Argument *a, int n);
    const char *summary;
} RuleFunction;
extern const RuleFunction rule_functions[];   /* ends with a name NULL */

typedef struct TermAttr {
    const AttrInfo *info;
    Term *value;
} TermAttr;

struct Term {
    TermKind kind;
    int line, column;
    Number number;
    bool near;               /* NUMBER: within 4 units in the last place of the value's type */
    bool optional;           /* NAME */
    const char *text;
    int slot;                /* NAME */
    const OpInfo *op;
    const RuleFunction *function;
    Term **args;             /* of OP, CALL; items of LIST */
    int n_args;
    TermAttr *attrs;
    int n_attrs;
    bool open;               /* OP in a pattern, {..}: attributes that are not named are free */
    int like;                /* OP in a replacement, {..y}: the slot whose node gives the others; -1: none */
};

typedef struct Statement {
    int *slots;              /* of its results; -1: _ */
    int n_slots;
    Term *term;
    int line, column;
} Statement;

/* `where TERM`, or `let NAME = TERM`. */
typedef struct Clause {
    int slot;                /* let; -1: where */
    Term *term;
    const char *text;        /* as it is written, for remarks */
} Clause;

typedef enum SlotKind { SLOT_UNKNOWN, SLOT_VALUE, SLOT_DATUM } SlotKind;
typedef struct Slot {
    const char *name;
    SlotKind kind;
    int statement;           /* of the pattern that defines it, or -1 */
    int result;              /* which of its results */
} Slot;

/* `example x: f32[2, 3], p = [0, 1]`: what instances of the rule are made from, instead of random things. */
typedef struct ExampleItem {
    int slot;
    DType dtype;             /* DT_NONE: no type is told */
    bool shaped;
    int rank;
    int64_t dims[MAX_RANK];
    bool is_constant;
    Datum datum;             /* DATUM_NONE: a constant without a value: random */
} ExampleItem;
typedef VEC(ExampleItem) Example;

typedef struct Rule {
    const char *name, *file;
    int line;
    PassClass promise;
    int level;
    VEC(Slot) slots;
    VEC(Statement) match, make;
    VEC(Clause) clauses;
    VEC(Example) examples;
    int root;                /* the statement of the pattern where matching begins */
    int n_ops;               /* operators in the pattern */
    int depth;               /* of the pattern, in nodes */
} Rule;

typedef struct RuleSet {
    VEC(Rule *) rules;
} RuleSet;

/* Adds the rules of a text.  false: reported, with line and column. */
bool rules_parse(Unit *u, const char *file, const char *text, RuleSet *set);
/* The rules that are built in. */
RuleSet *rules_built_in(Unit *u);

/* Texts of passes/rules/, embedded by CMake; ends with a name NULL. */
typedef struct RuleText {
    const char *name, *text;
} RuleText;
extern const RuleText rule_texts[];

/* The things that a match binds, by slot. */
typedef struct Binding {
    bool is_set;
    Value *value;            /* SLOT_VALUE; NULL: absent */
    Datum datum;
} Binding;

typedef VEC(Node *) NodeList;

enum { RULE_SLOTS = 48, RULE_STATEMENTS = 32 };

struct Match {
    Unit *unit;
    const Rule *rule;
    const NodeList *users;           /* by id of the value */
    Binding bound[RULE_SLOTS];
    Node *nodes[RULE_STATEMENTS];    /* of the pattern's statements */
    int trail[2 * RULE_SLOTS];       /* what was bound, in order; for going back */
    int n_trail;
    int64_t steps;                   /* left */
    const Clause *failed;            /* the condition that the pattern came furthest with; NULL: none was reached */
};

/* Whether the rule's pattern stands at a node, and its conditions hold.  Fills m. */
bool rule_match(Match *m, Unit *u, const Rule *rule, Node *root, const NodeList *users);

/* The value of a term of a condition or an attribute. */
Datum rule_eval(const Match *m, const Term *t);
bool datum_is_true(Datum d);
Datum datum_real(double x);
Datum datum_int(int64_t i);
Datum datum_attr(Unit *u, const Node *n, const AttrInfo *info);
/* The one element that all elements of a constant equal; false: it is no such constant. */
bool value_uniform(const Value *v, Number *x);
bool number_is(DType dtype, Number x, Number wanted, bool near);

typedef struct RulesDone {
    int64_t rewrites;
    const char *restless;    /* the rule that would go on for ever, or NULL */
} RulesDone;

/* Applies rules to a graph until none matches.  `only` NULL: all of at most this class and level. */
RulesDone rules_apply(Graph *g, const PassOptions *options, const RuleSet *const *sets, int n_sets, PassClass promise,
                      int level, const Rule *only);

/* Gives a node's results their types; false, without a word to the user: it cannot have any. */
bool rule_infer(Graph *g, Node *n);

/* A graph that a rule's pattern stands in, made from the rule's own text; `seed` chooses.  NULL: this seed gives
 * none.  The results that the rule replaces are its outputs. */
Graph *rule_instance(Unit *u, const Rule *rule, uint64_t seed);

#endif
