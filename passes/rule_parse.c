/* rule_parse.c - rules in text, read.
 *
 *     rule      = "rule" name ":" ("BIT" | "REAL" | "FAST") "level" integer
 *                 "match" statement {statement} {"where" term | "let" name "=" term}
 *                 "make" statement {statement} {"example" item {"," item}}
 *     statement = result {"," result} "=" term                     result: name | "_"
 *     term      = the usual operators: or, and, not, == != < <= > >=, + -, * / %, -
 *     primary   = number | "~" number | string | "[" [term {"," term}] "]" | name ["[" term "]"] |
 * "?" name | "_" | function "(" [term {"," term}] ")" | "(" term ")" | [domain "::"] Operator "("
 * [term {"," term}] ")" ["{" attribute {"," attribute} "}"] attribute = name "=" term | ".." [name]
 *     item      = name ":" type ["=" (number | list | "constant")] | name "=" (number | list |
 * string)
 *
 * An operator begins with a capital, a name does not.  In a pattern a term is an operator, a name,
 * a number or a list of numbers; in conditions and attributes it has no operators of the graph. "#"
 * begins a comment.  After an error reading goes on with the next rule. */
#include "rule.h"

#include "graph_text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum Mode { MODE_PATTERN, MODE_PATTERN_ATTR, MODE_CONDITION, MODE_MAKE } Mode;

enum { MAX_NESTING = 40 };

typedef struct Parser {
    Unit *unit;
    const char *file, *at, *line_start;
    int line, depth;
    bool failed; /* what follows an error in a rule is not looked at */
    Rule *rule;
    Mode mode;
    int word_line, word_column; /* of the last name, number or string */
} Parser;

static bool fail_at(Parser *p, int line, int column, const char *format, va_list args) {
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    if (!p->failed) diag(p->unit, NO_PLACE, D_RULE_TEXT, p->file, line, column, text);
    p->failed = true;
    return false;
}

static bool fail(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(Parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(p, p->line, (int)(p->at - p->line_start) + 1, format, args);
    va_end(args);
    return false;
}

static bool fail_term(Parser *p, const Term *t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail_term(Parser *p, const Term *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(p, t->line, t->column, format, args);
    va_end(args);
    return false;
}

/* At the last word. */
static bool fail_word(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail_word(Parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(p, p->word_line, p->word_column, format, args);
    va_end(args);
    return false;
}

/* At the rule's head. */
static bool fail_rule(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail_rule(Parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fail_at(p, p->rule->line, 1, format, args);
    va_end(args);
    return false;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static char peek(Parser *p) { return text_peek(&p->at, &p->line, &p->line_start); }

static bool at_token(Parser *p, const char *token) {
    size_t n = strlen(token);
    peek(p);
    return !strncmp(p->at, token, n) && !(is_word(token[n - 1]) && is_word(p->at[n]));
}

static bool accept(Parser *p, const char *token) {
    if (p->failed || !at_token(p, token)) return false;
    p->at += strlen(token);
    return true;
}

static bool expect(Parser *p, const char *token) {
    return accept(p, token) || fail(p, "'%s' is expected", token);
}

static bool at_keyword(Parser *p) {
    static const char *const words[] = {"rule",    "match", "where", "let", "make",
                                        "example", "and",   "or",    "not"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (at_token(p, words[i])) return true;
    return false;
}

static void mark_word(Parser *p) {
    peek(p);
    p->word_line = p->line;
    p->word_column = (int)(p->at - p->line_start) + 1;
}

static const char *parse_word(Parser *p, const char *what) {
    mark_word(p);
    const char *start = p->at;
    if (!is_word(*p->at) || isdigit((unsigned char)*p->at) || at_keyword(p)) {
        fail(p, "%s is expected", what);
        return "";
    }
    while (is_word(*p->at)) p->at++;
    return name_intern_n(p->unit->names, start, (size_t)(p->at - start));
}

static const char *parse_string(Parser *p) {
    mark_word(p);
    const char *start = ++p->at;
    while (*p->at && *p->at != '"' && *p->at != '\n') p->at++;
    if (*p->at != '"') {
        fail_word(p, "a string does not end");
        return "";
    }
    return name_intern_n(p->unit->names, start, (size_t)(p->at++ - start));
}

static Number parse_number(Parser *p) {
    Number x = {.is_int = true};
    char *end;
    mark_word(p);
    if (accept(p, "inf")) return (Number){.f = INFINITY};
    if (accept(p, "true")) return (Number){true, 1, 1};
    if (accept(p, "false")) return x;
    if (!isdigit((unsigned char)peek(p))) {
        fail(p, "a number is expected");
        return x;
    }
    x.f = strtod(p->at, &end);
    for (const char *c = p->at; c < end; c++) x.is_int &= isdigit((unsigned char)*c) != 0;
    x.is_int &= fabs(x.f) < 0x1p53;
    if (is_word(*end)) fail_word(p, "this is no number");
    p->at = end;
    if (x.is_int) x.i = (int64_t)x.f;
    return x;
}

static Number negated(Number x) {
    x.i = -x.i;
    x.f = -x.f;
    return x;
}

static Term *term_new(Parser *p, TermKind kind) {
    peek(p);
    Term *t = NEW(p->unit->arena, Term);
    *t = (Term){.kind = kind,
                .line = p->line,
                .column = (int)(p->at - p->line_start) + 1,
                .slot = -1,
                .like = -1};
    return t;
}

static void term_add(Parser *p, Term *t, Term *arg) {
    Term **args = NEW_ARRAY(p->unit->arena, Term *, t->n_args + 1);
    if (t->n_args) memcpy(args, t->args, (size_t)t->n_args * sizeof *args);
    args[t->n_args++] = arg;
    t->args = args;
}

/* Slots. */

static int find_slot(const Parser *p, const char *name) {
    for (int i = 0; i < p->rule->slots.n; i++)
        if (p->rule->slots.at[i].name == name) return i;
    return -1;
}

/* The slot of a name that may be new. */
static int declare(Parser *p, const char *name, SlotKind kind) {
    int i = find_slot(p, name);
    if (i < 0) {
        if (p->rule->slots.n == RULE_SLOTS) {
            fail(p, "a rule has at most %d names", RULE_SLOTS);
            return 0;
        }
        Slot slot = {.name = name, .kind = kind, .statement = -1};
        vec_push(p->unit->arena, &p->rule->slots, slot);
        return p->rule->slots.n - 1;
    }
    if (p->rule->slots.at[i].kind != kind)
        fail_word(p, "'%s' is a tensor here and a number there", name);
    return i;
}

static int use_name(Parser *p, const char *name) {
    if (p->failed) return 0;
    if (p->mode == MODE_PATTERN) return declare(p, name, SLOT_VALUE);
    if (p->mode == MODE_PATTERN_ATTR) return declare(p, name, SLOT_DATUM);
    int i = find_slot(p, name);
    if (i < 0) fail_word(p, "nothing is called '%s'", name);
    return i < 0 ? 0 : i;
}

/* Terms. */

static Term *parse_term(Parser *p);

static bool is_tensor(const Parser *p, const Term *t) {
    return t->kind == TERM_OP || t->kind == TERM_ABSENT ||
           (t->kind == TERM_NAME && p->rule->slots.n &&
            p->rule->slots.at[t->slot].kind == SLOT_VALUE);
}

static Term *call(Parser *p, Term *at, const char *function, Term *x, Term *y) {
    Term *t = NEW(p->unit->arena, Term);
    *t = (Term){.kind = TERM_CALL, .line = at->line, .column = at->column, .slot = -1, .like = -1};
    for (const RuleFunction *f = rule_functions; f->name; f++)
        if (!strcmp(f->name, function)) t->function = f;
    if (!t->function) BUG(p->unit, "there is no function %s", function);
    term_add(p, t, x);
    if (y) term_add(p, t, y);
    for (int k = 0; k < t->n_args && !p->failed; k++)
        if (is_tensor(p, t->args[k]))
            fail_term(p, t->args[k],
                      "a tensor stands where a number should: value(x) is that of a constant x");
    return t;
}

static void parse_list(Parser *p, Term *t, const char *end) {
    if (accept(p, end)) return;
    do {
        term_add(p, t, parse_term(p));
    } while (accept(p, ","));
    expect(p, end);
}

static Term *parse_function(Parser *p, const char *name, Term *t) {
    t->kind = TERM_CALL;
    for (const RuleFunction *f = rule_functions; f->name; f++)
        if (!strcmp(f->name, name) && islower((unsigned char)*name)) t->function = f;
    if (!t->function) {
        fail_term(p, t, "there is no function '%s'", name);
        return t;
    }
    parse_list(p, t, ")");
    const char *takes = t->function->takes, *bar = strchr(takes, '|');
    int most = (int)strlen(takes) - (bar != NULL), least = bar ? (int)(bar - takes) : most;
    if (!p->failed && (t->n_args < least || t->n_args > most))
        fail_term(p, t, "%s takes %d to %d arguments", name, least, most);
    for (int k = 0; k < t->n_args && !p->failed; k++) {
        bool wants = takes[bar && k >= least ? k + 1 : k] == 'v';
        if (wants != (is_tensor(p, t->args[k]) && t->args[k]->kind == TERM_NAME))
            fail_term(p, t->args[k],
                      wants ? "the name of a tensor is expected"
                            : "a number or a list is expected");
    }
    return t;
}

static void parse_attr(Parser *p, Term *t, Mode mode) {
    if (accept(p, "..")) {
        t->open = true;
        if (mode == MODE_PATTERN) return;
        const char *name = parse_word(p, "the name of a result in the pattern");
        int slot = find_slot(p, name);
        if (slot < 0 || p->rule->slots.at[slot].statement < 0)
            fail_word(p, "'%s' is no result of a statement of the pattern", name);
        t->like = slot;
        return;
    }
    const char *name = parse_word(p, "the name of an attribute");
    const AttrInfo *info = p->failed ? NULL : op_find_attr(t->op, name);
    if (!info) {
        fail_word(p, "%s has no attribute '%s'", t->op->name, name);
        return;
    }
    if (!expect(p, "=")) return;
    TermAttr *attrs = NEW_ARRAY(p->unit->arena, TermAttr, t->n_attrs + 1);
    if (t->n_attrs) memcpy(attrs, t->attrs, (size_t)t->n_attrs * sizeof *attrs);
    t->attrs = attrs;
    p->mode = mode == MODE_PATTERN ? MODE_PATTERN_ATTR : MODE_CONDITION;
    attrs[t->n_attrs++] = (TermAttr){info, parse_term(p)};
    p->mode = mode;
}

static Term *parse_op(Parser *p, const char *domain, const char *name, Term *t) {
    Mode mode = p->mode;
    t->kind = TERM_OP;
    t->op = op_find(domain, name);
    if (!t->op || (mode != MODE_PATTERN && mode != MODE_MAKE)) {
        fail_term(p, t,
                  t->op ? "an operator cannot stand in a condition: %s" : "'%s' is no operator",
                  name);
        return t;
    }
    parse_list(p, t, ")");
    for (int k = 0; k < t->n_args && !p->failed && mode == MODE_PATTERN; k++)
        if (!is_tensor(p, t->args[k]) && t->args[k]->kind != TERM_NUMBER &&
            t->args[k]->kind != TERM_LIST)
            fail_term(p, t->args[k], "an operand is an operator, a name, a number or a list");
    if (!p->failed && t->op->max_inputs >= 0 && t->n_args > t->op->max_inputs)
        fail_term(p, t, "%s takes at most %d inputs", name, t->op->max_inputs);
    if (!accept(p, "{")) return t;
    do {
        parse_attr(p, t, mode);
    } while (accept(p, ","));
    expect(p, "}");
    return t;
}

static Term *parse_named(Parser *p, Term *t) {
    const char *name = parse_word(p, "a term"), *domain = "";
    if (accept(p, "::")) {
        domain = name;
        name = parse_word(p, "an operator");
    }
    if (p->failed) return t;
    if (accept(p, "("))
        return *domain || isupper((unsigned char)*name) ? parse_op(p, domain, name, t)
                                                        : parse_function(p, name, t);
    t->kind = TERM_NAME;
    t->text = name;
    t->slot = use_name(p, name);
    return t;
}

static Term *parse_primary(Parser *p) {
    Term *t = term_new(p, TERM_NUMBER);
    if (p->failed) return t;
    if (accept(p, "(")) {
        t = parse_term(p);
        expect(p, ")");
    } else if (accept(p, "[")) {
        t->kind = TERM_LIST;
        parse_list(p, t, "]");
    } else if (*p->at == '"') {
        t->kind = TERM_TEXT;
        t->text = parse_string(p);
    } else if (accept(p, "_")) {
        t->kind = TERM_ABSENT;
    } else if (accept(p, "?")) {
        parse_named(p, t);
        t->optional = true;
        if (p->mode != MODE_PATTERN) fail_term(p, t, "? stands in patterns");
    } else if (accept(p, "~")) {
        t->near = true;
        bool negative = accept(p, "-");
        t->number = parse_number(p);
        if (negative) t->number = negated(t->number);
    } else if (isdigit((unsigned char)*p->at) || at_token(p, "inf") || at_token(p, "true") ||
               at_token(p, "false")) {
        t->number = parse_number(p);
    } else {
        parse_named(p, t);
    }
    return t;
}

static Term *parse_index(Parser *p) {
    Term *t = parse_primary(p);
    while (!p->failed && p->mode != MODE_PATTERN && *p->at == '[' && accept(p, "[")) {
        t = call(p, t, "[]", t, parse_term(p));
        expect(p, "]");
    }
    return t;
}

static Term *parse_unary(Parser *p) {
    Term *t = term_new(p, TERM_NUMBER);
    if (!accept(p, "-")) return parse_index(p);
    Term *x = parse_index(p);
    if (x->kind != TERM_NUMBER) return call(p, t, "0-", x, NULL);
    x->number = negated(x->number);
    return x;
}

/* Binary operators by precedence, the loosest first. */
static const char *const binary[][7] = {
    {"or"}, {"and"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"},
};
enum { LEVELS = sizeof binary / sizeof *binary, LEVEL_NOT = 2 };

static const char *accept_binary(Parser *p, int level) {
    for (const char *const *op = binary[level]; *op; op++)
        if (accept(p, *op)) return *op;
    return NULL;
}

static Term *parse_level(Parser *p, int level) {
    Term *t = term_new(p, TERM_NUMBER);
    if (level == LEVELS || p->mode == MODE_PATTERN) return parse_unary(p);
    if (level == LEVEL_NOT && accept(p, "not"))
        return call(p, t, "not", parse_level(p, level), NULL);
    t = parse_level(p, level + 1);
    for (const char *op; !p->failed && (op = accept_binary(p, level));)
        t = call(p, t, op, t, parse_level(p, level + 1));
    return t;
}

static Term *parse_term(Parser *p) {
    if (++p->depth > MAX_NESTING) fail(p, "terms are nested too deeply");
    Term *t = p->failed ? term_new(p, TERM_NUMBER) : parse_level(p, 0);
    p->depth--;
    return t;
}

/* Statements and clauses. */

static int parse_result(Parser *p, int index, int result) {
    if (accept(p, "_")) return -1;
    const char *name = parse_word(p, "the name of a result");
    int i = p->failed ? 0 : declare(p, name, SLOT_VALUE);
    if (p->failed || p->mode != MODE_PATTERN) return i;
    Slot *slot = &p->rule->slots.at[i];
    if (slot->statement >= 0) fail_word(p, "'%s' is the result of two statements", name);
    slot->statement = index;
    slot->result = result;
    return i;
}

static void parse_statement(Parser *p, int index, Statement *s) {
    VEC(int) slots = {0};
    peek(p);
    *s = (Statement){.line = p->line, .column = (int)(p->at - p->line_start) + 1};
    do {
        int slot = parse_result(p, index, slots.n);
        vec_push(p->unit->arena, &slots, slot);
    } while (accept(p, ","));
    if (!expect(p, "=")) return;
    s->slots = slots.at;
    s->n_slots = slots.n;
    s->term = parse_term(p);
    bool is_op = s->term->kind == TERM_OP;
    if (p->failed || is_op) return;
    if (p->mode == MODE_PATTERN || !is_tensor(p, s->term) || s->n_slots != 1 ||
        s->term->kind == TERM_ABSENT)
        fail_term(p, s->term,
                  p->mode == MODE_PATTERN ? "a statement of a pattern is an operator"
                                          : "a statement is an operator or the name of a tensor");
}

static void parse_match(Parser *p) {
    p->mode = MODE_PATTERN;
    do {
        Statement s;
        parse_statement(p, p->rule->match.n, &s);
        if (p->failed) return;
        if (p->rule->match.n == RULE_STATEMENTS) {
            fail(p, "a pattern has at most %d statements", RULE_STATEMENTS);
            return;
        }
        vec_push(p->unit->arena, &p->rule->match, s);
    } while (!at_keyword(p) && *p->at);
}

/* In a condition `a and b`, a and b are clauses of their own. */
static void add_clauses(Parser *p, Term *t, const char *text) {
    if (t->kind == TERM_CALL && !strcmp(t->function->name, "and")) {
        const char *middle = strstr(text, " and ");
        bool simple = middle && !strstr(middle + 1, " and ");
        const char *left =
            simple ? arena_copy(p->unit->arena, text, (size_t)(middle - text)) : text;
        add_clauses(p, t->args[0], left);
        add_clauses(p, t->args[1], simple ? middle + 5 : text);
        return;
    }
    Clause c = {.slot = -1, .term = t, .text = text};
    vec_push(p->unit->arena, &p->rule->clauses, c);
}

static const char *text_between(const Parser *p, const char *from) {
    Text t = {.arena = p->unit->arena};
    text_add(&t, "%s", "");
    for (const char *c = from; c < p->at; c++) {
        bool space = isspace((unsigned char)*c);
        if (!space || (t.n && t.at[t.n - 1] != ' ')) text_add(&t, "%c", space ? ' ' : *c);
    }
    while (t.n && t.at[t.n - 1] == ' ') t.at[--t.n] = 0;
    return t.at;
}

static void parse_where(Parser *p) {
    p->mode = MODE_CONDITION;
    peek(p);
    const char *from = p->at;
    Term *t = parse_term(p);
    if (!p->failed && is_tensor(p, t)) fail_term(p, t, "a tensor is no condition");
    if (!p->failed) add_clauses(p, t, text_between(p, from));
}

static void parse_let(Parser *p) {
    p->mode = MODE_CONDITION;
    const char *name = parse_word(p, "a name");
    if (p->failed || !expect(p, "=")) return;
    if (find_slot(p, name) >= 0) {
        fail_word(p, "'%s' is defined twice", name);
        return;
    }
    Term *t = parse_term(p);
    if (!p->failed && is_tensor(p, t)) fail_term(p, t, "a number, text or list is expected");
    if (p->failed) return;
    Clause c = {.slot = declare(p, name, SLOT_DATUM), .term = t, .text = name};
    vec_push(p->unit->arena, &p->rule->clauses, c);
}

static void parse_make(Parser *p) {
    p->mode = MODE_MAKE;
    do {
        Statement s;
        parse_statement(p, -1, &s);
        if (p->failed) return;
        if (p->rule->make.n == RULE_STATEMENTS) {
            fail(p, "a replacement has at most %d statements", RULE_STATEMENTS);
            return;
        }
        vec_push(p->unit->arena, &p->rule->make, s);
    } while (!at_keyword(p) && *p->at);
}

/* Examples. */

static Number parse_signed(Parser *p) {
    bool negative = accept(p, "-");
    Number x = parse_number(p);
    return negative ? negated(x) : x;
}

static void parse_numbers(Parser *p, Datum *d) {
    VEC(Number) items = {0};
    d->kind = DATUM_LIST;
    if (!accept(p, "]")) {
        do {
            vec_push(p->unit->arena, &items, parse_signed(p));
        } while (accept(p, ","));
        expect(p, "]");
    }
    d->items = items.at;
    d->n = items.n;
}

static Datum parse_datum(Parser *p) {
    Datum d = {.kind = DATUM_NUMBER};
    if (accept(p, "[")) {
        parse_numbers(p, &d);
    } else if (peek(p) == '"') {
        d.kind = DATUM_TEXT;
        d.text = parse_string(p);
    } else {
        d.number = parse_signed(p);
    }
    return d;
}

static void parse_example_type(Parser *p, ExampleItem *item) {
    item->dtype = dtype_from_text(parse_word(p, "an element type"));
    if (item->dtype == DT_NONE) fail_word(p, "this is no element type");
    if (!accept(p, "[")) return;
    Datum dims;
    parse_numbers(p, &dims);
    if (dims.n > 6) fail(p, "an example has at most 6 dimensions");
    item->shaped = true;
    item->rank = dims.n;
    for (int k = 0; k < dims.n && !p->failed; k++) {
        item->dims[k] = dims.items[k].i;
        if (item->dims[k] < 0 || item->dims[k] > 64)
            fail_word(p, "the dimensions of an example are 0 to 64");
    }
}

static void parse_example(Parser *p) {
    Example example = {0};
    do {
        ExampleItem item = {0};
        p->mode = MODE_CONDITION;
        item.slot = use_name(p, parse_word(p, "a name of the pattern"));
        if (accept(p, ":")) parse_example_type(p, &item);
        if (accept(p, "=")) {
            item.is_constant = true;
            if (!accept(p, "constant")) item.datum = parse_datum(p);
        }
        if (p->failed) return;
        if (item.dtype == DT_NONE && !item.is_constant) fail(p, "a type or a value is expected");
        vec_push(p->unit->arena, &example, item);
    } while (accept(p, ","));
    vec_push(p->unit->arena, &p->rule->examples, example);
}

/* What a rule must be as a whole. */

static void mark_reached(const Rule *r, const Term *t, bool *reached, bool *slots) {
    if (t->kind == TERM_NAME) {
        const Slot *slot = &r->slots.at[t->slot];
        slots[t->slot] = true;
        if (slot->statement < 0 || reached[slot->statement]) return;
        reached[slot->statement] = true;
        mark_reached(r, r->match.at[slot->statement].term, reached, slots);
        return;
    }
    for (int k = 0; k < t->n_args; k++) mark_reached(r, t->args[k], reached, slots);
}

static bool shares_name(const Term *t, const bool *slots) {
    for (int k = 0; k < t->n_args; k++)
        if (t->args[k]->kind == TERM_NAME && slots[t->args[k]->slot]) return true;
    return false;
}

/* Every statement is found from the root: by an operand, or because one of its own operands is
 * known. */
static void check_connected(Parser *p, const Rule *r) {
    bool reached[RULE_STATEMENTS] = {false}, slots[RULE_SLOTS] = {false};
    reached[r->root] = true;
    mark_reached(r, r->match.at[r->root].term, reached, slots);
    for (int i = 0; i < r->match.n; i++) {
        if (reached[i]) continue;
        const Term *t = r->match.at[i].term;
        if (!shares_name(t, slots)) {
            fail_term(
                p, t,
                "nothing ties this statement to the one before: a name among its operands should");
            return;
        }
        reached[i] = true;
        mark_reached(r, t, reached, slots);
    }
}

static int count_ops(const Term *t, int *depth) {
    int n = 1, deepest = 0;
    for (int k = 0; k < t->n_args; k++) {
        int below = 0;
        if (t->args[k]->kind == TERM_OP) n += count_ops(t->args[k], &below);
        if (below > deepest) deepest = below;
    }
    *depth = deepest + 1;
    return n;
}

static void measure(Rule *r) {
    for (int i = 0; i < r->match.n; i++) {
        int depth;
        r->n_ops += count_ops(r->match.at[i].term, &depth);
        r->depth += depth;
    }
}

/* In a replacement a result that is replaced may be named once it is made. */
static void check_uses(Parser *p, const Term *t, const bool *later) {
    if (t->kind == TERM_NAME && p->rule->slots.at[t->slot].kind == SLOT_VALUE && later[t->slot])
        fail_term(p, t, "'%s' is used before it is made", t->text);
    for (int k = 0; k < t->n_args && t->kind == TERM_OP; k++) check_uses(p, t->args[k], later);
}

static void check_order(Parser *p) {
    bool later[RULE_SLOTS] = {false};
    const Rule *r = p->rule;
    for (int i = r->make.n - 1; i >= 0; i--) {
        for (int k = 0; k < r->make.at[i].n_slots; k++)
            if (r->make.at[i].slots[k] >= 0) later[r->make.at[i].slots[k]] = true;
        check_uses(p, r->make.at[i].term, later);
    }
}

static void check_rule(Parser *p) {
    Rule *r = p->rule;
    bool bound[RULE_SLOTS] = {false};
    r->root = -1;
    check_order(p);
    for (int i = 0; i < r->make.n; i++)
        for (int k = 0; k < r->make.at[i].n_slots; k++) {
            int slot = r->make.at[i].slots[k];
            if (slot < 0) continue;
            if (bound[slot])
                fail_term(p, r->make.at[i].term, "'%s' is made twice", r->slots.at[slot].name);
            bound[slot] = true;
            int statement = r->slots.at[slot].statement;
            if (statement > r->root) r->root = statement;
        }
    if (p->failed) return;
    if (r->root < 0) {
        fail_rule(p, "rule '%s' makes none of the results of its pattern", r->name);
        return;
    }
    measure(r);
    check_connected(p, r);
}

static void parse_head(Parser *p) {
    Rule *r = p->rule;
    peek(p);
    r->line = p->line;
    r->name = parse_word(p, "the name of a rule");
    if (!expect(p, ":")) return;
    if (accept(p, "BIT"))
        r->promise = CLASS_BIT;
    else if (accept(p, "REAL"))
        r->promise = CLASS_REAL;
    else if (accept(p, "FAST"))
        r->promise = CLASS_FAST;
    else
        fail(p, "BIT, REAL or FAST is expected");
    if (!expect(p, "level")) return;
    Number level = parse_number(p);
    if (!level.is_int || level.i < 1 || level.i > 3) fail_word(p, "a level is 1, 2 or 3");
    r->level = (int)level.i;
}

static void parse_rule(Parser *p) {
    parse_head(p);
    if (expect(p, "match")) parse_match(p);
    while (!p->failed)
        if (accept(p, "where"))
            parse_where(p);
        else if (accept(p, "let"))
            parse_let(p);
        else
            break;
    if (expect(p, "make")) parse_make(p);
    while (accept(p, "example")) parse_example(p);
    if (!p->failed) check_rule(p);
}

static void skip_rule(Parser *p) {
    while (peek(p) && !at_token(p, "rule"))
        if (is_word(*p->at))
            while (is_word(*p->at)) p->at++;
        else
            p->at++;
}

bool rules_parse(Unit *u, const char *file, const char *text, RuleSet *set) {
    Parser p = {.unit = u, .file = file, .at = text, .line_start = text, .line = 1};
    bool ok = true;
    while (peek(&p)) {
        p.failed = false;
        p.depth = 0;
        p.rule = NEW(u->arena, Rule);
        p.rule->file = file;
        if (expect(&p, "rule")) parse_rule(&p);
        for (int i = 0; i < set->rules.n && !p.failed; i++)
            if (set->rules.at[i]->name == p.rule->name)
                fail_rule(&p, "there are two rules '%s'", p.rule->name);
        if (!p.failed) vec_push(u->arena, &set->rules, p.rule);
        ok &= !p.failed;
        if (p.failed) skip_rule(&p);
    }
    return ok;
}

RuleSet *rules_built_in(Unit *u) {
    RuleSet *set = NEW(u->arena, RuleSet);
    for (const RuleText *t = rule_texts; t->name; t++)
        if (!rules_parse(u, t->name, t->text, set)) BUG(u, "rules of ours are wrong: %s", t->name);
    return set;
}
