/* dims.c - the graph's inputs: their types, and a size for every symbolic dimension.
 *
 * A symbol takes the size that the caller pinned; else it is 1, with a note, if it leads an input
 * (a batch); else the model is refused with what to give.  A dimension without size and name is
 * called <input>.<axis>. */
#include "reader.h"

#include <string.h>

typedef struct Symbol {
    const char *name;  /* interned */
    const char *input; /* where it is met first */
    int axis;
    bool leads;
    int64_t size; /* -1: not known */
} Symbol;

typedef struct Symbols {
    Map by_name;
    VEC(Symbol *) all;
} Symbols;

static bool fail(Reader *r, const char *what, const char *name, const char *text) {
    return diag(r->unit, NO_PLACE, D_VALUE_TYPE, what, name, text);
}

static bool dim_is_sized(const Onnx__TensorShapeProto__Dimension *dim) {
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
}

static bool check_shape(Reader *r, const char *what, const char *name,
                        const Onnx__TensorShapeProto *shape) {
    if (shape->n_dim > MAX_RANK)
        return fail(r, what, name,
                    arena_format(r->unit->arena, "has %zu dimensions, at most %d are supported",
                                 shape->n_dim, MAX_RANK));
    int64_t count = 1;
    for (size_t i = 0; i < shape->n_dim; i++) {
        if (!dim_is_sized(shape->dim[i])) continue;
        int64_t size = shape->dim[i]->dim_value;
        if (size < 0)
            return fail(r, what, name,
                        arena_format(r->unit->arena, "dimension %zu is %lld", i, (long long)size));
        if (__builtin_mul_overflow(count, size ? size : 1, &count) || count > (int64_t)1 << 58)
            return fail(r, what, name, "the product of the dimensions is too large");
    }
    return true;
}

bool check_value_type(Reader *r, const char *what, const Onnx__ValueInfoProto *info) {
    const Onnx__TypeProto *type = info->type;
    const char *name = info->name ? info->name : "";
    if (!type || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET) return true;
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return fail(r, what, name,
                    "only tensors are supported here, not sequences, maps and the like");
    const Onnx__TypeProto__Tensor *tensor = type->tensor_type;
    if (dtype_from_onnx(tensor->elem_type) == DT_NONE)
        return fail(r, what, name,
                    arena_format(r->unit->arena, "elements of the type %s are not supported",
                                 onnx_type_text(r->unit, tensor->elem_type)));
    return !tensor->shape || check_shape(r, what, name, tensor->shape);
}

static const Onnx__TensorShapeProto *input_shape(const Onnx__ValueInfoProto *info) {
    bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    return tensor ? info->type->tensor_type->shape : NULL;
}

static const char *symbol_name(Reader *r, const Onnx__ValueInfoProto *info, int axis) {
    const Onnx__TensorShapeProto__Dimension *dim = input_shape(info)->dim[axis];
    bool named =
        dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && *dim->dim_param;
    const char *name =
        named ? dim->dim_param : arena_format(r->unit->arena, "%s.%d", info->name, axis);
    return name_intern(r->unit->names, name);
}

static void note_symbol(Reader *r, Symbols *symbols, const Onnx__ValueInfoProto *info, int axis) {
    const char *name = symbol_name(r, info, axis);
    Symbol *symbol = map_get(&symbols->by_name, (uintptr_t)name);
    if (!symbol) {
        symbol = NEW(r->unit->arena, Symbol);
        *symbol = (Symbol){name, info->name, axis, false, -1};
        map_set(&symbols->by_name, (uintptr_t)name, symbol);
        vec_push(r->unit->arena, &symbols->all, symbol);
    }
    symbol->leads |= axis == 0;
}

static void list_symbols(const Symbols *symbols, Text *text) {
    for (int i = 0; i < symbols->all.n; i++)
        text_add(text, "%s%s", i ? ", " : "", symbols->all.at[i]->name);
    if (symbols->all.n == 0) text_add(text, "none");
}

static void apply_pins(Reader *r, Symbols *symbols) {
    for (int i = 0; i < r->options.n_pins; i++) {
        const DimPin *pin = &r->options.pins[i];
        Symbol *symbol =
            map_get(&symbols->by_name, (uintptr_t)name_intern(r->unit->names, pin->symbol));
        if (!symbol) {
            Text text = {.arena = r->unit->arena};
            text_add(&text, "no input has a dimension of that name; there is: ");
            list_symbols(symbols, &text);
            diag(r->unit, NO_PLACE, D_DIM_PIN, pin->symbol, (long long)pin->size, text.at);
        } else if (pin->size < 1) {
            diag(r->unit, NO_PLACE, D_DIM_PIN, pin->symbol, (long long)pin->size,
                 "the size must be at least 1");
        } else {
            symbol->size = pin->size;
        }
    }
}

static void settle_rest(Reader *r, Symbols *symbols) {
    for (int i = 0; i < symbols->all.n; i++) {
        Symbol *s = symbols->all.at[i];
        if (s->size >= 0) continue;
        s->size = 1;
        if (s->leads)
            diag_note(r->unit,
                      "input '%s': dimension %d, '%s', becomes 1 (--dim %s=N for another size)",
                      s->input, s->axis, s->name, s->name);
        else
            diag(r->unit, NO_PLACE, D_DIM_SYMBOLIC, s->input, s->axis, s->name, s->name);
    }
}

static void add_input(Reader *r, Scope *scope, Symbols *symbols, const Onnx__ValueInfoProto *info) {
    const Onnx__TensorShapeProto *shape = input_shape(info);
    Dim dims[MAX_RANK];
    int64_t count = 1;
    int rank = (int)shape->n_dim;
    for (int i = 0; i < rank; i++) {
        if (dim_is_sized(shape->dim[i])) {
            dims[i] = (Dim){shape->dim[i]->dim_value, NULL};
        } else {
            const Symbol *symbol = map_get(&symbols->by_name, (uintptr_t)symbol_name(r, info, i));
            dims[i] = (Dim){symbol->size, NULL};
        }
        if (__builtin_mul_overflow(count, dims[i].size ? dims[i].size : 1, &count) ||
            count > (int64_t)1 << 58) {
            fail(r, "input", info->name, "the product of the dimensions is too large");
            return;
        }
    }
    DType dtype = dtype_from_onnx(info->type->tensor_type->elem_type);
    Value *v =
        graph_add_input(scope->graph, name_intern(r->unit->names, info->name), dtype, rank, dims);
    scope_bind(r, scope, info->name, v, "an input");
}

/* An input that is no initializer, and whose type is good. */
static bool is_usable(Reader *r, const Scope *scope, const Onnx__ValueInfoProto *info) {
    if (!info->name || !*info->name) return diag(r->unit, NO_PLACE, D_NAME_EMPTY, "a graph input");
    const Binding *bound =
        map_get(&scope->bindings, (uintptr_t)name_intern(r->unit->names, info->name));
    if (bound) return false;
    if (!check_value_type(r, "input", info)) return false;
    if (!info->type || info->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return fail(r, "input", info->name, "has no type");
    if (!input_shape(info)) return fail(r, "input", info->name, "has no shape");
    return true;
}

void read_inputs(Reader *r, Scope *scope, const Onnx__GraphProto *proto) {
    Symbols symbols = {.by_name.arena = r->unit->arena};
    bool *usable = NEW_ARRAY(r->unit->arena, bool, proto->n_input);
    for (size_t i = 0; i < proto->n_input && !reader_is_done(r); i++) {
        const Onnx__ValueInfoProto *info = proto->input[i];
        usable[i] = is_usable(r, scope, info);
        for (int axis = 0; usable[i] && axis < (int)input_shape(info)->n_dim; axis++)
            if (!dim_is_sized(input_shape(info)->dim[axis])) note_symbol(r, &symbols, info, axis);
    }
    apply_pins(r, &symbols);
    settle_rest(r, &symbols);
    for (size_t i = 0; i < proto->n_input && !reader_is_done(r); i++) {
        const Onnx__ValueInfoProto *info = proto->input[i];
        if (usable[i])
            add_input(r, scope, &symbols, info);
        else if (info->name && *info->name && !scope_find(scope, info->name))
            scope_bind(r, scope, info->name, scope_value(r, scope, info->name), "an input");
    }
}
