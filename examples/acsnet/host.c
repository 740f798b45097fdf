/* host.c - a program around the ACSNet that sonoc compiled: an ultrasound image in, the lesion's
 * class and outline out.
 *
 *     sonoc compile acsnet_narrow_ts17.onnx -o acsnet.c
 *     gcc -O3 -march=native -o acsnet host.c acsnet.c -lpng -lm
 *     ./acsnet phantom_malignant.png overlay.png
 *
 * Not a medical device: the network was trained on phantoms. */
#include "acsnet.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 256, PIXELS = SIZE * SIZE, GAP = 8, WIDTH = 2 * SIZE + GAP };

static const float MEAN = 0.330f,
                   DEVIATION = 0.204f; /* of the grey levels that the network was trained on */

static float image[3 * PIXELS], class_logits[2], mask_logits[PIXELS];

/* Any PNG of 256 x 256, as grey. */
static int read_grey(const char *path, unsigned char *grey) {
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&png, path)) {
        fprintf(stderr, "%s: %s\n", path, png.message);
        return 0;
    }
    if (png.width != SIZE || png.height != SIZE) {
        fprintf(stderr, "%s: is %u x %u, should be %d x %d\n", path, png.width, png.height, SIZE,
                SIZE);
        png_image_free(&png);
        return 0;
    }
    png.format = PNG_FORMAT_GRAY;
    if (png_image_finish_read(&png, NULL, grey, SIZE, NULL)) return 1;
    fprintf(stderr, "%s: %s\n", path, png.message);
    return 0;
}

/* Three equal channels, normalised. */
static void normalise(const unsigned char *grey) {
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < PIXELS; i++)
            image[c * PIXELS + i] = ((float)grey[i] / 255.0f - MEAN) / DEVIATION;
}

static int is_inside(int y, int x) {
    return y >= 0 && x >= 0 && y < SIZE && x < SIZE && mask_logits[y * SIZE + x] > 0;
}

/* 2: on the outline, 1: inside, 0: outside. */
static int place_of(int y, int x) {
    if (!is_inside(y, x)) return 0;
    int around =
        is_inside(y - 1, x) + is_inside(y + 1, x) + is_inside(y, x - 1) + is_inside(y, x + 1);
    return around == 4 ? 1 : 2;
}

static void paint(unsigned char *pixel, unsigned char grey, int place) {
    static const int colour[3] = {255, 96, 32};
    for (int c = 0; c < 3; c++) {
        int tinted = place == 2 ? colour[c] : (3 * grey + colour[c]) / 4;
        pixel[c] = (unsigned char)(place ? tinted : grey);
    }
}

/* The image, and beside it the image with the lesion tinted and outlined. */
static int write_overlay(const char *path, const unsigned char *grey) {
    static unsigned char picture[SIZE * WIDTH * 3];
    memset(picture, 255, sizeof picture);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            unsigned char *row = picture + y * WIDTH * 3, g = grey[y * SIZE + x];
            paint(row + x * 3, g, 0);
            paint(row + (x + SIZE + GAP) * 3, g, place_of(y, x));
        }
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    png.width = WIDTH;
    png.height = SIZE;
    png.format = PNG_FORMAT_RGB;
    if (png_image_write_to_file(&png, path, 0, picture, 0, NULL)) return 1;
    fprintf(stderr, "%s: %s\n", path, png.message);
    return 0;
}

static double milliseconds(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void report(double took) {
    int inside = 0;
    for (int i = 0; i < PIXELS; i++) inside += mask_logits[i] > 0;
    double malignant = 1 / (1 + exp((double)class_logits[0] - (double)class_logits[1]));
    printf("benign     %5.1f %%\nmalignant  %5.1f %%\n", 100 * (1 - malignant), 100 * malignant);
    printf("lesion     %5.1f %% of the image\n", 100.0 * inside / PIXELS);
    printf("the network took %.1f ms on one thread\n", took);
    printf(
        "This is no medical device: the network was trained on phantoms, and knows no patient.\n");
}

int main(int argc, char **argv) {
    static unsigned char grey[PIXELS];
    struct acsnet network;
    if (argc != 3) {
        fprintf(stderr, "usage: %s IMAGE.png OVERLAY.png\n", argv[0]);
        return 2;
    }
    if (!read_grey(argv[1], grey)) return 1;
    normalise(grey);
    int status = acsnet_init(&network);
    double start = milliseconds();
    if (!status) status = acsnet_run(&network, image, class_logits, mask_logits);
    if (status) {
        fprintf(stderr, "the network failed: %d\n", status);
        return 1;
    }
    report(milliseconds() - start);
    return write_overlay(argv[2], grey) ? 0 : 1;
}
