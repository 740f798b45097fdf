/* use_model.c - calls the network that sonoc compiled: an image of one grey in, the class out. */
#include "model.h"

#include <stdio.h>

static struct model model;
static float image[3 * 256 * 256], class_logits[2], mask_logits[256 * 256];

int main(void) {
    int status = model_init(&model);
    if (status != MODEL_OK) {
        fprintf(stderr, "model_init: %d\n", status);
        return 1;
    }
    for (int i = 0; i < 3 * 256 * 256; i++) image[i] = 0.25f;
    status = model_run(&model, image, class_logits, mask_logits);
    if (status != MODEL_OK) {
        fprintf(stderr, "model_run: %d\n", status);
        return 1;
    }
    int inside = 0;
    for (int i = 0; i < 256 * 256; i++) inside += mask_logits[i] > 0;
    printf("class logits %g %g, %d pixels of lesion\n", class_logits[0], class_logits[1], inside);
    printf("arena %d bytes, weights %d bytes\n", MODEL_ARENA_BYTES, MODEL_WEIGHTS_BYTES);
    return 0;
}
