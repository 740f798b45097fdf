/* weights.h - the image of a program's constants: one after the other, each aligned to 64 bytes, in the target's
 * byte order.
 *
 * Every form of output that has the constants in one piece (a file, an object, a literal, a cache) has this one. */
#ifndef SONOC_WEIGHTS_H
#define SONOC_WEIGHTS_H

#include "loop.h"

enum { WEIGHTS_ALIGN = 64 };

typedef struct WeightsImage {
    int64_t *offsets;        /* by buffer id: where a constant that some kernel or output reads begins; else -1 */
    int64_t bytes;           /* of the image; a multiple of WEIGHTS_ALIGN */
} WeightsImage;

/* In the program's own arena. */
WeightsImage weights_place(const Program *p);
/* `to` is zero before. */
void weights_fill(const Program *p, const WeightsImage *image, char *to);
/* One image for several programs: constants that are the same lie there once.  bytes is that of the whole. */
void weights_place_all(const Program *const *programs, int n, WeightsImage *images);
void weights_fill_all(const Program *const *programs, int n, const WeightsImage *images, char *to);

#endif
