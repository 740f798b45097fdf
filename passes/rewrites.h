/* rewrites.h - the passes that rewrite graphs, one prototype each. */
#ifndef SONOC_REWRITES_H
#define SONOC_REWRITES_H

#include "pass.h"

bool pass_tidy(Graph *g, const PassOptions *options);             /* tidy.c */
bool pass_share(Graph *g, const PassOptions *options);            /* share.c */
bool pass_raise_pool(Graph *g, const PassOptions *options);       /* raise_pool.c */
bool pass_raise_norm(Graph *g, const PassOptions *options);       /* raise_norm.c */
bool pass_raise_deform(Graph *g, const PassOptions *options);     /* raise_deform.c */
bool pass_raise_shuffle(Graph *g, const PassOptions *options);    /* raise_shuffle.c */
bool pass_fuse_conv(Graph *g, const PassOptions *options);        /* fuse_conv.c */
bool pass_fuse_pad(Graph *g, const PassOptions *options);         /* fuse_conv.c */
bool pass_fuse_gate(Graph *g, const PassOptions *options);        /* fuse_gate.c */
bool pass_fuse_parallel(Graph *g, const PassOptions *options);    /* fuse_parallel.c */

#endif
