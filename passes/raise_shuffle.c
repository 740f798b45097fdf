/* raise_shuffle.c - Reshape, Transpose, Reshape that trade channels for pixels are DepthToSpace or SpaceToDepth.
 * BIT: no number is touched. */
#include "match.h"
#include "pass.h"

#include <string.h>

/* A shuffle: N x C x H x W seen with six axes, their order, and where block and channels stand among them. */
typedef struct Shuffle {
    OpId op;
    const char *mode;                    /* of DepthToSpace */
    int64_t perm[6];
    int block_at[2];                     /* axes of six that are the block's */
    int row_at, column_at;               /* those that are pixels at low resolution */
} Shuffle;

static const Shuffle shuffles[] = {
    {OP_DepthToSpace, "CRD", {0, 1, 4, 2, 5, 3}, {2, 3}, 4, 5},
    {OP_DepthToSpace, "DCR", {0, 3, 4, 1, 5, 2}, {1, 2}, 4, 5},
    {OP_SpaceToDepth, NULL, {0, 3, 5, 1, 2, 4}, {3, 5}, 2, 4},
};

static bool is_shuffle(const Shuffle *s, const Value *x, const Value *six, const int64_t *perm, const Value *out) {
    if (memcmp(perm, s->perm, sizeof s->perm) != 0) return false;
    int64_t block = six->dims[s->block_at[0]].size, rows = six->dims[s->row_at].size, columns = six->dims[s->column_at].size;
    if (six->dims[s->block_at[1]].size != block || x->dims[0].size != six->dims[0].size || block < 2) return false;
    const Value *low = s->op == OP_DepthToSpace ? x : out, *high = s->op == OP_DepthToSpace ? out : x;
    return low->dims[2].size == rows && low->dims[3].size == columns && high->dims[2].size == rows * block &&
           high->dims[3].size == columns * block && low->dims[1].size == high->dims[1].size * block * block &&
           low->dims[0].size == high->dims[0].size;
}

static bool raise_shuffle(Graph *g, const PassOptions *options, Node *n) {
    const Node *transpose = n->op->id == OP_Reshape ? match_op(n->inputs[0], OP_Transpose) : NULL;
    const Node *split = transpose ? match_op(transpose->inputs[0], OP_Reshape) : NULL;
    if (!split || split->outputs[0]->rank != 6) return false;
    Value *x = split->inputs[0], *six = split->outputs[0];
    int count;
    const int64_t *perm = node_ints(transpose, "perm", &count);
    if (x->rank != 4 || n->outputs[0]->rank != 4 || !perm || count != 6) return false;
    for (size_t i = 0; i < sizeof shuffles / sizeof *shuffles; i++) {
        const Shuffle *s = &shuffles[i];
        if (!is_shuffle(s, x, six, perm, n->outputs[0])) continue;
        if (!rewrite_allowed(g, options, n)) return false;
        remark(g, options, REMARK_MATCHED, n, "%s", op_infos[s->op].name);
        Node *made = node_open(g, n, s->op, &x, 1);
        node_set_int(g, made, "blocksize", six->dims[s->block_at[0]].size);
        if (s->mode && strcmp(s->mode, "DCR") != 0) node_set_string(g, made, "mode", s->mode);
        node_become(g, n, node_close(g, made));
        return true;
    }
    remark(g, options, REMARK_MISSED, n, "no shuffle of channels and pixels: axes or sizes are in another order");
    return false;
}

bool pass_raise_shuffle(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {raise_shuffle};
    rewrite_everywhere(g, options, rewrites, 1);
    return true;
}
