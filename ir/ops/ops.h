/* ops.h - prototypes of the functions that rows of the operator table name, made from the rows. */
#ifndef SONOC_OPS_H
#define SONOC_OPS_H

#include "op.h"

/* OPS_DECLARE(type, f) declares f unless the row says 0. */
#define OPS_SECOND(x, second, ...) second
#define OPS_PICK(...) OPS_SECOND(__VA_ARGS__, 0, ~)
#define OPS_ABSENT_0 ~, 1
#define OPS_ABSENT(f) OPS_PICK(OPS_ABSENT_##f)
#define OPS_DECLARE_0(type, f) type f;
#define OPS_DECLARE_1(type, f)
#define OPS_JOIN(x, y) OPS_JOIN_(x, y)
#define OPS_JOIN_(x, y) x##y
#define OPS_DECLARE(type, f) OPS_JOIN(OPS_DECLARE_, OPS_ABSENT(f))(type, f)

#define ELEM(id, name, domain, since, min_in, max_in, infer, elem) \
    OPS_DECLARE(InferFn, infer) OPS_DECLARE(ElemFn, elem)
#define MOVE(id, name, domain, since, min_in, max_in, min_out, max_out, infer, move) \
    OPS_DECLARE(InferFn, infer) OPS_DECLARE(MoveFn, move)
#define REDUCE(id, name, domain, since, min_in, max_in, infer, rule) \
    OPS_DECLARE(InferFn, infer) OPS_DECLARE(extern const ReduceRule, rule)
#define EXPAND(id, name, domain, since, min_in, max_in, min_out, max_out, infer, expand) \
    OPS_DECLARE(InferFn, infer) OPS_DECLARE(ExpandFn, expand)
#define CODE(id, name, domain, since, min_in, max_in, min_out, max_out, infer, code, need) \
    OPS_DECLARE(InferFn, infer) OPS_DECLARE(CodeFn, code) OPS_DECLARE(NeedFn, need)
#include "ops/ops.def"
#undef ELEM
#undef MOVE
#undef REDUCE
#undef EXPAND
#undef CODE

#endif
